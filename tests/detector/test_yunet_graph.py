"""The file of the package is the model of the wheel, and computes the same."""

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from dartblur.detector.yunet import yunet_file
from dartblur.detector.yunet_graph import HEADS, PACKAGED, of_pictures
from dartblur.detector.yunet_onnx import STRIDES
from tests.sampledata import Sample


def test_the_file_of_the_package_is_made_of_the_wheels() -> None:
    assert onnx.load(str(PACKAGED)) == onnx.load_from_string(of_pictures(onnx.load(str(yunet_file()))))
    onnx.checker.check_model(str(PACKAGED), full_check=True)


def test_what_every_cell_says_is_the_same(sample: Sample) -> None:
    """The wheel's network is for 640 x 640 pixels; strips meet at rows of 160."""
    picture = cv2.resize(sample.scenes[0].image, (640, 640))
    theirs = onnxruntime.InferenceSession(str(yunet_file()), _quiet(), providers=["CPUExecutionProvider"])
    ours = onnxruntime.InferenceSession(str(PACKAGED), providers=["CPUExecutionProvider"])
    names = [f"{head}_{stride}" for stride in STRIDES for head in HEADS]
    blob = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)
    expected = dict(zip(names, theirs.run(names, {theirs.get_inputs()[0].name: blob}), strict=True))
    for stride in STRIDES:
        faces, places = ours.run([f"faces_{stride}", f"places_{stride}"], {"picture": picture[None]})
        found = np.concatenate([faces[0], places[0]]).reshape(sum(HEADS.values()), -1).T
        wanted = np.concatenate([expected[f"{head}_{stride}"][0] for head in HEADS], axis=1)
        assert np.ptp(wanted[:, 0]) > 0.1  # cells differ: there is something to be seen
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_strips_that_see_more_than_their_neighbour_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dartblur.detector.yunet_graph.LEAST", 64)
    with pytest.raises(ValueError, match="sees 19 rows beyond itself"):
        of_pictures(onnx.load(str(yunet_file())))


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # the old exporter lists every weight as an input
    return options
