import numpy as np
import torch

from dartblur.blur.tiles import TileSpec
from dartblur.blur.unet import UNet
from dartblur.detector.views import Views
from dartblur.faces.dataset import FaceDataset
from dartblur.training.samples import ROWS, sample_grid
from tests.blur.samples import random_unet
from tests.training.conftest import small

SPEC = TileSpec(context=0.5, face_min=16, face_max=24, multiple=8)
CPU = torch.device("cpu")


def test_a_row_is_clean_preblurred_and_painted(copies: list[FaceDataset]) -> None:
    views = Views(copies, "val", small().view)
    grid = sample_grid(random_unet(), SPEC, views, CPU)
    assert grid.shape == (ROWS * 64, 3 * 64, 3)
    clean, blurred, painted = (grid[:, column * 64 : (column + 1) * 64].astype(int) for column in range(3))
    assert all((np.abs(clean - blurred)[row * 64 : (row + 1) * 64] > 10).any() for row in range(ROWS))
    assert np.abs(painted - blurred).max() > 10
    assert (painted == blurred).all(axis=2).mean() > 0.3  # beside the faces
    assert np.array_equal(grid, sample_grid(random_unet(), SPEC, views, CPU))
    assert np.array_equal(sample_grid(UNet(4, 3), SPEC, views, CPU)[:, 128:], blurred)
