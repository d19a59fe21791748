"""Strips and tiles of a TIFF: from compressed bytes to samples and back, for every depth and predictor.

Pillow's libtiff does the byte compressions: a segment is wrapped as a TIFF of its own whose pixels are the bytes (or the bits, for fax) of its rows.
A fax code has no check: libtiff reads on after damage. Predictors and packed depths are numpy. JPEG segments are pictures of their own.
"""

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import TiffImagePlugin

from dartblur.media import tiffpages as tags
from dartblur.media.picture import Limits
from dartblur.media.tiffpages import TiffPage, read_tiff, write_tiff

PLAIN, RLE, FAX_3, FAX_4, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = 1, 2, 3, 4, 5, 7, 8, 32946, 32773, 34925, 50000
FAX = {RLE: "tiff_ccitt", FAX_3: "group3", FAX_4: "group4"}
BYTES = {
    LZW: "tiff_lzw",
    DEFLATE: "tiff_adobe_deflate",
    OLD_DEFLATE: "tiff_deflate",
    PACKBITS: "packbits",
    LZMA: "lzma",
    ZSTD: "zstd",
}
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_ANY = Limits(pixels=1 << 62, total=1 << 62)

Samples = npt.NDArray[Any]


@dataclass(frozen=True)
class Coding:
    """How the samples of a page are written in its segments.

    Attributes:
        order: "<" or ">".
        bits: a sample.
        kind: "u" whole numbers, "f" floating point.
        compression: of TIFF.
        predictor: 1 none, 2 differences, 3 differences of floating point bytes.
        reversed: whether the bits of each byte run the other way.
        fax_options: of FAX_3.
    """

    order: str
    bits: int
    kind: str
    compression: int
    predictor: int
    reversed: bool
    fax_options: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples in memory."""
        size = next(size for size in (8, 16, 32, 64) if size >= self.bits) // 8
        return np.dtype(f"{self.kind}{size}")

    @property
    def _stored(self) -> np.dtype[Any]:
        return self.dtype.newbyteorder(self.order)  # type: ignore[arg-type]  # "<" or ">"

    def _row_bytes(self, width: int, channels: int) -> int:
        return (width * channels * self.bits + 7) // 8

    def unpack(self, segment: bytes, height: int, width: int, channels: int) -> Samples:
        """The samples of a segment: height x width x channels.

        Raises:
            ValueError, OSError, SyntaxError, zlib.error: it is damaged or too short.
        """
        row = self._row_bytes(width, channels)
        if self.compression in FAX:
            rows = np.packbits(_unwrapped(self._wrapped(segment, height, width, 1), height, width) > 0, axis=1)
        else:
            if self.reversed:
                segment = segment.translate(_REVERSED)
            if self.compression in {DEFLATE, OLD_DEFLATE}:
                segment = zlib.decompressobj().decompress(segment, height * row)
            if self.compression not in {PLAIN, DEFLATE, OLD_DEFLATE}:
                rows = _unwrapped(self._wrapped(segment, height, row, 8), height, row)
            else:
                rows = np.frombuffer(segment, np.uint8, height * row).reshape(height, row)
        return self._numbers(rows, height, width, channels)

    def _numbers(self, rows: npt.NDArray[np.uint8], height: int, width: int, channels: int) -> Samples:
        """Rows of bytes (height x bytes) as samples."""
        size = self.dtype.itemsize
        if self.predictor == FLOAT_DIFFERENCES:
            planes = np.cumsum(rows.reshape(height, -1, channels), axis=1, dtype=np.uint8).reshape(height, size, -1)
            values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(self.dtype.newbyteorder(">"))
            return values.astype(self.dtype).reshape(height, width, channels)
        if self.bits != 8 * size:
            bits = np.unpackbits(rows, axis=1)[:, : width * channels * self.bits].reshape(height, width, channels, self.bits)
            padded = np.concatenate([np.zeros((*bits.shape[:3], 8 * size - self.bits), np.uint8), bits], axis=3)
            return np.packbits(padded, axis=3).view(self.dtype.newbyteorder(">"))[:, :, :, 0].astype(self.dtype)
        values = np.ascontiguousarray(rows).view(self._stored).astype(self.dtype).reshape(height, width, channels)
        if self.predictor == DIFFERENCES:
            whole = values.view(f"u{size}")
            values = np.cumsum(whole, axis=1, dtype=whole.dtype).view(self.dtype)
        return values

    def pack(self, samples: Samples) -> bytes:
        """A segment of samples (height x width x channels)."""
        width = samples.shape[1]
        rows = self._rows(samples)
        if self.compression == PLAIN:
            segment = rows.tobytes()
        elif self.compression in FAX:
            picture = PILImage.fromarray(np.unpackbits(rows, axis=1)[:, :width].astype(np.bool_))
            segment = _segment_of(picture, FAX[self.compression], {tags.FAX_3_OPTIONS: self.fax_options} if self.compression == FAX_3 else {})
        else:
            segment = _segment_of(PILImage.fromarray(rows), BYTES[self.compression], {})
        return segment.translate(_REVERSED) if self.reversed else segment

    def _rows(self, samples: Samples) -> npt.NDArray[np.uint8]:
        """Samples as rows of bytes; the inverse of :meth:`_numbers`."""
        height, _, channels = samples.shape
        size = self.dtype.itemsize
        if self.predictor == FLOAT_DIFFERENCES:
            values = np.ascontiguousarray(samples.reshape(height, -1).astype(self.dtype.newbyteorder(">")))
            planes = np.ascontiguousarray(values.view(np.uint8).reshape(height, -1, size).transpose(0, 2, 1)).reshape(height, -1, channels)
            return np.diff(planes, axis=1, prepend=np.uint8(0)).reshape(height, -1)
        if self.bits != 8 * size:
            values = np.ascontiguousarray(samples.astype(self.dtype.newbyteorder(">")))[:, :, :, None].view(np.uint8)
            bits = np.unpackbits(values, axis=3)[:, :, :, 8 * size - self.bits :]
            return np.packbits(bits.reshape(height, -1), axis=1)
        if self.predictor == DIFFERENCES:
            whole = np.ascontiguousarray(samples).view(f"u{size}")
            samples = np.diff(whole, axis=1, prepend=whole.dtype.type(0)).view(self.dtype)
        return np.ascontiguousarray(samples.astype(self._stored)).view(np.uint8).reshape(height, -1)

    def _wrapped(self, segment: bytes, height: int, width: int, bits: int) -> bytes:
        """A segment as a TIFF of its own, in grey of 8 bits or in black and white."""
        page = TiffPage("<")
        for code, value in (
            (tags.BITS, bits),
            (tags.COMPRESSION, self.compression),
            (tags.PHOTOMETRIC, 1),
            (tags.CHANNELS, 1),
            (tags.FILL_ORDER, 2 if self.reversed and bits == 1 else 1),
            *(((tags.FAX_3_OPTIONS, self.fax_options),) if self.compression == FAX_3 else ()),
        ):
            page.put(code, value)
        for code, value in ((tags.WIDTH, width), (tags.HEIGHT, height), (tags.STRIP_ROWS, height)):
            page.put(code, value, kind=4)
        return write_tiff("<", False, [(page, [segment])])


def _unwrapped(file: bytes, height: int, width: int) -> npt.NDArray[np.uint8]:
    picture = TiffImagePlugin.TiffImageFile(io.BytesIO(file))
    picture.load()
    return np.asarray(picture, np.uint8).reshape(height, width)


def _segment_of(picture: PILImage.Image, compression: str, extra: dict[int, int]) -> bytes:
    """The only segment of ``picture`` compressed so."""
    out = io.BytesIO()
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for code, value in extra.items():
        info[code] = value
    picture.save(out, "TIFF", compression=compression, strip_size=1 << 30, tiffinfo=info)
    page = read_tiff(out.getvalue(), "a new TIFF", _ANY).pages[0]
    ((start, length),) = page.places
    return out.getvalue()[start : start + length]
