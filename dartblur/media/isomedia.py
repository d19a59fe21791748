"""Pictures in boxes of ISO base media (AVIF, HEIF): the boxes, and what both formats do alike.

Both are lossy codecs whose pictures are written again as a whole, with the chroma subsampling of the source and at a quality whose loss is hardly
measured. Alone the pictures and their colours are written: no thumbnail, depth map, gain map or other auxiliary picture, and no metadata.
"""

import struct
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT
from dartblur.media.picture import REPLACE, Changes, OpenPicture, why
from dartblur.media.samples import as_rgb, put

QUALITY = 90
"""Of what is written: at it, a picture that is written twice differs by about a grey level."""
_PARENTS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"stsd": 8, b"av01": 78}
"""Boxes that hold boxes, and how many bytes stand before those."""
Samples = npt.NDArray[Any]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """All boxes between two positions and in them: their kinds, and where their contents start and end.

    Raises:
        ValueError: one is cut off.
    """
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1 and start + 16 <= end:
            size, content = struct.unpack_from(">Q", data, content)[0], start + 16
        stop = end if size == 0 else start + size
        if stop > end or stop < content:
            raise ValueError(f"box {kind!r} ends outside")
        yield kind, content, stop
        if kind in _PARENTS and content + _PARENTS[kind] <= stop:
            yield from boxes(data, content + _PARENTS[kind], stop)
        start = stop
    if start != end:
        raise ValueError("bytes between the boxes")


def contents(data: bytes, name: str, kind: str) -> list[tuple[bytes, bytes]]:
    """All boxes of a file, kinds and contents.

    Raises:
        DartblurError: the file is cut off.
    """
    try:
        return [(box, data[start:stop]) for box, start, stop in boxes(data) if box != b"mdat"]
    except (ValueError, struct.error) as error:
        raise DartblurError(f"{name}: the {kind} is damaged or truncated ({why(error)}); {REPLACE}") from error


class IsoPicture(OpenPicture):
    """A picture whose frames are decoded whole when they are asked for."""

    def __init__(self, name: str, stored: tuple[int, int], frames: int, orientation: int = UPRIGHT) -> None:
        super().__init__(name, stored, frames, orientation)
        self._changes = Changes()
        self._last: tuple[int, Samples] | None = None  # a frame as it was decoded

    @abstractmethod
    def _decoded(self, index: int) -> Samples:
        """The samples of a frame, upright: H x W x C.

        Raises:
            DartblurError: it is damaged.
        """

    def _top(self, index: int) -> int:
        """The largest sample of a frame."""
        return 255

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        return as_rgb(self._samples(index), self._top(index))

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        self._changes.add(index, hidden, mask)

    def _samples(self, index: int) -> Samples:
        """The samples of a frame with what hides its faces, upright: H x W x C."""
        self.size(index)
        if self._last is None or self._last[0] != index:
            self._last = index, self._decoded(index)
        samples = self._last[1]
        if self._changes.of(index):
            samples = samples.copy()
            for place, mask, hidden in self._changes.of(index):
                put(samples[place], hidden, mask, self._top(index))
        return np.ascontiguousarray(samples)
