"""PNG of every colour type and depth, animated ones too. Samples that no mask covers stay as they are, whatever their depth.

A frame that changes is written as a whole; the others keep their compressed data where what lies below them is as it was. Kept of the other chunks is
what says how colours look; texts, times and the thumbnail of the EXIF block are left out.
"""

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.canvas import OVER, PREVIOUS, Canvas, Part, unchanged
from dartblur.media.exif import orientation_of, safe_exif
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT, turned
from dartblur.media.palette import fit
from dartblur.media.picture import REPLACE, Limits, OpenPicture, why
from dartblur.media.pngchunks import (
    GREY_ALPHA,
    PALETTE,
    RGB_ALPHA,
    SIGNATURE,
    Raster,
    check_packed,
    chunk,
    chunks,
    deflate,
    inflate,
    raster_of,
)
from dartblur.media.profile import LONGEST, safe_profile
from dartblur.media.samples import as_rgb, cover

_COLOURS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"sBIT", b"mDCV", b"cLLI")
"""Chunks that say how colours look."""
_LENGTHS = {b"cICP": {4}, b"sRGB": {1}, b"gAMA": {4}, b"cHRM": {32}, b"sBIT": {1, 2, 3, 4}, b"mDCV": {24}, b"cLLI": {8}, b"pHYs": {9}, b"acTL": {8}}
"""Of chunks that have one: what is longer may hold anything."""
_CONTROL = ">IIIIIHHBB"
"""Layout of fcTL: number, width, height, x, y, delay over delay, disposal, blending."""
_ONCE = {*_COLOURS, b"PLTE", b"tRNS", b"pHYs", b"eXIf", b"acTL"}
Samples = npt.NDArray[Any]


class PngPicture(OpenPicture):
    """An opened PNG."""

    format = "png"
    suffixes = (".png", ".apng")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        parts = list(chunks(data, name))
        if not parts or parts[0][0] != b"IHDR":
            raise DartblurError(f"{name}: the header of the PNG is damaged; {REPLACE}")
        self._width, self._height, self._raster = raster_of(parts[0][1], name)
        limits.check(name, self._width, self._height, sum(kind == b"fcTL" for kind, _ in parts))
        self._once = {kind: content for kind, content in parts if kind in _ONCE and len(content) in _LENGTHS.get(kind, {len(content)})}
        try:
            self._parts = _parts(parts, self._width, self._height)
            for part in self._parts:
                part.packed = check_packed(part.packed, part.width, part.height, self._raster)
            self._plays = struct.unpack(">II", self._once[b"acTL"])[1] if b"acTL" in self._once else 0
        except (ValueError, IndexError, struct.error) as error:
            raise DartblurError(f"{name}: the PNG is damaged ({why(error)}); {REPLACE}") from error
        self._once |= {b"iCCP": _safe_profile(self._once[b"iCCP"])} if b"iCCP" in self._once else {}
        exif = self._once.get(b"eXIf", b"")
        super().__init__(name, (self._width, self._height), len(self._parts), orientation_of(exif))
        self._exif = safe_exif(exif) if keep_metadata else b""
        self._density = self._once.get(b"pHYs", b"") if keep_metadata else b""
        self._palette = np.frombuffer(self._once.get(b"PLTE", b"")[: 3 << self._raster.depth], np.uint8)
        if self._raster.colour == PALETTE and (len(self._palette) % 3 or not len(self._palette)):
            raise DartblurError(f"{name}: the palette of the PNG is damaged; {REPLACE}")
        self._palette = self._palette[: len(self._palette) // 3 * 3].reshape(-1, 3)
        self._key = self._once.get(b"tRNS", b"")[: len(self._palette) if self._raster.colour == PALETTE else 2 * self._raster.channels]
        if self._raster.colour in {GREY_ALPHA, RGB_ALPHA}:
            self._key = b""
        self._new: dict[int, bytes] = {}  # compressed data of changed frames, upright
        self._canvas = Canvas(name, self._parts, self._raster, (self._width, self._height), self._unpacked, self._key)
        self._last: tuple[int, Samples] | None = None  # a frame as stored

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        samples = self._samples(index)
        if self._raster.colour == PALETTE:
            return np.asarray(self._palette[np.minimum(samples[:, :, 0], len(self._palette) - 1)])
        return as_rgb(samples, self._raster.top)

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        samples = self._samples(index).copy()
        if self._raster.colour == PALETTE:
            self._put_indices(samples[:, :, 0], hidden, mask)
        else:
            cover(samples, hidden, mask, self._raster.top)
        self._new[index] = deflate(samples, self._raster)

    def _put_indices(self, indices: npt.NDArray[np.uint8], hidden: Image, mask: Mask) -> None:
        """Hide pixels of a palette picture in place, with new entries where the palette has room; holes would show a face as well."""
        alpha = self._entry_alpha(1 << self._raster.depth)
        free = np.arange(len(self._palette), 1 << self._raster.depth)
        if self.frames == 1:
            unused = np.bincount(indices[~mask], minlength=len(self._palette))[: len(self._palette)] == 0
            free = np.concatenate([np.flatnonzero(unused), free])
        indices[mask], palette = fit(hidden[mask], self._palette, alpha[: len(self._palette)] == 255, free, mask)
        changed = np.ones(len(palette), np.bool_)
        changed[: len(self._palette)] = (palette[: len(self._palette)] != self._palette).any(axis=1)
        alpha[: len(palette)][changed] = 255
        self._key = bytes(alpha[: len(self._key)])
        self._palette = palette

    def _entry_alpha(self, count: int) -> npt.NDArray[np.uint8]:
        alpha = np.full(count, 255, np.uint8)
        given = np.frombuffer(self._key[:count], np.uint8)
        alpha[: len(given)] = given
        return alpha

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        raster = self._raster
        kept = not self._new and self.orientation == UPRIGHT
        header = struct.pack(">IIBBBBB", self.width, self.height, raster.depth, raster.colour, 0, 0, raster.interlaced and kept)
        out = [SIGNATURE, chunk(b"IHDR", header), *(chunk(kind, self._once[kind]) for kind in _COLOURS if self._once.get(kind))]
        if self._raster.colour == PALETTE:
            out.append(chunk(b"PLTE", self._palette.tobytes()))
        out += [chunk(kind, content) for kind, content in ((b"tRNS", self._key), (b"pHYs", self._density), (b"eXIf", self._exif)) if content]
        if b"acTL" in self._once:
            out.append(chunk(b"acTL", struct.pack(">II", sum(part.shown for part in self._parts), self._plays)))
        number = 0
        for index, part in enumerate(self._parts if kept else self._written()):
            if part.shown and b"acTL" in self._once:
                place = (part.width, part.height, part.x, part.y)
                out.append(chunk(b"fcTL", struct.pack(_CONTROL, number, *place, *part.delay, part.disposal, part.blending)))
                number += 1
            if index == 0:
                out.append(chunk(b"IDAT", part.packed))
            else:
                out.append(chunk(b"fdAT", struct.pack(">I", number) + part.packed))
                number += 1
        return b"".join([*out, chunk(b"IEND", b"")])

    def _written(self) -> list[Part]:
        """The parts as they are written: a changed frame covers the canvas, the others stay where what lies below them is as it was."""
        parts: list[Part] = []
        possible = self.orientation == UPRIGHT and not self._raster.interlaced
        for index, kept in enumerate(unchanged(self._parts, (self._width, self._height), self._new)):
            part = self._parts[index]
            if not (kept and possible):
                packed = self._new.get(index) or deflate(self._samples(index), self._raster)
                part = Part(0, 0, self.width, self.height, part.delay, packed=packed, shown=part.shown)
            parts.append(part)
        return parts

    def _unpacked(self, part: Part) -> Samples:
        return inflate(part.packed, part.width, part.height, self._raster)

    def _samples(self, index: int) -> Samples:
        """The samples of frame ``index``, upright: H x W x C; not to be written to.

        Raises:
            DartblurError: the frame has parts that no frame ever painted, and the file has no value for them.
        """
        if index in self._new:
            return inflate(self._new[index], self.width, self.height, Raster(self._raster.colour, self._raster.depth))
        if self._last is None or self._last[0] != index:
            self._last = (index, self._canvas.after(index))
        return turned(self._last[1], self.orientation)


def _parts(parts: list[tuple[bytes, bytes]], width: int, height: int) -> list[Part]:
    """The frames of a PNG from its chunks; one that is not animated has one.

    Raises:
        ValueError: they are not as announced.
    """
    animation = next((content for kind, content in parts if kind == b"acTL" and len(content) == 8), None)
    first = [kind for kind, _ in parts if kind in {b"fcTL", b"IDAT"}][:1] == [b"fcTL"]
    frames = [] if animation is not None and first else [Part(0, 0, width, height, shown=False)]
    packed: list[list[bytes]] = [[] for _ in frames]
    for kind, content in parts:
        if kind == b"fcTL" and animation is not None:
            _, wide, high, x, y, delay, over, disposal, blending = struct.unpack(_CONTROL, content)
            if not wide or not high or x + wide > width or y + high > height or disposal > PREVIOUS or blending > OVER:
                raise ValueError(f"frame {len(frames)}")
            frames.append(Part(x, y, wide, high, (delay, over), disposal, blending))
            packed.append([])
        elif kind == b"IDAT":
            packed[0].append(content)
        elif kind == b"fdAT" and animation is not None:
            packed[-1].append(content[4:])
    if animation is not None and struct.unpack(">II", animation)[0] != sum(frame.shown for frame in frames):
        raise ValueError("number of frames")
    for frame, pieces in zip(frames, packed, strict=True):
        frame.packed = b"".join(pieces)
    if frames[0].shown and (frames[0].width, frames[0].height) != (width, height):
        raise ValueError("frame 0")
    return frames


def _safe_profile(content: bytes) -> bytes:
    """The content of an iCCP chunk with the safe part of its profile; empty if there is none."""
    packed = content[content.find(b"\0") + 2 :]
    try:
        profile = zlib.decompressobj().decompress(packed, LONGEST)
    except zlib.error:
        return b""
    safe = safe_profile(profile)
    return b"icc\0\0" + zlib.compress(safe) if safe else b""
