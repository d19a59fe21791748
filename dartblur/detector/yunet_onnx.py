"""YuNet run by onnxruntime: the same faces as through OpenCV in less than half the time, and from several threads at once."""

from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.detector.yunet import YuNetFaces
from dartblur.media.images import Image
from dartblur.optional import onnx_session

LEAST = 64
"""A side that is shorter is filled with black, as :class:`~dartblur.detector.yunet.YuNet` does."""
STRIDES = (8, 16, 32)
OVERLAP, CANDIDATES = 0.3, 5000
"""Of the suppression, those that :class:`~dartblur.detector.yunet.YuNet` asks OpenCV for."""
_OUTPUTS = [f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


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
        outputs = self._session.run(_OUTPUTS, {"picture": padded})
        levels = []
        for level, stride in enumerate(STRIDES):
            heads = [output[0] for output in outputs[level :: len(STRIDES)]]
            levels.append(_decode(heads, stride, padded.shape[2] // stride, self.score))
        rows = np.concatenate(levels)
        # OpenCV compares the boxes without their fractions.
        keep = cv2.dnn.NMSBoxes(rows[:, :4].astype(np.int32).tolist(), rows[:, 14].tolist(), self.score, OVERLAP, top_k=CANDIDATES)
        return rows[np.asarray(keep, np.int64).reshape(-1)].astype(np.float64)


def _decode(heads: list[npt.NDArray[np.float32]], stride: int, columns: int, score: float) -> npt.NDArray[np.float32]:
    """Faces of one level whose score reaches ``score``: (N, 15), x y width height, five points, all in pixels, and the score.

    Args:
        heads: of C cells, row by row: probability of a face (C, 1), that the cell is its middle (C, 1), box (C, 4), points (C, 10).
        stride: pixels from cell to cell.
        columns: cells in a row.
    """
    face, middle, box, points = heads
    scores = np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(middle[:, 0], 0, 1))  # (C,)
    found = np.flatnonzero(scores >= score)
    cell = np.stack([found % columns, found // columns], axis=1).astype(np.float32)  # (N, 2): column and row
    centre, size = (cell + box[found, :2]) * stride, np.exp(box[found, 2:]) * stride
    spots = (cell[:, None] + points[found].reshape(-1, 5, 2)) * stride
    return np.hstack([centre - size / 2, size, spots.reshape(-1, 10), scores[found, None]]).astype(np.float32)
