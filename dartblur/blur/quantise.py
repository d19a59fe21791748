"""A small network as an ONNX model of 8-bit integers: less than half the time of floats where there is VNNI, and the same picture to a grey level."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dartblur.blur.onnx import INPUTS, OnnxDartBlur
from dartblur.blur.repaint import Floats
from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path
from dartblur.optional import WEIGHTS_EXTRA, optional_module

MEAN_DIFFERENCE = 1.0
"""By how many grey levels the painting may differ inside the mask, on average."""
_INTEGERS = ["Concat", "Conv", "Clip"]
"""Operators that are computed in integers, but for :func:`_floats`."""

_READY = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Metadata by which the library knows that it need not warn: what it would fold beforehand is not there."""

Tiles = tuple[Floats, Floats]
"""Pre-blurred tiles (N, 3, T, T) in grey levels and their masks (N, 1, T, T), 0 or 1."""


def quantise(source: Path, out: Path, shown: Sequence[Tiles], held_out: Sequence[Tiles]) -> float:
    """Write the exported network ``source`` again in 8-bit integers; same arguments, same bytes.

    Args:
        shown: tiles that the range of every activation is taken from.
        held_out: others, on which the result is compared with the original.

    Returns:
        The mean difference inside the masks of ``held_out``, in grey levels.

    Raises:
        DartblurError: it is more than :data:`MEAN_DIFFERENCE`, or the libraries are missing; nothing is written then.
    """
    onnx = optional_module("onnx", WEIGHTS_EXTRA)
    quantization = optional_module("onnxruntime.quantization", WEIGHTS_EXTRA)
    graph = onnx.load(str(source))
    known = {item.key: item.value for item in graph.metadata_props}
    onnx.helper.set_model_props(graph, {**known, **_READY})
    with atomic_path(out) as temporary:
        quantization.quantize_static(
            graph, str(temporary), _reader(quantization, shown), quant_format=quantization.QuantFormat.QDQ, per_channel=True, reduce_range=True,
            op_types_to_quantize=_INTEGERS, nodes_to_exclude=_floats(graph), activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        made = onnx.load(str(temporary))
        onnx.helper.set_model_props(made, known)
        onnx.save(made, str(temporary))
        difference = _difference(OnnxDartBlur.load(source), OnnxDartBlur.load(temporary), held_out)
        if not difference <= MEAN_DIFFERENCE:
            raise DartblurError(
                f"{out}: in 8-bit integers the network differs by {difference:.2g} grey levels (at most {MEAN_DIFFERENCE:g} are allowed); not written"
            )
    return difference


def _floats(graph: Any) -> list[str]:
    """Names of the nodes that stay in floats: all after the last convolution, and those of 1 x 1, what they put out is added up before it is cut off.

    Its range is several times that of other levels, and so would be the steps of its integers: a fifth of the difference, for 3 % of the time.
    """
    nodes = list(graph.graph.node)
    after = max(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    kernels = {node.name: list(item.ints) for node in nodes for item in node.attribute if item.name == "kernel_shape"}
    return [node.name for index, node in enumerate(nodes) if index > after or kernels.get(node.name) == [1, 1]]


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
