"""YuNet through onnxruntime against OpenCV's own decoder, in pictures of every size and from several threads."""

import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from dartblur.detector.yunet import YuNet
from dartblur.detector.yunet_onnx import OnnxYuNet
from dartblur.errors import DartblurError
from dartblur.media.images import Image
from tests.sampledata import Sample

SCORE = 0.1
SIZES = [(700, 1210), (320, 512), (97, 129), (201, 333), (640, 96), (65, 64), (40, 300), (32, 32), (7, 5), (1, 1), (3, 1000)]


@pytest.fixture(scope="module")
def ours() -> OnnxYuNet:
    return OnnxYuNet(SCORE)


def assert_same(ours: OnnxYuNet, theirs: YuNet, image: Image) -> int:
    found, expected = ours.detect(image), theirs.detect(image)
    assert found.boxes.shape == expected.boxes.shape
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.05)
    return len(found.scores)


def test_answers_as_opencv_does(ours: OnnxYuNet, sample: Sample) -> None:
    theirs = YuNet(SCORE)
    assert sum(assert_same(ours, theirs, scene.image) for scene in sample.scenes) >= 2 * len(sample.scenes)


@pytest.mark.parametrize("size", SIZES)
def test_answers_as_opencv_does_at_every_size(ours: OnnxYuNet, sample: Sample, size: tuple[int, int]) -> None:
    height, width = size
    assert_same(ours, YuNet(SCORE), cv2.resize(sample.scenes[0].image, (width, height)))
    assert_same(ours, YuNet(SCORE), sample.scenes[0].image[:height, :width])


def test_points_are_opencv_s(ours: OnnxYuNet, sample: Sample) -> None:
    theirs, compared = YuNet(SCORE), 0
    for scene in sample.scenes:
        for box in scene.boxes[scene.clear]:
            expected, found = theirs.points(scene.image, box), ours.points(scene.image, box)
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                np.testing.assert_allclose(found, expected, atol=0.05)
                compared += 1
    assert compared >= len(sample.scenes)


def test_several_threads_get_the_answers_of_one(ours: OnnxYuNet, sample: Sample) -> None:
    pictures = [scene.image[: 200 + 40 * number] for number, scene in enumerate(sample.scenes)] * 4
    alone = [ours.detect(image) for image in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ours.detect, pictures))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_an_answer_depends_on_its_picture_alone(ours: OnnxYuNet, sample: Sample) -> None:
    image = sample.scenes[0].image
    first = ours.detect(image)
    ours.detect(sample.scenes[1].image[:200, :331])
    kept = image.copy()
    kept.flags.writeable = False
    for other in (ours.detect(kept), ours.detect(np.asfortranarray(image)), OnnxYuNet(SCORE).detect(image)):
        np.testing.assert_array_equal(first.boxes, other.boxes)
        np.testing.assert_array_equal(first.scores, other.scores)


def test_a_missing_module_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DartblurError, match=r"the module onnxruntime is not installed .*; install the extra dartblur\[weights\]"):
        OnnxYuNet()
