"""The project's own layout: ``images/`` and ``annotations.parquet``, as ``faces.dataset`` describes it."""

from pathlib import Path
from typing import Any

import pandas as pd

from dartblur.faces.dataset import ATTRIBUTES, IMAGES, TABLE, read_table
from dartblur.faces.formats.records import Source, SourceFace, SourcePicture, safe_name

LAYOUT = f"{IMAGES}/ and {TABLE}"


def detects(root: Path) -> bool:
    """Whether ``root`` holds the table."""
    return (root / TABLE).is_file()


def read(root: Path) -> Source:
    """Read the table; its splits are kept, its hashes are computed anew."""
    pictures = []
    for name, rows in read_table(root).groupby("image", sort=True):
        where = f"{root / TABLE}, image {name}"
        first = rows.iloc[0]
        faces = tuple(_face(row, where) for row in rows.to_dict("records") if not pd.isna(row["x1"]))
        path = root / IMAGES / safe_name(str(first["file"]), where)
        size = (int(first["width"]), int(first["height"]))
        pictures.append(SourcePicture(safe_name(str(name), where), path, str(first["split"]), faces, where, size=size))
    return Source(pictures)


def _face(row: dict[Any, Any], where: str) -> SourceFace:
    box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
    return SourceFace(box, where, bool(row["ignore"]), {name: int(row[name]) for name in ATTRIBUTES})
