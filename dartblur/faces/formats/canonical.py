"""The project's own layout: ``images/`` and ``annotations.parquet``, as ``faces.dataset`` describes it."""

from pathlib import Path
from typing import Any

import pandas as pd

from dartblur.errors import DartblurError
from dartblur.faces.dataset import ATTRIBUTES, IMAGES, OPTIONAL, ROLES, TABLE, read_table
from dartblur.faces.formats.records import Source, SourceFace, SourcePicture, safe_name

LAYOUT = f"{IMAGES}/ and {TABLE}"


def detects(root: Path) -> bool:
    """Whether ``root`` holds the table."""
    return (root / TABLE).is_file()


def files(root: Path) -> list[Path]:
    """The table."""
    return [root / TABLE]


def read(root: Path) -> Source:
    """Read the table; its splits are kept, its hashes are computed anew.

    Raises:
        DartblurError: a role or a visible share that there is not.
    """
    pictures = []
    table = read_table(root)
    extra = tuple(column for column in OPTIONAL if column in table.columns)
    for name, rows in table.groupby("image", sort=True):
        where = f"{root / TABLE}, image {name}"
        first = rows.iloc[0]
        faces = tuple(_face(row, extra, where) for row in rows.to_dict("records") if not pd.isna(row["x1"]))
        path = root / IMAGES / safe_name(str(first["file"]), where)
        size = (int(first["width"]), int(first["height"]))
        pictures.append(SourcePicture(safe_name(str(name), where), path, str(first["split"]), faces, where, size=size))
    return Source(pictures, extra=extra)


def _face(row: dict[Any, Any], extra: tuple[str, ...], where: str) -> SourceFace:
    box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
    known = {column: row[column] for column in extra}
    if known.get("role", "") not in ROLES:
        raise DartblurError(f"{where}: the role {known['role']!r} is neither gallery nor probe; correct that row or leave it empty")
    visible = known.get("visible", 1.0)
    if not (0 <= visible <= 1 or pd.isna(visible)):
        raise DartblurError(f"{where}: the visible share {visible:g} is not between 0 and 1; correct that row")
    return SourceFace(box, where, bool(row["ignore"]), {name: int(row[name]) for name in ATTRIBUTES}, known)
