import numpy as np
import pytest

from dartblur.blur.pixelate import Pixelate
from dartblur.faces.boxes import as_boxes
from tests.blur.samples import noise


def test_cells_hold_the_mean_of_their_pixels() -> None:
    image = noise(80, 80)
    hidden = Pixelate(8).anonymize(image, as_boxes([(8, 8, 72, 72)]))[8:72, 8:72]
    means = image[8:72, 8:72].reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))
    assert np.abs(hidden - means.repeat(8, axis=0).repeat(8, axis=1)).max() <= 0.5


@pytest.mark.parametrize(("width", "height", "cells", "across", "down"), [(64, 32, 8, 8, 4), (30, 60, 4, 2, 4), (60, 60, 1, 1, 1), (6, 6, 8, 3, 3)])
def test_as_many_cells_as_asked_for(width: int, height: int, cells: int, across: int, down: int) -> None:
    hidden = Pixelate(cells).anonymize(noise(80, 80), as_boxes([(5, 5, 5 + width, 5 + height)]))[5 : 5 + height, 5 : 5 + width]
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) == across * down


@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_face_smaller_than_its_cells_becomes_one_mean(side: int) -> None:
    image = noise()
    hidden = Pixelate(8).anonymize(image, as_boxes([(10, 10, 10 + side, 10 + side)]))[10 : 10 + side, 10 : 10 + side]
    reach = 1 if side < 3 else 0
    mean = image[10 - reach : 10 + side + reach, 10 - reach : 10 + side + reach].mean(axis=(0, 1))
    assert np.abs(hidden - mean).max() <= 0.5
