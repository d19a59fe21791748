"""The detectors that look for faces to hide, by name: each at the settings that find most, in pictures of any size, from several threads at once.

    >>> finder = load_finder("yunet")
    >>> found = finder.detect(read_image(Path("street.jpg")))

What each finds, and how fast, is measured by benchmarks/recall.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur.detector.detections import Detections, FaceDetector, Floats, suppress
from dartblur.detector.mtcnn import Mtcnn
from dartblur.detector.pretrained import CenterFace, checked_score
from dartblur.detector.pyramid import Pyramid
from dartblur.detector.yunet_onnx import OnnxYuNet
from dartblur.errors import UsageError
from dartblur.faces.boxes import Boxes, area, intersection, iou
from dartblur.media.images import Image

DETECTED_MARGIN = 0.2
"""Share of a face's sides by which a detected box grows on each side before it is hidden: detectors draw them from brow to chin, and not always the
same ones.

With 0.1 four fifths of a face were hidden less often than by deface, with 0.2 more often (benchmarks/recall.py on photographs)."""
SAME = 0.3
"""IoU from which two boxes are one face."""
_AGREE = 0.4
"""IoU with a face's best box from which another view's box counts in their mean."""
_PART = 0.5
"""Share of a box that a tile's side has cut, inside another box, from which it is a part of that face."""
_WITHIN = 0.9
"""Share of a box inside a better one from which it hides nothing more."""


@dataclass(frozen=True)
class Doubt:
    """What is asked of small detections, which are wrong more often: by the shorter side of a box, in pixels of the picture.

    Attributes:
        least: smaller ones do not count; nobody can be told by so few pixels.
        small: ones smaller than this need a score of ``score + share * (1 - score)``.
        share: see ``small``, 0 to 1.
    """

    least: float = 0.0
    small: float = 0.0
    share: float = 0.0

    def counts(self, boxes: Boxes, scores: Floats, score: float) -> npt.NDArray[np.bool_]:
        """Which boxes (N x 4) of at least ``score`` are taken for faces: N."""
        sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
        return np.asarray((sides >= self.least) & (scores >= np.where(sides < self.small, score + self.share * (1 - score), score)))


class Finder:
    """Looks at a picture in the views of ``pyramid`` with ``detector``; a face that several views show counts once. A :class:`FaceDetector`.

    It is as safe to use from several threads as ``detector`` is.
    """

    def __init__(self, detector: FaceDetector, pyramid: Pyramid, doubt: Doubt = Doubt()) -> None:
        self.name, self.score = detector.name, detector.score
        self._detector, self._pyramid, self._doubt = detector, pyramid, doubt

    def detect(self, image: Image) -> Detections:
        """See :meth:`FaceDetector.detect`."""
        boxes, scores, cut = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0, np.bool_)]
        for view in self._pyramid.views(image):
            found = self._detector.detect(view.image)
            boxes.append(view.outward(found.boxes))
            scores.append(found.scores)
            cut.append(view.cut(found.boxes))
        merged, best = merge(np.concatenate(boxes), np.concatenate(scores), np.concatenate(cut))
        counts = self._doubt.counts(merged, best, self.score)
        return Detections.of(merged[counts], best[counts], image)


def merge(boxes: Boxes, scores: Floats, cut: npt.NDArray[np.bool_]) -> tuple[Boxes, Floats]:
    """The faces behind the detections of several views: boxes (M x 4) and scores (M).

    A face has the mean of the boxes that show it whole, weighted by the square of their score, and the best score of them. A box that was cut by a
    tile's side stays only where no whole box has the face.

    Args:
        boxes: N x 4. scores: N. cut: N, whether a box ends where a tile was cut.
    """
    order = np.lexsort((-scores, cut))  # whole ones first, then the best
    boxes, scores, cut = boxes[order], scores[order], cut[order]
    shared = iou(boxes, boxes)
    first = suppress(boxes, np.arange(len(boxes), 0, -1, dtype=np.float64), SAME)
    agree = (shared[first] >= _AGREE) & ~cut
    agree[np.arange(len(first)), first] = True
    weights = agree * np.maximum(scores, np.finfo(np.float32).tiny) ** 2
    merged, best = weights @ boxes / weights.sum(axis=1, keepdims=True), scores[first]
    # Rows are the inner boxes, columns the outer ones.
    inside = intersection(merged, merged) / np.maximum(area(merged), np.finfo(np.float64).tiny)[:, None]
    whole = ~cut[first]
    better = (best[None] > best[:, None]) | ((best[None] == best[:, None]) & np.tri(len(best), k=-1, dtype=np.bool_))
    part = (~whole[:, None] & whole[None] & (inside >= _PART)) | ((whole[:, None] == whole[None]) & better & (inside >= _WITHIN))
    stays = ~part.any(axis=1)
    return merged[stays], best[stays]


@dataclass(frozen=True)
class _Settings:
    """What makes a detector, its usual score, the views it looks at, and what it is not believed."""

    make: Callable[[float], FaceDetector]
    score: float
    pyramid: Pyramid
    doubt: Doubt = Doubt()


_SETTINGS: Mapping[str, _Settings] = {
    "yunet": _Settings(OnnxYuNet, 0.38, Pyramid(pixels=9e5, enlarge=2.5, steps=(0.5,), small=3e5), Doubt(least=8, small=20, share=0.275)),
    "centerface": _Settings(CenterFace, 0.3, Pyramid(pixels=0.0, enlarge=1.0, steps=(0.5,))),
    "mtcnn": _Settings(Mtcnn, 0.7, Pyramid(pixels=0.0, enlarge=1.0, steps=(0.5,))),
}
FINDERS = tuple(_SETTINGS)


def load_finder(name: str, score: float | None = None) -> FaceDetector:
    """A detector for anonymising; one object serves any number of threads.

    Args:
        name: one of :data:`FINDERS`.
        score: smallest score of a detection, 0 to 1; None is the usual one of the detector.

    Raises:
        UsageError: no detector has that name, or the score is not a number.
        DartblurError: its wheel is not installed.
    """
    if name not in _SETTINGS:
        raise UsageError(f"detector {name!r}: no such detector (known: {', '.join(FINDERS)}); choose one of them")
    settings = _SETTINGS[name]
    return Finder(settings.make(settings.score if score is None else checked_score(name, score)), settings.pyramid, settings.doubt)
