"""EfficientNet-Lite0 (Tan & Le 2019, the variant without squeeze-and-excitation, ReLU6 throughout) up to its 192-channel blocks.

Its ImageNet weights were trained in TensorFlow, which shows in three places: a stride of 2 pads at the far border first, batch norms have an
epsilon of 1e-3, and grey levels enter as (x - 127) / 128.
"""

from typing import cast

import torch
from torch import Tensor, nn

from dartblur.compute import computes_in

Pyramid = tuple[Tensor, Tensor, Tensor, Tensor]
_BLOCKS = (  # expansion, kernel, stride, channels, repeats
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
)  # fmt: skip
_TAPS = (2, 4, 10, 14)
"""The last blocks at strides 4, 8, 16 and 32."""


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's ``SAME`` pads an even side: with stride 2 one pixel less before than behind."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, 0 if stride > 1 else kernel // 2, groups=groups, bias=False)
        before = (kernel - stride) // 2
        self.border = (before, kernel - stride - before) * 2 if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W), H and W even, to (B, outputs, H / stride, W / stride)."""
        dtype = computes_in(self, x)
        with torch.autocast(x.device.type, enabled=False):
            x = nn.functional.pad(x, self.border) if self.border else x
            return nn.functional.conv2d(x.to(dtype), self.weight.to(dtype), None, self.stride, self.padding, 1, self.groups)


class InvertedBottleneck(nn.Module):
    """Expand, depthwise, project; names as in the wheel's file, less its leading underscores."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        if expansion > 1:
            self.expand_conv = SameConv(inputs, hidden, 1)
            self.bn0 = _norm(hidden)
        self.expands = expansion > 1
        self.depthwise_conv = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.bn1 = _norm(hidden)
        self.project_conv = SameConv(hidden, outputs, 1)
        self.bn2 = _norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = nn.functional.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        y = nn.functional.relu6(self.bn1(self.depthwise_conv(y)))
        y = cast(Tensor, self.bn2(self.project_conv(y)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Pictures of grey levels to four feature maps."""

    channels = (24, 40, 112, 192)

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv(3, 32, 3, 2)
        self.bn0 = _norm(32)
        blocks: list[nn.Module] = []
        inputs = 32
        for expansion, kernel, stride, outputs, repeats in _BLOCKS:
            for index in range(repeats):
                blocks.append(InvertedBottleneck(inputs, outputs, expansion, kernel, stride if index == 0 else 1))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, images: Tensor) -> Pyramid:
        """(B, 3, H, W), 0 to 255, R G B, H and W multiples of 32, to maps of 24, 40, 112 and 192 channels at strides 4, 8, 16 and 32."""
        x = nn.functional.relu6(self.bn0(self.conv_stem((images - 127.0) / 128.0)))
        taps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        return taps[0], taps[1], taps[2], taps[3]


def wheel_name(name: str) -> str:
    """The wheel's name of an entry of the state: ``blocks.3.bn1.weight`` is ``_blocks.3._bn1.weight`` there."""
    *modules, leaf = name.split(".")
    return ".".join([*(module if module.isdigit() else f"_{module}" for module in modules), leaf])


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
