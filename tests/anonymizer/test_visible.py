"""The second look: a face that still shows is found, one that is hidden is not."""

import numpy as np

from dartblur.anonymizer.visible import still_visible
from dartblur.blur.gaussian import Gaussian
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import Image
from tests.anonymizer.test_search import Fixed

BOX = [30.0, 20.0, 60.0, 56.0]
PICTURE: Image = np.random.default_rng(0).integers(0, 256, (80, 100, 3)).astype(np.uint8)
NONE = as_boxes([])


def test_a_face_that_was_not_hidden_shows() -> None:
    mask = np.zeros((80, 100), np.bool_)
    assert still_visible(PICTURE, PICTURE, mask, Fixed([BOX]), NONE).tolist() == [BOX]


def test_a_hidden_face_does_not_however_much_it_looks_like_one() -> None:
    hidden = Gaussian().anonymize(PICTURE, as_boxes([BOX]))
    assert not len(still_visible(PICTURE, hidden, mask_of(as_boxes([BOX]), 100, 80), Fixed([BOX]), NONE))


def test_a_face_that_came_out_as_it_went_in_shows_although_it_was_to_be_hidden() -> None:
    assert len(still_visible(PICTURE, PICTURE, mask_of(as_boxes([BOX]), 100, 80), Fixed([BOX]), NONE)) == 1


def test_a_flat_face_has_nothing_to_show() -> None:
    flat: Image = np.full((80, 100, 3), 90, np.uint8)
    assert not len(still_visible(flat, flat, mask_of(as_boxes([BOX]), 100, 80), Fixed([BOX]), NONE))


def test_a_face_hidden_to_less_than_half_shows() -> None:
    part = as_boxes([[30, 20, 60, 32]])
    hidden = Gaussian().anonymize(PICTURE, part)
    assert len(still_visible(PICTURE, hidden, mask_of(part, 100, 80), Fixed([BOX]), NONE)) == 1


def test_a_face_that_was_left_alone_on_purpose_does_not_count() -> None:
    mask = np.zeros((80, 100), np.bool_)
    assert not len(still_visible(PICTURE, PICTURE, mask, Fixed([BOX]), as_boxes([BOX])))


def test_a_box_thinner_than_a_pixel_at_the_border() -> None:
    assert len(still_visible(PICTURE, PICTURE, np.zeros((80, 100), np.bool_), Fixed([[99.6, 10, 100, 10.3]]), NONE)) == 1
