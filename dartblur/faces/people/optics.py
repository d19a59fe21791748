"""Light as numbers: sRGB and linear, resizing with coverage, the blur of lens and motion. Linear pictures are float32, 1 is white."""

import functools

import cv2
import numpy as np
import numpy.typing as npt

Linear = npt.NDArray[np.float32]
"""float32, H x W x C: linear light, or linear light times coverage with the coverage as last channel (premultiplied)."""

_CODES = np.arange(256) / 255
_TO_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
_STEPS = 1 << 14
_LEVELS = np.arange(_STEPS + 1) / _STEPS
_TO_SRGB = (255 * np.where(_LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * _LEVELS ** (1 / 2.4) - 0.055)).astype(np.float32)
_NO_BLUR = 0.3
"""Pixels; a smaller radius or way changes nothing that one could see."""


def to_linear(codes: npt.NDArray[np.uint8]) -> Linear:
    """sRGB codes 0 to 255 as linear light 0 to 1, any shape."""
    return np.asarray(_TO_LINEAR[codes], np.float32)


def to_srgb(light: Linear) -> Linear:
    """Linear light, cut at 0 and 1, as sRGB codes 0 to 255, not rounded, any shape."""
    steps = np.clip(light * _STEPS + 0.5, 0, _STEPS).astype(np.uint16)
    return np.asarray(_TO_SRGB[steps], np.float32)


def premultiplied(rgba: npt.NDArray[np.uint8]) -> Linear:
    """Straight sRGB with alpha, H x W x 4, as linear light times coverage with the coverage as last channel."""
    coverage = rgba[:, :, 3:].astype(np.float32) / 255
    return np.concatenate([to_linear(rgba[:, :, :3]) * coverage, coverage], axis=2)


def resize(picture: Linear, width: int, height: int) -> Linear:
    """``picture``, H x W x C, at another size: the mean of what a pixel covers when it shrinks, interpolated when it grows."""
    shrinks = width <= picture.shape[1] and height <= picture.shape[0]
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized.reshape(height, width, picture.shape[2]), np.float32)


def grown(picture: Linear, margin: int, onward: bool) -> Linear:
    """``picture`` with ``margin`` empty pixels around it; ``onward``: its last row goes on below instead."""
    if not margin:
        return picture
    sides = cv2.copyMakeBorder(picture, 0, margin, 0, 0, cv2.BORDER_REPLICATE if onward else cv2.BORDER_CONSTANT)
    return np.asarray(cv2.copyMakeBorder(sides, margin, 0, margin, margin, cv2.BORDER_CONSTANT), np.float32)


def defocused(picture: Linear, radius: float) -> Linear:
    """``picture`` with every point spread over a disk of ``radius`` pixels, the border mirrored."""
    if radius < _NO_BLUR:
        return picture
    return np.asarray(cv2.filter2D(picture, -1, _disk(round(radius * 8)), borderType=cv2.BORDER_REFLECT), np.float32)


@functools.lru_cache(128)
def _disk(eighths: int) -> Linear:
    """A disk of ``eighths`` / 8 pixels radius with a smooth rim, sum 1."""
    radius = eighths / 8
    reach = int(np.ceil(radius + 0.5))
    distance = np.hypot(*np.meshgrid(*[np.arange(-reach, reach + 1)] * 2))
    kernel = np.clip(radius + 0.5 - distance, 0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def moved(picture: Linear, x: float, y: float) -> Linear:
    """``picture`` with every point spread evenly over the way (``x``, ``y``) pixels around it."""
    way = float(np.hypot(x, y))
    if way < _NO_BLUR:
        return picture
    reach = int(np.ceil(way / 2 + 0.5))
    fine = np.zeros((2 * reach + 1, 2 * reach + 1), np.float64)
    for share in np.linspace(-0.5, 0.5, max(int(way * 8), 3)):
        column, row = reach + share * x, reach + share * y
        left, top = int(column), int(row)
        right, low = column - left, row - top
        fine[top : top + 2, left : left + 2] += np.outer([1 - low, low], [1 - right, right])
    return np.asarray(cv2.filter2D(picture, -1, (fine / fine.sum()).astype(np.float32), borderType=cv2.BORDER_REFLECT), np.float32)
