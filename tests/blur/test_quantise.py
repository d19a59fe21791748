"""Networks in 8-bit integers: near to their floats, of the same bytes twice, and not written where they are not near."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from dartblur.blur import quantise as module
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.export import export_onnx
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.quantise import Tiles, quantise
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, mask_of
from tests.blur.samples import CONFIG, HEIGHT, SMALL, WIDTH, calm_unet, noise, small_painter
from tests.makedata import texture


def tiles(seed: int, side: int) -> Tiles:
    rng = np.random.default_rng(seed)
    pictures = np.stack([texture(rng, side, side).transpose(2, 0, 1) for _ in range(3)]).astype(np.float32)
    masks = np.zeros((3, 1, side, side), np.float32)
    masks[:, :, side // 4 : -side // 4, side // 4 :] = 1
    return pictures, masks


SHOWN, HELD_OUT = [tiles(seed, side) for seed, side in enumerate((16, 32, 48))], [tiles(9, 40)]


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("floats") / "small.onnx"
    export_onnx(small_painter(), path)
    return path


def test_it_paints_nearly_the_same_in_integers(floats: Path, tmp_path: Path) -> None:
    difference = quantise(floats, tmp_path / "small.onnx", SHOWN, HELD_OUT)
    ours, theirs = OnnxDartBlur.load(tmp_path / "small.onnx"), OnnxDartBlur.load(floats)
    (pictures, masks), inside = HELD_OUT[0], np.broadcast_to(HELD_OUT[0][1] == 1, HELD_OUT[0][0].shape)
    painted, known = ours.painter(pictures, masks), theirs.painter(pictures, masks)
    assert np.abs(painted - known)[inside].mean() == pytest.approx(difference, rel=1e-3)
    assert 0 < difference < 0.1 * np.abs(known - pictures)[inside].mean()
    assert np.array_equal(painted[~inside], pictures[~inside])
    image, boxes = noise(), as_boxes([(5, 5, 45.5, 40)])
    mask = mask_of(boxes, WIDTH, HEIGHT)
    assert np.array_equal(ours.anonymize(image, boxes)[~mask], image[~mask])


def test_it_keeps_how_it_is_used_and_holds_integers(floats: Path, tmp_path: Path) -> None:
    quantise(floats, tmp_path / "small.onnx", SHOWN, HELD_OUT)
    assert OnnxDartBlur.load(tmp_path / "small.onnx").config == SMALL
    graph, before = onnx.load(str(tmp_path / "small.onnx")), onnx.load(str(floats))
    assert {item.key: item.value for item in graph.metadata_props} == {item.key: item.value for item in before.metadata_props}
    kernels = {value.name: value for value in graph.graph.initializer if len(value.dims) == 4}
    assert len(kernels) == sum(node.op_type == "Conv" for node in graph.graph.node)
    for name, value in kernels.items():
        assert value.data_type == (onnx.TensorProto.FLOAT if ".narrow." in name else onnx.TensorProto.INT8)


def test_the_weights_are_those_of_training(floats: Path, tmp_path: Path) -> None:
    """Rounding them again changes nothing: the grid is the library's."""
    quantise(floats, tmp_path / "small.onnx", SHOWN, HELD_OUT)
    values = {item.name: onnx.numpy_helper.to_array(item) for item in onnx.load(str(tmp_path / "small.onnx")).graph.initializer}
    for name, weight in small_painter().unet.named_parameters():
        if weight.ndim == 4 and not name.startswith("narrow."):
            kernel, scale = values[f"network.{name}_quantized"].astype(np.float64), values[f"network.{name}_scale"]
            np.testing.assert_allclose(kernel * scale[:, None, None, None], weight.numpy(), atol=1e-6)


def test_it_comes_out_the_same_twice(floats: Path, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        quantise(floats, tmp_path / name, SHOWN, HELD_OUT)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_what_is_not_near_is_not_written(floats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.MEAN_DIFFERENCE, "small", 1e-6)
    with pytest.raises(DartblurError, match=r"in 8-bit integers the network differs by .* grey levels \(at most 1e-06 are allowed\); not written"):
        quantise(floats, tmp_path / "small.onnx", SHOWN, HELD_OUT)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unet") / "unet.onnx"
    export_onnx(DartBlur(calm_unet(), CONFIG), path)
    return path


def test_a_unet_paints_nearly_the_same_in_integers(unet: Path, tmp_path: Path) -> None:
    difference = quantise(unet, tmp_path / "a.onnx", SHOWN[1:2], HELD_OUT)
    ours, theirs = OnnxDartBlur.load(tmp_path / "a.onnx"), OnnxDartBlur.load(unet)
    assert ours.config == CONFIG
    (pictures, masks), inside = HELD_OUT[0], np.broadcast_to(HELD_OUT[0][1] == 1, HELD_OUT[0][0].shape)
    painted, known = ours.painter(pictures, masks), theirs.painter(pictures, masks)
    assert np.abs(painted - known)[inside].mean() == pytest.approx(difference, rel=1e-3)
    assert 0 < difference < 0.2 * np.abs(known - pictures)[inside].mean()
    assert np.array_equal(painted[~inside], pictures[~inside])
    quantise(unet, tmp_path / "b.onnx", SHOWN[1:2], HELD_OUT)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_unet_in_integers_takes_black_and_white(unet: Path, tmp_path: Path) -> None:
    """The picture itself is not rounded: beyond white there would be no number."""
    quantise(unet, tmp_path / "a.onnx", SHOWN[1:2], HELD_OUT)
    tiles = np.repeat(np.array([0, 255, 255.00002], np.float32), 3 * 32 * 32).reshape(3, 3, 32, 32)
    assert np.isfinite(OnnxDartBlur.load(tmp_path / "a.onnx").painter(tiles, np.ones((3, 1, 32, 32), np.float32))).all()


def test_the_convolutions_of_a_unet_are_integers(unet: Path, tmp_path: Path) -> None:
    quantise(unet, tmp_path / "a.onnx", SHOWN[1:2], HELD_OUT)
    kernels = [value for value in onnx.load(str(tmp_path / "a.onnx")).graph.initializer if len(value.dims) == 4]
    assert [value.data_type for value in kernels].count(onnx.TensorProto.INT8) == len(kernels) - 1
