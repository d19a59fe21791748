"""The average precision of a detector on the test views of a data set."""

from typing import Any

import torch
from torch import nn

from dartblur.detector.families import RETINAFACE
from dartblur.detector.family import Family
from dartblur.detector.views import Views
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params

BATCH = 32
TEST_SEED = 0
"""Test windows are the same for every arm, seed and detector of a run."""


def average_precision(detector: nn.Module, dataset: FaceDataset, params: Params, family: Family[Any] = RETINAFACE) -> dict[str, float]:
    """AP (easy, medium, hard, all) of ``detector``, one of ``family``, on ``params.evaluate.test_views`` fixed views of the validation split.

    The detector is used as it is: in evaluation mode, on the device where it lies.
    """
    return average_precision_on(Views([dataset], "val", params.view), detector, params, family)


def average_precision_on(views: Views, detector: nn.Module, params: Params, family: Family[Any] = RETINAFACE) -> dict[str, float]:
    """The same on the test windows of ``views``, whatever split they come from."""
    from dartblur.evaluation.average_precision import WiderFaceAP, counted_by_height

    windows = views.test_windows(TEST_SEED, params.evaluate.test_views)
    metric = WiderFaceAP(iou=params.evaluate.iou)
    device = next(detector.parameters()).device
    for start in range(0, len(windows), BATCH):
        batch = views.test_batch(windows[start : start + BATCH])
        found = family.detect(detector, batch.images[0].to(device), params.detector)
        counts = [counted_by_height(boxes, ignored, params.evaluate) for boxes, ignored in zip(batch.boxes, batch.ignored, strict=True)]
        metric.update([d.cpu() for d in found], batch.boxes, counts)
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
