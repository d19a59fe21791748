"""The small network: the input itself before training, the same in training and in use, and what the U-Net's tools do with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from dartblur.blur.dartblur import DartBlur, save_unet
from dartblur.blur.export import export_onnx
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.small import GRID, SmallNet, on_grid
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.tensors import save_tensors
from tests.blur.samples import BOXES, HEIGHT, SMALL, WIDTH, noise, random_small, small_painter


def tiles(number: int = 2, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    mask = torch.zeros(number, 1, side, side)
    mask[..., side // 4 : -side // 4, 4:] = 1
    return torch.rand(number, 3, side, side, generator=generator) * 2 - 1, mask


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_an_untrained_one_returns_its_input(depth: int) -> None:
    blurred, mask = tiles(side=1 << depth)
    assert torch.equal(SmallNet(16, depth)(blurred, mask), blurred)


def test_it_has_the_size_that_its_words_say() -> None:
    network, costs = SmallNet(32, 4).eval(), list[int]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda conv, _, out: costs.append(conv.weight.numel() * out.shape[2] * out.shape[3]))
    network(*tiles(1, 64))
    assert f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters" in str(SmallNet.__doc__)
    assert f"{sum(costs) / 64**2 / 1000:.1f} thousand multiplications" in str(SmallNet.__doc__)


def test_what_it_paints_depends_on_both_inputs_and_stays_in_range() -> None:
    network = random_small(scale=3.0)
    blurred, mask = tiles()
    painted = network(blurred, mask)
    assert painted.shape == blurred.shape
    assert painted.min() == -1 and painted.max() == 1
    assert not torch.equal(painted, network(blurred, 1 - mask))
    assert not torch.equal(painted, network(-blurred, mask))


def test_weights_on_the_grid_are_few_and_near() -> None:
    weight = torch.randn(5, 7, 3, 3, generator=torch.Generator().manual_seed(0))
    found = on_grid(weight)
    step = weight.abs().amax(dim=(1, 2, 3), keepdim=True) / GRID
    torch.testing.assert_close(found / step, torch.round(found / step))
    assert ((found - weight).abs() <= step / 2 * 1.0001).all()
    assert torch.equal(on_grid(torch.zeros(2, 1, 1, 1)), torch.zeros(2, 1, 1, 1))


def test_the_gradient_is_that_of_the_weights_themselves() -> None:
    weight = torch.randn(4, 3, 1, 1, generator=torch.Generator().manual_seed(0)).requires_grad_()
    factor = torch.arange(12.0).reshape(4, 3, 1, 1)
    (gradient,) = torch.autograd.grad((on_grid(weight) * factor).sum(), weight)
    assert torch.equal(gradient, factor)


def test_it_is_trained_as_it_is_used_once_settled() -> None:
    network, (blurred, mask) = random_small(), tiles()
    trained = network.train()(blurred, mask)
    assert not torch.equal(network.eval()(blurred, mask), trained)
    network.settle()
    torch.testing.assert_close(network.eval()(blurred, mask), trained)
    known = {name: value.clone() for name, value in network.state_dict().items()}
    network.settle()
    assert all(torch.equal(value, known[name]) for name, value in network.state_dict().items())


def test_every_weight_learns() -> None:
    network, (blurred, mask) = random_small().train(), tiles()
    gradients = torch.autograd.grad((network(blurred, mask) * mask).square().sum(), list(network.parameters()))
    assert all(bool(torch.isfinite(gradient).all()) and bool(gradient.any()) for gradient in gradients)


@settings(max_examples=25)
@given(BOXES)
def test_faces_are_painted_inside_their_boxes_alone(boxes: Boxes) -> None:
    model, image = small_painter(), noise()
    blurred = model.preblur.anonymize(image, boxes)
    hidden, mask = model.repaint(blurred, boxes), mask_of(boxes, WIDTH, HEIGHT)
    assert np.array_equal(hidden, model.anonymize(image, boxes))
    assert np.array_equal(hidden[~mask], image[~mask])
    assert not mask.any() or not np.array_equal(hidden[mask], blurred[mask])


def test_a_file_says_that_it_is_a_small_one(tmp_path: Path) -> None:
    model = small_painter()
    save_unet(tmp_path / "small.safetensors", model.unet, model.config)
    loaded, boxes = DartBlur.load(tmp_path / "small.safetensors"), as_boxes([(5, 5, 45, 40)])
    assert isinstance(loaded.unet, SmallNet)
    assert loaded.config == model.config
    assert np.array_equal(loaded.anonymize(noise(), boxes), model.anonymize(noise(), boxes))


def test_another_network_is_refused(tmp_path: Path) -> None:
    save_unet(tmp_path / "a.safetensors", small_painter().unet, replace(SMALL, network="large"))
    with pytest.raises(DartblurError, match=r"a\.safetensors: not a DartBlur network of this version"):
        DartBlur.load(tmp_path / "a.safetensors")
    save_tensors(tmp_path / "b.safetensors", random_small().state_dict(), {"config": {}})
    with pytest.raises(DartblurError, match="no configuration inside"):
        DartBlur.load(tmp_path / "b.safetensors")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> OnnxDartBlur:
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    assert export_onnx(small_painter(), path) < 1e-4
    model = OnnxDartBlur.load(path)
    assert model.config == SMALL
    return model


@settings(max_examples=15)
@given(boxes=BOXES)
def test_the_exported_one_paints_the_same(exported: OnnxDartBlur, boxes: Boxes) -> None:
    blurred = small_painter().preblur.anonymize(noise(), boxes)
    ours, theirs = small_painter().repaint(blurred, boxes), exported.repaint(blurred, boxes)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.mean(ours != theirs) < 1e-3
