"""The U-Net of DartBlur (CVPR 2023): PixelShuffle upsampling, additive skips at the deep levels, concatenated ones at the two shallow levels.

With ``width=32, depth=5`` it has the 12,653,187 parameters of the paper's network.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.01


class Down(nn.Module):
    """Two convolutions and a 2 x 2 max pool: (B, inputs, H, W) to (B, outputs, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(x), _SLOPE)
        return F.max_pool2d(F.leaky_relu(self.second(x), _SLOPE), 2)


class Up(nn.Module):
    """A convolution, PixelShuffle and a convolution: (B, inputs, H, W) to (B, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int, middle: int, *, last: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, middle, 3, padding=1)
        self.second = nn.Conv2d(middle // 4, outputs, 3, padding=1)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(F.pixel_shuffle(F.leaky_relu(self.first(x), _SLOPE), 2))
        return x if self.last else F.leaky_relu(x, _SLOPE)


def _start_alive(unet: nn.Module) -> None:
    """He's initialisation (2015): under torch's own, made for other activations, a signal of these sixteen layers and more dies out, and U learns slowly."""
    for module in unet.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, a=_SLOPE)
            nn.init.zeros_(module.bias)
    for module in unet.modules():
        if isinstance(module, Up):
            _start_smooth(module.first)


def _start_smooth(conv: nn.Conv2d) -> None:
    """Start the four sub-pixels of every PixelShuffle cell equal (ICNR, Aitken et al. 2017): otherwise training begins with a dot pattern."""
    with torch.no_grad():
        conv.weight.copy_(conv.weight[::4].repeat_interleave(4, dim=0))
        if conv.bias is not None:
            conv.bias.copy_(conv.bias[::4].repeat_interleave(4, dim=0))


class UNet(nn.Module):
    """Turns a pre-blurred picture and its mask into the anonymised picture, all in -1 to 1.

    The output is tanh(out + artanh(input)) rather than the original's tanh(out + input), and ``out`` starts at zero: an untrained network returns
    its input to within a thousandth of a grey level, where the original's starts up to 30 grey levels away from it.

    Args:
        width: channels of the first level, doubled at every level.
        depth: levels, at least 3; inputs must be multiples of ``2 ** depth``.
    """

    _HEADROOM = 0.998
    """The input is scaled by this inside artanh, which is infinite at 1, and the output back."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        widths = [width << level for level in range(depth)]  # width, 2 width, 4 width, ...
        self.down = nn.ModuleList(Down(inputs, outputs) for inputs, outputs in zip([4, *widths[:-1]], widths, strict=True))
        # Deepest first; the two shallowest concatenate, so they take twice their skip's width, and the last but one makes 3 width of it.
        deep = [Up(widths[level], widths[level - 1], 4 * widths[level - 1]) for level in range(depth - 1, 1, -1)]
        shallow = [Up(4 * width, 3 * width, 12 * width), Up(4 * width, 3, 12 * width, last=True)]
        self.up = nn.ModuleList([*deep, *shallow])
        _start_alive(self)
        nn.init.zeros_(shallow[-1].second.weight)

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """Args: blurred (B, 3, H, W) in -1 to 1; mask (B, 1, H, W), 0 or 1. Returns (B, 3, H, W) in -1 to 1."""
        skips = []
        x = torch.cat([blurred, mask], dim=1)  # (B, 4, H, W)
        for down in self.down:
            x = down(x)
            skips.append(x)  # (B, width << level, H >> level + 1, ...)
        x = skips.pop()
        for up in self.up[:-2]:
            skip = skips.pop()
            # The two shallowest skips are concatenated, all deeper ones added.
            x = torch.cat([up(x), skip], dim=1) if len(skips) == 1 else up(x) + skip
        x = torch.cat([self.up[-2](x), skips.pop()], dim=1)
        out = self.up[-1](x)  # (B, 3, H, W)
        painted: Tensor = torch.tanh(out + torch.atanh(blurred * self._HEADROOM)) / self._HEADROOM
        return painted


def blend(unet: Callable[[Tensor, Tensor], Tensor], blurred: Tensor, mask: Tensor) -> Tensor:
    """g(x) of the method: the U-Net inside the mask, the pre-blurred picture elsewhere.

    Args:
        blurred: x~, (B, 3, H, W), grey levels 0 to 255. mask: b, (B, 1, H, W), 0 or 1.

    Returns:
        (B, 3, H, W) grey levels, differentiable in the network's weights. The clean picture is no argument: g cannot leak what it never sees.
    """
    painted = (unet(blurred / 127.5 - 1, mask) + 1) * 127.5
    return mask * painted + (1 - mask) * blurred
