"""A small network in the U-Net's place, about a tenth of its cost a pixel: what ships in the package, for use on a CPU (``dartblur distill``).

It sees a tile at half its resolution and paints it by PixelShuffle. Skips are added, upsampling repeats pixels, activations end at 6 (ReLU6):
onnxruntime fuses all of that into the convolutions and runs them in 8-bit integers (:mod:`dartblur.blur.quantise`), for which it is trained.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SHARES = (1.0, 1.5, 3.0, 4.0, 4.0, 4.0)
"""Channels of each level as a share of the first one's: most of the work is at a quarter and an eighth of the resolution, that of eyes and mouths."""


GRID = 64
"""In training weights are multiples of their output channel's largest one divided by this: seven bits in all, on which no processor overflows."""


def _square(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def on_grid(weight: Tensor) -> Tensor:
    """Weights (outputs, inputs, h, w) as 8-bit integers will hold them; the gradient is that of the weights themselves."""
    step = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12) / GRID
    return weight + (torch.round(weight.detach() / step) * step - weight.detach())


class SmallNet(nn.Module):
    """Turns a pre-blurred picture and its mask into the anonymised picture, all in -1 to 1, as :class:`dartblur.blur.unet.UNet` does.

    Untrained it returns its input. 32 channels and four levels are 702,380 parameters and 12.2 thousand multiplications a pixel; the default U-Net
    has 952,515 and 58.

    Args:
        width: channels at half resolution. depth: halvings, 3 to 6; inputs must be multiples of ``2 ** depth``.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        widths = [int(width * share) for share in _SHARES[:depth]]  # at 1/2, 1/4, 1/8, ... of the resolution
        self.first = nn.Conv2d(4, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.seen = nn.ModuleList(_square(wide, wide) for wide in widths[1:])
        self.deep = _square(widths[-1], widths[-1])  # so that the middle of the largest face sees its rim
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_square(wide, wide) for wide in widths[:-1])
        self.last = _square(widths[0], 12)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.last.weight)

    def added(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """What is added to the picture (B, 3, H, W); arguments as in :meth:`forward`."""
        x = self._run(self.first, torch.cat([blurred, mask], dim=1))  # (B, width, H/2, W/2)
        skips = []
        for down, seen in zip(self.down, self.seen, strict=True):
            skips.append(x)
            x = self._run(seen, self._run(down, x))
        x = self._run(self.deep, x)  # (B, 4 width, H >> depth, W >> depth)
        for narrow, up in zip(reversed(self.narrow), reversed(self.up), strict=True):
            x = F.relu6(F.interpolate(self._convolve(narrow, x), scale_factor=2, mode="nearest") + skips.pop())
            x = self._run(up, x)
        return F.pixel_shuffle(self._convolve(self.last, x), 2)

    def _run(self, conv: nn.Module, x: Tensor) -> Tensor:
        return F.relu6(self._convolve(conv, x))

    def _convolve(self, conv: nn.Module, x: Tensor) -> Tensor:
        """A layer of this network; in training with its weights as they will be in use."""
        assert isinstance(conv, nn.Conv2d)  # noqa: S101  for mypy: a ModuleList does not say what is in it
        if not self.training:
            return conv(x)  # type: ignore[no-any-return]
        return F.conv2d(x, on_grid(conv.weight), conv.bias, conv.stride, conv.padding)

    def settle(self) -> None:
        """Replace the weights by those that training has used; afterwards the network is the same in training and in use."""
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.copy_(on_grid(module.weight))

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """Args: blurred (B, 3, H, W) in -1 to 1; mask (B, 1, H, W), 0 or 1. Returns (B, 3, H, W) in -1 to 1."""
        # Whatever the convolutions ran in, what follows is exact.
        return torch.clamp(blurred + self.added(blurred, mask).to(blurred.dtype), -1, 1)
