"""Windows of a picture, inside it, across its border and beyond it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.media.images import Image
from dartblur.media.windows import Window, cut

FILL = (124, 116, 104)


def noise(height: int = 20, width: int = 30) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_window_at_its_own_size_is_the_picture_s_pixels() -> None:
    image = noise()
    assert np.array_equal(cut(image, Window(5, 3, 8), 8), image[3:11, 5:13])


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 50))
def test_beyond_the_picture_lies_a_plain_colour(left: int, top: int, side: int) -> None:
    image = noise()
    seen = cut(image, Window(left, top, side), side)
    assert seen.shape == (side, side, 3)
    for row in range(0, side, 3):
        for column in range(0, side, 3):
            y, x = top + row, left + column
            inside = 0 <= y < image.shape[0] and 0 <= x < image.shape[1]
            assert tuple(seen[row, column]) == (tuple(image[y, x]) if inside else FILL)


@pytest.mark.parametrize("window", [Window(30, 0, 8), Window(-8, 0, 8), Window(0, 20, 8), Window(0, -8, 8), Window(500, 500, 8)])
def test_a_window_wholly_outside_is_plain(window: Window) -> None:
    seen = cut(noise(), window, 16)
    assert seen.shape == (16, 16, 3)
    assert (seen == FILL).all()
    assert not cut(np.full((20, 30), 255, np.uint8), window, 16).any()


def test_a_mask_is_zero_beyond_the_picture() -> None:
    mask = np.full((20, 30), 255, np.uint8)
    seen = cut(mask, Window(-4, -4, 8), 8)
    assert seen.shape == (8, 8)
    assert (seen[4:, 4:] == 255).all()
    assert seen.sum() == 255 * 16


def test_enlarging_and_shrinking_keep_the_mean() -> None:
    image = noise(32, 32)
    window = Window(0, 0, 32)
    # Area averaging: each pixel of the half is the mean of four.
    half = image.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(cut(image, window, 16) - half).max() <= 0.5
    assert abs(float(cut(image, window, 64).mean()) - float(image.mean())) < 1.5


def test_a_window_cuts_the_same_pixels_of_every_copy() -> None:
    image = noise()
    mask = (image[:, :, 0] > 128).astype(np.uint8) * 255
    window = Window(-3, 7, 17)
    copies = np.stack([mask] * 3, axis=2)
    inside = cut(np.full((20, 30), 255, np.uint8), window, 24) == 255
    assert np.array_equal(cut(mask, window, 24)[inside], cut(copies, window, 24)[..., 0][inside])


def test_the_picture_is_not_changed() -> None:
    image = noise()
    seen = cut(image, Window(0, 0, 10), 10)
    seen[:] = 0
    assert np.array_equal(image, noise())
