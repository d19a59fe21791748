"""What an opened picture file is: frames that a viewer would show, changed inside masks only, written back as what the file was."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, Mask
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT, swaps_sides, turned_boxes

REPLACE = "replace the file or leave it out"
"""What to do about a picture that cannot be read, the end of an error's sentence."""


def why(error: Exception) -> str:
    """What a library says of a file, as a part of a sentence: on one line, without an end."""
    return " ".join(str(error).split()).rstrip(".")


@dataclass(frozen=True)
class Limits:
    """What a header may announce before the file is refused as a bomb.

    Attributes:
        pixels: of one frame.
        frames: of an animation, or pages of a document.
        total: pixels of all frames together; a few bytes of a file can stand for any number of frames.
    """

    pixels: int = 250_000_000
    frames: int = 5_000
    total: int = 500_000_000

    def check(self, name: str, width: int, height: int, frames: int = 1) -> None:
        """Refuse what is larger, or empty.

        Raises:
            DartblurError: a side is not positive, or there are too many pixels or frames.
        """
        if width < 1 or height < 1:
            raise DartblurError(f"{name}: the picture is {width} x {height} pixels; {REPLACE}")
        if width * height > self.pixels:
            raise DartblurError(f"{name}: {width} x {height} pixels are more than the {self.pixels:,} that are read; raise the limit or shrink it")
        if frames > self.frames:
            raise DartblurError(f"{name}: {frames:,} frames are more than the {self.frames:,} that are read; raise the limit or split the file")
        if width * height * frames > self.total:
            raise DartblurError(
                f"{name}: {frames:,} frames of {width} x {height} are more than the {self.total:,} pixels that are read; raise the limit or split it"
            )


class OpenPicture(ABC):
    """A picture file that was read whole and found sound; made by :func:`dartblur.media.codec.open_picture`.

    Everything that it shows and takes is upright: the EXIF orientation is applied. It may be used by one thread at a time.

    Attributes:
        name: what to call it in an error.
        width, height: in pixels, upright, of frame 0.
        frames: how many frames (or pages) there are.
        format, suffixes: what the content is, whatever the file is called, and the endings of file names that fit it.
    """

    format: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def __init__(self, name: str, stored: tuple[int, int], frames: int, orientation: int = UPRIGHT) -> None:
        """Take note of the raster as it is stored: ``stored`` is (width, height) of frame 0 before turning."""
        self.name = name
        self.frames = frames
        self.orientation = orientation
        self._size = stored
        self.width, self.height = stored[::-1] if swaps_sides(orientation) else stored

    @abstractmethod
    def frame(self, index: int) -> Image:
        """Frame ``index`` as a viewer shows it, a copy: uint8 H x W x 3.

        Colours are those of the file, no colour profile is applied. Transparency is left aside: a transparent pixel shows the colour that it holds.
        """

    @abstractmethod
    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """Take ``hidden`` into frame ``index`` where ``mask`` is True; every other stored value stays as it is.

        What else is stored of a pixel inside, such as its opacity, shows a face as well: it becomes even there.

        Args:
            index: of the frame.
            hidden: uint8 H x W x 3, upright.
            mask: bool H x W, upright.

        Raises:
            DartblurError: the sizes are not those of the frame.
        """

    @abstractmethod
    def encode(self) -> bytes:
        """The file anew: same format, size, depth and colours, without metadata.

        Raises:
            DartblurError: it cannot be written faithfully.
        """

    def upright(self, boxes: Boxes) -> Boxes:
        """Boxes counted in the stored raster of frame 0 (as annotation files do), in the upright raster: N x 4."""
        return turned_boxes(boxes, self.orientation, *self._size)

    def _check(self, index: int, hidden: Image, mask: Mask) -> None:
        """Refuse what does not fit frame ``index``; for :meth:`replace`."""
        height, width = self.size(index)
        if hidden.shape != (height, width, 3) or hidden.dtype != np.uint8:
            raise DartblurError(f"{self.name}: frame {index} is {height} x {width} x 3 bytes, not {hidden.shape} {hidden.dtype}; make them fit")
        if mask.shape != (height, width) or mask.dtype != np.bool_:
            raise DartblurError(f"{self.name}: frame {index} is {height} x {width}, its mask {mask.shape} {mask.dtype}; give one bool a pixel")

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of frame ``index``, upright: pages of a document may differ.

        Raises:
            DartblurError: there is no such frame.
        """
        if not 0 <= index < self.frames:
            raise DartblurError(f"{self.name}: there is no frame {index}, it has {self.frames}; count from 0")
        return self.height, self.width


class Changes:
    """What hides faces in the frames of a long file: only what is inside the masks is kept."""

    def __init__(self) -> None:
        self._parts: dict[int, list[tuple[tuple[slice, slice], Mask, npt.NDArray[np.uint8]]]] = {}

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self._parts)

    def add(self, index: int, hidden: Image, mask: Mask) -> None:
        """Note a change of frame ``index``: uint8 H x W x 3 and bool H x W."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            place = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
            self._parts.setdefault(index, []).append((place, mask[place].copy(), hidden[mask]))

    def of(self, index: int) -> list[tuple[tuple[slice, slice], Mask, npt.NDArray[np.uint8]]]:
        """The changes of frame ``index`` in the order they came: where (rows and columns), the mask there, and the colours under it (N x 3)."""
        return self._parts.get(index, [])

    def within(self, index: int, rows: slice, columns: slice) -> Mask | None:
        """The mask of all changes of frame ``index`` in a part of it, None if it is untouched."""
        union = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
        for (down, across), mask, _ in self.of(index):
            top, bottom = max(rows.start, down.start), min(rows.stop, down.stop)
            left, right = max(columns.start, across.start), min(columns.stop, across.stop)
            if top < bottom and left < right:
                inner = mask[top - down.start : bottom - down.start, left - across.start : right - across.start]
                union[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] |= inner
        return union if union.any() else None
