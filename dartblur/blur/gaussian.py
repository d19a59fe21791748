"""The Gaussian blur: what people accept today, and the pre-blur that DartBlur's U-Net sees."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.blur.base import bounds_to_hide, with_neighbours
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image

MIN_KERNEL = 3
"""A kernel of 1 changes nothing; the original leaves sides of 3 pixels and less as they were."""
_COARSE_SIGMA = 5.0
"""Standard deviation, in pixels, at which the fast blur runs where the box's own is larger: what it leaves is smooth, and needs no finer grid."""


def kernel_size(side: int, strength: float) -> int:
    """Kernel side in pixels for a box side in pixels: (side * strength // 2) | 1, at least :data:`MIN_KERNEL`, always odd."""
    return max(int(side * strength / 2) | 1, MIN_KERNEL)


def kernel_sigma(kernel: int) -> float:
    """OpenCV's automatic standard deviation for a kernel side, in pixels: about 0.08 of the face side at strength 1."""
    return 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8


class Gaussian:
    """Blurs each box with a Gaussian whose kernel is half the box side on each axis, times ``strength``.

    Only the box's own pixels enter the blur (the border is mirrored), but for sides under 3 pixels, which would otherwise stay as they are. Every
    box is blurred from the clean picture; where boxes overlap, the largest box's pixel stands, so the order of the boxes changes nothing.

    Args:
        strength: multiplier of the kernel, 1 for an ordinary blur.
        exact: by OpenCV's fixed-point arithmetic, the same bytes on every machine, for what is hashed and compared. Otherwise in floating point,
            and large boxes on a coarser grid, so that the time grows with a box's area and not with the cube of its side; some of the pixels
            differ by a grey level, few by more.
    """

    name = "gaussian"

    def __init__(self, strength: float = 1.0, *, exact: bool = True) -> None:
        self.strength, self.exact = strength, exact

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box blurred; see :class:`dartblur.blur.base.Anonymizer`."""
        result = image.copy()
        height, width = image.shape[:2]
        for x1, y1, x2, y2 in bounds_to_hide(boxes, width, height):
            kernel = (kernel_size(x2 - x1, self.strength), kernel_size(y2 - y1, self.strength))
            left, top, right, bottom = with_neighbours((x1, y1, x2, y2), width, height)
            source = np.ascontiguousarray(image[top:bottom, left:right])
            blurred = (_fixed_point if self.exact else _floating_point)(source, kernel).reshape(source.shape)
            result[y1:y2, x1:x2] = blurred[y1 - top : y2 - top, x1 - left : x2 - left]
        return result


# The sigma is spelled out rather than left to OpenCV, so that it stays the same from release to release.


def _fixed_point(source: Image, kernel: tuple[int, int]) -> Image:
    sigmas = kernel_sigma(kernel[0]), kernel_sigma(kernel[1])
    return np.asarray(cv2.GaussianBlur(source, kernel, sigmas[0], sigmaY=sigmas[1], borderType=cv2.BORDER_REFLECT), np.uint8)


def _floating_point(source: Image, kernel: tuple[int, int]) -> Image:
    sigmas = [kernel_sigma(side) for side in kernel]
    lengths = source.shape[1::-1]
    coarse = [min(length, math.ceil(length * _COARSE_SIGMA / sigma)) for length, sigma in zip(lengths, sigmas, strict=True)]
    shrunk = cv2.resize(source, coarse, interpolation=cv2.INTER_AREA)
    across, down = (_weights(side, sigma, length / cells) for side, sigma, length, cells in zip(kernel, sigmas, lengths, coarse, strict=True))
    blurred = cv2.sepFilter2D(shrunk, -1, across, down, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(blurred, lengths, interpolation=cv2.INTER_LINEAR), np.uint8)


def _weights(kernel: int, sigma: float, scale: float) -> npt.NDArray[np.float32]:
    """A kernel for cells that are ``scale`` pixels wide; the mean over a cell and the way back blur too, by a quarter of a cell squared."""
    if scale == 1:
        return np.asarray(cv2.getGaussianKernel(kernel, sigma, cv2.CV_32F), np.float32)
    return np.asarray(cv2.getGaussianKernel(2 * math.ceil((kernel // 2) / scale) + 1, math.sqrt((sigma / scale) ** 2 - 0.25), cv2.CV_32F), np.float32)
