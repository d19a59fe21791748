"""The canonical data set: a folder with ``images/`` and one table, ``annotations.parquet``; or with shards elsewhere (:mod:`dartblur.faces.files`).

A row is a face. A picture without a face has one row whose box is NaN, so that the table names every picture. Anonymised copies of a data set
(the arms of an evaluation) have the same layout and the same names.

Synthetic data sets know more than annotators do, and benchmarks say which faces count: the columns of :data:`TRUTH` and :data:`OFFICIAL` are there
only where the source has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from dartblur.errors import DartblurError, UsageError
from dartblur.faces import files
from dartblur.faces.boxes import Boxes
from dartblur.faces.files import PictureCache, picture_files
from dartblur.media.images import Image, decode_image

IMAGES = files.IMAGES
TABLE = "annotations.parquet"

COLUMNS: dict[str, str] = {
    "image": "str",  # name of the picture, the same in every anonymised copy of the data set
    "file": "str",  # path below images/, with forward slashes; the name itself unless the copy has another format
    "width": "int64",  # pixels
    "height": "int64",  # pixels
    "sha256": "str",  # of the picture file's bytes
    "split": "str",  # train or val
    "x1": "float64",  # box in absolute pixels, NaN on the row of a picture without a face
    "y1": "float64",
    "x2": "float64",
    "y2": "float64",
    "ignore": "bool",  # counts neither as a hit nor as a miss, yet is anonymised (WIDER FACE: invalid)
    "blur": "int64",  # WIDER FACE's vocabulary: 0 clear, 1 normal blur, 2 heavy blur; -1 unknown
    "occlusion": "int64",  # 0 none, 1 partial, 2 heavy; -1 unknown
    "pose": "int64",  # 0 typical, 1 atypical; -1 unknown
    "expression": "int64",  # 0 typical, 1 exaggerate; -1 unknown
    "illumination": "int64",  # 0 normal, 1 extreme; -1 unknown
}
ATTRIBUTES = {"blur": 2, "occlusion": 2, "pose": 1, "expression": 1, "illumination": 1}
"""Attribute -> its largest value."""
SPLITS = ("train", "val")
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
"""Left and right as one sees them in the picture."""
TRUTH: dict[str, str] = {
    "identity": "str",  # who it is, empty where nobody knows
    "role": "str",  # gallery or probe: which side of a re-identification test the pixels may serve; empty where neither
    "visible": "float64",  # share of the face that one sees, 0 to 1, what lies outside the picture counts as hidden; NaN unknown
    "sprite": "str",  # the rendered person that a synthetic scene was made of, empty where there is none
    **{f"{point}_{axis}": "float64" for point in LANDMARKS for axis in "xy"},  # absolute pixels, maybe outside the picture; NaN unknown
}
"""Optional columns, after those of :data:`COLUMNS`."""
OFFICIAL = ("easy", "medium", "hard")
"""Optional columns after those: whether a face is on the official list of a difficulty, as WIDER FACE has them of its validation split."""
OPTIONAL: dict[str, str] = {**TRUTH, **dict.fromkeys(OFFICIAL, "bool")}
_ABSENT: dict[str, str | bool] = {"str": "", "bool": False}
"""What stands in an optional column where nothing is known; NaN in one of numbers."""
ROLES = ("", "gallery", "probe")


@dataclass(frozen=True)
class Picture:
    """One picture of a data set and its faces.

    Attributes:
        name: the column ``image``.
        file: path below ``images/``.
        width, height: pixels.
        boxes: N x 4, absolute pixels.
        ignore: N, True where a face does not count in training and evaluation.
        attributes: each of :data:`ATTRIBUTES` -> N; -1 is unknown.
        official: each of :data:`OFFICIAL` that the set has -> N, whether a face is on that list.
    """

    name: str
    file: str
    width: int
    height: int
    boxes: Boxes
    ignore: npt.NDArray[np.bool_]
    attributes: Mapping[str, npt.NDArray[np.int64]]
    official: Mapping[str, npt.NDArray[np.bool_]]


class FaceDataset:
    """A canonical data set on disk.

    Example:
        >>> data = FaceDataset(Path("data/canonical"))
        >>> for picture in data.pictures("val"):
        ...     pixels = data.read(picture)
    """

    def __init__(self, root: Path, cache: PictureCache | None = None) -> None:
        """Open the data set in ``root``; ``cache`` keeps pictures that come from shards."""
        self.root = root
        self.files = picture_files(root, cache)
        self.table = read_table(root)
        # One pass for all pictures: a query per picture would be quadratic in the size of the set.
        self._groups: dict[str, list[Picture]] = {split: [] for split in SPLITS}
        official = [name for name in OFFICIAL if name in self.table.columns]
        for (split, name), rows in self.table.groupby(["split", "image"], sort=True):
            faces = rows[rows["x1"].notna()]
            self._groups.setdefault(str(split), []).append(
                Picture(
                    str(name),
                    str(rows["file"].iloc[0]),
                    int(rows["width"].iloc[0]),
                    int(rows["height"].iloc[0]),
                    faces[["x1", "y1", "x2", "y2"]].to_numpy(np.float64),
                    faces["ignore"].to_numpy(np.bool_),
                    {attribute: faces[attribute].to_numpy(np.int64) for attribute in ATTRIBUTES},
                    {name: faces[name].to_numpy(np.bool_) for name in official},
                )
            )

    def pictures(self, split: str | None = None) -> list[Picture]:
        """The pictures of one split, or of all, sorted by name within a split."""
        if split is None:
            return [picture for group in self._groups.values() for picture in group]
        return list(self._groups.get(split, []))

    def path(self, picture: Picture) -> Path:
        """Where the file of ``picture`` lies."""
        return self.root / IMAGES / picture.file

    def read(self, picture: Picture) -> Image:
        """Decode ``picture``: uint8, H x W x 3, RGB."""
        return decode_image(self.files.data(picture.file), self.files.where(picture.file))


def read_table(root: Path) -> pd.DataFrame:
    """Read ``annotations.parquet`` below ``root``: the columns of :data:`COLUMNS`, and of :data:`OPTIONAL` those that it has.

    Raises:
        UsageError: there is no such table.
        DartblurError: the table cannot be read, lacks a column, or has one of another type.
    """
    path = root / TABLE
    if not path.is_file():
        raise UsageError(f"{path}: no canonical data set there; make one with `dartblur ingest`")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DartblurError(f"{path}: not readable as parquet ({error}); ingest the source again") from error
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise DartblurError(f"{path}: lacks the columns {', '.join(missing)}; ingest the source again")
    try:
        return _typed(table)
    except (TypeError, ValueError) as error:
        raise DartblurError(f"{path}: a column has another type than it should ({error}); ingest the source again") from error


def write_table(root: Path, table: pd.DataFrame) -> None:
    """Write ``annotations.parquet`` below ``root``: columns and types as :func:`read_table` returns them, sorted by picture and box.

    The same rows are the same bytes; columns that are neither in :data:`COLUMNS` nor in :data:`OPTIONAL` are left out.
    """
    ordered = _typed(table).sort_values(["split", "image", "y1", "x1", "y2", "x2"], kind="stable")
    root.mkdir(parents=True, exist_ok=True)
    ordered.reset_index(drop=True).to_parquet(root / TABLE, index=False, compression="zstd")


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``table`` that the data set knows, in their order, with their types; a missing text is empty, a missing flag False."""
    optional = {column: kind for column, kind in OPTIONAL.items() if column in table.columns}
    types = {**COLUMNS, **optional}
    absent = {column: _ABSENT[kind] for column, kind in optional.items() if kind in _ABSENT}
    return table[list(types)].fillna(absent).astype(types)
