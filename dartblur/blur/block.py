"""The block: a face becomes one colour."""

from dartblur.blur.base import bounds_to_hide
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image


class Block:
    """Fills each box with one grey level.

    Args:
        value: grey level, 0 to 255.
    """

    name = "block"

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box filled; see :class:`dartblur.blur.base.Anonymizer`."""
        result = image.copy()
        for x1, y1, x2, y2 in bounds_to_hide(boxes, image.shape[1], image.shape[0]):
            result[y1:y2, x1:x2] = self.value
        return result
