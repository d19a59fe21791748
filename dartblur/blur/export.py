"""The network as an ONNX model, for use without torch; see :mod:`dartblur.blur.onnx`. What is written was run beside the original."""

import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dartblur import __version__
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.onnx import CONFIG_KEY, INPUTS, OUTPUT, OnnxDartBlur
from dartblur.blur.repaint import Floats
from dartblur.blur.small import SmallNet
from dartblur.blur.unet import SLOPE, UNet, Up, blend
from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path
from dartblur.optional import WEIGHTS_EXTRA, optional_module

OPSET = 18
PARITY = 1e-3
"""By how much a value may differ from torch's, black being -1 and white 1."""


class _Everywhere(nn.Module):
    """g(x) of tiles with the layers of a U-Net, all levels computed in full: a graph for any number and size of tiles."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """(N, 3, T, T) grey levels and (N, 1, T, T), 0 or 1, to (N, 3, T, T) grey levels."""
        return blend(self._paint, blurred, mask)

    def _paint(self, blurred: Tensor, mask: Tensor) -> Tensor:
        skips, x = [], torch.cat([blurred, mask], dim=1)
        for down in self.unet.down:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        for up in self.unet.up:
            assert isinstance(up, Up)  # noqa: S101  for mypy: a ModuleList does not say what is in it
            x = up.second(F.pixel_shuffle(F.leaky_relu(up.first(x), SLOPE), 2))
            if not up.last:
                x = F.leaky_relu(x, SLOPE)
                skip = skips.pop()
                x = torch.cat([x, skip], dim=1) if len(skips) < 2 else x + skip
        level = blurred * UNet.HEADROOM
        return torch.tanh(x + 0.5 * torch.log((1 + level) / (1 - level))) / UNet.HEADROOM  # artanh, for which the exporter has no operator


class _Small(nn.Module):
    """g(x) of tiles by a small network, in grey levels throughout: fewer passes over the picture than :func:`blend`, which it equals."""

    def __init__(self, network: SmallNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """(N, 3, T, T) grey levels and (N, 1, T, T), 0 or 1, to (N, 3, T, T) grey levels."""
        added = self.network.added(blurred / 127.5 - 1, mask)
        return torch.clamp(blurred + added * (mask * 127.5), 0, 255)


def _graph(model: DartBlur) -> nn.Module:
    return _Small(model.unet) if isinstance(model.unet, SmallNet) else _Everywhere(model.unet)


def export_onnx(model: DartBlur, path: Path) -> float:
    """Write the network of ``model`` and how to use it as one ONNX file of opset :data:`OPSET`; same model, same bytes.

    Returns:
        The largest difference to torch on tiles of several sizes, black being -1 and white 1.

    Raises:
        DartblurError: the libraries are missing, or the exported model differs by more than :data:`PARITY`; nothing is written then.
    """
    onnx = optional_module("onnx", WEIGHTS_EXTRA)
    side = 2 << model.config.depth
    names = [*INPUTS, OUTPUT]
    with atomic_path(path) as temporary:
        with warnings.catch_warnings():
            # The newer exporter needs one library more and writes the same graph.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                _graph(model), (torch.zeros(1, 3, side, side), torch.zeros(1, 1, side, side)), str(temporary), dynamo=False,
                opset_version=OPSET, input_names=names[:2], output_names=names[2:], dynamic_axes={name: {0: "N", 2: "T", 3: "T"} for name in names},
            )  # fmt: skip
        graph = onnx.load(str(temporary))
        onnx.helper.set_model_props(graph, {CONFIG_KEY: json.dumps(asdict(model.config), sort_keys=True), "dartblur.version": __version__})
        onnx.checker.check_model(graph)
        onnx.save(graph, str(temporary))
        difference = _difference(model, OnnxDartBlur.load(temporary))
        if not difference <= PARITY:
            raise DartblurError(
                f"{path}: the exported model differs from the original by {difference:.2g} (at most {PARITY} is allowed); not written"
            )
    return difference


def _difference(one: DartBlur, other: OnnxDartBlur) -> float:
    rng = np.random.default_rng(0)
    differences = []
    for count, sides in ((1, 1), (3, 3), (2, 4)):
        side = sides << one.config.depth
        tiles: Floats = rng.uniform(0, 255, (count, 3, side, side)).astype(np.float32)
        masks = np.zeros((count, 1, side, side), np.float32)
        masks[:, :, side // 4 : side - side // 4, side // 4 :] = 1
        differences.append(np.abs(one.painter(tiles, masks) - other.painter(tiles, masks)).max())
    return float(np.max(differences)) / 127.5  # unlike max, NaN where one is
