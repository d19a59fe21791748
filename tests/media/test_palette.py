"""Palettes: exact colours where there is room, the nearest where there is none, and nothing of what others use is touched."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dartblur.media.palette import Colours, fit, nearest

COLOURS = hnp.arrays(np.uint8, st.tuples(st.integers(0, 30), st.just(3)), elements=st.sampled_from([0, 40, 90, 200, 255]))


@given(COLOURS, hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.just(3))), st.data())
def test_entries_in_use_stay_and_colours_are_exact_where_there_is_room(
    colours: Colours, palette: Colours, data: st.DataObject
) -> None:
    usable = data.draw(hnp.arrays(np.bool_, len(palette)))
    free = np.flatnonzero(data.draw(hnp.arrays(np.bool_, 16)))
    found, grown = fit(colours, palette, usable, free)
    assert found.shape == (len(colours),)
    kept = np.setdiff1d(np.arange(len(palette)), free)
    assert np.array_equal(grown[kept], palette[kept])
    if len(np.unique(colours, axis=0)) <= len(free):
        assert np.array_equal(grown[found], colours)
    if len(colours) and (usable[kept].any() or len(free)):
        assert np.isin(found, np.concatenate([kept[usable[kept]], free])).all()


def test_too_many_colours_are_reduced() -> None:
    colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    found, palette = fit(colours, np.zeros((1, 3), np.uint8), np.array([False]), np.arange(1, 17))
    assert len(palette) == 17
    assert np.abs(palette[found].astype(int) - colours).max() <= 20
    assert (found > 0).all()


def test_the_nearest_colour() -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8)
    assert nearest(np.array([[10, 10, 10], [200, 60, 60], [250, 240, 230]], np.uint8), palette).tolist() == [0, 2, 1]
