"""What every reader of annotations returns, and the small rules that all of them share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from dartblur.errors import DartblurError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_SPLIT = re.compile(r"(?<![a-z])(train|training|val|valid|validation|test)(?![a-z])")


@dataclass(frozen=True)
class SourceFace:
    """One annotated face as the source says it, before anything is checked against the picture.

    Attributes:
        box: x1 y1 x2 y2 in pixels of the stored raster, or in shares of its sides where the picture's ``relative`` is set.
        where: the file and record that it comes from, for messages.
        ignore: counts neither as a hit nor as a miss.
        attributes: WIDER FACE's attributes that the source knows; see ``faces.dataset.ATTRIBUTES``.
        extra: what else a source knows; see ``faces.dataset.OPTIONAL``. Landmarks are pixels of the stored raster.
    """

    box: tuple[float, float, float, float]
    where: str
    ignore: bool = False
    attributes: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class SourcePicture:
    """One picture of a source.

    Attributes:
        name: unique in the source, a relative path with forward slashes.
        path: the file.
        split: ``train`` or ``val``; None where the source has no split.
        faces: may be empty.
        where: the file and record that names the picture, for messages.
        relative: boxes are shares of width and height, not pixels.
        size: width and height in pixels that the annotation declares, if it does.
    """

    name: str
    path: Path
    split: str | None
    faces: tuple[SourceFace, ...]
    where: str
    relative: bool = False
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Source:
    """A source of annotated pictures.

    Attributes:
        notes: counts what a reader left out on purpose (reason -> how many).
        extra: the columns of ``faces.dataset.OPTIONAL`` that the source has; most have none.
    """

    pictures: list[SourcePicture]
    notes: Mapping[str, int] = field(default_factory=dict)
    extra: tuple[str, ...] = ()


def read_text(path: Path) -> str:
    """The text of one annotation file.

    Raises:
        DartblurError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise DartblurError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def safe_name(text: str, where: str) -> str:
    """``text`` as a relative path with forward slashes that stays inside the folder it is joined to.

    Raises:
        DartblurError: it is empty, absolute, or climbs out with ``..``; the name is written to disk by ingest, so this is a security matter.
    """
    name = text.strip().replace("\\", "/")
    path = PurePosixPath(name)
    outside = path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or any(ord(letter) < 32 for letter in name)
    if outside or not path.parts:
        raise DartblurError(f"{where}: picture name {text!r} is not a plain path below the pictures' folder; write it without .. and drive")
    return str(path)


def split_of(text: str) -> str | None:
    """``train``, ``val`` or ``test``, as a file or folder name says it (``instances_train2017`` -> train), or None."""
    found = _SPLIT.search(text.lower())
    if not found:
        return None
    word = found.group(1)
    return "val" if word.startswith("val") else word[:5]


def numbers(words: Iterable[str], where: str) -> list[float]:
    """Each word as a float; NaN and infinity pass, they are refused once for all formats when boxes are checked.

    Raises:
        DartblurError: a word is not a number.
    """
    found: list[float] = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError as error:
            raise DartblurError(f"{where}: expected a number, found {word!r}; correct that record") from error
    return found


def face_classes(names: Iterable[str], where: str) -> set[str]:
    """Which of the class ``names`` of a data set are faces: those with "face" in the name, or the only one there is.

    Raises:
        DartblurError: several classes and none is called face. Guessing would leave faces in the clear or blur cars.
    """
    classes = set(names)
    faces = {name for name in classes if "face" in name.lower()}
    if faces or len(classes) <= 1:
        return faces or classes
    listed = ", ".join(sorted(classes)[:8])
    raise DartblurError(f"{where}: none of the classes {listed} has 'face' in its name; rename the class that holds the faces")


def plain_name(path: Path, root: Path) -> str:
    """``path`` below ``root`` without the folder that only says "here are pictures": images/train/a.jpg -> train/a.jpg."""
    parts = path.relative_to(root).parts
    return "/".join(parts[1:] if parts[0] in {"images", "JPEGImages"} and len(parts) > 1 else parts)


def first_existing(candidates: Iterable[Path]) -> Path | None:
    """The first of ``candidates`` that exists."""
    return next((path for path in candidates if path.exists()), None)


def count_notes(**notes: int) -> dict[str, int]:
    """Notes that count something, underscores as spaces."""
    return {reason.replace("_", " "): count for reason, count in notes.items() if count}
