"""Native samples: bytes go in and out of every depth unchanged."""

import numpy as np
import pytest

from dartblur.media.samples import as_rgb, level, luma, put
from tests.media.makepictures import leveled

BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(("dtype", "top"), [("u1", None), ("u2", None), ("u2", 1023), ("u2", 4095), ("f4", 1.0), ("u4", None)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_bytes_survive_every_depth(dtype: str, top: float | None, channels: int) -> None:
    samples = np.zeros((16, 16, channels), dtype)
    mask = np.ones((16, 16), np.bool_)
    put(samples, np.repeat(BYTES[:, None], 3, 1), mask, top)
    assert np.array_equal(as_rgb(samples, top), np.repeat(BYTES.reshape(16, 16, 1), 3, 2))
    if channels in {2, 4}:
        assert not samples[:, :, -1].any()


def test_inks_survive_within_a_level() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (100, 3), dtype=np.uint8)
    samples = np.full((10, 10, 4), 99, np.uint8)
    put(samples, colours, np.ones((10, 10), np.bool_), cmyk=True)
    assert np.array_equal(as_rgb(samples, cmyk=True).reshape(-1, 3), colours)


@pytest.mark.parametrize("top", [1, 3, 15])
def test_small_depths_are_right_on_average(top: int) -> None:
    everywhere = np.ones((8, 8), np.bool_)
    for grey in (0, 20, 100, 127, 128, 140, 250, 255):
        samples = np.zeros((8, 8, 1), np.uint8)
        put(samples, np.full((64, 3), grey, np.uint8), everywhere, top)
        assert abs(samples.mean() / top * 255 - grey) <= 255 / top / 64
        assert samples.max() - samples.min() <= 1


def test_the_faint_rest_of_a_pattern_does_not_come_back_in_black_and_white() -> None:
    """The nearest of two levels would be the pattern at full strength."""
    pattern = np.indices((32, 32)).sum(axis=0) // 4 % 2
    samples = np.zeros((32, 32, 1), np.uint8)
    put(samples, np.repeat((127 + pattern).reshape(-1, 1), 3, axis=1).astype(np.uint8), np.ones((32, 32), np.bool_), 1)
    assert abs(samples[pattern == 1].mean() - samples[pattern == 0].mean()) < 0.05


@pytest.mark.parametrize(("dtype", "low", "high"), [("u1", 0, 255), ("u2", 9, 60000), ("f4", 0.0, 1.0)])
def test_channels_that_are_no_colours_become_even_on_each_patch(dtype: str, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    before = (low + rng.random((20, 30, 2)) * (high - low)).astype(dtype)
    before[12:18, 20:28, 0] = high
    mask = np.zeros((20, 30), np.bool_)
    mask[2:9, 3:12] = mask[12:18, 20:28] = True
    after = before.copy()
    level(after, mask)
    for channel in range(2):
        assert leveled(after[:, :, channel], before[:, :, channel], mask)
    assert (after[12:18, 20:28, 0] == np.asarray(high, dtype)).all()
    assert abs(float(after[2, 3, 0]) - float(before[2:9, 3:12, 0].astype(float).mean())) <= (0.5 if dtype != "f4" else 1e-6)


def test_nothing_is_levelled_where_there_is_no_such_channel() -> None:
    samples = np.zeros((4, 4, 0), np.uint8)
    level(samples, np.ones((4, 4), np.bool_))
    assert samples.shape == (4, 4, 0)


def test_not_a_number_is_black() -> None:
    samples = np.array([[[np.nan], [np.inf], [-np.inf], [0.5]]])
    assert as_rgb(samples, 1.0)[:, :, 0].tolist() == [[0, 255, 0, 128]]


def test_grey_of_equal_channels_is_that_grey() -> None:
    assert np.array_equal(luma(np.repeat(BYTES[:, None], 3, 1)), BYTES)
