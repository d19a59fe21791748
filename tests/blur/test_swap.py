import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.blur import swap
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.swap import POINTS, SIDE, Averages, Swap, similarity
from dartblur.detector.yunet import YuNet
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.faces.dataset import FaceDataset
from tests.sampledata import SAMPLE, Sample

FLAT = Averages(np.stack([np.full((SIDE, SIDE, 3), 60.0 + 5 * index, np.float32) for index in range(swap.AVERAGES)]))
BOX = as_boxes([30, 20, 94, 104])


def noise(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8)


def centred(image: object, box: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Points as they lie in a box that is all face."""
    return np.asarray(POINTS / SIDE * (box[2:] - box[:2]) + box[:2])


@given(st.floats(0.1, 5), st.floats(-3, 3), st.floats(-50, 50), st.floats(-50, 50))
def test_a_similarity_is_found_again(scale: float, angle: float, right: float, down: float) -> None:
    move = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    found = similarity(POINTS, POINTS @ move.T + (right, down))
    np.testing.assert_allclose(found, np.hstack([move, [[right], [down]]]), atol=1e-7)


@pytest.fixture(scope="module")
def averages() -> Averages:
    return Averages.of(FaceDataset(SAMPLE), 0)


def test_averages_are_of_the_seed_and_hold_a_face(averages: Averages) -> None:
    assert averages.faces.shape == (swap.AVERAGES, SIDE, SIDE, 3)
    again = Averages.of(FaceDataset(SAMPLE), 0)
    np.testing.assert_array_equal(again.faces, averages.faces)
    finder = YuNet()
    points = [finder.points(face.round().astype(np.uint8), np.array([20.0, 15, 108, 120])) for face in averages.faces]
    found = [seen for seen in points if seen is not None]
    assert len(found) >= 0.9 * len(points)
    assert np.abs(np.mean(found, axis=0) - POINTS).max() < 0.06 * SIDE


def test_clear_faces_of_the_sample_are_replaced_inside_their_boxes(sample: Sample, averages: Averages) -> None:
    finder = YuNet()
    swapper = Swap(averages, finder.points)
    replaced = 0
    for scene in sample.scenes:
        hidden = swapper.anonymize(scene.image, scene.boxes)
        outside = ~mask_of(scene.boxes, scene.image.shape[1], scene.image.shape[0])
        assert np.array_equal(hidden[outside], scene.image[outside])
        for box in scene.boxes[scene.clear]:
            before, after = finder.points(scene.image, box), finder.points(hidden, box)
            x1, y1, x2, y2 = box.astype(int)
            changed = np.abs(hidden[y1:y2, x1:x2].astype(int) - scene.image[y1:y2, x1:x2]).mean()
            assert changed > 1
            replaced += before is not None and after is not None
        assert np.array_equal(swapper.anonymize(scene.image, scene.boxes), hidden)
    assert replaced >= 0.7 * sum(int(scene.clear.sum()) for scene in sample.scenes)
    assert 0 < swapper.failed < swapper.asked


def test_a_face_without_points_is_blurred_and_counted() -> None:
    image = noise()
    swapper = Swap(FLAT, lambda image, box: None)
    assert np.array_equal(swapper.anonymize(image, BOX), Gaussian(1.0).anonymize(image, BOX))
    assert (swapper.asked, swapper.failed) == (1, 1)


def test_a_replacement_that_leaves_most_of_the_box_open_is_a_failure() -> None:
    image = noise()
    swapper = Swap(FLAT, lambda image, box: centred(image, box) * 0.3 + 40)
    assert np.array_equal(swapper.anonymize(image, BOX), Gaussian(1.0).anonymize(image, BOX))
    assert swapper.failed == 1


def test_of_two_faces_one_may_fail() -> None:
    image, boxes = noise(), as_boxes([[4, 4, 60, 70], [70, 40, 124, 110]])
    swapper = Swap(FLAT, lambda image, box: centred(image, box) if box[0] < 50 else None)
    hidden = swapper.anonymize(image, boxes)
    assert (swapper.asked, swapper.failed) == (2, 1)
    blurred = Gaussian(1.0).anonymize(image, boxes)
    assert np.array_equal(hidden[40:110, 70:124], blurred[40:110, 70:124])
    assert not np.array_equal(hidden[4:70, 4:60], blurred[4:70, 4:60])
    assert hidden[30:50, 25:40].std() < 0.5 * image[30:50, 25:40].std()  # a flat face came in


def test_which_face_is_a_function_of_the_box() -> None:
    first, second = (zlib.crc32(np.array(bounds, np.int64).tobytes()) % swap.AVERAGES for bounds in ((30, 20, 94, 104), (31, 20, 95, 104)))
    assert first != second


def test_a_box_outside_the_picture_is_refused() -> None:
    with pytest.raises(DartblurError, match="lies outside the picture"):
        Swap(FLAT, centred).anonymize(noise(), as_boxes([200, 200, 240, 240]))


def test_averages_need_people_who_are_seen_from_the_front(sample: Sample) -> None:
    class Crowd(FaceDataset):
        def __init__(self) -> None:
            super().__init__(SAMPLE)
            self.table = self.table.drop(columns="nose_x")

    with pytest.raises(DartblurError, match="0 people are seen from the front, an averaged face needs 5; take data/sample"):
        Averages.of(Crowd(), 0)
