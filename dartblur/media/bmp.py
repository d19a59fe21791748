"""BMP of every depth: the raster is read and written as it lies in the file, so what no mask covers stays bit by bit.

Run-length encoded ones are written plain. Kept are the header, the palette and an embedded colour profile; whatever else lies in the file goes.
"""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import BmpImagePlugin

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.images import Image
from dartblur.media.palette import Colours, fit
from dartblur.media.picture import REPLACE, Limits, OpenPicture, why
from dartblur.media.profile import safe_profile
from dartblur.media.samples import level

_FILE_HEADER = 14
_OS2, _INFO, _MASKS, _ALPHA_MASK, _OS22, _V4, _V5 = 12, 40, 52, 56, 64, 108, 124
_PLAIN, _RUNS_8, _RUNS_4, _BITS, _ALPHA_BITS = 0, 1, 2, 3, 6
_EMBEDDED, _LINKED, _SRGB = 0x4D424544, 0x4C494E4B, 0x73524742
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}


class BmpPicture(OpenPicture):
    """An opened BMP."""

    format = "bmp"
    suffixes = (".bmp", ".dib")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        try:
            width, height = self._read_header(data, keep_metadata)
            limits.check(name, width, abs(height))
            self._read_palette(data)
            self._profile = self._read_profile(data)
            super().__init__(name, (width, abs(height)), 1)
            self._raster = self._read_raster(data, height < 0)
        except (struct.error, ValueError, OSError, SyntaxError, IndexError) as error:
            raise DartblurError(f"{name}: the BMP is damaged or truncated ({why(error)}); {REPLACE}") from error
        self._downwards = height < 0

    def _read_header(self, data: bytes, keep_metadata: bool) -> tuple[int, int]:
        """Take the header; width and height (negative: rows from the top)."""
        size = struct.unpack_from("<I", data, _FILE_HEADER)[0]
        if size not in {_OS2, _INFO, _MASKS, _ALPHA_MASK, _OS22, _V4, _V5}:
            raise ValueError(f"header of {size} bytes")
        self._header = bytearray(data[_FILE_HEADER : _FILE_HEADER + size])
        self._compression = 0
        if size == _OS2:
            width, height, _, self._depth = struct.unpack_from("<HHHH", self._header, 4)
        else:
            width, height, _, self._depth, self._compression = struct.unpack_from("<iiHHI", self._header, 4)
            if not keep_metadata:
                struct.pack_into("<ii", self._header, 24, 0, 0)  # resolution
        allowed = {_PLAIN: {1, 2, 4, 8, 16, 24, 32}, _RUNS_8: {8}, _RUNS_4: {4}, _BITS: {16, 32}, _ALPHA_BITS: {16, 32}}
        if self._depth not in allowed.get(self._compression, ()) or (size == _OS22 and self._compression == _BITS):
            raise ValueError(f"{self._depth} bits a pixel, compression {self._compression}")
        self._masks = _DEFAULT_MASKS.get(self._depth, ())
        self._extra = b""  # masks that follow a header too short for them
        if self._compression in {_BITS, _ALPHA_BITS}:
            place = _FILE_HEADER + _INFO
            self._masks = struct.unpack_from("<III", data, place)
            if size == _INFO:
                self._extra = data[place : place + (12 if self._compression == _BITS else 16)]
            if not all(self._masks):
                raise ValueError("a colour without bits")
        return width, height

    def _read_palette(self, data: bytes) -> None:
        """Take the palette: P x 3, empty where there is none."""
        self._palette = np.zeros((0, 3), np.uint8)
        if self._depth > 8:
            return
        entry = 3 if len(self._header) == _OS2 else 4
        start = _FILE_HEADER + len(self._header) + len(self._extra)
        used = 0 if len(self._header) == _OS2 else struct.unpack_from("<I", self._header, 32)[0]
        room = (struct.unpack_from("<I", data, 10)[0] - start) // entry
        count = min(used or 1 << self._depth, 1 << self._depth, max(room, 0))
        if count == 0:
            raise ValueError("no palette")
        entries = np.frombuffer(data, np.uint8, count * entry, start).reshape(-1, entry)
        self._palette = entries[:, 2::-1].copy()

    def _read_profile(self, data: bytes) -> bytes:
        """The embedded colour profile, or nothing; the path of a linked one, which may hold a name, is wiped out."""
        if len(self._header) < _V5:
            return b""
        kind = struct.unpack_from("<I", self._header, 56)[0]
        if kind == _LINKED:
            struct.pack_into("<I", self._header, 56, _SRGB)
        offset, size = struct.unpack_from("<II", self._header, 112)
        struct.pack_into("<II", self._header, 112, 0, 0)
        return safe_profile(data[_FILE_HEADER + offset : _FILE_HEADER + offset + size]) if kind == _EMBEDDED else b""

    def _read_raster(self, data: bytes, downwards: bool) -> npt.NDArray[Any]:
        """The stored values, top row first: palette indices or words (H x W), or bytes B G R (H x W x 3)."""
        height, width = self.height, self.width
        if self._compression in {_RUNS_8, _RUNS_4}:
            picture = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
            picture.load()
            return np.array(picture, np.uint8).reshape(height, width)
        offset = struct.unpack_from("<I", data, 10)[0]
        stride = (width * self._depth + 31) // 32 * 4
        rows = np.frombuffer(data, np.uint8, stride * height, offset).reshape(height, stride)
        rows = rows if downwards else rows[::-1]
        if self._depth < 8:
            bits = np.unpackbits(rows, axis=1)[:, : width * self._depth].reshape(height, width, self._depth)
            return np.packbits(bits, axis=2)[:, :, 0] >> np.uint8(8 - self._depth)
        used = rows[:, : width * self._depth // 8].copy()
        if self._depth == 24:
            return used.reshape(height, width, 3)
        return used.view({8: "u1", 16: "<u2", 32: "<u4"}[self._depth])

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        if self._depth <= 8:
            return np.asarray(self._palette[np.minimum(self._raster, len(self._palette) - 1)])
        if self._depth == 24:
            return np.ascontiguousarray(self._raster[:, :, ::-1])
        return np.stack([_from_bits(self._raster, mask) for mask in self._masks], axis=2)

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        if self._depth <= 8:
            used = np.bincount(self._raster[~mask], minlength=1 << self._depth) > 0
            every = np.ones(len(self._palette), np.bool_)
            self._raster[mask], self._palette = fit(hidden[mask], self._palette, every, np.flatnonzero(~used), mask)
        elif self._depth == 24:
            self._raster[mask] = hidden[mask][:, ::-1]
        else:
            words = self._raster[mask]
            for channel, bits in enumerate(self._masks):
                words = (words & words.dtype.type(~bits & (1 << self._depth) - 1)) | _to_bits(hidden[mask][:, channel], bits, words.dtype)
            others = words.dtype.type(~sum(self._masks) & (1 << self._depth) - 1)  # opacity, or whatever
            rest = self._raster & others
            level(rest[:, :, None], mask)
            self._raster[mask] = (words & ~others) | (rest[mask] & others)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        header, palette, raster = self._header.copy(), self._packed_palette(), self._packed_raster()
        offset = _FILE_HEADER + len(header) + len(self._extra) + len(palette)
        if len(header) > _OS2:
            plain = _PLAIN if self._compression in {_RUNS_8, _RUNS_4} else self._compression
            struct.pack_into("<II", header, 16, plain, len(raster))
            if self._depth <= 8:
                struct.pack_into("<II", header, 32, len(self._palette), 0)
        if self._profile:
            struct.pack_into("<II", header, 112, offset - _FILE_HEADER + len(raster), len(self._profile))
        body = bytes(header) + self._extra + palette + raster + self._profile
        return b"BM" + struct.pack("<IHHI", _FILE_HEADER + len(body), 0, 0, offset) + body

    def _packed_palette(self) -> bytes:
        if len(self._header) == _OS2:
            return self._palette[:, ::-1].tobytes().ljust(3 << self._depth if self._depth <= 8 else 0, b"\0")
        return np.pad(self._palette[:, ::-1], ((0, 0), (0, 1))).tobytes()

    def _packed_raster(self) -> bytes:
        raster = self._raster
        if self._depth < 8:
            bits = np.unpackbits(raster[:, :, None], axis=2)[:, :, 8 - self._depth :]
            rows = np.packbits(bits.reshape(self.height, -1), axis=1)
        else:
            rows = np.ascontiguousarray(raster).view(np.uint8).reshape(self.height, -1)
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
        return (rows if self._downwards else rows[::-1]).tobytes()


def _from_bits(words: npt.NDArray[Any], mask: int) -> npt.NDArray[np.uint8]:
    """The values of the bits of ``mask`` in words, as bytes."""
    low = (mask & -mask).bit_length() - 1
    values = (words & words.dtype.type(mask)) >> words.dtype.type(low)
    return np.asarray(np.rint(values * (255 / (mask >> low))), np.uint8)


def _to_bits(values: Colours, mask: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Bytes (N) as the bits of ``mask`` in words."""
    low = (mask & -mask).bit_length() - 1
    return np.asarray(np.asarray(np.rint(values * ((mask >> low) / 255)), dtype) << dtype.type(low))
