"""Animations whose frames are parts that are painted on a canvas one after the other (PNG, WebP), in the samples of the file."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.pngchunks import GREY_ALPHA, PALETTE, RGB_ALPHA, Raster

NONE, BACKGROUND, PREVIOUS = 0, 1, 2
SOURCE, OVER = 0, 1

Samples = npt.NDArray[Any]


@dataclass
class Part:
    """A part of the canvas that a frame paints.

    Attributes:
        x, y, width, height: where, in pixels.
        delay: how long it is shown, as the file has it.
        disposal: what becomes of it afterwards: NONE, BACKGROUND (transparent again) or PREVIOUS (as before).
        blending: SOURCE replaces what is below, OVER is laid over it.
        packed: its samples as the file has them.
        shown: False for a picture that is no frame of an animation.
    """

    x: int
    y: int
    width: int
    height: int
    delay: tuple[int, ...] = ()
    disposal: int = NONE
    blending: int = SOURCE
    packed: bytes = b""
    shown: bool = True


def unchanged(parts: list[Part], size: tuple[int, int], changed: Container[int]) -> list[bool]:
    """Which parts may be written as they are while the frames of ``changed`` are written as whole canvases that stay where they are.

    A part may if its frame is not changed, and what lies below it is as it was, or hidden by it whole.
    """
    kept, below = list[bool](), True
    for index, part in enumerate(parts):
        whole = part.blending == SOURCE and (part.width, part.height) == size
        kept.append(index not in changed and (below or whole or not part.shown))
        if part.shown:
            below = kept[-1] and (below or part.disposal != PREVIOUS)
    return kept


class Canvas:
    """What a viewer of the animation sees, frame by frame; only one canvas is kept, so going forward is quick."""

    def __init__(
        self, name: str, parts: list[Part], raster: Raster, size: tuple[int, int], unpack: Callable[[Part], Samples], key: bytes = b""
    ) -> None:
        """Start with nothing painted.

        Args:
            name: of the file, for errors.
            parts: as they are stored.
            raster: layout of their samples.
            size: width and height of the canvas.
            unpack: gives the samples of a part.
            key: what is transparent where there is no alpha: a palette's entries each with a byte of opacity, or a colour of 16 bits a sample.
        """
        self._name, self._parts, self._raster, self._unpack = name, parts, raster, unpack
        self._width, self._height = size
        self._entries = np.full(256, 255, np.uint8)
        self._entries[: min(len(key), 256)] = np.frombuffer(key[:256], np.uint8)
        self._key = np.frombuffer(key, ">u2") if len(key) == 2 * raster.channels else None
        self._done = -1  # the last frame that was painted
        self._shown: tuple[Samples, Mask]  # the canvas with it
        self._base: tuple[Samples, Mask]  # what the next one is painted on

    def after(self, index: int) -> Samples:
        """The canvas with frame ``index`` painted, as stored: H x W x C; not to be written to.

        Raises:
            DartblurError: it has parts that no frame ever painted and the file has no value for, or colours of a palette would have to be mixed.
        """
        if not self._parts[index].shown:
            return self._unpack(self._parts[index])
        if index < self._done or self._done < 0:
            self._done, self._base = -1, self._empty()
        while self._done < index:
            self._done += 1
            if self._parts[self._done].shown:
                self._step(self._parts[self._done])
        samples, painted = self._shown
        if not painted.all():
            raise DartblurError(f"{self._name}: frame {index} has parts that were never painted, it cannot be kept; convert it first")
        return samples

    def _step(self, part: Part) -> None:
        """Paint the next part, and do what it wants done afterwards."""
        place = (slice(part.y, part.y + part.height), slice(part.x, part.x + part.width))
        samples, painted = (plane.copy() for plane in self._base)
        self._paint(samples[place], painted[place], self._unpack(part), part.blending)
        self._shown = samples, painted
        if part.disposal == NONE:
            self._base = self._shown
        elif part.disposal == BACKGROUND:
            self._base = samples.copy(), painted.copy()
            self._base[0][place], self._base[1][place] = self._clear()

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
                raise DartblurError(f"{self._name}: it mixes half-transparent palette colours, it cannot be kept; convert it first")
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
