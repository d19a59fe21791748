"""WebP: lossless stays lossless, lossy is written with the quality of the source; what no mask touches keeps its bytes where the format allows it.

A lossy frame that changes is encoded again as a whole. In an animation the other frames keep their data up to the next whole frame, see
:func:`dartblur.media.canvas.unchanged`.
"""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import WebPImagePlugin

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.canvas import BACKGROUND, NONE, OVER, SOURCE, Canvas, Part, unchanged
from dartblur.media.exif import orientation_of, safe_exif
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT, turned
from dartblur.media.picture import REPLACE, Limits, OpenPicture, why
from dartblur.media.pngchunks import RGB_ALPHA, Raster
from dartblur.media.profile import safe_profile
from dartblur.media.samples import as_rgb, cover
from dartblur.media.vp8 import quality_of

_RASTERS = {b"VP8 ", b"VP8L", b"ALPH"}
_ICC, _ALPHA, _EXIF, _ANIMATED = 0x20, 0x10, 0x08, 0x02
_DISPOSE, _NO_BLEND = 1, 2
_LONGEST_SIDE = 16383
"""That the rasters of a WebP can have; an animation's canvas may announce more."""
_EXIF_START = b"Exif\0\0"
Samples = npt.NDArray[Any]


class WebpPicture(OpenPicture):
    """An opened WebP."""

    format = "webp"
    suffixes = (".webp",)

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        size = int.from_bytes(data[4:8], "little") + 8
        if size > len(data):
            raise DartblurError(f"{name}: the WebP is shorter than its header says (truncated); {REPLACE}")
        chunks = _chunks(data[12:size], name)
        once = dict(reversed(chunks))
        try:
            self._animated, (self._width, self._height), self._parts = _parts(chunks, name)
        except (struct.error, IndexError) as error:
            raise DartblurError(f"{name}: the WebP is damaged; {REPLACE}") from error
        limits.check(name, self._width, self._height, len(self._parts))
        if not self._parts or max(self._width, self._height) > _LONGEST_SIDE:
            raise DartblurError(f"{name}: the WebP holds no picture, or one of more than {_LONGEST_SIDE} pixels a side; {REPLACE}")
        exif = once.get(b"EXIF", b"").removeprefix(_EXIF_START)
        super().__init__(name, (self._width, self._height), len(self._parts), orientation_of(exif))
        self._exif = safe_exif(exif) if keep_metadata else b""
        self._icc = safe_profile(once.get(b"ICCP", b""))
        self._control = once.get(b"ANIM", b"")
        self._canvas = Canvas(name, self._parts, Raster(RGB_ALPHA, 8), (self._width, self._height), self._unpacked)
        self._new: dict[int, bytes] = {}  # rasters of changed frames, upright
        self._last: tuple[int, Samples] | None = None  # a frame as stored
        for part in self._parts if self._animated else ():
            self._unpacked(part)
        self._samples(0)

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        return as_rgb(self._samples(index))

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        samples = self._samples(index).copy()
        cover(samples, hidden, mask)
        self._new[index] = self._packed(samples, self._parts[index])

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        parts = self._written()
        rasters = [dict(_chunks(part.packed, self.name)) for part in parts]
        alpha = any(b"ALPH" in raster or _has_alpha(raster.get(b"VP8L", b"")) for raster in rasters)
        flags = (_ICC if self._icc else 0) | (_ALPHA if alpha else 0) | (_EXIF if self._exif else 0) | (_ANIMATED if self._animated else 0)
        content = [(b"ICCP", self._icc)] if self._icc else []
        if self._animated:
            content += [(b"ANIM", self._control), *((b"ANMF", _frame_header(part) + part.packed) for part in parts)]
        else:
            content += rasters[0].items()
        if self._exif:
            content.append((b"EXIF", self._exif))
        if flags and (flags != _ALPHA or b"ALPH" in rasters[0]):
            sides = (self.width - 1).to_bytes(3, "little") + (self.height - 1).to_bytes(3, "little")
            content.insert(0, (b"VP8X", bytes([flags, 0, 0, 0]) + sides))
        return _riff(content)

    def _written(self) -> list[Part]:
        """The parts as they are written."""
        parts = []
        for index, kept in enumerate(unchanged(self._parts, (self._width, self._height), self._new)):
            part = self._parts[index]
            if not (kept and self.orientation == UPRIGHT):
                packed = self._new.get(index) or self._packed(self._samples(index), part)
                part = Part(0, 0, self.width, self.height, part.delay, packed=packed)
            parts.append(part)
        return parts

    def _samples(self, index: int) -> Samples:
        """The samples of frame ``index``, upright: H x W x 4; not to be written to."""
        if index in self._new:
            return self._unpacked(Part(0, 0, self.width, self.height, packed=self._new[index]))
        if self._last is None or self._last[0] != index:
            self._last = (index, self._canvas.after(index))
        return turned(self._last[1], self.orientation)

    def _unpacked(self, part: Part) -> Samples:
        """The samples of a part of the canvas: H x W x 4.

        Raises:
            DartblurError: they cannot be decoded, or have another size.
        """
        content = _chunks(part.packed, self.name)
        if any(kind == b"ALPH" for kind, _ in content):
            sides = (part.width - 1).to_bytes(3, "little") + (part.height - 1).to_bytes(3, "little")
            content.insert(0, (b"VP8X", bytes([_ALPHA, 0, 0, 0]) + sides))
        try:
            picture = WebPImagePlugin.WebPImageFile(io.BytesIO(_riff(content)))
            if picture.size != (part.width, part.height):
                raise ValueError("a frame of another size")
            picture.load()
        except (OSError, SyntaxError, ValueError, EOFError, PILImage.DecompressionBombError) as error:
            raise DartblurError(f"{self.name}: the WebP is damaged ({why(error)}); {REPLACE}") from error
        return np.asarray(picture.convert("RGBA"))

    def _packed(self, samples: Samples, part: Part) -> bytes:
        """Samples (H x W x 4) as chunks of a raster, written as the raster of ``part`` was."""
        lossy = dict(_chunks(part.packed, self.name)).get(b"VP8 ")
        opaque = bool((samples[:, :, 3] == 255).all())
        out = io.BytesIO()
        PILImage.fromarray(np.ascontiguousarray(samples[:, :, :3] if opaque else samples)).save(
            out, "WEBP", lossless=lossy is None, quality=75 if lossy is None else quality_of(lossy), alpha_quality=100, exact=True
        )
        return b"".join(_chunk(*chunk) for chunk in _chunks(out.getvalue()[12:], self.name) if chunk[0] in _RASTERS)


def _parts(chunks: list[tuple[bytes, bytes]], name: str) -> tuple[bool, tuple[int, int], list[Part]]:
    """Whether it is animated, width and height of the canvas, and its parts, from the chunks of a file.

    Raises:
        DartblurError, struct.error, IndexError: they do not make a picture.
    """
    kind, content = chunks[0]
    animated = kind == b"VP8X" and bool(content[0] & _ANIMATED)
    if kind == b"VP8X":
        size = int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 1)[0]
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        wide, high = struct.unpack_from("<HH", content, 6)
        size = wide & 0x3FFF, high & 0x3FFF
    if not animated:
        packed = b"".join(_chunk(*chunk) for chunk in chunks if chunk[0] in _RASTERS)
        return False, size, [Part(0, 0, *size, packed=packed, shown=False)] if packed else []
    parts: list[Part] = []
    for kind, content in chunks:
        if kind == b"ANMF":
            x, y, wide, high, delay = (int.from_bytes(content[start : start + 3], "little") for start in range(0, 15, 3))
            part = Part(2 * x, 2 * y, wide + 1, high + 1, (delay,))
            part.disposal, part.blending = BACKGROUND if content[15] & _DISPOSE else NONE, SOURCE if content[15] & _NO_BLEND else OVER
            part.packed = b"".join(_chunk(*chunk) for chunk in _chunks(content[16:], name) if chunk[0] in _RASTERS)
            if part.x + part.width > size[0] or part.y + part.height > size[1]:
                raise IndexError(len(parts))
            parts.append(part)
    return True, size, parts


def _frame_header(part: Part) -> bytes:
    """What stands in an ANMF chunk before the raster."""
    numbers = (part.x // 2, part.y // 2, part.width - 1, part.height - 1, *part.delay)
    flags = (_DISPOSE if part.disposal == BACKGROUND else 0) | (_NO_BLEND if part.blending == SOURCE else 0)
    return b"".join(number.to_bytes(3, "little") for number in numbers) + bytes([flags])


def _has_alpha(lossless: bytes) -> bool:
    return len(lossless) > 4 and bool(lossless[4] & 0x10)


def _chunks(data: bytes, name: str) -> list[tuple[bytes, bytes]]:
    """The chunks of a RIFF body, kind and content.

    Raises:
        DartblurError: the last one is cut off, or there is none.
    """
    chunks, position = [], 0
    while position + 8 <= len(data):
        kind, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 8 + length + length % 2
    if not chunks or len(chunks[-1][1]) != length:
        raise DartblurError(f"{name}: the WebP ends in the middle of a part (truncated); {REPLACE}")
    return chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
