"""Boxes of faces.

A box is (x1, y1, x2, y2) in absolute pixels of the stored raster: x to the right, y down, the left and top edge included, the right and bottom
edge excluded, so that ``x2 - x1`` is the width. Arrays of boxes are N x 4 float, N may be 0.
"""

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]
"""float64, N x 4, x1 y1 x2 y2 in absolute pixels."""
Mask = npt.NDArray[np.bool_]
"""bool, H x W."""


def as_boxes(values: npt.ArrayLike) -> Boxes:
    """``values`` as an N x 4 float64 array; an empty sequence gives 0 x 4."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 4)


def area(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Area of each box in square pixels, 0 where a side is negative: N."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersection(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """Area common to each pair in square pixels: N x M for N boxes ``a`` and M boxes ``b``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: Boxes, b: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of each pair, 0 to 1, 0 for two empty boxes: N x M."""
    common = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """Boxes cut at the borders of a picture of ``width`` x ``height`` pixels; a box outside becomes empty."""
    limit = np.array([width, height, width, height], dtype=np.float64)
    return np.clip(boxes, 0, limit)


def grown(boxes: Boxes, margin: float, width: int, height: int) -> Boxes:
    """Boxes (N x 4) larger by ``margin`` of their sides on each side, cut at the borders of a picture of ``width`` x ``height`` pixels."""
    if not margin or not len(boxes):
        return boxes
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]
    return clip(boxes + margin * sides, width, height)


def pixel_bounds(boxes: Boxes, width: int, height: int) -> npt.NDArray[np.int64]:
    """Whole pixels that the boxes touch, cut at the picture's borders: N x 4 integers, x1 y1 included, x2 y2 excluded.

    Every pixel that a box covers in part is inside: for privacy, a fraction of a face's pixel is the face. A box inside the picture, however
    thin, keeps at least one pixel each way; only a box wholly outside is empty.
    """
    outer = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    outer[:, 2:] = np.maximum(outer[:, 2:], outer[:, :2] + 1)
    return clip(outer, width, height).astype(np.int64)


def mask_of(boxes: Boxes, width: int, height: int) -> Mask:
    """The union of all boxes as a mask, H x W: True on every pixel that a box touches (the b of the method)."""
    mask = np.zeros((height, width), dtype=np.bool_)
    for x1, y1, x2, y2 in pixel_bounds(boxes, width, height):
        mask[y1:y2, x1:x2] = True
    return mask
