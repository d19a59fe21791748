from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean
from dartblur.blur.gaussian import Gaussian
from dartblur.errors import DartblurError
from dartblur.evaluation.identities import Face, Identities, load_identities
from dartblur.evaluation.recognition import LOOK, Recogniser
from dartblur.evaluation.reidentification import Alignment, attack, look, pictures_of
from dartblur.evaluation.verification import Trial
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.images import Image, read_image, write_image
from tests.knownpeople import write_people
from tests.sampledata import Sample

ARMS: dict[str, Callable[[], Anonymizer]] = {"clean": Clean, "gaussian": partial(Gaussian, 1.0), "block": Block}


@pytest.fixture(scope="module")
def people(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return load_identities(write_people(tmp_path_factory.mktemp("people"), sample, 6), 80, "all")


def test_people_are_known_in_the_clean_arm_and_hidden_in_others(people: Identities) -> None:
    done: list[int] = []
    trial = Trial.of(people, 1000, 200, 0)
    looks = look(people, ARMS, {}, 1, show=done.append)
    assert not looks.restored
    found = attack(trial, looks.clean, looks.hidden)
    assert done == list(range(1, 13))
    assert list(found.arms) == list(ARMS)
    clean, gaussian, block = (found.arms[arm].as_dict() for arm in ARMS)
    assert clean["auc"] >= 0.95
    assert clean["rank1"] >= 0.8
    assert clean["accepted"] >= 0.8
    assert clean["falsely_accepted"] <= 0.2
    assert 0 <= found.equal_error <= 0.2
    assert 0.3 < found.threshold < 0.9
    assert clean["chance"] == gaussian["chance"] == pytest.approx(1 / 6)
    assert gaussian["auc"] < clean["auc"]
    assert block["accepted"] == 0
    assert block["rank1"] < clean["rank1"]
    for figures in (clean, gaussian, block):
        assert figures["ci"][0] <= figures["auc"] <= figures["ci"][1]
        assert sum(band["same_pairs"] for band in figures["by_height"].values()) == 6


def test_the_result_does_not_depend_on_workers(people: Identities) -> None:
    few = people.of_people(2, 0)
    arms = {name: ARMS[name] for name in ("clean", "gaussian")}
    alone, both = (look(few, arms, {"gaussian": Mirror}, workers) for workers in (1, 2))
    np.testing.assert_array_equal(alone.clean, both.clean)
    for arm in arms:
        np.testing.assert_array_equal(alone.hidden[arm], both.hidden[arm])
    np.testing.assert_array_equal(alone.clean, alone.hidden["clean"])
    assert list(alone.restored) == list(both.restored) == ["gaussian"]
    np.testing.assert_array_equal(alone.restored["gaussian"], both.restored["gaussian"])


@pytest.mark.parametrize("alignment", ["clean", "hidden"])
def test_what_the_attacker_looks_at(people: Identities, alignment: Alignment) -> None:
    face = people.faces[0]
    one = Identities(people.folder, (face,))
    looks = look(one, {"block": Block}, {"block": Mirror}, 1, alignment)
    image = read_image(face.path)
    blocked = Block().anonymize(image, face.boxes)
    recogniser = Recogniser()
    aligned = image if alignment == "clean" else None
    np.testing.assert_array_equal(looks.clean, recogniser.look(image, face.boxes))
    np.testing.assert_array_equal(looks.hidden["block"], recogniser.look(blocked, face.boxes, aligned))
    np.testing.assert_array_equal(looks.restored["block"], recogniser.look(Mirror().repaint(blocked, face.boxes), face.boxes, aligned))


def test_another_picture_of_the_same_size_gives_the_alignment(people: Identities) -> None:
    image, recogniser = read_image(people.faces[0].path), Recogniser()
    boxes = people.faces[0].boxes
    blurred = Gaussian(3.0).anonymize(image, boxes)
    np.testing.assert_array_equal(recogniser.embed(image, boxes, image), recogniser.embed(image, boxes))
    assert not np.array_equal(recogniser.embed(blurred, boxes, image), recogniser.embed(blurred, boxes))
    with pytest.raises(DartblurError, match="cannot be aligned on one of shape"):
        recogniser.embed(image, boxes, image[:-1])


class Mirror:
    """Restores nothing, but changes every picture."""

    def repaint(self, blurred: Image, boxes: Boxes) -> Image:
        return np.ascontiguousarray(blurred[:, ::-1])


class Spy:
    """Notes the boxes that it is asked to hide, and hides nothing."""

    name = "spy"
    asked: list[Boxes]

    def __init__(self, asked: list[Boxes]) -> None:
        self.asked = asked

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        self.asked.append(boxes)
        return image.copy()


def test_a_picture_is_hidden_once_with_every_face_in_it(tmp_path: Path) -> None:
    path = tmp_path / "two.png"
    write_image(path, np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
    boxes = as_boxes([[2, 2, 40, 50], [45, 5, 80, 55], [50, 8, 60, 20]])
    faces = tuple(Face(f"person-{index}", "probe", path, boxes, index) for index in (1, 0))
    people = Identities(tmp_path, faces)
    assert [len(group) for group in pictures_of(people)] == [2]
    asked: list[Boxes] = []
    looks = look(people, {"spy": lambda: Spy(asked)}, {}, 1)
    assert len(asked) == 1
    np.testing.assert_array_equal(asked[0], boxes)
    np.testing.assert_array_equal(looks.clean, looks.hidden["spy"])
    np.testing.assert_allclose(looks.clean, Recogniser().look(read_image(path), boxes[[1, 0]]), atol=1e-6)


def test_no_face_is_no_point() -> None:
    looks = look(Identities(Path("none"), ()), ARMS, {"block": Mirror}, 2)
    assert looks.clean.shape == looks.hidden["block"].shape == looks.restored["block"].shape == (0, LOOK)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_that_cannot_be_worked_on_is_named_once(people: Identities, tmp_path: Path, workers: int) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    outside = people.faces[1]
    cases = (
        (Face("a", "probe", broken, as_boxes([0, 0, 9, 9]), 0), f"{broken}: not a readable picture"),
        (Face("b", "probe", outside.path, as_boxes([[5, 5, 60, 60], [5000, 0, 5009, 9]]), 0), f"{outside.path}: the face box .* lies outside"),
    )
    for face, words in cases if workers == 1 else cases[:1]:
        faces = (people.faces[0], face)
        with pytest.raises(DartblurError, match="^" + words) as caught:
            look(Identities(people.folder, faces), {"block": Block}, {}, workers)
        assert str(caught.value).count(str(face.path)) == 1
