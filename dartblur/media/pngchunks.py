"""The chunks of a PNG, and the compressed rasters inside, of every colour type and depth."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import PngImagePlugin

from dartblur.errors import DartblurError
from dartblur.media.picture import REPLACE

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_DEPTHS = {GREY: {1, 2, 4, 8, 16}, RGB: {8, 16}, PALETTE: {1, 2, 4, 8}, GREY_ALPHA: {8, 16}, RGB_ALPHA: {8, 16}}
_MODES = {GREY: "L", RGB: "RGB", GREY_ALPHA: "LA", RGB_ALPHA: "RGBA"}
_LONGEST = 1 << 31
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The passes of an interlaced PNG: first column and row, steps across and down."""


@dataclass(frozen=True)
class Raster:
    """How the samples of a PNG are laid out: its colour type, bits a sample, and whether it is interlaced."""

    colour: int
    depth: int
    interlaced: bool = False

    @property
    def channels(self) -> int:
        """Samples a pixel."""
        return CHANNELS[self.colour]

    @property
    def top(self) -> int:
        """The largest sample."""
        return (1 << self.depth) - 1


def chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, kind and content, up to its end; what stands behind it is left out.

    Raises:
        DartblurError: it ends before its end chunk, or a checksum is wrong.
    """
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise DartblurError(f"{name}: the PNG ends before its end chunk (truncated); {REPLACE}")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if length >= _LONGEST or end > len(data):
            raise DartblurError(f"{name}: the PNG ends before its end chunk (truncated); {REPLACE}")
        if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise DartblurError(f"{name}: a checksum of the PNG is wrong; {REPLACE}")
        yield kind, data[position + 8 : end - 4]
        position = end


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raster_of(header: bytes, name: str) -> tuple[int, int, Raster]:
    """Width, height and layout that an IHDR chunk announces.

    Raises:
        DartblurError: there is no such PNG.
    """
    if len(header) == 13:
        width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
        if depth in _DEPTHS.get(colour, ()) and not compression and not filtering and interlace <= 1:
            return width, height, Raster(colour, depth, bool(interlace))
    raise DartblurError(f"{name}: the header of the PNG is damaged; {REPLACE}")


def inflate(packed: bytes, width: int, height: int, raster: Raster) -> npt.NDArray[Any]:
    """The samples of compressed image data: H x W x C, uint8 or uint16, palette indices and small depths unscaled.

    Args:
        packed: what :func:`check_packed` has found to be sound.
        width, height: of the raster.
        raster: its layout.
    """
    disguise = _disguise(raster)
    file = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, disguise.depth, disguise.colour, 0, 0, raster.interlaced))
    file += chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    if disguise.depth == 16:
        deep = np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED))
        deep[:, :, :3] = deep[:, :, 2::-1].copy()
        return deep
    picture = PngImagePlugin.PngImageFile(io.BytesIO(file))
    picture.load()
    samples = np.array(picture).reshape(height, width, disguise.channels)
    if raster.depth == 16:
        return samples.view(">u2").astype(np.uint16)
    if raster.depth < 8:  # Pillow scales them to bytes, or to bool
        return samples.astype(np.uint8) if samples.dtype == np.bool_ else samples // np.uint8(255 // raster.top)
    return samples


def check_packed(packed: bytes, width: int, height: int, raster: Raster) -> bytes:
    """Refuse image data that is not exactly as long as the raster: decoders fill what is missing with black and say nothing.

    Returns:
        The data without what stands behind its end, which no decoder reads.

    Raises:
        ValueError: it is too short or too long, its checksum is wrong, or a row has no known filter.
    """
    bits = raster.depth * raster.channels
    passes = _ADAM7 if raster.interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes]
    rows = [(high, 1 + (wide * bits + 7) // 8) for wide, high in sizes if wide > 0 and high > 0]
    length = sum(high * row for high, row in rows)
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, length) + stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"image data: {error}") from error
    if len(data) != length or not stream.eof:
        raise ValueError("image data of a wrong length")
    position = 0
    for high, row in rows:
        if max(data[position : position + high * row : row]) > 4:
            raise ValueError("an unknown filter")
        position += high * row
    return packed[: len(packed) - len(stream.unused_data)]


def deflate(samples: npt.NDArray[Any], raster: Raster) -> bytes:
    """Compressed image data of samples (H x W x C) as :func:`inflate` gives them; never interlaced."""
    flat = raster.colour == PALETTE or raster.depth < 8
    effort = 6 if flat else 1  # photographs hardly shrink with more, and it takes three times as long
    out = io.BytesIO()
    if _disguise(raster).depth == 16:
        turned = np.ascontiguousarray(np.concatenate([samples[:, :, 2::-1], samples[:, :, 3:]], axis=2))
        done, data = cv2.imencode(".png", turned, [cv2.IMWRITE_PNG_COMPRESSION, effort])
        if not done:
            raise DartblurError("samples of 16 bits could not be written as PNG")
        out.write(data.tobytes())
    elif flat:
        picture = PILImage.fromarray(samples[:, :, 0], "P")
        picture.putpalette(bytes(3 << raster.depth))
        picture.save(out, "PNG", bits=raster.depth, compress_level=effort)
    else:
        if raster.depth == 16:
            samples = samples.astype(">u2").view(np.uint8)
        samples = samples[:, :, 0] if samples.shape[2] == 1 else np.ascontiguousarray(samples)
        PILImage.fromarray(samples, _MODES[_disguise(raster).colour]).save(out, "PNG", compress_level=effort)
    return b"".join(content for kind, content in chunks(out.getvalue(), "a new PNG") if kind == b"IDAT")


def _disguise(raster: Raster) -> Raster:
    """A layout of the same bytes that Pillow reads and writes without loss: 16-bit grey as bytes of grey and alpha, palettes as grey.

    PNG's filters work on bytes, so only the number of bytes a pixel counts. Six and eight of them have no such layout; OpenCV does those.
    """
    if raster.depth == 16:
        return {GREY: Raster(GREY_ALPHA, 8), GREY_ALPHA: Raster(RGB_ALPHA, 8)}.get(raster.colour, raster)
    return Raster(GREY, raster.depth) if raster.colour == PALETTE else raster
