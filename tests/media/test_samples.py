"""Native samples: bytes go in and out of every depth unchanged."""

import numpy as np
import pytest

from dartblur.media.samples import as_rgb, luma, put

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


def test_small_depths_take_the_nearest_level() -> None:
    samples = np.zeros((1, 4, 1), np.uint8)
    put(samples, np.array([[20, 20, 20], [100, 100, 100], [140, 140, 140], [250, 250, 250]], np.uint8), np.ones((1, 4), np.bool_), 1)
    assert samples.reshape(-1).tolist() == [0, 0, 1, 1]


def test_not_a_number_is_black() -> None:
    samples = np.array([[[np.nan], [np.inf], [-np.inf], [0.5]]])
    assert as_rgb(samples, 1.0)[:, :, 0].tolist() == [[0, 255, 0, 128]]


def test_grey_of_equal_channels_is_that_grey() -> None:
    assert np.array_equal(luma(np.repeat(BYTES[:, None], 3, 1)), BYTES)
