"""The families of trainable detectors. RetinaFace is f, fg and the detectors of every figure; the others only ask whether a figure transfers.

A new family is a class as in :mod:`dartblur.detector.family` and a line in :data:`FAMILIES`.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dartblur.detector.anchors import FaceBatch, anchors, match
from dartblur.detector.centernet import CENTERNET
from dartblur.detector.detect import detect
from dartblur.detector.family import Family
from dartblur.detector.loss import detection_loss
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.training import new_detector
from dartblur.errors import UsageError
from dartblur.params import DetectorParams


class RetinaFaceFamily:
    """RetinaFace for the trainer; see :class:`dartblur.detector.family.Family`."""

    name = "retinaface"

    def new(self, params: DetectorParams, seed: int) -> RetinaFace:
        """See :func:`dartblur.detector.training.new_detector`."""
        return new_detector(params, seed)

    def loss(self, model: RetinaFace, images: Tensor, boxes: list[Tensor], ignored: list[Tensor], params: DetectorParams) -> Tensor:
        """Ldet on annotated faces."""
        faces = FaceBatch.of(boxes, ignored, images.device)
        targets = match(faces, anchors(images.shape[2], images.shape[3], images.device), params.match_iou)
        offsets, logits = (said.to(images.dtype) for said in model(images))
        return detection_loss(offsets, logits, targets, box_weight=params.box_weight, negatives_per_positive=params.negatives_per_positive)

    def detect(self, model: RetinaFace, images: Tensor, params: DetectorParams, score_floor: float | None = None) -> list[Tensor]:
        """See :func:`dartblur.detector.detect.detect`."""
        return detect(model, images, params, score_floor)


RETINAFACE = RetinaFaceFamily()
FAMILIES: Mapping[str, Family[Any]] = {family.name: family for family in (RETINAFACE, CENTERNET)}


def family_of(name: str) -> Family[Any]:
    """The family of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in FAMILIES:
        raise UsageError(f"detector {name!r}: no such family (known: {', '.join(FAMILIES)}); choose one of them")
    return FAMILIES[name]
