"""What joins the four objectives of the method. Each compares what U painted on tiles with the photograph there, and is about 1 before training.

The objectives of the method speak of detectors that were trained long enough; on few steps they are satisfied by a texture that shouts "face"
(docs/experiments.md). These say what a face looks like, which every detector agrees on.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from dartblur.detector.backbones import MobileNet025, MobileNetV2, normalise
from dartblur.detector.retinaface import RetinaFace
from dartblur.params import AdditionWeights
from dartblur.processes import total
from dartblur.training.discriminator import Discriminator, patch_weights

GREY_LEVELS = 10.0
"""Distances in grey levels are divided by this: an ordinary blur is about so far from its photograph."""


@dataclass(frozen=True)
class Additions:
    """The additions of one step, each a scalar; None where its weight is 0 and it was not computed."""

    restore: Tensor | None = None
    features: Tensor | None = None
    realism: Tensor | None = None

    def items(self) -> list[tuple[str, Tensor | None]]:
        """Names and values, in the order above."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def restore(made: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Mean distance of the painting from the photograph inside the mask, in tens of grey levels. Tiles (N, 3, T, T), mask (N, 1, T, T)."""
    return ((made - clean).abs() * mask).sum() / (total(mask.sum()).clamp(min=1) * made.shape[1] * GREY_LEVELS)


class ShallowFeatures(nn.Module):
    """The first layers of a detector's backbone, up to stride 8: where edges, eyes and mouths are told apart."""

    def __init__(self, detector: RetinaFace) -> None:
        super().__init__()
        self.backbone: MobileNetV2 | MobileNet025 = detector.backbone

    def forward(self, tiles: Tensor) -> list[Tensor]:
        """Tiles (N, 3, T, T) of grey levels to maps at strides 4 and 8."""
        x = normalise(tiles, self.backbone)
        layers = self.backbone.features[:7] if isinstance(self.backbone, MobileNetV2) else self.backbone.stage1
        maps = []
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in (3, len(layers) - 1):
                maps.append(x.float())
        return maps


def agreement(made: list[Tensor], clean: list[Tensor]) -> Tensor:
    """Distance of two lists of feature maps (N, C, H, W), each level relative to the size of the clean one."""
    return torch.stack([(a - b).abs().sum() / total(b.abs().sum()).clamp(min=1e-6) for a, b in zip(made, clean, strict=True)]).mean()


@dataclass(frozen=True)
class Faces:
    """Tiles of one size: what U painted, the photograph there (N, 3, T, T) in grey levels, and the mask (N, 1, T, T), 0 or 1."""

    made: Tensor
    clean: Tensor
    mask: Tensor


def additions(faces: list[Faces], weights: AdditionWeights, features: ShallowFeatures, discriminator: Discriminator) -> Additions:
    """All additions whose weight is above 0, each the mean over the groups of tiles."""
    values = [_of_group(group, weights, features, discriminator) for group in faces]
    return Additions(**{name: torch.stack([value[name] for value in values]).mean() for name in values[0]})


def _of_group(group: Faces, weights: AdditionWeights, features: ShallowFeatures, discriminator: Discriminator) -> dict[str, Tensor]:
    values = {}
    if weights.restore:
        values["restore"] = restore(group.made, group.clean, group.mask)
    if weights.features:
        with torch.no_grad():
            known = features(group.clean)
        values["features"] = agreement(features(group.made), known)
    if weights.realism:
        values["realism"] = -(discriminator(group.made, group.mask) * patch_weights(group.mask)).sum()
    return values
