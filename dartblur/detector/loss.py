"""Ldet of the method: box_weight * SmoothL1(boxes of positives) + cross entropy over positives and hard negatives."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dartblur.detector.anchors import Targets
from dartblur.processes import total


def detection_loss(
    offsets: Tensor, logits: Tensor, targets: Targets, *, box_weight: float, negatives_per_positive: int, label_smoothing: float = 0.0
) -> Tensor:
    """The multi-box loss, a scalar, twice differentiable in ``offsets`` and ``logits``.

    Both terms are summed and divided by the number of positives in the batch, that of all processes. In each view the
    ``negatives_per_positive`` background anchors a positive with the largest loss count; a view without a face counts as one with a single
    positive, so that it still teaches background.

    Args:
        offsets: (B, A, 4). logits: (B, A, 2), background and face.
        targets: from :func:`dartblur.detector.anchors.match`.
        label_smoothing: 0 to 1, of the cross entropy.
    """
    positive = targets.labels == 1  # (B, A)
    positives = positive.sum(dim=1)  # (B,)
    chosen = positive | _hard_negatives(logits, targets.labels, positives.clamp(min=1) * negatives_per_positive)
    scale = total(positives.sum()).clamp(min=1)
    boxes = F.smooth_l1_loss(offsets[positive], targets.offsets[positive], reduction="sum") / scale
    classes = F.cross_entropy(logits[chosen], targets.labels[chosen], reduction="sum", label_smoothing=label_smoothing) / scale
    return box_weight * boxes + classes


@torch.no_grad()
def _hard_negatives(logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """(B, A) bool: in each view the ``counts`` (B,) background anchors that look most like a face."""
    margin = (logits[..., 1] - logits[..., 0]).masked_fill(labels != 0, -torch.inf)
    rank = margin.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (rank < counts[:, None]) & (labels == 0)
