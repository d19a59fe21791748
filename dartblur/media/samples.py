"""Native samples of a raster (grey, RGB, CMYK, with or without alpha, of any depth) and the RGB bytes that stand for them."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Mask
from dartblur.media.images import Image

Samples = npt.NDArray[Any]
"""H x W x C, uint8 or uint16 or float: C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha (or CMYK, where it is said)."""


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
    """Write RGB bytes into native samples in place where ``mask`` is True; alpha and every other value stay.

    Args:
        samples: H x W x C.
        colours: uint8 N x 3, one for each True of the mask, row by row.
        mask: bool H x W.
        top, cmyk: as for :func:`as_rgb`.
    """
    channels = samples.shape[2]
    if cmyk:
        inks = np.concatenate([255 - colours, np.zeros((len(colours), 1), np.uint8)], axis=1)
        samples[mask, :4] = _scaled(inks, samples.dtype, top)
    elif channels >= 3:
        samples[mask, :3] = _scaled(colours, samples.dtype, top)
    else:
        samples[mask, 0] = _scaled(luma(colours), samples.dtype, top)


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


def _scaled(values: npt.NDArray[np.uint8], dtype: np.dtype[Any], top: float | None) -> Samples:
    if dtype == np.uint8 and top in (None, 255):
        return values
    scaled = values.astype(np.float64) * (_white(dtype, top) / 255)
    return (scaled if dtype.kind == "f" else np.rint(scaled)).astype(dtype)


def _white(dtype: np.dtype[Any], top: float | None) -> float:
    return float(np.iinfo(dtype).max) if top is None else float(top)
