"""What validation looks at, as plain tables: a row a face, a row a picture (measured from its file), a row a split. No checks here."""

import hashlib
import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image as PillowImage

from dartblur.errors import DartblurError
from dartblur.faces.dataset import ATTRIBUTES, SPLITS
from dartblur.faces.files import PictureFiles, picture_files
from dartblur.faces.parallel import map_in_order
from dartblur.media.images import decode_image

SMALL_FACE = 10
"""A face lower than this many pixels is small."""

_CORNERS = ["x1", "y1", "x2", "y2"]
_ORIENTATION = 0x0112
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def face_facts(table: pd.DataFrame) -> pd.DataFrame:
    """The annotation table with these columns added.

    ``box_width``, ``box_height`` in pixels; ``outside``: pixels by which the box crosses a border, 0 inside; ``not_finite``: corners that are NaN or
    infinite on a row that claims a face; ``counted_height``: height of a face that counts, else NaN; ``small``: 1 where that is below
    :data:`SMALL_FACE`, else 0, NaN where the face does not count.
    """
    corners = table[_CORNERS].to_numpy(np.float64)
    finite = np.isfinite(corners)
    # A row without a box is the sign of a picture without faces: anything that speaks of a face beside it contradicts that.
    attributes = (table[list(ATTRIBUTES)] != -1).to_numpy(np.bool_).any(axis=1)
    alone = ~table.duplicated("image", keep=False).to_numpy(np.bool_)
    claims = ~np.isnan(corners).all(axis=1) | table["ignore"].to_numpy(np.bool_) | attributes | ~alone
    size = table[["width", "height"]].to_numpy(np.float64)
    over = np.concatenate([-corners[:, :2], corners[:, 2:] - size], axis=1)
    height = corners[:, 3] - corners[:, 1]
    counted = np.where(finite.all(axis=1) & ~table["ignore"].to_numpy(np.bool_), height, np.nan)
    return table.assign(
        box_width=corners[:, 2] - corners[:, 0],
        box_height=height,
        outside=np.clip(over, 0, None).max(axis=1, initial=0),
        not_finite=np.where(claims, (~finite).sum(axis=1), 0),
        counted_height=counted,
        small=np.where(np.isnan(counted), np.nan, counted < SMALL_FACE),
    ).reset_index(drop=True)


@dataclass(frozen=True)
class _File:
    """One picture file as it was found."""

    problem: str | None = None
    decoded_width: float = np.nan
    decoded_height: float = np.nan
    decoded_sha256: str | None = None
    orientation: int = 1


def image_facts(root: Path, table: pd.DataFrame, workers: int) -> pd.DataFrame:
    """One row a picture of the annotation ``table``, measured from the files below ``root``.

    Columns image, file, width, height, sha256, split as the table has them; ``faces``: annotated boxes; ``problem``: why the file is not readable, or
    None; ``decoded_width``, ``decoded_height``, ``decoded_sha256`` of the file, missing where it is not readable; ``orientation``: its EXIF tag, 1
    without one; ``twin_across``: a picture of another split with the same bytes, or None; ``twin_within``: an earlier one of the same split.
    """
    columns = ["image", "file", "width", "height", "sha256", "split"]
    pictures = table[columns].drop_duplicates().sort_values(["split", "image", "file"], kind="stable").reset_index(drop=True)
    faces = table.groupby(["split", "image"])["x1"].count().to_dict()
    files = picture_files(root)
    found = map_in_order(lambda file: _look(files, str(file)), pictures["file"].tolist(), workers, "validate")
    facts = pd.concat([pictures, pd.DataFrame(found, columns=list(_File.__dataclass_fields__))], axis=1)
    facts["faces"] = [faces[key] for key in zip(facts["split"], facts["image"], strict=True)]
    for column in ("problem", "decoded_sha256"):
        facts[column] = facts[column].astype(object).where(facts[column].notna(), None)
    across, within = _twins(zip(facts["image"], facts["split"], facts["decoded_sha256"], strict=True))
    facts["twin_across"] = pd.Series(across, dtype=object)
    facts["twin_within"] = pd.Series(within, dtype=object)
    return facts


def _look(files: PictureFiles, file: str) -> _File:
    try:
        data = files.data(file)
    except DartblurError as error:
        return _File(str(error).removeprefix(f"{files.where(file)}: ").partition(";")[0])
    digest = hashlib.sha256(data).hexdigest()
    try:
        height, width = decode_image(data, "the file").shape[:2]
    except DartblurError as error:
        return _File(str(error).partition(";")[0], decoded_sha256=digest)
    return _File(None, width, height, digest, _orientation(data))


def _orientation(data: bytes) -> int:
    """The EXIF orientation tag, 1 where there is none or it cannot be read: only a warning hangs on it."""
    try:
        with PillowImage.open(io.BytesIO(data)) as picture:
            return int(picture.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, TypeError, ValueError, struct.error, PillowImage.DecompressionBombError):
        return 1


def _twins(pictures: Iterable[tuple[str, str, str | None]]) -> tuple[list[str | None], list[str | None]]:
    """For each (image, split, hash of the bytes): the first picture of another split, and the first earlier one of the same split, with that hash."""
    listed = list(pictures)
    first: dict[str, dict[str, str]] = {}
    within: list[str | None] = []
    for image, split, digest in listed:
        seen = first.setdefault(digest, {}) if digest is not None else {}
        within.append(seen.get(split))
        seen.setdefault(split, image)
    across = [next((name for other, name in first.get(digest or "", {}).items() if other != split), None) for _, split, digest in listed]
    return across, within


def split_facts(table: pd.DataFrame) -> pd.DataFrame:
    """One row a split, train and val always, with the number of its ``images`` and of its ``faces`` that count."""
    counted = table[table["x1"].notna() & ~table["ignore"]]
    rows = []
    for split in SPLITS:
        images = table.loc[table["split"] == split, "image"].nunique()
        rows.append({"split": split, "images": int(images), "faces": int((counted["split"] == split).sum())})
    return pd.DataFrame(rows)


def summary(faces: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    """Plain facts for the report: pictures and faces in each split, quantiles of the height of faces that count (pixels)."""
    heights = faces["counted_height"].replace([np.inf, -np.inf], np.nan).dropna()
    values = heights.quantile(list(QUANTILES)).round(3).tolist() if len(heights) else [None] * len(QUANTILES)
    return {
        "pictures": dict(zip(splits["split"], splits["images"].tolist(), strict=True)),
        "faces": dict(zip(splits["split"], splits["faces"].tolist(), strict=True)),
        "boxes": int(faces["x1"].notna().sum()),
        "ignored": int((faces["ignore"] & faces["x1"].notna()).sum()),
        "height_quantiles": {f"{quantile:g}": value for quantile, value in zip(QUANTILES, values, strict=True)},
    }
