"""The two backbones of RetinaFace: MobileNetV2 (starts from ImageNet) and MobileNet-0.25 (the paper's detector).

Each takes normalised pictures (B, 3, H, W) and returns three feature maps at strides 8, 16 and 32.
"""

import torch
from torch import Tensor, nn

from dartblur.detector.layers import ConvNorm, conv_norm

Features = tuple[Tensor, Tensor, Tensor]


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise, project (Sandler et al. 2018, fig. 3). Names as in torchvision, so that its weights fit."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(ConvNorm(inputs, hidden, 1, activation=nn.ReLU6(inplace=True)))
        layers += [
            ConvNorm(hidden, hidden, 3, stride, groups=hidden, activation=nn.ReLU6(inplace=True)),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        *layers, convolution, norm = self.conv
        y = x
        for layer in layers:
            y = layer(y)
        y = conv_norm(y, convolution, norm)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """MobileNetV2 up to its 160-channel blocks; the wide layers behind them serve classification alone.

    Pictures are normalised with ImageNet's mean and standard deviation, R G B.
    """

    channels = (32, 96, 160)
    mean = (123.675, 116.28, 103.53)
    std = (58.395, 57.12, 57.375)
    bgr = False
    _blocks = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2))  # expansion, channels, repeats, stride
    _taps = (6, 13, 16)  # the last blocks at strides 8, 16 and 32

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNorm(3, 32, 3, 2, activation=nn.ReLU6(inplace=True))]
        inputs = 32
        for expansion, outputs, repeats, stride in self._blocks:
            for index in range(repeats):
                layers.append(InvertedResidual(inputs, outputs, stride if index == 0 else 1, expansion))
                inputs = outputs
        self.features = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Features:
        """(B, 3, H, W) to (B, 32, H/8, W/8), (B, 96, H/16, W/16), (B, 160, H/32, W/32)."""
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                taps.append(x)
        return taps[0], taps[1], taps[2]


class MobileNet025(nn.Module):
    """MobileNetV1 at a quarter of its width, as in RetinaFace (Deng et al. 2020) and the DartBlur paper.

    Pictures are B G R with the mean (104, 117, 123) taken off, as its published weights expect.
    """

    channels = (64, 128, 256)
    mean = (104.0, 117.0, 123.0)
    std = (1.0, 1.0, 1.0)
    bgr = True

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            ConvNorm(3, 8, 3, 2, activation=nn.LeakyReLU(0.1, inplace=True)),
            *(_separable(*spec) for spec in ((8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))),
        )
        self.stage2 = nn.Sequential(_separable(64, 128, 2), *(_separable(128, 128, 1) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, 2), _separable(256, 256, 1))

    def forward(self, x: Tensor) -> Features:
        """(B, 3, H, W) to (B, 64, H/8, W/8), (B, 128, H/16, W/16), (B, 256, H/32, W/32)."""
        c3 = self.stage1(x)
        c4 = self.stage2(c3)
        return c3, c4, self.stage3(c4)


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNorm(inputs, inputs, 3, stride, groups=inputs, activation=nn.LeakyReLU(0.1, inplace=True)),
        ConvNorm(inputs, outputs, 1, activation=nn.LeakyReLU(0.1, inplace=True)),
    )


def normalise(images: Tensor, backbone: MobileNetV2 | MobileNet025) -> Tensor:
    """Pictures of grey levels 0 to 255, R G B (B, 3, H, W), as the backbone wants them."""
    if backbone.bgr:
        images = images.flip(1)
    mean = torch.tensor(backbone.mean, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(backbone.std, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std
