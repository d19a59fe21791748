"""A source of annotated pictures as the canonical data set: pictures copied verbatim, boxes checked against the decoded pictures, one table."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, clip
from dartblur.faces.dataset import ATTRIBUTES, COLUMNS, IMAGES, write_table
from dartblur.faces.formats import Source, SourceFace, SourcePicture
from dartblur.faces.parallel import map_in_order
from dartblur.media.images import decode_image

_ROUNDING = 0.01
"""Pixels by which a box may overlap the border unnoticed: text formats round."""


@dataclass(frozen=True)
class Conversion:
    """What a conversion came to; ``notes`` counts what was left out or changed (reason -> how many)."""

    pictures: Mapping[str, int] = field(default_factory=dict)
    faces: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)


def held_out(digest: str, val_fraction: float, seed: int) -> bool:
    """Whether the picture with this SHA-256 of its bytes belongs to val: depends on nothing else, so neither names nor other pictures matter."""
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{digest}".encode()).digest()[:8], "big")
    return draw < val_fraction * 2**64


def convert(source: Source, root: Path, val_fraction: float, seed: int, workers: int) -> Conversion:
    """Write ``source`` as a canonical data set below ``root``, a new folder.

    Args:
        source: what ``faces.formats.read_source`` returned.
        root: made here; the caller renames it when all is well.
        val_fraction: share of pictures held out where the source has no split.
        seed: of that draw.
        workers: threads; the result does not depend on it.

    Raises:
        DartblurError: a picture that cannot be decoded or has another size than its annotation says, or a box that is no box in its picture.
    """
    for folder in sorted({(root / IMAGES / picture.name).parent for picture in source.pictures}) or [root / IMAGES]:
        folder.mkdir(parents=True, exist_ok=True)

    def one(picture: SourcePicture) -> tuple[list[dict[str, object]], Counter[str]]:
        return _take(picture, root / IMAGES / picture.name, val_fraction, seed)

    taken = map_in_order(one, source.pictures, workers, "ingest")
    table = pd.DataFrame([row for rows, _ in taken for row in rows], columns=[*COLUMNS, *source.extra])
    write_table(root, table)
    notes = sum((counted for _, counted in taken), Counter(source.notes))
    pictures = table.drop_duplicates("image")["split"].value_counts()
    return Conversion({str(split): int(count) for split, count in sorted(pictures.items())}, int(table["x1"].notna().sum()), dict(notes))


def _take(picture: SourcePicture, target: Path, val_fraction: float, seed: int) -> tuple[list[dict[str, object]], Counter[str]]:
    """Copy one picture; its rows of the table, and what was changed."""
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise DartblurError(f"{picture.path}: cannot be read ({error.strerror}); check its permissions") from error
    height, width = decode_image(data, str(picture.path)).shape[:2]
    if picture.size not in {None, (width, height)}:
        raise DartblurError(
            f"{picture.where}: says {picture.size[0]} x {picture.size[1]} pixels, but {picture.path} has {width} x {height} as stored "
            "(EXIF orientation not applied); correct the annotation or the picture"
        )
    digest = hashlib.sha256(data).hexdigest()
    split = picture.split or ("val" if held_out(digest, val_fraction, seed) else "train")
    common: dict[str, object] = {"image": picture.name, "file": picture.name, "width": width, "height": height, "sha256": digest, "split": split}
    notes: Counter[str] = Counter()
    rows = []
    for face in picture.faces:
        box = _settle(face, picture, width, height, notes)
        if box is not None:
            known = {name: face.attributes.get(name, -1) for name in ATTRIBUTES}
            rows.append({**common, **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)), "ignore": face.ignore, **known, **face.extra})
    nothing = dict.fromkeys(("x1", "y1", "x2", "y2"), math.nan)
    target.write_bytes(data)
    return rows or [{**common, **nothing, "ignore": False, **dict.fromkeys(ATTRIBUTES, -1)}], notes


def _settle(face: SourceFace, picture: SourcePicture, width: int, height: int, notes: Counter[str]) -> list[float] | None:
    """The box of ``face`` in pixels, cut at the borders, or None if it is dropped; counts either in ``notes``."""
    box = as_boxes([face.box])
    if picture.relative:
        box = box * np.array([width, height, width, height])
    x1, y1, x2, y2 = box[0]
    shown = f"({x1:g}, {y1:g}, {x2:g}, {y2:g})"
    if not np.isfinite(box).all():
        raise DartblurError(f"{face.where}: the box {shown} of {picture.name} is not four finite numbers; correct or remove it")
    if x2 < x1 or y2 < y1:
        raise DartblurError(f"{face.where}: the box {shown} of {picture.name} has a negative side (x1 y1 x2 y2 in pixels); correct or remove it")
    if x1 == x2 or y1 == y2:
        notes["boxes without area dropped"] += 1
        return None
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        if face.ignore:
            notes["ignored boxes outside dropped"] += 1
            return None
        raise DartblurError(f"{face.where}: the box {shown} lies outside {picture.name} ({width} x {height} pixels); correct or remove it")
    inside = clip(box, width, height)
    if np.abs(inside - box).max() > _ROUNDING:
        notes["boxes clipped"] += 1
    return [float(value) for value in inside[0]]
