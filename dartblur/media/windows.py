"""Square windows of a picture, resized: what a network sees of it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FILL = (124, 116, 104)
"""ImageNet's mean colour, where a window reaches beyond the picture."""


@dataclass(frozen=True)
class Window:
    """A square of a picture, in whole pixels: left, top, side. It may reach beyond the picture."""

    left: int
    top: int
    side: int


def cut(image: npt.NDArray[np.uint8], window: Window, size: int) -> npt.NDArray[np.uint8]:
    """The window of a picture (H x W x 3) or mask (H x W, 0 or 255), resized to ``size`` x ``size``; beyond the picture lies a plain colour, or 0."""
    height, width = image.shape[:2]
    fill = FILL if image.ndim == 3 else 0
    square = np.full((window.side, window.side, *image.shape[2:]), fill, dtype=np.uint8)
    x1, y1 = max(window.left, 0), max(window.top, 0)
    x2, y2 = min(window.left + window.side, width), min(window.top + window.side, height)
    if x1 < x2 and y1 < y2:
        square[y1 - window.top : y2 - window.top, x1 - window.left : x2 - window.left] = image[y1:y2, x1:x2]
    method = cv2.INTER_AREA if window.side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), dtype=np.uint8)
