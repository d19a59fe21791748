"""RetinaFace (Deng et al., CVPR 2020): a backbone, a feature pyramid, three context heads, two anchors a cell. No landmark head."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dartblur.detector.anchors import ANCHORS_PER_CELL
from dartblur.detector.backbones import Features, MobileNet025, MobileNetV2, normalise
from dartblur.detector.layers import ConvNorm

Backbone = Literal["mobilenetv2", "mobilenet025"]


class FeaturePyramid(nn.Module):
    """Top-down pyramid of one width (Lin et al. 2017): each level sees the coarser one, enlarged to its size."""

    def __init__(self, inputs: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvNorm(width, channels, 1, activation=nn.LeakyReLU(0.1, inplace=True)) for width in inputs)
        self.merge2 = ConvNorm(channels, channels, 3, activation=nn.LeakyReLU(0.1, inplace=True))
        self.merge1 = ConvNorm(channels, channels, 3, activation=nn.LeakyReLU(0.1, inplace=True))

    def forward(self, features: Features) -> Features:
        """Three maps of any width to three maps (B, channels, ., .) of the same sizes."""
        p3, p4, p5 = (lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True))
        p4 = self.merge2(p4 + F.interpolate(p5, size=p4.shape[2:], mode="nearest"))
        p3 = self.merge1(p3 + F.interpolate(p4, size=p3.shape[2:], mode="nearest"))
        return p3, p4, p5


class ContextHead(nn.Module):
    """SSH's context module (Najibi et al. 2017): receptive fields of 3, 5 and 7 cells side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.conv3 = ConvNorm(channels, half, 3)
        self.conv5_1 = ConvNorm(channels, quarter, 3, activation=nn.LeakyReLU(0.1, inplace=True))
        self.conv5_2 = ConvNorm(quarter, quarter, 3)
        self.conv7_2 = ConvNorm(quarter, quarter, 3, activation=nn.LeakyReLU(0.1, inplace=True))
        self.conv7_3 = ConvNorm(quarter, quarter, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        shared = self.conv5_1(x)
        return F.relu(torch.cat([self.conv3(x), self.conv5_2(shared), self.conv7_3(self.conv7_2(shared))], dim=1), inplace=True)


class RetinaFace(nn.Module):
    """The detector of the method: f, fg and the fresh detectors of the evaluation.

    Args:
        backbone: ``mobilenetv2`` or ``mobilenet025``.
        channels: width of the pyramid.
    """

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.backbone: MobileNetV2 | MobileNet025 = MobileNetV2() if backbone == "mobilenetv2" else MobileNet025()
        self.pyramid = FeaturePyramid(self.backbone.channels, channels)
        self.context = nn.ModuleList(ContextHead(channels) for _ in range(3))
        self.classify = nn.ModuleList(nn.Conv2d(channels, ANCHORS_PER_CELL * 2, 1) for _ in range(3))
        self.regress = nn.ModuleList(nn.Conv2d(channels, ANCHORS_PER_CELL * 4, 1) for _ in range(3))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Detect in pictures of grey levels.

        Args:
            images: (B, 3, H, W), 0 to 255, R G B, H and W multiples of 32.

        Returns:
            Box offsets (B, A, 4) and class logits (B, A, 2: background, face), anchors in the order of :func:`dartblur.detector.anchors.anchors`.
        """
        maps = self.pyramid(self.backbone(normalise(images, self.backbone)))
        maps = [context(level) for context, level in zip(self.context, maps, strict=True)]
        logits = torch.cat([_flatten(head(level), 2) for head, level in zip(self.classify, maps, strict=True)], dim=1)
        offsets = torch.cat([_flatten(head(level), 4) for head, level in zip(self.regress, maps, strict=True)], dim=1)
        return offsets, logits


def _flatten(output: Tensor, values: int) -> Tensor:
    """(B, anchors * values, H, W) to (B, H * W * anchors, values)."""
    return output.permute(0, 2, 3, 1).reshape(output.shape[0], -1, values)
