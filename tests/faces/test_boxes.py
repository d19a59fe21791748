"""Boxes against definitions that are slower and plainer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.faces.boxes import Boxes, area, as_boxes, clip, intersection, iou, mask_of, pixel_bounds

WIDTH, HEIGHT = 24, 16

corner = st.tuples(st.integers(-8, 30), st.integers(-8, 30), st.integers(0, 20), st.integers(0, 20))
whole_boxes = st.lists(corner, max_size=5).map(lambda rows: as_boxes([(x, y, x + w, y + h) for x, y, w, h in rows]))
side = st.floats(0.01, 30, allow_nan=False)
inner = st.tuples(st.floats(0, WIDTH - 0.01), st.floats(0, HEIGHT - 0.01), side, side)
boxes_inside = st.lists(inner, min_size=1, max_size=5).map(
    lambda rows: as_boxes([(x, y, min(x + w, WIDTH), min(y + h, HEIGHT)) for x, y, w, h in rows])
)


def cells(box: Boxes) -> set[tuple[int, int]]:
    """The unit squares that a box with whole corners covers."""
    x1, y1, x2, y2 = map(int, box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@given(whole_boxes, whole_boxes)
def test_overlap_counts_unit_squares(a: Boxes, b: Boxes) -> None:
    common, ratio = intersection(a, b), iou(a, b)
    assert common.shape == ratio.shape == (len(a), len(b))
    for i, one in enumerate(a):
        assert area(a)[i] == len(cells(one))
        for j, other in enumerate(b):
            shared, union = len(cells(one) & cells(other)), len(cells(one) | cells(other))
            assert common[i, j] == shared
            assert ratio[i, j] == (shared / union if union else 0)


@given(whole_boxes)
def test_a_box_overlaps_itself_wholly(boxes: Boxes) -> None:
    assert np.array_equal(np.diag(iou(boxes, boxes)), (area(boxes) > 0).astype(float))


@given(whole_boxes)
def test_clip_stays_inside_and_changes_nothing_there(boxes: Boxes) -> None:
    cut = clip(boxes, WIDTH, HEIGHT)
    assert np.array_equal(clip(cut, WIDTH, HEIGHT), cut)
    frame = {(x, y) for x in range(WIDTH) for y in range(HEIGHT)}
    assert [cells(box) for box in cut] == [cells(box) & frame for box in boxes]


@given(boxes_inside)
def test_no_part_of_a_face_escapes_the_mask(boxes: Boxes) -> None:
    mask = mask_of(boxes, WIDTH, HEIGHT)
    assert mask.shape == (HEIGHT, WIDTH)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            touched = intersection(boxes, as_boxes([(x, y, x + 1, y + 1)])).any()
            assert mask[y, x] or not touched
    bounds = pixel_bounds(boxes, WIDTH, HEIGHT)
    assert ((bounds[:, 2:] - bounds[:, :2]) >= 1).all()


@given(boxes_inside)
def test_the_mask_is_no_larger_than_the_pixels_touched(boxes: Boxes) -> None:
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for x1, y1, x2, y2 in boxes:
        expected[int(np.floor(y1)) : int(np.ceil(y2)), int(np.floor(x1)) : int(np.ceil(x2))] = True
    # A box without a side still hides the pixel it lies in; every other pixel of the mask is touched.
    thin = (boxes[:, 2:] <= boxes[:, :2]).any()
    assert thin or np.array_equal(mask_of(boxes, WIDTH, HEIGHT), expected)


@pytest.mark.parametrize("values", [[], np.zeros((0, 4))])
def test_no_boxes_at_all(values: list[float]) -> None:
    none = as_boxes(values)
    assert none.shape == (0, 4) and none.dtype == np.float64
    assert area(none).shape == (0,)
    assert iou(none, as_boxes([(0, 0, 1, 1)])).shape == (0, 1)
    assert clip(none, 5, 5).shape == (0, 4)
    assert pixel_bounds(none, 5, 5).shape == (0, 4)
    assert not mask_of(none, 5, 5).any()


def test_a_box_wholly_outside_hides_nothing() -> None:
    outside = as_boxes([(WIDTH, 0, WIDTH + 5, 5), (-9, -9, -3, -3), (0, HEIGHT + 2, 3, HEIGHT + 4)])
    assert not mask_of(outside, WIDTH, HEIGHT).any()
