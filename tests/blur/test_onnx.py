"""The exported U-Net: the same picture as from torch, in a process that has no torch, and nothing from what is no model."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dartblur.blur import export
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.export import OPSET, export_onnx
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.unet import UNet, blend
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.images import read_image, write_image
from tests.blur.samples import BOXES, CONFIG, noise, painter


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "dartblur.onnx"
    assert export_onnx(painter(), path) < 1e-4
    return path


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BOXES)
def test_it_paints_what_torch_paints(exported: Path, boxes: Boxes) -> None:
    """To one grey level, which is the rounding; faces of every size, overlapping and across the border."""
    blurred = painter().preblur.anonymize(noise(), boxes)
    ours, theirs = painter().repaint(blurred, boxes), OnnxDartBlur.load(exported).repaint(blurred, boxes)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.mean(ours != theirs) < 1e-3


@pytest.mark.parametrize(("width", "depth"), [(4, 4), (8, 5)])
def test_any_size_of_network(tmp_path: Path, width: int, depth: int) -> None:
    model = painter(replace(CONFIG, width=width, depth=depth))
    assert export_onnx(model, tmp_path / "a.onnx") < 1e-4
    loaded = OnnxDartBlur.load(tmp_path / "a.onnx")
    assert loaded.config == model.config


def test_it_says_its_opset_and_comes_out_the_same_twice(exported: Path, tmp_path: Path) -> None:
    graph = onnx.load(str(exported))
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", OPSET)]
    assert [value.name for value in (*graph.graph.input, *graph.graph.output)] == ["blurred", "mask", "painted"]
    export_onnx(painter(), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_what_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SLOPE", 0.3)
    with pytest.raises(DartblurError, match="differs from the original by"):
        export_onnx(painter(), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"make it with `dartblur export`"):
        OnnxDartBlur.load(tmp_path / "a.onnx")
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(DartblurError, match="not an ONNX model that onnxruntime can run"):
        OnnxDartBlur.load(tmp_path / "a.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [onnx.ValueInfoProto(name="y", type=value.type)])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10), str(tmp_path / "b.onnx"))
    with pytest.raises(DartblurError, match="no configuration inside"):
        OnnxDartBlur.load(tmp_path / "b.onnx")


def test_a_broken_network_anonymises_nothing(tmp_path: Path) -> None:
    model = painter()
    with pytest.raises(DartblurError, match="differs from the original by nan"):
        export_onnx(_broken(model), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def _broken(model: DartBlur) -> DartBlur:
    next(model.unet.parameters()).fill_(float("nan"))
    return model


def test_torch_is_not_needed(exported: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "in.png", noise())
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from dartblur.blur.onnx import OnnxDartBlur\n"
        "from dartblur.media.images import read_image, write_image\n"
        "model = OnnxDartBlur.load(Path(sys.argv[1]))\n"
        "boxes = np.array([[5, 5, 45.5, 40]])\n"
        "write_image(Path('out.png'), model.anonymize(read_image(Path('in.png')), boxes))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(exported)], cwd=tmp_path, check=True)
    boxes = as_boxes([(5, 5, 45.5, 40)])
    expected = painter().repaint(Gaussian(CONFIG.strength, exact=False).anonymize(noise(), boxes), boxes)
    assert np.abs(read_image(tmp_path / "out.png").astype(int) - expected).max() <= 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_painted_rectangle_is_what_the_whole_network_paints(exported: Path, data: st.DataObject) -> None:
    """Wherever masks lie in the tiles of a batch, at the edges too, and where one is empty: the layers that run on a rectangle alone."""
    size = data.draw(st.sampled_from([16, 32, 48, 64]))
    masks = np.zeros((2, 1, size, size), np.float32)
    for mask in masks:
        (top, bottom), (left, right) = (sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))) for _ in range(2))
        mask[:, top:bottom, left:right] = 1
    tiles = np.random.default_rng(size).uniform(0, 255, (2, 3, size, size)).astype(np.float32)
    unet = painter().unet
    assert isinstance(unet, UNet)
    unet.whole = True
    with torch.inference_mode():
        whole = blend(unet, torch.from_numpy(tiles), torch.from_numpy(masks)).numpy()
    np.testing.assert_allclose(OnnxDartBlur.load(exported).painter(tiles, masks), whole, atol=0.05)
