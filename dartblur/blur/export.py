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


class _Painted(nn.Module):
    """g(x) of tiles with the layers of a U-Net: a graph for any number and size of tiles.

    As in :class:`UNet` the two last levels, which cost most, run on the rectangle around all masks and the pixels that it is made of. A convolution
    pads what it is given with zeros, which is wrong at a side where the rectangle was cut out; so it is cut out wider, and what is wrong cut off.
    """

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
        fine = [_around(mask, axis) for axis in (2, 3)]  # of T, then of T / 2 and T / 4: what is wanted of them
        middle = [_wider(start // 2, stop // 2, skips[0].shape[axis]) for axis, (start, stop) in zip((2, 3), fine, strict=True)]
        coarse = [_wider(start // 2, stop // 2, skips[1].shape[axis]) for axis, (start, stop) in zip((2, 3), middle, strict=True)]
        x = skips.pop()
        *deep, last_but_one, last = self.unet.up
        for up in deep:
            x, skip = F.leaky_relu(_up(up, x), SLOPE), skips.pop()
            x = torch.cat([x, skip], dim=1) if len(skips) < 2 else x + skip
        x = F.leaky_relu(_cut(_up(last_but_one, _cut(x, coarse)), middle, coarse), SLOPE)
        x = _cut(_up(last, torch.cat([x, _cut(skips.pop(), middle)], dim=1)), fine, middle)  # (N, 3, h, w)
        (top, bottom), (left, right) = fine
        x = F.pad(x, [left, mask.shape[3] - right, top, mask.shape[2] - bottom])  # type: ignore[list-item]  # (N, 3, T, T); numbers of the graph
        level = blurred * UNet.HEADROOM
        return torch.tanh(x + 0.5 * torch.log((1 + level) / (1 - level))) / UNet.HEADROOM  # artanh, for which the exporter has no operator


_Span = tuple[Tensor, Tensor]
"""Where something starts and stops on one axis, numbers that the graph computes."""
_GRID = 4
"""Pixels: a side of the rectangle that is a multiple of it lies between two pixels of both coarser levels too."""
_MARGIN = 2
"""Pixels of a level beyond what is wanted of it: four of the next finer one, of which the zeros at a cut side spoil three in two convolutions."""


def _around(mask: Tensor, axis: int) -> _Span:
    """What all masks of a batch touch of an axis, on the grid; all of it where they are empty."""
    inside = mask.amax(dim=(0, 1, 5 - axis))  # (T,)
    start = inside.argmax() // _GRID * _GRID
    return start, (mask.shape[axis] - inside.flip(0).argmax() + _GRID - 1) // _GRID * _GRID


def _wider(start: Tensor, stop: Tensor, length: int) -> _Span:
    """With a margin, as far as the level reaches."""
    return torch.clamp(start - _MARGIN, min=0), torch.clamp(stop + _MARGIN, max=length)


def _cut(x: Tensor, wanted: list[_Span], coarser: list[_Span] | None = None) -> Tensor:
    """The wanted part of (N, C, H, W); where ``coarser`` is given, of what was made of that part of the level half as fine."""
    (top, bottom), (left, right) = wanted
    if coarser is not None:
        ((above, _), (beside, _)) = coarser
        top, bottom, left, right = top - 2 * above, bottom - 2 * above, left - 2 * beside, right - 2 * beside
    return x[:, :, top:bottom, left:right]


def _up(up: nn.Module, x: Tensor) -> Tensor:
    """An :class:`Up` before its last activation: (N, C, h, w) to (N, C', 2h, 2w)."""
    assert isinstance(up, Up)  # noqa: S101  for mypy: a ModuleList does not say what is in it
    made: Tensor = up.second(F.pixel_shuffle(F.leaky_relu(up.first(x), SLOPE), 2))
    return made


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
    return _Small(model.unet) if isinstance(model.unet, SmallNet) else _Painted(model.unet)


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
