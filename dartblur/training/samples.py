"""A picture of how far a training is: clean | pre-blur | DartBlur, for a few fixed views."""

import numpy as np
import torch
from torch import Tensor

from dartblur.blur.paint import paint
from dartblur.blur.tiles import TileSpec, tiles_of
from dartblur.blur.unet import UNet
from dartblur.detector.views import Views
from dartblur.media.images import Image

ROWS = 6


@torch.no_grad()
def sample_grid(unet: UNet, spec: TileSpec, views: Views, device: torch.device, seed: int = 0) -> Image:
    """Draw :data:`ROWS` fixed views, one a row, three pictures wide.

    Args:
        spec: how U sees faces.
        views: of two copies of a data set, clean and pre-blurred.

    Returns:
        uint8, (ROWS * S) x (3 * S) x 3, RGB.
    """
    batch = views.test_batch(views.test_windows(seed, ROWS))
    blurred, mask = batch.images[1].to(device), batch.mask.to(device)
    size = views.params.size
    made = paint(unet, blurred, mask, [tiles_of(boxes.numpy(), size, size, spec) for boxes in batch.boxes]).views
    columns = [batch.images[0], batch.images[1], made.cpu()]
    return np.concatenate([np.concatenate(list(_pictures(column)), axis=0) for column in columns], axis=1)


def _pictures(images: Tensor) -> Image:
    """(B, 3, S, S) grey levels to (B, S, S, 3) uint8."""
    return images.clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy()
