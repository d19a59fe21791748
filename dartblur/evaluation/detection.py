"""The average precision of a detector on the test views of a data set."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dartblur.detector.detections import FaceDetector
from dartblur.detector.families import RETINAFACE
from dartblur.detector.family import Family
from dartblur.detector.views import Views
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params

BATCH = 32
TEST_SEED = 0
"""Test windows are the same for every arm, seed and detector of a run."""


Detect = Callable[[Tensor], list[Tensor]]
"""Views (B, 3, S, S), grey levels 0 to 255, R G B, to B tensors (N, 5): x1 y1 x2 y2 score."""


def trained(detector: nn.Module, params: Params, family: Family[Any] = RETINAFACE) -> Detect:
    """A detector of ``family`` as it is: in evaluation mode, on the device where it lies."""
    device = next(detector.parameters()).device
    return lambda images: [found.cpu() for found in family.detect(detector, images.to(device), params.detector)]


def ready(detector: FaceDetector) -> Detect:
    """A ready detector, one view at a time."""

    def detect(images: Tensor) -> list[Tensor]:
        pictures = images.permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
        answers = [detector.detect(np.ascontiguousarray(picture)) for picture in pictures]
        return [torch.from_numpy(np.hstack([found.boxes, found.scores[:, None]])).float() for found in answers]

    return detect


def average_precision(detector: nn.Module, dataset: FaceDataset, params: Params, family: Family[Any] = RETINAFACE) -> dict[str, float]:
    """AP (easy, medium, hard, all) of ``detector``, one of ``family``, on ``params.evaluate.test_views`` fixed views of the validation split."""
    return average_precision_of(Views([dataset], "val", params.view), trained(detector, params, family), params)


def average_precision_of(views: Views, detect: Detect, params: Params) -> dict[str, float]:
    """The same of whatever detects, on the test windows of ``views``, whatever split they come from."""
    from dartblur.evaluation.average_precision import WiderFaceAP, counted_by_height

    windows = views.test_windows(TEST_SEED, params.evaluate.test_views)
    metric = WiderFaceAP(iou=params.evaluate.iou)
    for start in range(0, len(windows), BATCH):
        batch = views.test_batch(windows[start : start + BATCH])
        found = detect(batch.images[0])
        counts = [counted_by_height(boxes, ignored, params.evaluate) for boxes, ignored in zip(batch.boxes, batch.ignored, strict=True)]
        metric.update(found, batch.boxes, counts)
    return {name: float(value) for name, value in metric.compute().items()}


def faces_counted(dataset: FaceDataset, params: Params) -> dict[str, int]:
    """How many faces of the test views count in each difficulty."""
    from dartblur.evaluation.average_precision import counted_by_height

    views = Views([dataset], "val", params.view)
    totals: dict[str, int] = {}
    windows = views.test_windows(TEST_SEED, params.evaluate.test_views)
    for start in range(0, len(windows), BATCH):
        batch = views.test_batch(windows[start : start + BATCH])
        for boxes, ignored in zip(batch.boxes, batch.ignored, strict=True):
            for name, flags in counted_by_height(boxes, ignored, params.evaluate).items():
                totals[name] = totals.get(name, 0) + int(torch.as_tensor(flags).sum())
    return totals
