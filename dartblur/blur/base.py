"""What every anonymiser is: a function of a picture and its face boxes to a picture of the same size."""

from typing import Protocol

from dartblur.faces.boxes import Boxes
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
