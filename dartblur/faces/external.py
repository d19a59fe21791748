"""A data set as another tool has anonymised it: its own pictures under the data set's names.

A picture of the tool belongs to the picture of the data set whose path is the same but for the suffix (``a/b.png`` to ``a/b.jpg``). It has to be
there, to be readable and of the same size, and there may be no others: a tool that left pictures out, or a folder of something else, is found out
here.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.faces.formats.records import PICTURE_SUFFIXES
from dartblur.media.images import Image, read_image

NAMED = 3
"""Pictures that an error names; it counts the others."""


@dataclass(frozen=True)
class Faults:
    """Names of pictures by what is wrong with them; those of ``extra`` are the tool's, below its folder."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.unreadable or self.resized)

    def describe(self) -> str:
        """All kinds, counted, the first few of each by name."""
        kinds = {"missing": self.missing, "extra": self.extra, "not readable": self.unreadable, "of another size": self.resized}
        return "; ".join(f"{len(names)} {kind} ({_listed(names)})" for kind, names in kinds.items() if names)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


class External(FaceDataset):
    """The data set in ``root`` with the pictures of another tool in ``folder``.

    Raises:
        UsageError: there is no such folder, or two of its files belong to one picture.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        super().__init__(root)
        self.folder = folder
        self._found = _index(folder)

    def read(self, picture: Picture) -> Image:
        """The tool's picture.

        Raises:
            DartblurError: it is missing, not readable, or of another size.
        """
        path = self._found.get(_stem(picture.name))
        if path is None:
            raise DartblurError(f"{self.folder}: has no picture {picture.name}")
        image = read_image(path)
        if image.shape[:2] != (picture.height, picture.width):
            raise DartblurError(f"{path}: is {image.shape[1]} x {image.shape[0]} pixels, {picture.name} is {picture.width} x {picture.height}")
        return image

    def faults(self, show: Callable[[int], None] = lambda done: None) -> Faults:
        """What is wrong with the tool's pictures; every one is decoded."""
        missing, unreadable, resized = [], [], []
        pictures = self.pictures()
        for done, picture in enumerate(pictures, start=1):
            path = self._found.get(_stem(picture.name))
            if path is None:
                missing.append(picture.name)
                continue
            try:
                image = read_image(path)
            except DartblurError:
                unreadable.append(picture.name)
                continue
            if image.shape[:2] != (picture.height, picture.width):
                resized.append(picture.name)
            show(done)
        known = {_stem(picture.name) for picture in pictures}
        extra = sorted(path.relative_to(self.folder).as_posix() for stem, path in self._found.items() if stem not in known)
        return Faults(tuple(missing), tuple(extra), tuple(unreadable), tuple(resized))

    def usable(self, faults: Faults) -> set[str]:
        """Names of the pictures that have no fault."""
        return {picture.name for picture in self.pictures()} - {*faults.missing, *faults.unreadable, *faults.resized}


def _stem(name: str) -> str:
    """A path without its last suffix, if that is a picture's."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in PICTURE_SUFFIXES else name


def _index(folder: Path) -> Mapping[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; put the pictures of the other tool there, or take its name out of evaluate.arms")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in PICTURE_SUFFIXES or not path.is_file():
            continue
        other = found.setdefault(_stem(path.relative_to(folder).as_posix()), path)
        if other is not path:
            raise UsageError(f"{path} and {other.name}: two pictures for one of the data set; remove one")
    return found


def refuse(folder: Path, faults: Faults) -> None:
    """Raise what is wrong with the pictures of a tool, if anything is.

    Raises:
        DartblurError: something is.
    """
    if faults:
        raise DartblurError(
            f"{folder}: {faults.describe()}; mend that, or set evaluate.intersection to score every arm on the pictures that are sound"
        )


def sound(sets: Collection[tuple[External, Faults]]) -> set[str] | None:
    """Names that all the sets have; None where there are no sets."""
    names = [data.usable(faults) for data, faults in sets]
    return set.intersection(*names) if names else None
