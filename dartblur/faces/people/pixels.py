"""The pictures of a sprite library, decoded when they are needed and kept within a bound of bytes."""

import hashlib
from collections import OrderedDict

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.people.library import REMEDY, Library, Place, Prop, Sprite

Pixels = npt.NDArray[np.uint8]

BOUND = 192 * 2**20
"""Bytes of decoded pictures that a process keeps: about 130 people of 500 x 520 pixels with their masks."""


class PixelStore:
    """Decoded pictures of one library, the least recently used ones dropped first.

    Args:
        library: where they lie.
        bound: bytes kept; the picture asked for last is kept whatever its size.
    """

    def __init__(self, library: Library, bound: int = BOUND) -> None:
        self._root = library.root
        self._bound = bound
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self.bytes = 0

    def person(self, sprite: Sprite) -> tuple[Pixels, Pixels]:
        """A sprite, H x W x 4, R G B A, straight alpha, sRGB; and its mask, H x W x 2: the whole face, the part of it that one sees."""
        return self._get(sprite.file, sprite, 4), self._get(sprite.mask, sprite, 2)

    def place(self, place: Place) -> Pixels:
        """A background: H x W x 3, R G B, sRGB."""
        return self._get(place.file, place, 3)

    def prop(self, prop: Prop) -> Pixels:
        """A prop: H x W x 4, R G B A, straight alpha, sRGB."""
        return self._get(prop.file, prop, 4)

    def _get(self, file: str, record: Sprite | Place | Prop, channels: int) -> Pixels:
        if file in self._kept:
            self._kept.move_to_end(file)
            return self._kept[file]
        pixels = self._decode(file, record, channels)
        self._kept[file] = pixels
        self.bytes += pixels.nbytes
        while self.bytes > self._bound and len(self._kept) > 1:
            self.bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels

    def _decode(self, file: str, record: Sprite | Place | Prop, channels: int) -> Pixels:
        path = self._root / file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DartblurError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
        if file == record.file and hashlib.sha256(data).hexdigest() != record.sha256:
            raise DartblurError(f"{path}: is not the picture that the library was made with (its SHA-256 differs); {REMEDY}")
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if decoded is None or decoded.dtype != np.uint8 or decoded.shape[:2] != (record.height, record.width):
            raise DartblurError(f"{path}: no readable picture of {record.width} x {record.height} pixels; {REMEDY}")
        if decoded.ndim != 3 or (channels == 4) != (decoded.shape[2] == 4):
            raise DartblurError(f"{path}: should have {'R G B A' if channels == 4 else 'R G B'}; {REMEDY}")
        order = {2: [2, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        return np.ascontiguousarray(decoded[:, :, order])
