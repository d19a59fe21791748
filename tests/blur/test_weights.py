"""The weights of the package: what trainings start from, and the small network that paints where no other model is asked for."""

from importlib.resources import as_file, files

import numpy as np
import pytest
import torch

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.unet import blend
from dartblur.blur.weights import new_unet
from dartblur.errors import UsageError
from dartblur.faces.boxes import as_boxes, mask_of
from tests.makedata import drawn_picture
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


def test_the_small_network_paints_what_its_weights_say() -> None:
    """In 8-bit integers as in floats, to a grey level on average; more than nothing, and still near an ordinary blur."""
    with as_file(files("dartblur") / "weights") as folder:
        small, original = OnnxDartBlur.load(folder / "small.onnx"), DartBlur.load(folder / "small.safetensors")
    assert small.config == original.config
    assert small.config.network == "small"
    image, faces = drawn_picture(np.random.default_rng(0), 240, 5)
    boxes = as_boxes([(x, y, x + width, y + height) for x, y, width, height in faces])
    mask, blurred = mask_of(boxes, 240, 240), small.preblur.anonymize(image, boxes)
    painted = small.repaint(blurred, boxes).astype(int)
    assert np.abs(painted - original.repaint(blurred, boxes))[mask].mean() < 1.5
    assert 1 < np.abs(painted - Gaussian().anonymize(image, boxes))[mask].mean() < 20
    assert np.array_equal(painted[~mask], image[~mask])
