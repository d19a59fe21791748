"""Cutting MCUs out of a raster: everywhere what a padded raster would give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dartblur.media.jpegblocks import _cut


@given(st.integers(1, 50), st.integers(1, 50), st.sampled_from([1, 3, 4]), st.sampled_from([(8, 8), (16, 16), (8, 16), (16, 8)]), st.integers(0, 99))
def test_mcus_are_those_of_the_raster_with_its_border_repeated(height: int, width: int, channels: int, size: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    (down, across), count = size, rng.integers(1, 9)
    padded = np.pad(samples, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge")
    rows, columns = rng.integers(0, len(padded) // down, count), rng.integers(0, padded.shape[1] // across, count)
    expected = [padded[y * down : (y + 1) * down, x * across : (x + 1) * across] for y, x in zip(rows, columns, strict=True)]
    np.testing.assert_array_equal(_cut(samples, rows, columns, size), expected)


def test_it_takes_rasters_in_any_memory_order() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (40, 33, 3), dtype=np.uint8)
    rows, columns = np.array([0, 1, 2]), np.array([1, 0, 2])
    np.testing.assert_array_equal(_cut(samples, rows, columns, (16, 16)), _cut(np.asfortranarray(samples), rows, columns, (16, 16)))
