"""Native samples of a raster (grey, RGB, CMYK, with or without alpha, of any depth) and the RGB bytes that stand for them."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Mask
from dartblur.media.images import Image

Samples = npt.NDArray[Any]
"""H x W x C, uint8 or uint16 or float: C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha (or CMYK, where it is said)."""

_FEW = 15
"""The largest white of samples that have few levels."""
_BAYER = np.zeros((1, 1), np.int64)
for _ in range(3):
    _BAYER = np.block([[4 * _BAYER, 4 * _BAYER + 2], [4 * _BAYER + 3, 4 * _BAYER + 1]])


def as_rgb(samples: Samples, top: float | None = None, cmyk: bool = False) -> Image:
    """The colours as RGB bytes, alpha left aside: uint8 H x W x 3, a copy.

    Args:
        samples: H x W x C.
        top: the value of white; None is the largest of its integer type.
        cmyk: the first four channels are C, M, Y, K, 0 is no ink.
    """
    eight = _eight_bits(samples, top)
    if cmyk:
        paper = 255 - eight[:, :, 3:4].astype(np.uint16)
        return ((255 - eight[:, :, :3]) * paper // 255).astype(np.uint8)
    colours = eight[:, :, :3] if eight.shape[2] >= 3 else np.repeat(eight[:, :, :1], 3, axis=2)
    return np.array(colours, order="C")


def cover(samples: Samples, hidden: Image, mask: Mask, top: float | None = None, cmyk: bool = False) -> None:
    """Write the pixels of ``hidden`` (uint8 H x W x 3) into native samples in place where ``mask`` is True; see :func:`put`."""
    if samples.dtype == np.uint8 and top in {None, 255} and samples.shape[2] == 3 and samples.flags.c_contiguous:
        cv2.copyTo(np.ascontiguousarray(hidden), np.ascontiguousarray(mask).view(np.uint8), samples)  # a hundred times faster than indexing
    else:
        put(samples, hidden[mask], mask, top, cmyk)


def put(samples: Samples, colours: npt.NDArray[np.uint8], mask: Mask, top: float | None = None, cmyk: bool = False) -> None:
    """Write RGB bytes into native samples in place where ``mask`` is True, and level the channels that are no colours there; see :func:`level`.

    Args:
        samples: H x W x C.
        colours: uint8 N x 3, one for each True of the mask, row by row.
        mask: bool H x W.
        top, cmyk: as for :func:`as_rgb`.
    """
    channels = samples.shape[2]
    if cmyk:
        inks = np.concatenate([255 - colours, np.zeros((len(colours), 1), np.uint8)], axis=1)
        samples[mask, :4] = _scaled(inks, samples.dtype, top, mask)
    elif channels >= 3:
        samples[mask, :3] = _scaled(colours, samples.dtype, top, mask)
    else:
        samples[mask, :1] = _scaled(luma(colours)[:, None], samples.dtype, top, mask)
    level(samples[:, :, 4 if cmyk else 3 if channels >= 3 else 1 :], mask)


def level(samples: Samples, mask: Mask) -> None:
    """Give each channel one value on each patch of ``mask``, its mean there, in place: opacity, infrared or depth show a face as colours do.

    Args:
        samples: H x W x C, C may be 0.
        mask: bool H x W.
    """
    inside = samples[mask]  # (N, C)
    if not inside.size or (inside == inside[0]).all():
        return
    count, patches = cv2.connectedComponents(mask.astype(np.uint8))
    numbers = patches[mask]
    sizes = np.maximum(np.bincount(numbers, minlength=count), 1)
    for channel in range(samples.shape[2]):
        values = np.nan_to_num(inside[:, channel].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        means = np.bincount(numbers, values, minlength=count) / sizes
        samples[mask, channel] = (means if samples.dtype.kind == "f" else np.rint(means)).astype(samples.dtype)[numbers]


def thresholds(mask: Mask) -> npt.NDArray[np.float64]:
    """A number between 0 and 1 for each True of ``mask``, spread evenly over every neighbourhood of 8 x 8 pixels: N."""
    rows, columns = np.nonzero(mask)
    return np.asarray((_BAYER[rows % 8, columns % 8] + 0.5) / 64)


def luma(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Brightness of RGB bytes (... x 3) by ITU-R 601, as JPEG and every converter to grey have it: uint8."""
    weights = np.array([19595, 38470, 7471], np.uint32)  # in 65536ths; equal channels come out as they are
    return ((colours.astype(np.uint32) @ weights + 32768) >> 16).astype(np.uint8)


def _eight_bits(samples: Samples, top: float | None) -> npt.NDArray[np.uint8]:
    if samples.dtype == np.uint8 and top in (None, 255):
        return samples
    white = _white(samples.dtype, top)
    scaled = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=white, neginf=0.0) * (255 / white)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _scaled(values: npt.NDArray[np.uint8], dtype: np.dtype[Any], top: float | None, mask: Mask) -> Samples:
    """RGB or grey bytes (N x C) as samples; where there are few levels, each pixel is rounded up or down so that areas come out right on average.

    Rounding to the nearest would turn the faint rest of a face that a blur leaves into black and white.
    """
    if dtype == np.uint8 and top in (None, 255):
        return values
    scaled = values.astype(np.float64) * (_white(dtype, top) / 255)
    if dtype.kind == "u" and _white(dtype, top) <= _FEW:
        return np.floor(scaled + thresholds(mask)[:, None]).astype(dtype)
    return (scaled if dtype.kind == "f" else np.rint(scaled)).astype(dtype)


def _white(dtype: np.dtype[Any], top: float | None) -> float:
    return float(np.iinfo(dtype).max) if top is None else float(top)
