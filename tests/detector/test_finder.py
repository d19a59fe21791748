"""Faces of every size in pictures of every size, each found once: with a detector that is sure of itself, and with the real ones."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.detections import Detections, FaceDetector, Floats
from dartblur.detector.finder import FINDERS, Doubt, Finder, load_finder, merge
from dartblur.detector.pyramid import Pyramid
from dartblur.errors import UsageError
from dartblur.faces.boxes import Boxes, as_boxes, intersection, iou
from dartblur.media.images import Image
from tests.makedata import texture
from tests.sampledata import Sample

LOADED: dict[str, FaceDetector] = {}
PYRAMID = Pyramid(pixels=40_000, enlarge=2.0, steps=(0.7, 0.5), coarsest=120, tile=160, overlap=40)


def loaded(name: str) -> FaceDetector:
    """Each detector, loaded once for all tests."""
    if name not in LOADED:
        LOADED[name] = load_finder(name)
    return LOADED[name]


class Squares:
    """Finds white rectangles whose sides are 5 to 100 pixels, as a network finds faces of some sizes only, and parts of them where they are cut."""

    name, score = "squares", 0.5

    def detect(self, image: Image) -> Detections:
        _, _, stats, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 127).astype(np.uint8))
        boxes = as_boxes([[x, y, x + wide, y + high] for x, y, wide, high, _ in stats[1:].tolist()])
        sides = boxes[:, 2:] - boxes[:, :2]
        boxes = boxes[((sides >= 5) & (sides <= 100)).all(axis=1)]
        return Detections.of(boxes, np.full(len(boxes), 0.9), image)


def with_square(width: int, height: int, box: tuple[int, int, int, int]) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return image


@given(st.integers(12, 350), st.data())
def test_a_square_of_any_size_anywhere_is_found_once(side: int, data: st.DataObject) -> None:
    """Inside a tile, on the border of two, and larger than one."""
    x, y = data.draw(st.integers(0, 600 - side)), data.draw(st.integers(0, 370 - side))
    box = (x, y, x + side, y + side)
    found = Finder(Squares(), PYRAMID).detect(with_square(600, 370, box))
    assert found.boxes.shape == (1, 4)
    assert iou(found.boxes, as_boxes([box]))[0, 0] >= 0.7


def test_a_small_square_in_a_small_picture_is_found_because_it_is_enlarged() -> None:
    image = with_square(100, 80, (30, 40, 33, 43))
    assert not len(Squares().detect(image).boxes)
    found = Finder(Squares(), PYRAMID).detect(image)
    np.testing.assert_allclose(found.boxes, as_boxes([[30, 40, 33, 43]]), atol=0.6)


def test_a_finder_says_who_looks() -> None:
    finder = Finder(Squares(), PYRAMID)
    assert (finder.name, finder.score) == ("squares", 0.5)


def test_a_face_has_the_mean_of_its_boxes_and_their_best_score() -> None:
    boxes, scores = merge(as_boxes([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]), np.array([0.6, 0.8, 0.5]), np.zeros(3, np.bool_))
    np.testing.assert_allclose(boxes, as_boxes([[0.64, 0.0, 10.64, 10.0], [50.0, 50.0, 60.0, 60.0]]))
    np.testing.assert_allclose(scores, [0.8, 0.5])


def test_a_cut_box_gives_way_to_a_whole_one_and_stays_alone() -> None:
    boxes = as_boxes([[0, 0, 10, 10], [0, 0, 4, 10], [0, 0, 9, 10], [30, 30, 40, 40]])
    found, scores = merge(boxes, np.array([0.5, 0.9, 0.8, 0.7]), np.array([False, True, True, True]))
    assert found.tolist() == [[0, 0, 10, 10], [30, 30, 40, 40]]
    assert scores.tolist() == [0.5, 0.7]


def test_a_box_inside_a_better_one_hides_nothing_more_and_a_better_one_inside_stays() -> None:
    boxes = as_boxes([[0, 0, 100, 100], [40, 40, 50, 50]])
    none = np.zeros(2, np.bool_)
    assert merge(boxes, np.array([0.9, 0.6]), none)[0].tolist() == [[0, 0, 100, 100]]
    assert len(merge(boxes, np.array([0.6, 0.9]), none)[0]) == 2


def test_small_detections_need_a_better_score_and_the_smallest_do_not_count() -> None:
    boxes = as_boxes([[0, 0, 40, 40], [0, 0, 15, 40], [0, 0, 15, 40], [0, 0, 40, 7]])
    doubt = Doubt(least=8, small=20, share=0.5)
    assert doubt.counts(boxes, np.array([0.4, 0.69, 0.7, 0.99]), 0.4).tolist() == [True, False, True, False]
    assert Doubt().counts(boxes, np.array([0.4, 0.3, 0.5, 0.4]), 0.4).tolist() == [True, False, True, True]
    assert doubt.counts(np.zeros((0, 4)), np.zeros(0), 0.4).tolist() == []


@pytest.mark.parametrize(("size", "found"), [((600, 370), 1), ((50, 38), 2)])
def test_a_small_picture_is_looked_at_mirrored_too(size: tuple[int, int], found: int) -> None:
    class Left(Squares):
        """Is blind to the right half of what it sees."""

        def detect(self, image: Image) -> Detections:
            seen = super().detect(image)
            here = seen.boxes[:, 2] <= image.shape[1] / 2
            return Detections.of(seen.boxes[here], seen.scores[here], image)

    width, height = size
    image = with_square(width, height, (4, 10, 14, 20))
    image[12:22, width - 16 : width - 6] = 255
    boxes = Finder(Left(), replace(PYRAMID, small=2000)).detect(image).boxes
    assert len(boxes) == found
    np.testing.assert_allclose(boxes[boxes[:, 0].argsort()], as_boxes([[4, 10, 14, 20], [width - 16, 12, width - 6, 22]])[:found], atol=0.6)


def test_nothing_merges_to_nothing() -> None:
    boxes, scores = merge(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.bool_))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


BOXES = st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 40)] * 2, st.integers(0, 100), st.booleans()), max_size=12)


@given(BOXES, st.randoms(use_true_random=False))
def test_merging_loses_no_face_and_does_not_care_about_order(rows: list[tuple[int, int, int, int, int, bool]], random: Random) -> None:
    def merged(order: list[int]) -> tuple[Boxes, Floats]:
        x, y, wide, high, score, cut = (np.array(column) for column in zip(*[rows[index] for index in order], strict=True))
        boxes = np.stack([x, y, x + wide, y + high], axis=1).astype(np.float64)
        return merge(boxes, (score + np.array(order) / 100) / 101, cut)  # no two scores are the same

    if not rows:
        return
    order = list(range(len(rows)))
    boxes, scores = merged(order)
    random.shuffle(order)
    again, same = merged(order)
    ranks = np.argsort(-scores), np.argsort(-same)
    np.testing.assert_allclose(boxes[ranks[0]], again[ranks[1]])
    np.testing.assert_allclose(scores[ranks[0]], same[ranks[1]])
    given = as_boxes([[x, y, x + wide, y + high] for x, y, wide, high, *_ in rows])
    assert (intersection(given, boxes).max(axis=1) > 0).all()


@pytest.fixture(scope="module")
def finder() -> Finder:
    found = load_finder("yunet")
    assert isinstance(found, Finder)
    return found


def face_of(sample: Sample, side: int) -> tuple[Image, tuple[float, float, float, float]]:
    """The largest clear face with its surroundings, ``side`` x ``side`` pixels, and its box there."""
    scene, box = max(((scene, box) for scene in sample.scenes for box in scene.boxes[scene.clear]), key=lambda pair: pair[1][3] - pair[1][1])
    middle, half = (box[:2] + box[2:]) / 2, (box[3] - box[1]) * 0.75
    left, top = np.floor(np.maximum(middle - half, 0)).astype(int)
    right, bottom = (middle + half).astype(int)
    cut = scene.image[top:bottom, left:right]
    scale = side / np.array([cut.shape[1], cut.shape[0]])
    x1, y1, x2, y2 = ((box - [left, top] * 2) * np.tile(scale, 2)).tolist()
    return np.asarray(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA), np.uint8), (x1, y1, x2, y2)


@pytest.mark.parametrize(("side", "left", "top"), [(60, 980, 300), (400, 700, 500), (1300, 300, 40), (60, 2040, 1339)])
def test_a_real_face_in_a_large_picture_is_found_once(finder: Finder, sample: Sample, side: int, left: int, top: int) -> None:
    """In the overlap of tiles, across it, larger than a tile, and in the last corner."""
    face, box = face_of(sample, side)
    image = texture(np.random.default_rng(0), 1400, 2100)
    image[top : top + side, left : left + side] = face
    on_face = iou(finder.detect(image).boxes, as_boxes([box]) + [left, top] * 2)[:, 0]
    assert on_face.max() >= 0.5
    assert (on_face >= 0.3).sum() == 1


def test_faces_of_a_small_picture_are_found_that_the_detector_alone_misses(finder: Finder, sample: Sample) -> None:
    everywhere = Finder(finder._detector, finder._pyramid)  # as sure of small faces as of large ones
    ours = plain = 0
    for scene in sample.scenes:
        small = np.asarray(cv2.resize(scene.image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), np.uint8)
        boxes = scene.boxes / 4
        ours += int((iou(boxes, everywhere.detect(small).boxes).max(axis=1, initial=0) >= 0.4).sum())
        plain += int((iou(boxes, finder._detector.detect(small).boxes).max(axis=1, initial=0) >= 0.4).sum())
    assert ours > plain


@pytest.mark.parametrize("name", FINDERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5000), (5000, 3), (17, 9), (70, 96)])
def test_pictures_of_every_size_are_taken(name: str, size: tuple[int, int]) -> None:
    found = loaded(name).detect(np.full((*size, 3), 90, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


@pytest.mark.parametrize("name", FINDERS)
def test_several_threads_get_the_answers_of_one(name: str, sample: Sample) -> None:
    detector = loaded(name)
    pictures = [scene.image[: 120 + 20 * number, :300] for number, scene in enumerate(sample.scenes)]
    alone = [detector.detect(image) for image in pictures]
    assert sum(len(found.boxes) for found in alone)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(detector.detect, pictures))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("name", FINDERS)
def test_a_score_that_is_asked_for_holds(name: str, sample: Sample) -> None:
    found = load_finder(name, 0.85).detect(sample.scenes[0].image)
    assert (found.scores >= 0.85).all()
    assert load_finder(name, 0.85).score == 0.85


def test_unknown_name_and_bad_score_are_usage_errors() -> None:
    with pytest.raises(UsageError, match=r"'hog': no such detector \(known: yunet, centerface, mtcnn\); choose one of them"):
        load_finder("hog")
    with pytest.raises(UsageError, match=r"yunet: the score threshold is nan; give a finite number"):
        load_finder("yunet", float("nan"))
