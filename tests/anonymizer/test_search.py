"""Which faces are hidden: given boxes, detections, or both, less what is to be left alone."""

import numpy as np
import numpy.typing as npt
import pytest

from dartblur.anonymizer.search import Search, hidden_boxes
from dartblur.detector.detections import Detections
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import Image

PICTURE: Image = np.zeros((100, 200, 3), np.uint8)


class Fixed:
    """A detector that always finds the same boxes."""

    def __init__(self, boxes: npt.ArrayLike, name: str = "fixed") -> None:
        self.name, self.score = name, 0.5
        self._boxes = as_boxes(boxes)

    def detect(self, image: Image) -> Detections:
        return Detections.of(self._boxes, np.linspace(0.9, 0.6, len(self._boxes)), image)


def boxes_of(search: Search, given: npt.ArrayLike | None = None, keep: npt.ArrayLike | None = None) -> list[tuple[float, ...]]:
    own, left = (None if value is None else as_boxes(value) for value in (given, keep))
    return [face.box for face in search.faces(PICTURE, own, left)]


def test_detections_grow_by_a_margin_and_given_boxes_do_not() -> None:
    search = Search([Fixed([[50, 40, 70, 60]])])
    assert boxes_of(search, [[100, 10, 120, 30]]) == [(100, 10, 120, 30), (46, 36, 74, 64)]


@pytest.mark.parametrize(("margin", "box"), [(0.0, (50, 40, 70, 60)), (0.5, (40, 30, 80, 70)), (2.0, (10, 0, 110, 100))])
def test_a_margin_that_is_asked_for_holds_for_both_and_ends_at_the_border(margin: float, box: tuple[float, ...]) -> None:
    search = Search([Fixed([[50, 40, 70, 60]])], margin=margin)
    assert boxes_of(search)[0] == pytest.approx(box)
    assert boxes_of(Search(margin=margin), [[50, 40, 70, 60]])[0] == pytest.approx(box)


def test_several_detectors_and_annotations_are_a_union() -> None:
    search = Search([Fixed([[10, 10, 20, 20]], "one"), Fixed([[60, 10, 70, 20]], "two")], margin=0.0)
    faces = search.faces(PICTURE, as_boxes([[110, 10, 120, 20]]))
    assert [(face.origin, face.box[0]) for face in faces] == [("annotated", 110), ("one", 10), ("two", 60)]
    assert [face.score for face in faces] == [None, 0.9, 0.9]


def test_a_detection_inside_a_given_box_adds_nothing_and_one_that_reaches_out_does() -> None:
    search = Search([Fixed([[12, 12, 18, 18], [15, 10, 25, 20]])], margin=0.0)
    assert boxes_of(search, [[10, 10, 20, 20]]) == [(10, 10, 20, 20), (15, 10, 25, 20)]


def test_small_detections_do_not_count_and_small_given_boxes_do() -> None:
    search = Search([Fixed([[10, 10, 15, 40], [60, 10, 70, 20]])], min_size=8, margin=0.0)
    assert boxes_of(search, [[100, 10, 102, 12]]) == [(100, 10, 102, 12), (60, 10, 70, 20)]


def test_a_face_that_lies_half_in_a_region_is_left_alone() -> None:
    faces = Search().faces(PICTURE, as_boxes([[10, 10, 20, 20], [14, 30, 24, 40], [16, 50, 26, 60]]), as_boxes([[0, 0, 20, 100]]))
    assert [face.kept for face in faces] == [True, True, False]
    assert hidden_boxes(faces).tolist() == [[16, 50, 26, 60]]


def test_nothing_to_find() -> None:
    assert Search().faces(PICTURE) == []
    assert Search([Fixed([])]).faces(PICTURE, as_boxes([]), as_boxes([])) == []
    assert hidden_boxes([]).shape == (0, 4)
