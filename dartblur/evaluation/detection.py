"""The average precision of a detector on the test views of a data set."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dartblur.detector.detections import FaceDetector
from dartblur.detector.families import RETINAFACE
from dartblur.detector.family import Family
from dartblur.detector.views import ViewBatch, Views
from dartblur.evaluation.counting import LISTS, counted
from dartblur.faces.dataset import FaceDataset, Picture
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
    """AP of ``detector``, one of ``family``, on ``params.evaluate.test_views`` fixed views of the validation split, by list of faces."""
    return average_precision_of(Views([dataset], "val", params.view), trained(detector, params, family), params)


def average_precision_of(views: Views, detect: Detect, params: Params) -> dict[str, float]:
    """The same of whatever detects, on the test windows of ``views``, whatever split they come from."""
    from dartblur.evaluation.average_precision import WiderFaceAP

    metric = WiderFaceAP(params.evaluate.iou, LISTS)
    for _, batch, counts in _test_views(views, params):
        metric.update(detect(batch.images[0]), batch.boxes, counts)
    return {name: float(value) for name, value in metric.compute().items()}


def faces_counted(dataset: FaceDataset, params: Params) -> dict[str, int]:
    """How many faces of the validation split count on each list in at least one test view."""
    seen: dict[str, set[tuple[str, int]]] = {name: set() for name in LISTS}
    for pictures, batch, counts in _test_views(Views([dataset], "val", params.view), params):
        for picture, faces, lists in zip(pictures, batch.faces, counts, strict=True):
            for name, flags in lists.items():
                seen[name] |= {(picture.name, int(face)) for face in faces[flags.numpy()]}
    return {name: len(faces) for name, faces in seen.items()}


def _test_views(views: Views, params: Params) -> Iterator[tuple[list[Picture], ViewBatch, list[dict[str, Tensor]]]]:
    """The test views in batches: their pictures, the views, and which of their faces count."""
    windows = views.test_windows(TEST_SEED, params.evaluate.test_views)
    for start in range(0, len(windows), BATCH):
        part = windows[start : start + BATCH]
        batch, pictures = views.test_batch(part), [picture for picture, _ in part]
        columns = zip(pictures, batch.faces, batch.boxes, batch.ignored, strict=True)
        yield pictures, batch, [counted(picture, faces, boxes, ignored, params.evaluate) for picture, faces, boxes, ignored in columns]
