"""Pixelation: a face becomes a few cells of one colour each."""

import cv2
import numpy as np

from dartblur.blur.base import bounds_to_hide, with_neighbours
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image


class Pixelate:
    """Replaces each box by about ``cells`` square cells along its longer side, each in the mean colour of its pixels.

    A face with fewer pixels than cells would come out as it went in: a cell is never smaller than 2 pixels, and sides under 3 pixels take their
    neighbours in. Where boxes overlap, the largest box's cells stand.

    Args:
        cells: cells along the longer side, at least 1.
    """

    name = "pixelate"

    def __init__(self, cells: int = 8) -> None:
        self.cells = cells

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box pixelated; see :class:`dartblur.blur.base.Anonymizer`."""
        result = image.copy()
        height, width = image.shape[:2]
        for x1, y1, x2, y2 in bounds_to_hide(boxes, width, height):
            left, top, right, bottom = with_neighbours((x1, y1, x2, y2), width, height)
            cell = max(-(-max(x2 - x1, y2 - y1) // self.cells), 2)
            across, down = max((x2 - x1) // cell, 1), max((y2 - y1) // cell, 1)
            means = cv2.resize(np.ascontiguousarray(image[top:bottom, left:right]), (across, down), interpolation=cv2.INTER_AREA)
            cells = cv2.resize(means, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
            result[y1:y2, x1:x2] = cells[y1 - top : y2 - top, x1 - left : x2 - left]
        return result
