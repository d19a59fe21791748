"""A network as an ONNX model of 8-bit integers: less than half the time of floats where there is VNNI.

The small network is trained for it and paints the same picture to a grey level; a U-Net is not, and is moved by two, one and a half times what a JPEG
of quality 90 moves a face by.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dartblur.blur.onnx import INPUTS, OnnxDartBlur
from dartblur.blur.repaint import Floats
from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path
from dartblur.optional import WEIGHTS_EXTRA, optional_module

MEAN_DIFFERENCE = {"small": 1.0, "unet": 2.5}
"""By how many grey levels the painting of a network may differ inside the mask, on average."""
_MOVES = "DepthToSpace"
"""Computes nothing; of integers it moves a quarter of the bytes."""
_INTEGERS = {"small": ["Concat", "Conv", "Clip", _MOVES], "unet": ["Add", "Concat", "Conv", _MOVES, "LeakyRelu", "MaxPool", "Slice"]}
"""Operators of a network that are computed in integers, but for :func:`_floats`."""
_PERCENTILE = 99.99
"""Of the values of a U-Net's activation those that integers reach; with all of them it is moved by 2.8 grey levels, with 99.9 % by 3.5."""

_READY = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Metadata by which the library knows that it need not warn: what it would fold beforehand is not there."""

Tiles = tuple[Floats, Floats]
"""Pre-blurred tiles (N, 3, T, T) in grey levels and their masks (N, 1, T, T), 0 or 1."""


def quantise(source: Path, out: Path, shown: Sequence[Tiles], held_out: Sequence[Tiles]) -> float:
    """Write the exported network ``source`` again in 8-bit integers; same arguments, same bytes.

    Args:
        shown: tiles that the range of every activation is taken from; of a U-Net they are all in one batch, because the library compares them.
        held_out: others, on which the result is compared with the original.

    Returns:
        The mean difference inside the masks of ``held_out``, in grey levels.

    Raises:
        DartblurError: it is more than :data:`MEAN_DIFFERENCE`, or the libraries are missing; nothing is written then.
    """
    onnx = optional_module("onnx", WEIGHTS_EXTRA)
    original = OnnxDartBlur.load(source)
    network = original.config.network
    with atomic_path(out) as temporary:
        known = {item.key: item.value for item in onnx.load(str(source)).metadata_props}
        _write_integers(source, temporary, shown, network, known)
        made = onnx.load(str(temporary))
        onnx.helper.set_model_props(made, known)
        onnx.save(made, str(temporary))
        difference, most = _difference(original, OnnxDartBlur.load(temporary), held_out), MEAN_DIFFERENCE[network]
        if not difference <= most:
            raise DartblurError(
                f"{out}: in 8-bit integers the network differs by {difference:.2g} grey levels (at most {most:g} are allowed); not written"
            )
    return difference


def _write_integers(source: Path, out: Path, shown: Sequence[Tiles], network: str, known: Mapping[str, str]) -> None:
    onnx = optional_module("onnx", WEIGHTS_EXTRA)
    quantization = optional_module("onnxruntime.quantization", WEIGHTS_EXTRA)
    ranges: dict[str, Any] = {}
    if network == "small":
        graph = onnx.load(str(source))
        onnx.helper.set_model_props(graph, {**known, **_READY})
    else:
        optional_module("onnxruntime.quantization.preprocess", WEIGHTS_EXTRA).quant_pre_process(str(source), str(out), skip_symbolic_shape=True)
        graph = onnx.load(str(out))
        ranges = {"calibrate_method": quantization.CalibrationMethod.Percentile, "extra_options": {"CalibPercentile": _PERCENTILE}}
    with contextlib.redirect_stdout(io.StringIO()):  # the library says what it counts
        quantization.quantize_static(
            graph, str(out), _reader(quantization, shown), quant_format=quantization.QuantFormat.QDQ, per_channel=True, reduce_range=True,
            op_types_to_quantize=_INTEGERS[network], nodes_to_exclude=_floats(graph, network), activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8, **ranges,
        )  # fmt: skip


def _floats(graph: Any, network: str) -> list[str]:
    """Names of the nodes that stay in floats: all that is computed after the last convolution, and what would cost more than it gains.

    Of a U-Net that is what comes before the second convolution, where the picture itself would be rounded; of a small network the convolutions of
    1 x 1, what they put out is added up before it is cut off: its range is several times that of other levels, and so would be the steps of its
    integers: a fifth of the difference, for 3 % of the time.
    """
    nodes = list(graph.graph.node)
    convolutions = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    after = {node.name for node in nodes[convolutions[-1] + 1 :] if node.op_type != _MOVES}
    if network == "unet":
        return [node.name for index, node in enumerate(nodes) if index <= convolutions[0] or node.name in after]
    kernels = {node.name: list(item.ints) for node in nodes for item in node.attribute if item.name == "kernel_shape"}
    return [node.name for node in nodes if node.name in after or kernels.get(node.name) == [1, 1]]


def _reader(quantization: Any, shown: Sequence[Tiles]) -> Any:
    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # its class comes from a library that may be missing
        def __init__(self) -> None:
            self.left: Iterator[Tiles] = iter(shown)

        def get_next(self) -> dict[str, Floats] | None:
            tiles = next(self.left, None)
            return None if tiles is None else dict(zip(INPUTS, tiles, strict=True))

    return Reader()


def _difference(one: OnnxDartBlur, other: OnnxDartBlur, tiles: Sequence[Tiles]) -> float:
    apart, pixels = 0.0, 0.0
    for pictures, masks in tiles:
        apart += float((np.abs(one.painter(pictures, masks) - other.painter(pictures, masks)) * masks).sum())
        pixels += float(masks.sum()) * pictures.shape[1]
    return apart / max(pixels, 1.0)
