"""The eight EXIF orientations: turning rasters and boxes from the way they are stored to the way a viewer shows them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Boxes, as_boxes

UPRIGHT = 1
"""The orientation of a raster that needs no turning."""

_STEPS = {1: "", 2: "x", 3: "xy", 4: "y", 5: "t", 6: "tx", 7: "txy", 8: "ty"}
"""Orientation -> what makes it upright, in this order: t swaps rows and columns, x mirrors left and right, y mirrors top and bottom."""


def steps(orientation: int) -> str:
    """What makes a raster of this EXIF orientation upright: letters of t (transpose), x (mirror left-right), y (mirror top-bottom), in order."""
    return _STEPS.get(orientation, "")


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places."""
    return "t" in steps(orientation)


def turned(raster: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """``raster`` (H x W or H x W x C) made upright; a view where possible."""
    for step in steps(orientation):
        raster = {"t": raster.swapaxes(0, 1), "x": raster[:, ::-1], "y": raster[::-1]}[step]
    return raster


def turned_boxes(boxes: Boxes, orientation: int, width: int, height: int) -> Boxes:
    """Boxes of a stored raster of ``width`` x ``height`` pixels, in the upright raster: N x 4."""
    boxes = as_boxes(boxes)
    for step in steps(orientation):
        if step == "t":
            boxes, width, height = boxes[:, [1, 0, 3, 2]], height, width
        elif step == "x":
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        else:
            boxes = np.stack([boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], axis=1)
    return boxes.copy()
