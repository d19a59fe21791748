"""A discriminator that looks at patches of tiles: does this stretch of a face come from a photograph or from the U-Net?

It sees the surroundings of a face as well as the face, so that a seam at the box's edge, or a grain that differs from the picture's, gives a
painted face away.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dartblur.processes import total
from dartblur.training.perception import Perception

_SLOPE = 0.2


class PatchCritic(nn.Module):
    """PatchGAN (Isola et al. 2017) with spectral normalisation (Miyato et al. 2018): 1/8 of the resolution, receptive field 54 pixels.

    Args:
        width: channels of the first level; doubled at each of two more.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [4, width, 2 * width, 4 * width]
        self.levels = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths))
        self.middle = spectral_norm(nn.Conv2d(widths[-1], widths[-1], 3, padding=1))
        self.last = spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, tiles: Tensor, mask: Tensor) -> Tensor:
        """Tiles (N, 3, T, T) of grey levels and their masks (N, 1, T, T) to one logit a patch, (N, 1, T/8, T/8): above 0 is a photograph."""
        x = torch.cat([tiles / 127.5 - 1, mask], dim=1)
        for level in self.levels:
            x = F.leaky_relu(level(x), _SLOPE)
        x = F.leaky_relu(self.middle(x), _SLOPE)
        logits: Tensor = self.last(x).float()
        return logits


class FeatureCritic(nn.Module):
    """Two 3 x 3 convolutions and a logit on one map of features, with spectral normalisation.

    Args:
        inputs: channels of the map. width: channels in between.
    """

    _SCALE = 2.0
    """Features, whose spread is 0.5 to 0.7, are multiplied by this: under spectral normalisation logits grow with them, and at 0.5 a critic was too
    weak to teach much (docs/experiments.md)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(inputs + 1, width, 3, padding=1))
        self.middle = spectral_norm(nn.Conv2d(width, width, 3, padding=1))
        self.last = spectral_norm(nn.Conv2d(width, 1, 1))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Features (N, C, H, W) and masks (N, 1, T, T) to one logit a cell, (N, 1, H, W)."""
        inside = F.interpolate(mask, size=features.shape[2:], mode="area").to(features.dtype)  # (N, 1, H, W)
        x = F.leaky_relu(self.first(torch.cat([features * self._SCALE, inside], dim=1)), _SLOPE)
        logits: Tensor = self.last(F.leaky_relu(self.middle(x), _SLOPE)).float()
        return logits


class Discriminator(nn.Module):
    """A critic of the pixels, and one of every map of :class:`Perception`: a projected GAN (Sauer et al. 2021) without its random mixing.

    What an ImageNet network can see, a detector that starts from one can lean on; here U is made to hide it. A discriminator that learns from pixels
    alone sees seams and grain long before it knows what a face is made of (docs/experiments.md).

    Args:
        width: channels of the pixels' first level. feature_width: channels of the critics of features; 0 leaves them out.
    """

    def __init__(self, width: int, feature_width: int) -> None:
        super().__init__()
        self.patches = PatchCritic(width)
        self.features = nn.ModuleList(FeatureCritic(inputs, feature_width) for inputs in Perception.channels if feature_width)

    def forward(self, tiles: Tensor, seen: list[Tensor], mask: Tensor) -> list[Tensor]:
        """Logits of every critic, (N, 1, H, W) of its own size: above 0 is a photograph.

        Args:
            tiles: (N, 3, T, T) grey levels. seen: what :class:`Perception` makes of them. mask: (N, 1, T, T), 0 or 1.
        """
        # Without critics of features whatever was seen for others is left alone; with them, a map must not be missing.
        pairs = zip(self.features, seen, strict=True) if len(self.features) else ()
        return [self.patches(tiles, mask), *(critic(level, mask) for critic, level in pairs)]


def patch_weights(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """How much each logit counts: the share of its cell inside the mask, (N, 1, T, T) to (N, 1, *size), with a sum of one over all processes."""
    inside = F.interpolate(mask, size=size, mode="area")
    return inside / total(inside.sum()).clamp(min=1e-6)


def hinge(real: Tensor, made: Tensor, weights: Tensor) -> Tensor:
    """The discriminator's loss (Lim and Ye 2017): logits of photographs above 1, of paintings below -1 cost nothing."""
    return ((F.relu(1 - real) + F.relu(1 + made)) * weights).sum()
