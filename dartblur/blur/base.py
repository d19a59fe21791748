"""What every anonymiser is: a function of a picture and its face boxes to a picture of the same size."""

from typing import Protocol

import numpy as np

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, pixel_bounds
from dartblur.media.images import Image


class Anonymizer(Protocol):
    """Hides the faces of one picture.

    Implementations never change a pixel outside :func:`dartblur.faces.boxes.mask_of` of the boxes, never return the input array itself, and
    raise rather than return a picture in which a given box is not hidden.
    """

    name: str

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """Return a copy of ``image`` (uint8, H x W x 3, RGB) whose pixels inside ``boxes`` (N x 4, absolute pixels) are hidden."""
        ...


def bounds_to_hide(boxes: Boxes, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """The whole pixels of each box (x1, y1 included, x2, y2 excluded), smallest area first.

    Writing them in this order leaves the largest box on top where boxes overlap, whatever order they came in; equal areas go by position.

    Raises:
        DartblurError: a box is not finite, is turned inside out, or lies outside the picture: it marks a face that could not be hidden.
    """
    boxes = as_boxes(boxes)
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
        raise DartblurError(f"a face box is not a box (x1 y1 x2 y2 = {_first_bad(boxes)}); correct it, nothing was anonymised")
    bounds = pixel_bounds(boxes, width, height)
    outside = (bounds[:, 2:] <= bounds[:, :2]).any(axis=1)
    if outside.any():
        raise DartblurError(f"the face box {boxes[outside][0].tolist()} lies outside the picture of {width} x {height} pixels; correct it")
    return sorted(((int(x1), int(y1), int(x2), int(y2)) for x1, y1, x2, y2 in bounds), key=lambda b: ((b[2] - b[0]) * (b[3] - b[1]), b))


def with_neighbours(bounds: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """``bounds`` with one more pixel on both ends of every side under 3 pixels, as far as the picture reaches.

    A blur or a mean over a single pixel is that pixel; a face so small is hidden by its neighbours.
    """
    x1, y1, x2, y2 = bounds
    across, down = int(x2 - x1 < 3), int(y2 - y1 < 3)
    return max(x1 - across, 0), max(y1 - down, 0), min(x2 + across, width), min(y2 + down, height)


def _first_bad(boxes: Boxes) -> list[float]:
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    return [float(value) for value in boxes[bad][0]]
