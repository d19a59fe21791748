"""Which faces of a picture are to be hidden: the user's own boxes, those of detectors, or both, less what is to be left alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur.anonymizer.records import Face
from dartblur.blur.base import bounds_to_hide
from dartblur.detector.detections import FaceDetector
from dartblur.detector.finder import DETECTED_MARGIN
from dartblur.faces.boxes import Boxes, area, as_boxes, grown, intersection
from dartblur.media.images import Image

ANNOTATED = "annotated"
_SAME = 0.9
"""Share of a detection inside an annotated box from which it adds nothing."""
_INSIDE = 0.5
"""Share of a face inside a region that is left alone from which it belongs to the region."""


@dataclass(frozen=True)
class Search:
    """How faces are found.

    Attributes:
        detectors: asked in this order; none where only given boxes count.
        min_size: detections whose shorter side is smaller do not count, pixels.
        margin: share of a box's sides that it grows by on each side; None is 0 for given boxes and :data:`DETECTED_MARGIN` for detections.
    """

    detectors: Sequence[FaceDetector] = ()
    min_size: float = 0.0
    margin: float | None = None

    def faces(self, image: Image, given: Boxes | None = None, keep: Boxes | None = None, frame: int = 0) -> list[Face]:
        """All faces of a picture, those to be left alone marked.

        Args:
            image: uint8, H x W x 3, RGB.
            given: N x 4, the user's own boxes. keep: N x 4, regions that are left alone: a face of which half or more lies in one.

        Raises:
            DartblurError: a given box is none, or lies outside the picture.
        """
        height, width = image.shape[:2]
        own = as_boxes([]) if given is None else as_boxes(given)
        bounds_to_hide(own, width, height)  # before any margin makes a box that lies beside the picture reach into it
        found = [Face(_tuple(box), ANNOTATED, None, frame) for box in grown(own, self.margin or 0.0, width, height)]
        for detector in self.detectors:
            seen = detector.detect(image)
            sides = seen.boxes[:, 2:] - seen.boxes[:, :2]
            counts = (sides.min(axis=1, initial=np.inf) >= self.min_size) & ~_within(seen.boxes, own, _SAME)
            boxes = grown(seen.boxes[counts], DETECTED_MARGIN if self.margin is None else self.margin, width, height)
            found += [Face(_tuple(box), detector.name, float(score), frame) for box, score in zip(boxes, seen.scores[counts], strict=True)]
        if keep is None or not len(keep):
            return found
        left = _within(as_boxes([face.box for face in found]), as_boxes(keep), _INSIDE)
        return [Face(face.box, face.origin, face.score, frame, bool(alone)) for face, alone in zip(found, left, strict=True)]


def hidden_boxes(faces: Sequence[Face]) -> Boxes:
    """The boxes (N x 4) of the faces that are not left alone."""
    return as_boxes([face.box for face in faces if not face.kept])


def _within(boxes: Boxes, regions: Boxes, share: float) -> npt.NDArray[np.bool_]:
    """Which boxes have at least ``share`` of their area in one region: N."""
    common = intersection(boxes, regions).max(axis=1, initial=0.0)
    return np.asarray((common >= share * area(boxes)) & (common > 0))


def _tuple(box: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2
