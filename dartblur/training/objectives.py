"""The four objectives of the method, each a scalar that the U-Net is trained to lower.

Adding one is a function here, a field of :class:`Terms` and a weight in params.yaml.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from dartblur.detector.anchors import Targets
from dartblur.detector.loss import detection_loss
from dartblur.params import DetectorParams
from dartblur.processes import total

Outputs = tuple[Tensor, Tensor]
"""A detector's raw outputs: offsets (B, A, 4), logits (B, A, 2)."""


def review(anonymised: Tensor, blurred: Tensor, mask: Tensor, budget: float) -> Tensor:
    """Review convenience: mean over pictures of relu(mean SmoothL1 inside the mask - budget), in grey levels.

    Args:
        anonymised: g(x), (B, 3, H, W), 0 to 255. blurred: x~, the same shape. mask: b, (B, 1, H, W), 0 or 1.
        budget: grey levels that are free. A picture without a mask costs nothing.
    """
    distance = F.smooth_l1_loss(anonymised, blurred, reduction="none") * mask  # (B, 3, H, W)
    pixels = mask.sum(dim=(1, 2, 3)) * anonymised.shape[1]
    over = F.relu(distance.sum(dim=(1, 2, 3)) / pixels.clamp(min=1) - budget)
    return over.sum() / total(torch.tensor(float(len(over)), device=over.device))


def fidelity(outputs: Outputs, pseudo: Targets, params: DetectorParams, label_smoothing: float) -> Tensor:
    """Ldet against T(x), the frozen clean-trained detector's detections on the clean picture.

    Process fidelity takes f(g(x)) without smoothing; post-hoc fidelity fg(g(x)), cycle fidelity fg'(x), both smoothed.
    """
    return detection_loss(
        *outputs, pseudo, box_weight=params.box_weight, negatives_per_positive=params.negatives_per_positive, label_smoothing=label_smoothing
    )


@dataclass(frozen=True)
class Terms:
    """The objectives of one step, each a scalar; None where its weight is 0 and it was not computed."""

    review: Tensor | None = None
    process: Tensor | None = None
    posthoc: Tensor | None = None
    cycle: Tensor | None = None

    def items(self) -> list[tuple[str, Tensor | None]]:
        """Names and values, in the order above."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]
