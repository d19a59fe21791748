"""What joins the four objectives of the method. Each compares what U painted on tiles with the photograph there, or with what a teacher painted, and
is about 1 before training.

The objectives of the method speak of detectors that were trained long enough; on few steps they are satisfied by a texture that shouts "face"
(docs/experiments.md). These say what a face looks like, which every detector agrees on.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from dartblur.params import AdditionWeights
from dartblur.processes import total
from dartblur.training.discriminator import Discriminator, patch_weights

GREY_LEVELS = 10.0
"""Distances in grey levels are divided by this: an ordinary blur is about so far from its photograph."""
RIM = 16
"""The seam is what lies within this share of a tile's side, 1 / RIM, of a box's edge."""
SHALLOW = slice(0, 2)
"""The maps at strides 4 and 8, where edges, eyes and mouths are told apart."""


@dataclass(frozen=True)
class Additions:
    """The additions of one step, each a scalar; None where its weight is 0 and it was not computed."""

    restore: Tensor | None = None
    seam: Tensor | None = None
    features: Tensor | None = None
    realism: Tensor | None = None

    def items(self) -> list[tuple[str, Tensor | None]]:
        """Names and values, in the order above."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def restore(made: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Mean distance of the painting from the photograph inside the mask, in tens of grey levels. Tiles (N, 3, T, T), mask (N, 1, T, T)."""
    return ((made - clean).abs() * mask).sum() / (total(mask.sum()).clamp(min=1) * made.shape[1] * GREY_LEVELS)


def edge(mask: Tensor) -> Tensor:
    """The rim of the masks (N, 1, T, T), 0 or 1: what lies inside and within a :data:`RIM` of a tile's side of the outside."""
    reach = max(mask.shape[-1] // RIM, 1)
    outside = F.max_pool2d(1 - mask, (2 * reach + 1, 1), stride=1, padding=(reach, 0))  # a square's maximum is that of its columns'
    return mask * F.max_pool2d(outside, (1, 2 * reach + 1), stride=1, padding=(0, reach))


def agreement(made: list[Tensor], clean: list[Tensor]) -> Tensor:
    """Distance of two lists of feature maps (N, C, H, W), each level relative to the size of the clean one."""
    pairs = [(a.float(), b.float()) for a, b in zip(made, clean, strict=True)]
    return torch.stack([(a - b).abs().sum() / total(b.abs().sum()).clamp(min=1e-6) for a, b in pairs]).mean()


@dataclass(frozen=True)
class Faces:
    """Tiles of one size: what U painted, the photograph there (N, 3, T, T) in grey levels, and the mask (N, 1, T, T), 0 or 1.

    ``taught`` is what a teacher painted there, where U learns from one: it is near to that rather than to the photograph.
    """

    made: Tensor
    clean: Tensor
    mask: Tensor
    taught: Tensor | None = None

    @property
    def wanted(self) -> Tensor:
        """What U is to come near to."""
        return self.clean if self.taught is None else self.taught


@dataclass(frozen=True)
class Seen:
    """A group of tiles, and what :class:`Perception` makes of each kind; nothing where nobody asks for it."""

    faces: Faces
    made: list[Tensor]
    clean: list[Tensor]
    wanted: list[Tensor]


def additions(groups: list[Seen], weights: AdditionWeights, discriminator: Discriminator) -> Additions:
    """All additions whose weight is above 0, each the mean over the groups of tiles."""
    values = [_of_group(group, weights, discriminator) for group in groups]
    return Additions(**{name: torch.stack([value[name] for value in values]).mean() for name in values[0]})


def _of_group(seen: Seen, weights: AdditionWeights, discriminator: Discriminator) -> dict[str, Tensor]:
    group, values = seen.faces, {}
    if weights.restore:
        values["restore"] = restore(group.made, group.wanted, group.mask)
    if weights.seam:
        values["seam"] = restore(group.made, group.wanted, edge(group.mask))
    if weights.features:
        values["features"] = agreement(seen.made[SHALLOW], seen.wanted[SHALLOW])
    if weights.realism:
        logits = discriminator(group.made, seen.made, group.mask)
        values["realism"] = -torch.stack([(level * patch_weights(group.mask, level.shape[2:])).sum() for level in logits]).mean()
    return values
