"""What a ready detector answers, whatever model is behind it."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Boxes, area, as_boxes, clip, intersection, iou
from dartblur.media.images import Image

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Detections:
    """The faces that a detector found in one picture, best first.

    Attributes:
        boxes: N x 4, absolute pixels, cut at the picture's borders, none empty.
        scores: N float64, falling; 0 to 1 except for ``hog``.
    """

    boxes: Boxes
    scores: Floats

    @classmethod
    def of(cls, boxes: npt.ArrayLike, scores: npt.ArrayLike, image: Image) -> "Detections":
        """Raw boxes of ``image`` in any order, as a model gives them: sorted, cut at the borders, without those that lie outside."""
        height, width = image.shape[:2]
        cut = clip(as_boxes(boxes), width, height)
        values = np.asarray(scores, np.float64).reshape(-1)
        order = np.argsort(-values, kind="stable")
        order = order[area(cut)[order] > 0]
        return cls(cut[order], values[order])


class FaceDetector(Protocol):
    """Finds the faces of one picture. The same picture gives the same answer, whatever was detected before."""

    name: str
    score: float
    """Smallest score of a detection."""

    def detect(self, image: Image) -> Detections:
        """The faces of ``image`` (uint8, H x W x 3, RGB) whose score reaches ``score``."""
        ...


def suppress(boxes: Boxes, scores: Floats, overlap: float, over: Literal["union", "smaller"] = "union") -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression: the rows of ``boxes`` (N x 4) that stay, best score first.

    Args:
        overlap: a box goes where a better one that stays shares more than this with it.
        over: what the shared area is divided by: that of the union, or that of the smaller box.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = boxes[order]
    if over == "union":
        shared = iou(ranked, ranked)
    else:
        areas = area(ranked)
        shared = intersection(ranked, ranked) / np.maximum(np.minimum(areas[:, None], areas[None, :]), np.finfo(np.float64).tiny)
    close = shared > overlap
    keep = np.ones(len(ranked), np.bool_)
    for index in range(len(ranked)):
        if keep[index]:
            keep[index + 1 :] &= ~close[index, index + 1 :]
    return np.asarray(order[keep])
