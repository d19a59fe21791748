"""The file of the package is the model of the wheel, and nothing else."""

import onnx

from dartblur.detector.yunet import yunet_file
from dartblur.detector.yunet_graph import PACKAGED, of_pictures


def test_the_file_of_the_package_is_made_of_the_wheels() -> None:
    assert onnx.load(str(PACKAGED)) == onnx.load_from_string(of_pictures(onnx.load(str(yunet_file()))))
    onnx.checker.check_model(str(PACKAGED), full_check=True)
