"""YuNet run by onnxruntime: the same faces as through OpenCV in less than half the time, and from several threads at once."""

from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.detector.yunet import LEAST, YuNetFaces
from dartblur.media.images import Image
from dartblur.optional import onnx_session

STRIDES = (8, 16, 32)
OVERLAP, CANDIDATES = 0.3, 5000
"""Of the suppression, those that :class:`~dartblur.detector.yunet.YuNet` asks OpenCV for."""
_OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("faces", "places")]


class OnnxYuNet(YuNetFaces):
    """YuNet run by onnxruntime; its answers are those of :class:`~dartblur.detector.yunet.YuNet` to rounding. Safe to use from several threads."""

    def __init__(self, score: float = 0.6) -> None:
        # Made by yunet_graph.py beforehand: its library would take as long to import as all the rest of the detector.
        self._session = onnx_session(files("dartblur").joinpath("weights/yunet.onnx").read_bytes())
        self.score = score

    def _rows(self, image: Image) -> npt.NDArray[np.float64]:
        height, width = (max(side, LEAST) for side in image.shape[:2])
        multiple = STRIDES[-1]
        padded = np.zeros((1, height + -height % multiple, width + -width % multiple, 3), np.uint8)
        padded[0, : image.shape[0], : image.shape[1]] = image
        outputs = iter(self._session.run(_OUTPUTS, {"picture": padded}))
        levels = [_decode(faces[0], places[0], stride, self.score) for stride, faces, places in zip(STRIDES, outputs, outputs, strict=True)]
        rows = np.concatenate(levels)
        # OpenCV compares the boxes without their fractions.
        keep = cv2.dnn.NMSBoxes(rows[:, :4].astype(np.int32).tolist(), rows[:, 14].tolist(), self.score, OVERLAP, top_k=CANDIDATES)
        return rows[np.asarray(keep, np.int64).reshape(-1)].astype(np.float64)


def _decode(faces: npt.NDArray[np.float32], places: npt.NDArray[np.float32], stride: int, score: float) -> npt.NDArray[np.float32]:
    """Faces of one level whose score reaches ``score``: (N, 15), x y width height, five points, all in pixels, and the score.

    Args:
        faces: of every cell the probability of a face, and that the cell is its middle: (2, rows, columns).
        places: box and points (14, rows, columns), cells from the cell's corner, the box's sides as logarithms.
        stride: pixels from cell to cell.
    """
    scores = np.sqrt(faces[0] * faces[1])  # (rows, columns)
    row, column = np.nonzero(scores >= score)
    cell = np.stack([column, row], axis=1).astype(np.float32)  # (N, 2)
    found = places[:, row, column].T  # (N, 14)
    centre, size = (cell + found[:, :2]) * stride, np.exp(found[:, 2:4]) * stride
    spots = (cell[:, None] + found[:, 4:].reshape(-1, 5, 2)) * stride
    return np.hstack([centre - size / 2, size, spots.reshape(-1, 10), scores[row, column, None]]).astype(np.float32)
