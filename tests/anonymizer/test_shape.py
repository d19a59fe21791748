"""Boxes, ellipses and soft rims: what may change, what must be hidden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.anonymizer.shape import Shape, hide
from dartblur.blur.block import Block
from dartblur.blur.gaussian import Gaussian
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import Image

PICTURE: Image = np.random.default_rng(0).integers(1, 256, (60, 80, 3)).astype(np.uint8)
BOX = as_boxes([[20, 10, 50, 46]])


def test_the_plain_box_is_what_the_anonymiser_makes() -> None:
    hidden, mask = hide(PICTURE, BOX, Gaussian(), Shape())
    assert np.array_equal(hidden, Gaussian().anonymize(PICTURE, BOX))
    assert np.array_equal(mask, mask_of(BOX, 80, 60))


def test_an_ellipse_hides_its_middle_and_shows_the_corners() -> None:
    hidden, mask = hide(PICTURE, BOX, Block(), Shape("ellipse"))
    assert not hidden[28, 20:50].any()
    assert not hidden[10:46, 35].any()
    corners = [(10, 20), (10, 49), (45, 20), (45, 49)]
    assert all(np.array_equal(hidden[at], PICTURE[at]) and not mask[at] for at in corners)
    assert mask.sum() == pytest.approx(np.pi * 15.5 * 18.5, rel=0.02)


@given(
    outline=st.sampled_from(("box", "ellipse")),
    feather=st.floats(0, 0.5),
    corner=st.tuples(st.floats(-5, 70), st.floats(-5, 50)),
    size=st.tuples(st.floats(6, 60), st.floats(6, 60)),
)
def test_outside_the_mask_nothing_changes_and_inside_the_outline_nothing_stays(
    outline: str, feather: float, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    box = as_boxes([[*corner, corner[0] + size[0], corner[1] + size[1]]])
    hidden, mask = hide(PICTURE, box, Block(), Shape("ellipse" if outline == "ellipse" else "box", feather))
    assert np.array_equal(hidden[~mask], PICTURE[~mask])
    if outline == "box":
        assert not hidden[mask_of(box, 80, 60)].any()  # a feather lies outside, never at the cost of the face
    else:
        rows, columns = np.mgrid[:60, :80] + 0.5
        middle, half = (box[0, :2] + box[0, 2:]) / 2, np.array(size) / 2
        inside = ((columns - middle[0]) / half[0]) ** 2 + ((rows - middle[1]) / half[1]) ** 2 <= 1
        assert not hidden[inside].any()


def test_a_feather_falls_off_outside_the_box() -> None:
    white: Image = np.full((60, 80, 3), 200, np.uint8)
    hidden, mask = hide(white, BOX, Block(), Shape("box", 0.2))
    row = hidden[28, 50:60, 0].tolist()
    assert row == sorted(row)
    assert 0 < row[0] < 100
    assert row[-1] == 200
    assert not mask[28, 58:].any()


def test_several_boxes_are_all_hidden() -> None:
    boxes = as_boxes([[5, 5, 25, 25], [40, 20, 70, 50]])
    hidden, _ = hide(PICTURE, boxes, Block(), Shape("box", 0.1))
    assert not hidden[mask_of(boxes, 80, 60)].any()


def test_no_box_changes_nothing() -> None:
    hidden, mask = hide(PICTURE, as_boxes([]), Block(), Shape("ellipse", 0.3))
    assert np.array_equal(hidden, PICTURE)
    assert not mask.any()


@pytest.mark.parametrize("box", [[90, 10, 99, 20], [10, 10, np.nan, 20], [30, 10, 20, 20]])
def test_a_box_that_cannot_be_hidden_is_refused(box: list[float]) -> None:
    """Even though it would reach into the picture once it has grown."""
    with pytest.raises(DartblurError, match="box"):
        hide(PICTURE, as_boxes([box]), Block(), Shape("box", 0.5))


@pytest.mark.parametrize("feather", [-0.1, 0.6, float("nan")])
def test_a_feather_is_a_share(feather: float) -> None:
    with pytest.raises(UsageError, match="feather"):
        Shape("box", feather)
