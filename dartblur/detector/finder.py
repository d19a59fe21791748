"""The detectors that look for faces to hide, by name: each at the settings that find most, in pictures of any size, from several threads at once."""

import threading

from dartblur.detector.detections import Detections, FaceDetector
from dartblur.detector.pretrained import load_detector
from dartblur.media.images import Image

FINDERS = ("yunet", "centerface", "mtcnn")


class _OneAtATime:
    def __init__(self, inner: FaceDetector) -> None:
        self.name, self.score = inner.name, inner.score
        self._inner, self._lock = inner, threading.Lock()

    def detect(self, image: Image) -> Detections:
        with self._lock:
            return self._inner.detect(image)


def load_finder(name: str, score: float | None = None) -> FaceDetector:
    """A detector for anonymising, one of :data:`FINDERS`."""
    return _OneAtATime(load_detector(name, score))
