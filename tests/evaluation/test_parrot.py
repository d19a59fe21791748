"""The parrot on people made of numbers: what a blur leaves is a mixture that the plain recogniser cannot read."""

import numpy as np
import pytest

from dartblur.evaluation import parrot
from dartblur.evaluation.parrot import Lesson, Parrot, disjoint, learn, shared, summary
from dartblur.evaluation.recognition import DIMENSIONS, LOOK
from dartblur.evaluation.verification import Floats, Ints, Trial, clean_threshold, judge
from tests.knownpeople import made_up

TRAITS = 6
"""Numbers in which people differ."""


def people(count: int, pictures: int, seed: int, legible: bool = True) -> Lesson:
    """Faces whose clean numbers are a person's traits and a little noise; hidden ones are the traits in other places, or noise alone."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(count), pictures)
    traits = rng.normal(size=(count, TRAITS))[person]
    clean, hidden = np.zeros((len(person), LOOK)), np.zeros((len(person), LOOK))
    clean[:, :TRAITS] = traits
    if legible:
        hidden[:, DIMENSIONS : DIMENSIONS + TRAITS] = traits @ np.random.default_rng(99).normal(size=(TRAITS, TRAITS))
    noise = 0.2 * rng.normal(size=(2, *clean.shape)) * (np.arange(LOOK) < DIMENSIONS + TRAITS)
    return Lesson(clean + noise[0], hidden + noise[1], person)


def trial_of(lesson: Lesson, pictures: int) -> Trial:
    """Of each person's pictures the first half is gallery."""
    half = pictures // 2
    return Trial.of(made_up(*["g" * half + "p" * (pictures - half)] * (int(lesson.person.max()) + 1)), 10_000, 50, 0)


def plain_auc(trial: Trial, lesson: Lesson) -> float:
    known, asked = lesson.clean[:, :DIMENSIONS], lesson.hidden[:, :DIMENSIONS]
    return judge(trial, known, asked, clean_threshold(trial, known)[0]).auc


def test_he_reads_what_the_recogniser_cannot() -> None:
    asked, teachers = people(24, 4, 0), people(30, 5, 1)
    trial = trial_of(asked, 4)
    assert plain_auc(trial, asked) < 0.6
    judged, learned = shared(trial, asked.clean, asked.hidden, teachers, 0)
    assert judged.auc > 0.9
    assert judged.auc_same_arm > 0.9
    assert learned.choice is not None
    assert learned.choice.pixels
    assert learned.gain > 0.3
    halves = disjoint(trial, asked.clean, asked.hidden, teachers, 0)
    assert len(halves) == 2
    found = summary(halves)
    assert found["auc"] > 0.9
    assert found["off_the_shelf"] < 0.65
    assert found["ci"][0] <= found["auc"] <= found["ci"][1]
    assert found["chance"] == pytest.approx(1 / 12)


def test_where_nothing_can_be_read_he_stays_with_the_recogniser() -> None:
    asked, teachers = people(24, 4, 0, legible=False), people(30, 5, 1, legible=False)
    trial = trial_of(asked, 4)
    judged, learned = shared(trial, asked.clean, asked.hidden, teachers, 0)
    assert learned.choice is None
    assert learned.describe()["learned"] is None
    assert learned.describe()["learned_reason"]
    assert judged.auc == plain_auc(trial, asked)


def test_too_few_teachers_teach_nothing() -> None:
    assert learn(people(parrot.LEAST_PEOPLE - 1, 5, 0), 0).choice is None
    assert learn(people(parrot.LEAST_PEOPLE * 3, 5, 0), 0).choice is not None


def test_the_same_seed_learns_the_same() -> None:
    lesson, looks = people(16, 4, 0), people(3, 2, 5)
    one, other = learn(lesson, 0), learn(lesson, 0)
    assert one.choice == other.choice
    np.testing.assert_array_equal(one.asked(looks.hidden), other.asked(looks.hidden))
    np.testing.assert_array_equal(one.known(looks.clean), other.known(looks.clean))
    assert one.asked(looks.hidden).shape == (6, DIMENSIONS)


def lessons(monkeypatch: pytest.MonkeyPatch) -> list[Lesson]:
    """What :func:`learn` is given, from now on."""
    given: list[Lesson] = []

    def note(lesson: Lesson, seed: int) -> Parrot:
        given.append(lesson)
        return Parrot()

    monkeypatch.setattr(parrot, "learn", note)
    return given


def marked(person: Ints, start: int) -> tuple[Floats, Floats]:
    """Looks that bear their number, so that one sees whose they are."""
    looks = np.zeros((len(person), LOOK))
    looks[:, 0] = np.arange(len(person)) + start
    return looks, looks + 0.5


def test_faces_that_are_asked_for_are_never_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    given = lessons(monkeypatch)
    trial = Trial.of(made_up("ggp", "gpp", "gp", "g"), 1000, 10, 0)
    clean, hidden = marked(trial.person, 0)
    teachers = Lesson(*marked(np.zeros(2, np.int64), 100), np.zeros(2, np.int64))
    shared(trial, clean, hidden, teachers, 0)
    (lesson,) = given
    assert lesson.clean[:, 0].tolist() == [100, 101, *trial.gallery]
    assert lesson.hidden[:, 0].tolist() == [100.5, 101.5, *(trial.gallery + 0.5)]
    assert lesson.person.tolist() == [0, 0, *(trial.person[trial.gallery] + 1)]  # no teacher is one of the trial's people


def test_of_a_list_of_pairs_the_hidden_side_is_never_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    given = lessons(monkeypatch)
    trial = Trial.of(made_up("ggp", "ggp", pairs=((0, 1), (0, 4), (2, 3))), 1000, 10, 0)
    clean, hidden = marked(trial.person, 0)
    shared(trial, clean, hidden, Lesson(np.zeros((0, LOOK)), np.zeros((0, LOOK)), np.zeros(0, np.int64)), 0)
    assert given[0].clean[:, 0].tolist() == [0]  # 1, 3 and 4 are asked for in pairs, 2 and 5 are probes


def test_disjoint_halves_share_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    given = lessons(monkeypatch)
    trial = Trial.of(made_up(*["gp"] * 10), 1000, 10, 0)
    clean, hidden = marked(trial.person, 0)
    none = np.zeros((0, LOOK))
    halves = disjoint(trial, clean, hidden, Lesson(none, none, np.zeros(0, np.int64)), 0)
    assert len(halves) == 2
    learned = [set(lesson.person.tolist()) for lesson in given]
    assert learned[0] | learned[1] == set(range(10))
    assert not learned[0] & learned[1]
    assert [ours.auc for ours, _ in halves] == [plain.auc for _, plain in halves]


def test_without_pairs_in_a_half_there_is_no_figure() -> None:
    trial = Trial.of(made_up("gp", "gp"), 1000, 10, 0)
    clean, hidden = marked(trial.person, 0)
    none = np.zeros((0, LOOK))
    found = summary(disjoint(trial, clean, hidden, Lesson(none, none, np.zeros(0, np.int64)), 0))
    assert found["auc"] is None
    assert found["auc_reason"]
