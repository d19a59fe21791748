import numpy as np
import pytest

from dartblur.blur.block import Block
from dartblur.faces.boxes import as_boxes, mask_of
from tests.blur.samples import HEIGHT, WIDTH, noise


@pytest.mark.parametrize("value", [0, 128, 255])
def test_every_touched_pixel_has_the_value(value: int) -> None:
    boxes = as_boxes([(3.5, 3.5, 9.2, 9.2), (8, 8, 200, 20), (60, 40, 60, 40)])
    hidden = Block(value).anonymize(noise(), boxes)
    mask = mask_of(boxes, WIDTH, HEIGHT)
    assert (hidden[mask] == value).all()
    assert mask[3, 3] and mask[9, 9] and mask[40, 60]
    assert mask.sum() == 7 * 7 + (WIDTH - 8) * 12 - 2 * 2 + 1
    assert np.array_equal(hidden[~mask], noise()[~mask])
