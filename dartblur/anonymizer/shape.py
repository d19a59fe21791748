"""The form of what is hidden: the box, or an ellipse in it; and a soft rim, outside of what is hidden, never at its cost."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.blur.base import Anonymizer, bounds_to_hide
from dartblur.errors import UsageError
from dartblur.faces.boxes import Boxes, Mask, as_boxes, clip, mask_of
from dartblur.media.images import Image

Outline = Literal["box", "ellipse"]
MAX_FEATHER = 0.5


@dataclass(frozen=True)
class Shape:
    """What of a box is hidden.

    Attributes:
        outline: the whole box, or the ellipse that touches its sides; the ellipse shows its corners.
        feather: width of a soft rim around the outline as a share of the box's shorter side, 0 to 0.5. The rim lies outside the outline, where the
            hidden picture passes into the clear one; inside nothing of the clear picture shows.
    """

    outline: Outline = "box"
    feather: float = 0.0

    def __post_init__(self) -> None:
        """Raises: UsageError: the feather is no share."""
        if not 0 <= self.feather <= MAX_FEATHER:
            raise UsageError(f"feather {self.feather:g}: must be from 0 to {MAX_FEATHER:g}, a share of the face's shorter side")


def hide(image: Image, boxes: Boxes, anonymizer: Anonymizer, shape: Shape) -> tuple[Image, Mask]:
    """Hide boxes (N x 4) of a picture in the given shape.

    Returns:
        The picture, and a mask (H x W) of the pixels that may have changed. All others are those of ``image``.

    Raises:
        DartblurError: a box cannot be hidden.
    """
    height, width = image.shape[:2]
    boxes = as_boxes(boxes)
    if shape == Shape():
        return anonymizer.anonymize(image, boxes), mask_of(boxes, width, height)
    bounds_to_hide(boxes, width, height)  # refuses what is no box in the picture before any box grows into it
    rims = shape.feather * (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) if len(boxes) else np.zeros(0)
    grown = clip(boxes + rims[:, None] * [-1, -1, 1, 1], width, height)
    hidden = anonymizer.anonymize(image, grown)
    alpha = np.zeros((height, width), np.float32)
    for (x1, y1, x2, y2), rim in zip(boxes, rims, strict=True):
        _lay(alpha, (float(x1), float(y1), float(x2), float(y2)), float(rim), shape.outline)
    mask = (alpha > 0) & mask_of(grown, width, height)
    weight = np.where(mask, alpha, 0)[:, :, None]
    mixed = np.rint(image + weight * (hidden.astype(np.float32) - image)).astype(np.uint8)
    return np.where(mask[:, :, None], mixed, image), mask


def _lay(alpha: npt.NDArray[np.float32], box: tuple[float, float, float, float], rim: float, outline: Outline) -> None:
    """Raise ``alpha`` (H x W) to the share of the hidden picture around one box: 1 inside the outline, falling to 0 over ``rim`` pixels outside."""
    height, width = alpha.shape
    x1, y1, x2, y2 = box
    reach = int(np.ceil(rim)) + 1
    left, top = max(int(np.floor(x1)) - reach, 0), max(int(np.floor(y1)) - reach, 0)
    right, bottom = min(int(np.ceil(x2)) + reach, width), min(int(np.ceil(y2)) + reach, height)
    inside = np.zeros((bottom - top, right - left), np.uint8)
    if outline == "box":
        inside[max(int(np.floor(y1)) - top, 0) : int(np.ceil(y2)) - top, max(int(np.floor(x1)) - left, 0) : int(np.ceil(x2)) - left] = 1
    else:
        rows, columns = np.mgrid[top:bottom, left:right] + 0.5
        across, down = max((x2 - x1) / 2, 0.5), max((y2 - y1) / 2, 0.5)
        # Half a pixel more: whatever the ellipse touches is inside.
        inside[:] = ((columns - (x1 + x2) / 2) / (across + 0.5)) ** 2 + ((rows - (y1 + y2) / 2) / (down + 0.5)) ** 2 <= 1
    part = alpha[top:bottom, left:right]
    if rim < 1:
        np.maximum(part, inside, out=part)
        return
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)  # pixels to the outline, 0 inside
    np.maximum(part, np.clip(1 - away / (rim + 1), 0, 1).astype(np.float32), out=part)
