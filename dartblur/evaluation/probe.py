"""The probe: what a training is steered by. A fresh detector is trained for a moment on what U paints now, and tested on clean pictures.

The losses of the training do not tell: a texture that shouts "face" lowers all of them, and a detector that learns it knows nothing else.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dartblur.detector.families import RETINAFACE
from dartblur.detector.training import train_detector
from dartblur.detector.views import ViewBatch, Views
from dartblur.evaluation.detection import average_precision_of, trained
from dartblur.params import Params

HELD_OUT = 6
"""Every sixth training picture is kept for the probe's test: the validation split must not choose between models."""
SEED = 11


class PaintedViews(Views):
    """Training views as U paints them."""

    def __init__(self, views: Views, paint: Callable[[ViewBatch], Tensor]) -> None:
        super().__init__(views.datasets, "train", views.params)
        self.pictures = [picture for index, picture in enumerate(views.pictures) if index % HELD_OUT]
        self._paint = paint

    def batch(self, seed: int, step: int, size: int, part: tuple[int, int] = (0, 1)) -> ViewBatch:
        """As :meth:`Views.batch`, with g(x) as its only picture."""
        drawn = super().batch(seed, step, size, part)
        return ViewBatch([self._paint(drawn)], drawn.mask, drawn.boxes, drawn.ignored, drawn.faces)


def probe(views: Views, paint: Callable[[ViewBatch], Tensor], params: Params, steps: int, device: torch.device, work: Path) -> float:
    """AP on clean held-out training pictures of a detector trained on g(x) for ``steps`` steps, 0 to 1.

    Args:
        views: training views of the clean and the pre-blurred copy.
        paint: a batch of them to g(x), (B, 3, S, S).
    """
    short = params.detector.model_copy(update={"steps": steps})
    detector = train_detector(RETINAFACE, PaintedViews(views, paint), short, params.seed + SEED, device, work, precision=params.compute.precision)
    held_out = Views(views.datasets[:1], "train", views.params)
    held_out.pictures = views.pictures[::HELD_OUT]
    return average_precision_of(held_out, trained(detector, params), params)["all"]
