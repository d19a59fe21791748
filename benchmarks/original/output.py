"""What ends the U-Net, changed by hooks: the networks themselves stay as they are."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dartblur.blur.unet import UNet

HEADROOM = UNet.HEADROOM


def end_with_artanh(unet: nn.Module, last: nn.Module) -> None:
    """Make the original's tanh(out + input) our tanh(out + artanh(h * input)) / h; ``last`` is the layer that gives ``out``."""
    _change(unet, last, lambda out, given: out + torch.atanh(HEADROOM * given) - given, 1 / HEADROOM)


def end_with_sum(unet: nn.Module, last: nn.Module) -> None:
    """The inverse, for our U-Net."""
    _change(unet, last, lambda out, given: out + given - torch.atanh(HEADROOM * given), HEADROOM)


def _change(unet: nn.Module, last: nn.Module, change: Callable[[Tensor, Tensor], Tensor], scale: float) -> None:
    given: list[Tensor] = []

    def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given.append(inputs[0][:, :3])

    unet.register_forward_pre_hook(before)
    last.register_forward_hook(lambda _, inputs, out: change(out, given.pop()))
    unet.register_forward_hook(lambda _, inputs, out: out * scale)
