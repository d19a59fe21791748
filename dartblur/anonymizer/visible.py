"""The second look: is a face still to be seen in what was written, as it was in the source?

A hidden face that looks like a face is no fault: that is what the learned blur is for. A fault is a face whose pixels are those of the source.
"""

import cv2
import numpy as np

from dartblur.detector.detections import FaceDetector
from dartblur.faces.boxes import Boxes, Mask, as_boxes, intersection
from dartblur.media.images import Image

CORE = 0.6
"""Share of a detected box's sides, about its middle, that is looked at: its rim is background."""
UNTOUCHED = 4.0
"""Mean difference in grey levels up to which pixels count as those of the source: more than a codec adds, less than any blur of a face."""
_KEPT = 0.5
"""Share of a detection inside a face that was left alone from which it is that face."""


def still_visible(before: Image, after: Image, hidden: Mask, detector: FaceDetector, kept: Boxes) -> Boxes:
    """Boxes (N x 4) of faces that ``detector`` finds in ``after`` and whose pixels are those of ``before``.

    Args:
        before, after: source and what was written, uint8, H x W x 3, RGB. hidden: H x W, the pixels that were to be hidden.
        kept: N x 4, faces that were left alone because that was asked for.
    """
    found = detector.detect(after).boxes
    visible = []
    for box in found:
        x1, y1, x2, y2 = _core(box, after.shape[1], after.shape[0])
        inside = box[None]
        if len(kept) and float(intersection(inside, kept).max()) >= _KEPT * float(np.prod(box[2:] - box[:2])):
            continue
        one, other = before[y1:y2, x1:x2], after[y1:y2, x1:x2]
        clear = ~hidden[y1:y2, x1:x2]
        # Where half the middle was not to be hidden, it is not hidden; where it was, it must have changed, unless there was nothing to change.
        untouched = float(cv2.absdiff(one, other).mean()) <= UNTOUCHED and float(one.std(axis=(0, 1)).max()) > 2 * UNTOUCHED
        if clear.mean() > 0.5 or untouched:
            visible.append(box)
    return as_boxes(visible)


def _core(box: Boxes, width: int, height: int) -> tuple[int, int, int, int]:
    """The middle of a box as whole pixels, at least one."""
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * CORE / 2
    x1, y1 = (int(value) for value in np.clip(np.floor(middle - half), 0, [width - 1, height - 1]))
    x2, y2 = (int(value) for value in np.ceil(middle + half))
    return x1, y1, min(max(x2, x1 + 1), width), min(max(y2, y1 + 1), height)
