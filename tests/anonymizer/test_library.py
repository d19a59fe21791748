"""The library: arrays, PIL images, files and bytes; loaded once, used from several threads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from dartblur.anonymizer.library import Anonymizer
from dartblur.anonymizer.methods import Choice
from dartblur.anonymizer.settings import Settings
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import mask_of
from dartblur.media.images import decode_image, read_image
from tests.anonymizer.conftest import Drawn

GAUSSIAN = Settings(choice=Choice("gaussian"), detectors=())


@pytest.fixture
def anonymizer(models: Path) -> Anonymizer:
    return Anonymizer.from_pretrained(models / "unet.onnx", Settings(detectors=()))


def test_as_it_comes_in_it_comes_out(anonymizer: Anonymizer, drawn: Drawn) -> None:
    path, boxes = drawn.folder / "a.png", drawn.boxes["a.png"]
    array = read_image(path)
    before = array.copy()
    made = anonymizer.anonymize(array, boxes)
    assert made.image is not None
    assert np.array_equal(array, before)
    inside = mask_of(boxes, 120, 120)
    assert np.array_equal(made.image[~inside], array[~inside])
    assert not np.array_equal(made.image[inside], array[inside])
    assert [face.origin for face in made.faces] == ["annotated"] * 2
    for value in (path, path.read_bytes()):
        data = anonymizer.anonymize(value, boxes).image
        assert data is not None
        assert np.array_equal(decode_image(data, "made"), made.image)
    picture = anonymizer.anonymize(Pillow.fromarray(array), boxes).image
    assert picture is not None
    assert np.array_equal(np.asarray(picture), made.image)


def test_without_a_face_it_is_withheld(anonymizer: Anonymizer, drawn: Drawn) -> None:
    path = drawn.folder / "a.png"
    for value in (path, path.read_bytes(), read_image(path)):
        made = anonymizer.anonymize(value)
        assert (made.image, made.faces) == (None, ())
        assert "no face found" in made.reason
    write = Anonymizer.from_pretrained(settings=Settings(choice=Choice("block"), detectors=(), write_empty=True))
    array = read_image(path)
    kept = write.anonymize(array).image
    assert kept is not None
    assert np.array_equal(kept, array)
    assert kept is not array


def test_regions_are_left_alone(drawn: Drawn) -> None:
    array, boxes = read_image(drawn.folder / "a.png"), drawn.boxes["a.png"]
    made = Anonymizer.from_pretrained(settings=GAUSSIAN).anonymize(array, boxes, keep=boxes[:1])
    assert made.image is not None
    first, second = (mask_of(boxes[i : i + 1], 120, 120) for i in (0, 1))
    assert np.array_equal(made.image[first], array[first])
    assert not np.array_equal(made.image[second], array[second])


def test_many_at_once_come_in_order(drawn: Drawn) -> None:
    anonymizer = Anonymizer.from_pretrained(settings=Settings(choice=Choice("block"), detectors=(), write_empty=True))
    paths = [drawn.folder / name for name in drawn.boxes] * 5
    made = list(anonymizer.anonymize_many(paths, workers=3))
    assert [result.image for result in made] == [anonymizer.anonymize(path).image for path in paths]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((4, 4), np.uint8), "must be uint8, H x W x 3"),
        (np.zeros((4, 4, 3), np.float32), "must be uint8, H x W x 3"),
        (np.zeros((0, 4, 3), np.uint8), "must be uint8, H x W x 3"),
        (b"text", "the picture: not a picture"),
        (Path("gone.png"), "gone.png: cannot be read"),
    ],
)
def test_what_is_no_picture_is_one_sentence(value: Any, words: str) -> None:
    with pytest.raises(DartblurError, match=words):
        Anonymizer.from_pretrained(settings=GAUSSIAN).anonymize(value, [[0, 0, 2, 2]])


@pytest.mark.parametrize("boxes", [[[200, 10, 220, 30]], [[30, 10, 20, 30]], [[10, 10, float("nan"), 30]]])
def test_a_box_that_cannot_be_hidden_raises(drawn: Drawn, boxes: list[list[float]]) -> None:
    anonymizer = Anonymizer.from_pretrained(settings=GAUSSIAN)
    for value in (drawn.folder / "a.png", read_image(drawn.folder / "a.png")):
        with pytest.raises(DartblurError, match="box"):
            anonymizer.anonymize(value, boxes)


@pytest.mark.parametrize("make", [Anonymizer.from_registry, lambda: Anonymizer.from_pretrained("champion")])
def test_a_version_that_is_nowhere(make: Callable[[], Anonymizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        make()
