"""Who sample people are: groups in balance, everything from the seed. The generator's other modules need Blender and run in its own environment."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from people.identity import ANCESTRIES, GLASSES, STYLES, Identity, draw, model_age
from people.shots import EXPRESSIONS, FACE_MASKS, HATS, KINDS, RIGS, draw_shots

CHANGES = ("l-cheek-bones-incr", "r-cheek-bones-incr", "nose-scale-vert-incr", "head-age-incr", "torso-scale-vert-incr")


def people(count: int, seed: int = 0) -> list[Identity]:
    return [draw(index, seed, CHANGES) for index in range(count)]


def test_groups_are_in_balance() -> None:
    drawn = people(64)
    assert Counter(person.sex for person in drawn) == {"female": 32, "male": 32}
    assert Counter(person.ancestry for person in drawn) == dict.fromkeys(ANCESTRIES, 16)
    bands = Counter((person.age >= 18) + (person.age >= 30) + (person.age >= 45) + (person.age >= 60) for person in drawn)
    assert set(bands) == {0, 1, 2, 3, 4} and min(bands.values()) >= 8


def test_a_person_is_a_function_of_seed_and_index() -> None:
    assert people(5) == people(5)
    assert people(5, seed=1) != people(5)
    assert len({str(person.shape) for person in people(20)}) == 20


@given(st.integers(0, 500), st.integers(0, 2**31))
def test_every_person_is_within_the_model(index: int, seed: int) -> None:
    person = draw(index, seed, CHANGES)
    assert all(0 <= value <= 1 for value in person.phenotype.values())
    assert all(-1 <= value <= 1 for value in person.shape.values())
    assert all(0 < value < 1 for value in (*person.skin, *person.iris)) and all(0 <= value < 1 for value in person.hair.colour)
    assert "torso-scale-vert-incr" not in person.shape and person.shape["head-age-incr"] == 0
    assert abs(person.shape["l-cheek-bones-incr"] - person.shape["r-cheek-bones-incr"]) < 0.25
    assert person.glasses in (*GLASSES, None)
    if person.sex == "female" or person.age < 20:
        assert person.hair.beard == "none"
    if person.age < 16:
        assert person.hair.style not in ("bald", "receding")
    assert person.hair.style in {*STYLES["male"], *STYLES["female"], "afro", "braids"}


@given(st.floats(1, 90))
def test_the_age_slider_rises_with_age(years: float) -> None:
    assert 0 <= model_age(years) <= 1 and model_age(years) <= model_age(years + 1)
    assert [model_age(anchor) for anchor in (1, 11, 25, 90)] == [0, 1 / 3, 2 / 3, 1]


@given(st.integers(0, 500), st.integers(0, 1000))
def test_sprites_of_a_person(index: int, seed: int) -> None:
    person = draw(index, seed, CHANGES)
    shots = draw_shots(person)
    assert shots == draw_shots(person)
    assert len(shots) >= 8 and len({shot.name for shot in shots}) == len(shots) and tuple(shot.kind for shot in shots) == KINDS
    for kind in set(KINDS):  # every size can be compared with every other
        assert {shot.role for shot in shots if shot.kind == kind} == {"gallery", "probe"}
    assert {shot.light for shot in shots} == set(RIGS)
    assert len({str(replace(shot, name="")) for shot in shots}) == len(shots)
    for shot in shots:
        assert shot.expression in EXPRESSIONS and shot.hat in (*HATS, "headscarf", None) and shot.face_mask in (*FACE_MASKS, None)
        assert all(0 <= value <= 1 for _, value in shot.pose.face)
        assert abs(shot.pose.turn + shot.pose.yaw) < 120
    assert shots[0].face_mask is None and abs(shots[0].pose.turn + shots[0].pose.yaw) < 60
