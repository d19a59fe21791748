"""Reading annotated pictures in the layouts that face data sets come in.

A format is one module with two functions, ``detects`` and ``read``, and one line in :data:`READERS`. A reader only translates: whether boxes lie in
their pictures, and whether pictures can be decoded, is checked once for all formats by ``faces.convert``.
"""

import itertools
from collections import Counter
from pathlib import Path
from typing import Protocol

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.formats import canonical, coco, voc, wider, yolo
from dartblur.faces.formats.records import Source, SourceFace, SourcePicture

__all__ = ["READERS", "Reader", "Source", "SourceFace", "SourcePicture", "detect_format", "read_source"]


class Reader(Protocol):
    """What the module of a format offers."""

    LAYOUT: str
    """The files by which the format is known, in a few words."""

    def detects(self, root: Path) -> bool:
        """Whether ``root`` looks like this format; cheap, nothing is parsed."""

    def files(self, root: Path) -> list[Path]:
        """The files of ``root`` that hold its annotations."""

    def read(self, root: Path) -> Source:
        """All pictures and their faces; raises DartblurError that names the file and record at the first bad one."""


READERS: dict[str, Reader] = {"canonical": canonical, "wider": wider, "coco": coco, "voc": voc, "yolo": yolo}


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        problem = "is a file, not a folder" if root.exists() else "no such folder"
        raise UsageError(f"{root}: {problem}; set data.source in params.yaml to a folder with pictures and annotations")


def detect_format(root: Path) -> str:
    """The name in :data:`READERS` of the format that ``root`` holds.

    Raises:
        UsageError: there is no such folder, or it holds none of the formats, or several.
    """
    _check_folder(root)
    found = [name for name, reader in READERS.items() if reader.detects(root)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{root}: annotations of several formats ({', '.join(found)}); set data.format in params.yaml to the one that counts")
    layouts = "; ".join(f"{name}: {reader.LAYOUT}" for name, reader in READERS.items())
    raise UsageError(f"{root}: no annotations of a known format; arrange the folder as one of these ({layouts})")


def read_source(root: Path, name: str = "auto") -> Source:
    """Read the pictures and faces of ``root``, sorted by name; only pictures of the splits train and val, or of no split at all.

    Args:
        root: folder of the source.
        name: a name in :data:`READERS`, or ``auto``.

    Raises:
        UsageError: no such folder or format.
        DartblurError: a bad record, an annotation of a picture that is not there, a name that occurs twice, or no pictures at all.
    """
    _check_folder(root)
    if name == "auto":
        name = detect_format(root)
    if name not in READERS:
        raise UsageError(f"data.format: {name} is unknown; choose auto, {', '.join(READERS)}")
    reader = READERS[name]
    if not reader.detects(root):
        raise UsageError(f"{root}: not in the format {name} ({reader.LAYOUT}); correct data.source or data.format in params.yaml")
    source = reader.read(root)
    pictures = sorted((picture for picture in source.pictures if picture.split != "test"), key=lambda picture: picture.name)
    notes = Counter(source.notes)
    notes["pictures of a test split left out"] = len(source.pictures) - len(pictures)
    _check_pictures(root, pictures)
    return Source(pictures, {reason: count for reason, count in notes.items() if count}, source.extra)


def _check_pictures(root: Path, pictures: list[SourcePicture]) -> None:
    if not pictures:
        raise DartblurError(f"{root}: the annotations name no picture; check that data.source in params.yaml is the right folder")
    splits = {picture.split for picture in pictures}
    if None in splits and len(splits) > 1:
        odd = next(picture for picture in pictures if picture.split is None)
        raise DartblurError(f"{odd.where}: {odd.name} is in no split while others are; put every picture into train or val, or none")
    for before, picture in itertools.pairwise(pictures):
        if before.name == picture.name:
            raise DartblurError(f"{picture.where}: {picture.name} is also annotated at {before.where}; keep one of the two")
    for picture in pictures:
        if not picture.path.is_file():
            raise DartblurError(f"{picture.where}: the picture {picture.path} is not there; add the file or remove its annotation")
