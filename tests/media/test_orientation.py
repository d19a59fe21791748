"""Orientations: what is turned is what Pillow turns, and boxes go with their pixels."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PILImage
from PIL import ImageOps

from dartblur.faces.boxes import mask_of
from dartblur.media.orientation import swaps_sides, turned, turned_boxes
from tests.media.makepictures import picture, saved

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_as_pillow_turns_it(orientation: int) -> None:
    image = picture(7, 11)
    tags = PILImage.Exif()
    tags[0x0112] = orientation
    with PILImage.open(io.BytesIO(saved(image, "PNG", exif=tags))) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(turned(image, orientation), expected)
    assert np.array_equal(turned(image[:, :, 0], orientation), expected[:, :, 0])
    assert swaps_sides(orientation) == (expected.shape[0] != 7)


@given(st.sampled_from(ORIENTATIONS), st.integers(0, 5), st.integers(0, 4), st.integers(1, 5), st.integers(1, 4))
def test_boxes_go_with_their_pixels(orientation: int, x: int, y: int, width: int, height: int) -> None:
    boxes = np.array([[x, y, x + width, y + height]], np.float64)
    stored = mask_of(boxes, 11, 9)
    upright = turned(stored, orientation)
    assert np.array_equal(mask_of(turned_boxes(boxes, orientation, 11, 9), upright.shape[1], upright.shape[0]), upright)


def test_no_boxes_and_an_unknown_orientation() -> None:
    assert turned_boxes(np.zeros((0, 4)), 6, 10, 20).shape == (0, 4)
    assert np.array_equal(turned(picture(), 99), picture())
