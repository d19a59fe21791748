"""What holds for every anonymiser, whatever the boxes."""

import warnings
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dartblur.blur.base import bounds_to_hide, with_neighbours
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of, pixel_bounds
from tests.blur.samples import ANONYMISERS, BOXES, HEIGHT, WIDTH, noise

NAMES = st.sampled_from(sorted(ANONYMISERS))
EVERY = pytest.mark.parametrize("name", sorted(ANONYMISERS))


@settings(max_examples=200)
@given(NAMES, BOXES, st.integers(0, 3))
def test_only_masked_pixels_change_and_the_input_stays(name: str, boxes: Boxes, seed: int) -> None:
    image, given_boxes = noise(seed=seed), boxes.copy()
    image.flags.writeable = False
    hidden = ANONYMISERS[name].anonymize(image, boxes)
    mask = mask_of(boxes, WIDTH, HEIGHT)
    assert hidden is not image
    assert not np.shares_memory(hidden, image)
    assert hidden.flags.writeable
    assert (hidden.dtype, hidden.shape) == (image.dtype, image.shape)
    assert np.array_equal(hidden[~mask], image[~mask])
    assert np.array_equal(image, noise(seed=seed))
    assert np.array_equal(boxes, given_boxes)


@settings(max_examples=200)
@given(NAMES, BOXES)
def test_every_box_is_hidden(name: str, boxes: Boxes) -> None:
    image = noise()
    changed = (ANONYMISERS[name].anonymize(image, boxes) != image).any(axis=2)
    for x1, y1, x2, y2 in pixel_bounds(boxes, WIDTH, HEIGHT):
        inside = changed[y1:y2, x1:x2]
        assert inside.any()
        # By chance a pixel of noise may equal its neighbours' mean, a share of them never does.
        assert inside.mean() > 0.9 or (~inside).sum() <= 1


@EVERY
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("height", [1, 2, 3])
@pytest.mark.parametrize("place", ["inside", "top left", "bottom right"])
def test_the_smallest_faces_are_hidden_too(name: str, width: int, height: int, place: str) -> None:
    x, y = {"inside": (20, 20), "top left": (0, 0), "bottom right": (WIDTH - width, HEIGHT - height)}[place]
    image = noise()
    hidden = ANONYMISERS[name].anonymize(image, as_boxes([(x, y, x + width, y + height)]))
    assert (hidden != image).any(axis=2)[y : y + height, x : x + width].all()


@settings(max_examples=100)
@given(NAMES, BOXES, st.randoms())
def test_the_order_of_the_boxes_changes_nothing(name: str, boxes: Boxes, random: object) -> None:
    order = list(range(len(boxes)))
    getattr(random, "shuffle")(order)  # noqa: B009  hypothesis gives random.Random
    anonymiser = ANONYMISERS[name]
    assert np.array_equal(anonymiser.anonymize(noise(), boxes), anonymiser.anonymize(noise(), boxes[order]))


@EVERY
def test_the_order_of_overlapping_boxes_of_equal_area_changes_nothing(name: str) -> None:
    boxes = as_boxes([(5, 5, 25, 15), (10, 2, 20, 22), (8, 8, 28, 18)])
    results = {ANONYMISERS[name].anonymize(noise(), boxes[list(order)]).tobytes() for order in permutations(range(3))}
    assert len(results) == 1


@EVERY
def test_without_boxes_comes_an_equal_copy(name: str) -> None:
    image = noise()
    for boxes in (as_boxes([]), np.empty((0, 4)), np.array([])):
        hidden = ANONYMISERS[name].anonymize(image, boxes)
        assert np.array_equal(hidden, image)
        assert not np.shares_memory(hidden, image)


@EVERY
@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((float("nan"), 0, 5, 5), "is not a box"),
        ((0, 0, float("inf"), 5), "is not a box"),
        ((10, 0, 5, 5), r"is not a box \(x1 y1 x2 y2 = \[10\.0, 0\.0, 5\.0, 5\.0\]\)"),
        ((0, 10, 5, 5), "is not a box"),
        ((WIDTH, 0, WIDTH + 9, 9), f"lies outside the picture of {WIDTH} x {HEIGHT} pixels"),
        ((-9, 0, 0, 9), "lies outside"),
        ((0, HEIGHT + 1, 9, HEIGHT + 9), "lies outside"),
        ((0, -9, 9, -1), "lies outside"),
    ],
)
def test_a_box_that_cannot_be_hidden_is_refused(name: str, box: tuple[float, ...], message: str) -> None:
    good = (3.0, 3.0, 9.0, 9.0)
    for boxes in (as_boxes([box]), as_boxes([good, box]), as_boxes([box, good])):
        image = noise()
        with pytest.raises(DartblurError, match=message):
            ANONYMISERS[name].anonymize(image, boxes)
        assert np.array_equal(image, noise())


@given(BOXES)
def test_bounds_cover_the_mask_smallest_first(boxes: Boxes) -> None:
    bounds = bounds_to_hide(boxes, WIDTH, HEIGHT)
    assert len(bounds) == len(boxes)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in bounds]
    assert areas == sorted(areas)
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for x1, y1, x2, y2 in bounds:
        assert 0 <= x1 < x2 <= WIDTH and 0 <= y1 < y2 <= HEIGHT
        covered[y1:y2, x1:x2] = True
    assert np.array_equal(covered, mask_of(boxes, WIDTH, HEIGHT))


def test_integer_boxes_do() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for anonymiser in ANONYMISERS.values():
            anonymiser.anonymize(noise(), np.array([[4, 4, 20, 20]]))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((10, 10, 13, 14), (10, 10, 13, 14)),
        ((10, 10, 12, 20), (9, 10, 13, 20)),
        ((10, 10, 20, 11), (10, 9, 20, 12)),
        ((0, 0, 1, 1), (0, 0, 2, 2)),
        ((WIDTH - 2, HEIGHT - 1, WIDTH, HEIGHT), (WIDTH - 3, HEIGHT - 2, WIDTH, HEIGHT)),
    ],
)
def test_neighbours(bounds: tuple[int, int, int, int], expected: tuple[int, int, int, int]) -> None:
    assert with_neighbours(bounds, WIDTH, HEIGHT) == expected
