"""The frames of an animated PNG, and the canvas that they are painted on, in the samples of the file."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.pngchunks import GREY_ALPHA, PALETTE, RGB_ALPHA, Raster, inflate

CONTROL = ">IIIIIHHBB"
"""Layout of fcTL: number, width, height, x, y, delay over delay, disposal, blending."""
NONE, BACKGROUND, PREVIOUS = 0, 1, 2
SOURCE, OVER = 0, 1

Samples = npt.NDArray[Any]


@dataclass
class PngFrame:
    """A part of the canvas that is painted, and how; ``shown`` is False for a picture beside an animation, for viewers that know none, or without one."""

    x: int
    y: int
    width: int
    height: int
    delay: tuple[int, int] = (0, 0)
    disposal: int = NONE
    blending: int = SOURCE
    packed: bytes = b""
    shown: bool = True


class Canvas:
    """What a viewer of the animation sees, frame by frame; only one canvas is kept, so going forward is quick."""

    def __init__(
        self, name: str, frames: list[PngFrame], raster: Raster, size: tuple[int, int], entries: npt.NDArray[np.uint8], key: bytes
    ) -> None:
        """Start with nothing painted.

        Args:
            name: of the file, for errors.
            frames: as they are stored.
            raster: layout of their samples.
            size: width and height of the canvas.
            entries: opacity of each of 256 palette entries.
            key: content of tRNS: the colour that is transparent, where there is no palette.
        """
        self._name, self._frames, self._raster = name, frames, raster
        self._width, self._height = size
        self._entries = entries
        self._key = np.frombuffer(key, ">u2") if len(key) == 2 * raster.channels else None
        self._done = -1  # the last frame that was painted
        self._shown: tuple[Samples, Mask]  # the canvas with it
        self._base: tuple[Samples, Mask]  # what the next one is painted on

    def after(self, index: int) -> Samples:
        """The canvas with frame ``index`` painted, as stored: H x W x C; not to be written to.

        Raises:
            DartblurError: it has parts that no frame ever painted and the file has no value for, or colours of a palette would have to be mixed.
        """
        frame = self._frames[index]
        if not frame.shown:
            return inflate(frame.packed, frame.width, frame.height, self._raster)
        if index < self._done or self._done < 0:
            self._done, self._base = -1, self._empty()
        while self._done < index:
            self._done += 1
            if self._frames[self._done].shown:
                self._step(self._frames[self._done])
        samples, painted = self._shown
        if not painted.all():
            raise DartblurError(f"{self._name}: frame {index} of the PNG has parts that were never painted, it cannot be kept; convert it first")
        return samples

    def _step(self, frame: PngFrame) -> None:
        """Paint the next frame, and do what it wants done afterwards."""
        part = (slice(frame.y, frame.y + frame.height), slice(frame.x, frame.x + frame.width))
        samples, painted = (plane.copy() for plane in self._base)
        stored = inflate(frame.packed, frame.width, frame.height, self._raster)
        self._paint(samples[part], painted[part], stored, frame.blending)
        self._shown = samples, painted
        if frame.disposal == NONE:
            self._base = self._shown
        elif frame.disposal == BACKGROUND:
            self._base = samples.copy(), painted.copy()
            self._base[0][part], self._base[1][part] = self._clear()

    def _empty(self) -> tuple[Samples, Mask]:
        """A canvas that nothing was painted on: its samples, and which of them hold a value."""
        clear, known = self._clear()
        return np.tile(clear, (self._height, self._width, 1)), np.full((self._height, self._width), known)

    def _clear(self) -> tuple[Samples, bool]:
        """The sample of a transparent pixel, and whether there is one."""
        dtype = np.dtype(np.uint16 if self._raster.depth == 16 else np.uint8)
        nothing = np.zeros(self._raster.channels, dtype)
        if self._raster.colour in {GREY_ALPHA, RGB_ALPHA}:
            return nothing, True
        if self._raster.colour != PALETTE:
            return (nothing, False) if self._key is None else (self._key.astype(dtype), True)
        clear = np.flatnonzero(self._entries == 0)
        return (clear[:1].astype(dtype), True) if len(clear) else (nothing, False)

    def _paint(self, canvas: Samples, painted: Mask, stored: Samples, blending: int) -> None:
        """Paint ``stored`` onto a part of the canvas in place.

        Raises:
            DartblurError: half-transparent colours of a palette would have to be mixed.
        """
        if blending == SOURCE:
            canvas[:], painted[:] = stored, True
            return
        alpha = self._alpha(stored)
        bare = (self._alpha(canvas) == 0) | ~painted  # nothing there to mix with
        taken, mixed = (alpha == 1) | ((alpha > 0) & bare), (alpha > 0) & (alpha < 1) & ~bare
        canvas[taken], painted[taken] = stored[taken], True
        if mixed.any():
            if self._raster.colour not in {GREY_ALPHA, RGB_ALPHA}:
                raise DartblurError(f"{self._name}: the PNG mixes half-transparent palette colours, it cannot be kept; convert it first")
            over, under = stored[mixed].astype(np.float64), canvas[mixed].astype(np.float64)
            share = over[:, -1:] / self._raster.top
            rest = under[:, -1:] / self._raster.top * (1 - share)
            colours = (over[:, :-1] * share + under[:, :-1] * rest) / (share + rest)
            canvas[mixed] = np.rint(np.concatenate([colours, (share + rest) * self._raster.top], axis=1)).astype(canvas.dtype)

    def _alpha(self, samples: Samples) -> npt.NDArray[np.float64]:
        """How opaque each pixel is, 0 to 1: H x W."""
        if self._raster.colour in {GREY_ALPHA, RGB_ALPHA}:
            return np.asarray(samples[:, :, -1] / self._raster.top)
        if self._raster.colour == PALETTE:
            return np.asarray(self._entries[samples[:, :, 0]] / 255)
        return np.ones(samples.shape[:2]) if self._key is None else (samples != self._key).any(axis=2).astype(np.float64)


def frames_of(parts: list[tuple[bytes, bytes]], width: int, height: int) -> list[PngFrame]:
    """The frames of a PNG from its chunks; one that is not animated has one.

    Raises:
        ValueError: they are not as announced.
    """
    animation = next((content for kind, content in parts if kind == b"acTL"), None)
    first = [kind for kind, _ in parts if kind in {b"fcTL", b"IDAT"}][:1] == [b"fcTL"]
    frames = [] if animation is not None and first else [PngFrame(0, 0, width, height, shown=False)]
    packed: list[list[bytes]] = [[] for _ in frames]
    for kind, content in parts:
        if kind == b"fcTL" and animation is not None:
            _, wide, high, x, y, delay, over, disposal, blending = struct.unpack(CONTROL, content)
            if not wide or not high or x + wide > width or y + high > height or disposal > PREVIOUS or blending > OVER:
                raise ValueError(f"frame {len(frames)}")
            frames.append(PngFrame(x, y, wide, high, (delay, over), disposal, blending))
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
