"""The views of a picture: every pixel is seen, at its own resolution and in the whole, and boxes come back to where they are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.pyramid import Pyramid, View
from dartblur.media.images import Image

PYRAMID = Pyramid(pixels=40_000, enlarge=2.0, steps=(0.7, 0.5), coarsest=120, tile=160, overlap=40)
SIDES = st.integers(1, 500)


def blank(width: int, height: int) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def levels(pyramid: Pyramid, width: int, height: int) -> list[list[View]]:
    """The views of each scale."""
    by_scale: dict[tuple[float, float], list[View]] = {}
    for view in pyramid.views(blank(width, height)):
        by_scale.setdefault(view.scale, []).append(view)
    return list(by_scale.values())


def bounds(view: View) -> tuple[int, int, int, int]:
    (left, top), (height, width) = view.corner, view.image.shape[:2]
    return left, top, left + width, top + height


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((400, 300), [(400, 300), (280, 210), (140, 105), (70, 52)]),
        ((150, 150), [(200, 200), (140, 140), (70, 70)]),
        ((50, 40), [(100, 80)]),
        ((1, 1), [(2, 2)]),
        ((1000, 3), [(2000, 6), (1400, 4), (700, 2), (350, 1), (175, 1), (88, 1)]),
    ],
)
def test_scales_fall_to_the_coarsest(size: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert PYRAMID.sizes(*size) == expected


def test_a_small_picture_is_looked_at_in_finer_steps() -> None:
    pyramid = Pyramid(pixels=0.0, enlarge=1.0, steps=(0.5,), coarsest=50, small=10_000)
    assert pyramid.sizes(100, 99) == [(100, 99), (70, 69), (35, 35)]
    assert pyramid.sizes(100, 100) == [(100, 100), (50, 50)]


def test_a_factor_of_one_never_enlarges() -> None:
    assert Pyramid(pixels=1e9, enlarge=1.0, steps=(0.5,), coarsest=640).sizes(100, 80) == [(100, 80)]
    assert Pyramid(pixels=0.0, enlarge=3.0, steps=(0.5,), coarsest=640).sizes(100, 80) == [(100, 80)]


@given(SIDES, SIDES)
def test_tiles_show_all_of_each_scale_and_no_tile_is_too_large(width: int, height: int) -> None:
    for (across, down), views in zip(PYRAMID.sizes(width, height), levels(PYRAMID, width, height), strict=True):
        seen = np.zeros((down, across), np.int64)
        for view in views:
            left, top, right, bottom = bounds(view)
            assert 0 < right - left <= PYRAMID.tile
            assert 0 < bottom - top <= PYRAMID.tile
            seen[top:bottom, left:right] += 1
            assert view.cuts == (left > 0, top > 0, right < across, bottom < down)
        assert (seen > 0).all()


@given(SIDES, SIDES, st.data())
def test_a_box_no_larger_than_the_overlap_is_whole_in_a_tile(width: int, height: int, data: st.DataObject) -> None:
    views = levels(PYRAMID, width, height)[0]
    across, down = PYRAMID.sizes(width, height)[0]
    wide, high = (data.draw(st.integers(1, min(PYRAMID.overlap, side))) for side in (across, down))
    x, y = data.draw(st.integers(0, across - wide)), data.draw(st.integers(0, down - high))
    assert any(left <= x and top <= y and x + wide <= right and y + high <= bottom for left, top, right, bottom in map(bounds, views))


@given(st.integers(60, 500), st.integers(60, 500), st.integers(0, 500))
def test_a_mirrored_view_says_the_same_of_a_box_as_the_view_itself(width: int, height: int, x: int) -> None:
    views = list(replace(PYRAMID, small=1e9).views(np.arange(width * height * 3, dtype=np.uint64).reshape(height, width, 3).astype(np.uint8)))
    assert len(views) == 2 * len(list(PYRAMID.views(blank(width, height))))
    for view, mirrored in zip(views[::2], views[1::2], strict=True):
        assert (view.mirrored, mirrored.mirrored) == (False, True)
        assert np.array_equal(view.image, mirrored.image[:, ::-1])
        across = view.image.shape[1]
        left = min(x, across - 1)
        box, turned = np.array([[left, 1.0, across, 9.0]]), np.array([[0.0, 1.0, across - left, 9.0]])
        np.testing.assert_allclose(mirrored.outward(turned), view.outward(box))
        assert mirrored.cut(turned).tolist() == view.cut(box).tolist()


@given(st.integers(60, 500), st.integers(60, 500), st.data())
def test_what_a_view_shows_comes_back_to_its_place(width: int, height: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 24)), data.draw(st.integers(0, height - 24))
    image = blank(width, height)
    image[y : y + 24, x : x + 24] = 255
    shown = 0
    for view in PYRAMID.views(image):
        rows, columns = np.nonzero(view.image[:, :, 0] > 127)
        if not len(rows):
            continue
        box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float64)
        if view.cut(box)[0]:
            continue
        pixel = 1 / min(view.scale)
        np.testing.assert_allclose(view.outward(box)[0], [x, y, x + 24, y + 24], atol=pixel)
        shown += 1
    assert shown


def test_a_box_at_a_cut_side_is_cut_and_one_at_the_border_of_the_picture_is_not() -> None:
    view = View(blank(100, 80), (0, 60), (1.0, 1.0), (False, True, True, False))
    boxes = np.array([[0, 20, 30, 50], [40, 1, 60, 30], [80, 30, 99, 50], [40, 60, 60, 80], [40, 30, 60, 50]], np.float64)
    assert view.cut(boxes).tolist() == [False, True, True, False, False]
    assert view.cut(boxes[:0]).tolist() == []


def test_the_picture_itself_is_shown_and_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (150, 220, 3), dtype=np.uint8)
    image.flags.writeable = False
    views = list(Pyramid(pixels=0.0, enlarge=1.0, steps=(0.5,), coarsest=120, tile=160, overlap=40).views(image))
    for view in views[:2]:
        left, top, right, bottom = bounds(view)
        np.testing.assert_array_equal(view.image, image[top:bottom, left:right])
