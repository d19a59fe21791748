"""What the tests of the anonymisers share: noise, boxes of every kind, and one anonymiser of each kind."""

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.small import SmallNet
from dartblur.blur.unet import UNet, Up
from dartblur.faces.boxes import Boxes, as_boxes, pixel_bounds
from dartblur.media.images import Image

HEIGHT, WIDTH = 50, 64
CONFIG = DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=8, face_max=24)


SMALL = DartBlurConfig(width=16, depth=3, strength=1.0, context=0.25, face_min=8, face_max=24, network="small")


def noise(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def random_unet(config: DartBlurConfig = CONFIG, seed: int = 0) -> UNet:
    """A U-Net whose last layer is not zero, so that it paints something: tens of grey levels."""
    torch.manual_seed(seed)
    unet = UNet(config.width, config.depth)
    last = unet.up[-1]
    assert isinstance(last.second, nn.Conv2d)
    nn.init.normal_(last.second.weight, std=1.0)
    return unet


def calm_unet(config: DartBlurConfig = CONFIG, seed: int = 0) -> UNet:
    """One that adds a few grey levels, as a trained one does, and not a hundred."""
    unet = random_unet(config, seed)
    last = unet.up[-1]
    assert isinstance(last, Up)
    with torch.no_grad():
        last.second.weight.mul_(0.2)
    return unet


def painter(config: DartBlurConfig = CONFIG, seed: int = 0) -> DartBlur:
    return DartBlur(random_unet(config, seed), config)


def untrained(config: DartBlurConfig = CONFIG) -> DartBlur:
    return DartBlur(UNet(config.width, config.depth), config)


def random_small(config: DartBlurConfig = SMALL, seed: int = 0, scale: float = 0.02) -> SmallNet:
    """A small network whose last layer and biases are not zero, as after training."""
    torch.manual_seed(seed)
    network = SmallNet(config.width, config.depth)
    nn.init.normal_(network.last.weight, std=scale)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.01)
    return network.eval()


def small_painter(config: DartBlurConfig = SMALL, seed: int = 0) -> DartBlur:
    network = random_small(config, seed)
    network.settle()
    return DartBlur(network, config)


ANONYMISERS: dict[str, Anonymizer] = {
    "block": Block(0),
    "gaussian": Gaussian(1.0),
    "strong": Gaussian(4.0),
    "fast": Gaussian(1.0, exact=False),
    "pixelate": Pixelate(8),
    "dartblur": painter(),
    "small": small_painter(),
}


@st.composite
def a_box(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """A box that touches the picture of HEIGHT x WIDTH: whole or broken pixels, any size from nothing on, across the border too."""
    number = draw(st.sampled_from([st.integers(-10, WIDTH), st.floats(-10, WIDTH)]))
    x1, y1 = float(draw(number)), float(draw(number))
    side = st.integers(0, 3) | st.floats(0, 3) | st.integers(4, 50) | st.floats(4, 50)
    return x1, y1, x1 + float(draw(side)), y1 + float(draw(side))


def _touches(box: tuple[float, float, float, float]) -> bool:
    x1, y1, x2, y2 = pixel_bounds(as_boxes([box]), WIDTH, HEIGHT)[0]
    return bool(x2 > x1 and y2 > y1)


BOXES: st.SearchStrategy[Boxes] = st.lists(a_box().filter(_touches), max_size=5).map(as_boxes)
