import pytest
import torch

from dartblur.blur.unet import blend
from dartblur.blur.weights import new_unet
from dartblur.errors import UsageError
from tests.settings import settings


def test_the_weights_of_the_sample_people_paint_something() -> None:
    """They are what the default parameters start from: of the same size, finite, and no longer the identity that scratch starts as."""
    params = settings().unet
    assert params.init == "people"
    torch.manual_seed(0)
    blurred = torch.rand(1, 3, 4, 4).repeat_interleave(24, 2).repeat_interleave(24, 3) * 255
    mask = torch.zeros(1, 1, 96, 96)
    mask[..., 16:80, 16:80] = 1
    with torch.no_grad():
        learned = blend(new_unet(params), blurred, mask) - blurred
        fresh = blend(new_unet(params.model_copy(update={"init": "scratch"})), blurred, mask) - blurred
    assert bool(torch.isfinite(learned).all())
    assert float(learned.abs().mean()) > 1
    assert float(fresh.abs().mean()) < 0.01


def test_weights_of_another_size_are_refused() -> None:
    params = settings(unet={"width": 8}).unet
    with pytest.raises(UsageError, match=r"unet\.init: people needs unet\.width: 16 and unet\.depth: 4; or set unet\.init: scratch"):
        new_unet(params)
