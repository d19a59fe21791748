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

_SLOPE = 0.2


class Discriminator(nn.Module):
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


def patch_weights(mask: Tensor) -> Tensor:
    """How much each patch counts: the share of it inside the mask, (N, 1, T, T) to (N, 1, T/8, T/8), with a sum of one over all processes."""
    inside = F.avg_pool2d(mask, 8)
    return inside / total(inside.sum()).clamp(min=1e-6)


def hinge(real: Tensor, made: Tensor, weights: Tensor) -> Tensor:
    """The discriminator's loss (Lim and Ye 2017): logits of photographs above 1, of paintings below -1 cost nothing."""
    return ((F.relu(1 - real) + F.relu(1 + made)) * weights).sum()
