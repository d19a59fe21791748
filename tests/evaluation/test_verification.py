from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.errors import DartblurError
from dartblur.evaluation.recognition import verification_auc
from dartblur.evaluation.verification import Judgement, Trial, clean_threshold, compare, equal_error, interval, judge
from tests.knownpeople import made_up

Floats = npt.NDArray[np.float64]
PEOPLE = ("ggpp", "gp", "gpp", "gp", "gp", "g", "p")


def points(count: int, seed: int, levels: int = 4) -> Floats:
    """Few distinct values, so that distances tie."""
    return np.random.default_rng(seed).integers(0, levels, (count, 2)).astype(np.float64)


def trial_of(*people: str, pairs: int = 10_000, resamples: int = 40, seed: int = 0) -> Trial:
    return Trial.of(made_up(*people), pairs, resamples, seed)


def slow_resample(trial: Trial, distance: Floats, draw: npt.NDArray[np.int64]) -> float:
    """The AUC of one resample, people written out: a person drawn twice is two rows of a list."""
    drawn = [person for person, count in enumerate(draw) for _ in range(count)]
    near = [d for person in drawn for d, a, same in zip(distance, trial.clean, trial.same, strict=True) if same and trial.person[a] == person]
    far = [
        d
        for one, two in product(drawn, drawn)
        for d, a, b in zip(distance, trial.clean, trial.hidden, strict=True)
        if one != two and (trial.person[a], trial.person[b]) == (one, two)
    ]
    return verification_auc(near, far) if near and far else float("nan")


@pytest.mark.parametrize("seed", range(3))
def test_a_resample_counts_people_as_often_as_they_are_drawn(seed: int) -> None:
    trial = trial_of(*PEOPLE, resamples=70, seed=seed)
    clean, hidden = points(len(trial.person), seed), points(len(trial.person), seed + 10)
    found = judge(trial, clean, hidden, 1.0)
    distance = np.linalg.norm(clean[trial.clean] - hidden[trial.hidden], axis=1)
    assert found.auc == verification_auc(distance[trial.same], distance[~trial.same])
    np.testing.assert_allclose(found.aucs, [slow_resample(trial, distance, draw) for draw in trial.draws])
    own = judge(trial, hidden, hidden, 1.0)  # the attacker's faces hidden too
    assert (found.auc_same_arm, found.rank1_same_arm) == (own.auc, own.rank1)
    np.testing.assert_array_equal(found.aucs_same_arm, own.aucs)
    assert (trial.draws.sum(axis=1) == len(PEOPLE)).all()


@pytest.mark.parametrize("seed", range(3))
def test_rank_1_is_the_nearest_gallery_face(seed: int) -> None:
    trial = trial_of(*PEOPLE, seed=seed)
    clean, hidden = points(len(trial.person), seed), points(len(trial.person), seed + 10)

    def slow(known: Floats) -> list[float]:
        hits = []
        for probe in trial.probes:
            distances = {face: float(np.linalg.norm(known[face] - hidden[probe])) for face in trial.gallery}
            nearest = [face for face, distance in distances.items() if distance == min(distances.values())]
            hits.append(sum(trial.person[face] == trial.person[probe] for face in nearest) / len(nearest))
        return hits

    found = judge(trial, clean, hidden, 1.0)
    assert found.rank1 == pytest.approx(np.mean(slow(clean)))
    assert found.rank1_same_arm == pytest.approx(np.mean(slow(hidden)))
    # The person in the last place has no gallery face, so nobody can name it; the gallery holds 2 + 1 + 1 + 1 + 1 + 1 faces.
    assert len(trial.probes) == 7
    assert found.chance == pytest.approx(np.mean([2 / 7] * 2 + [1 / 7] * 5))
    draw = trial.draws[0]
    expected = np.average(slow(clean), weights=draw[trial.person[trial.probes]])
    assert found.rank1s[0] == pytest.approx(expected)


distances = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 2), min_size=1, max_size=12)


@given(distances, distances)
def test_no_threshold_has_more_equal_errors(same: list[float], different: list[float]) -> None:
    def errors(threshold: float) -> tuple[float, float]:
        return sum(d > threshold for d in same) / len(same), sum(d <= threshold for d in different) / len(different)

    threshold, rate = equal_error(np.array(same), np.array(different))
    rejected, accepted = errors(threshold)
    assert abs(rejected - accepted) == pytest.approx(min(abs(np.subtract(*errors(t))) for t in (*same, *different)))
    assert rate == pytest.approx((rejected + accepted) / 2)


def test_between_clean_faces_that_are_far_apart_the_threshold_is_in_the_middle() -> None:
    assert equal_error(np.array([0.1, 0.3]), np.array([0.7, 0.9])) == (0.5, 0.0)
    assert equal_error(np.array([0.5]), np.array([0.5])) == (0.5, 0.5)


def test_faces_that_nothing_hides_are_recognised() -> None:
    trial = trial_of("gp", "gp", "ggp", "gp", "gp", resamples=100)
    clean = np.stack([10.0 * trial.person, np.zeros(len(trial.person))], axis=1)
    threshold, rate = clean_threshold(trial, clean)
    found = judge(trial, clean, clean, threshold).as_dict()
    assert rate == 0
    assert (found["auc"], found["rank1"], found["auc_same_arm"], found["accepted"], found["falsely_accepted"]) == (1, 1, 1, 1, 0)
    assert found["ci"] == found["rank1_ci"] == found["ci_same_arm"] == [1, 1]
    hidden = judge(trial, clean, np.zeros_like(clean) + 100, threshold)
    assert (hidden.accepted, hidden.falsely_accepted) == (0, 0)


def test_the_same_seed_gives_the_same_trial_and_another_seed_another() -> None:
    trials = [trial_of(*PEOPLE, pairs=10, seed=seed) for seed in (3, 3, 4)]
    assert np.array_equal(trials[0].draws, trials[1].draws)
    assert np.array_equal(trials[0].clean, trials[1].clean)
    assert not np.array_equal(trials[0].draws, trials[2].draws)
    assert not np.array_equal(trials[0].hidden, trials[2].hidden)
    for trial in trials:
        assert trial.describe() == {"same_pairs": 9, "different_pairs": 10, "bootstrap": 40}


def test_pairs_of_one_person_are_all_taken_and_every_pair_is_gallery_against_probe() -> None:
    trial = trial_of(*PEOPLE)
    assert trial.describe() == {"same_pairs": 4 + 1 + 2 + 1 + 1, "different_pairs": 7 * 8 - 9, "bootstrap": 40}
    assert set(trial.clean) == set(trial.gallery)
    assert len(set(zip(trial.clean.tolist(), trial.hidden.tolist(), strict=True))) == 7 * 8


def test_pairs_of_the_set_are_taken_as_they_are() -> None:
    people = made_up("gp", "gp", pairs=((1, 0), (0, 2), (3, 1)))
    trial = Trial.of(people, 10, 5, 0)
    assert (trial.clean.tolist(), trial.hidden.tolist(), trial.same.tolist()) == ([1, 0, 3], [0, 2, 1], [True, False, False])


@pytest.mark.parametrize(
    ("people", "lacking"), [(("gg", "p"), "one person"), (("g", "g"), "one person"), (("ggpp",), "two people"), ((), "one person")]
)
def test_nobody_to_compare_is_one_sentence(people: tuple[str, ...], lacking: str) -> None:
    with pytest.raises(DartblurError, match=rf"^made-up: no pair of {lacking} to compare among .*; take more people"):
        trial_of(*people)


def test_an_interval_needs_people() -> None:
    trial = trial_of("ggpp", "ggpp", "gp", "gp", "g", "p")
    found = judge(trial, points(len(trial.person), 0), points(len(trial.person), 1), 1.0).as_dict()
    assert found["ci"] is None
    assert found["ci_reason"] == "an interval over people needs 5 with two faces to compare, found 4"
    assert found["rank1_ci"] is None
    assert interval(np.array([np.nan, 0.5, np.nan]), 5) == (0.5, 0.5)
    assert interval(np.full(3, np.nan), 5) is None


def two_arms(seed: int) -> tuple[Judgement, Judgement]:
    """An arm, and the same with a little noise."""
    trial = trial_of(*["ggpp"] * 12, resamples=300, seed=seed)
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(12, 8))[trial.person] + rng.normal(scale=0.3, size=(len(trial.person), 8))
    hidden = clean + rng.normal(scale=1.5, size=clean.shape)
    return judge(trial, clean, hidden, 1.0), judge(trial, clean, hidden + rng.normal(scale=0.1, size=clean.shape), 1.0)


def test_a_difference_is_paired() -> None:
    ours, other = two_arms(0)
    assert compare(ours, ours).as_dict() == {"difference": 0.0, "ci": [0.0, 0.0]}
    assert compare(ours, other, same_arm=True).value == ours.auc_same_arm - other.auc_same_arm != 0
    found = compare(ours, other)
    assert found.value == ours.auc - other.auc
    assert found.interval is not None
    alone = interval(ours.aucs, ours.paired)
    assert alone is not None
    # Both arms see the same people: what they have in common is not uncertainty of their difference.
    assert found.interval[1] - found.interval[0] < (alone[1] - alone[0]) / 3
    assert compare(*two_arms(0)) == found


def test_height_is_that_of_the_hidden_face() -> None:
    low, high = made_up("gp", "gp", height=40), made_up("gp", "gp", height=200)
    faces = [face for pair in zip(high.faces, low.faces, strict=True) for face in pair if (face.role == "gallery") == (face.height > 100)]
    people = type(low)(low.folder, tuple(faces))
    found = judge(Trial.of(people, 10, 5, 0), points(4, 0), points(4, 1), 1.0)
    assert list(found.by_height) == ["0-48"]
    assert found.by_height["0-48"]["same_pairs"] == 2
    lonely = made_up("gp", "gp", pairs=((0, 1), (0, 3)))
    lonely = type(low)(lonely.folder, (*lonely.faces[:3], high.faces[3]), lonely.pairs)
    bands = judge(Trial.of(lonely, 10, 5, 0), points(4, 0), points(4, 1), 1.0).by_height
    assert bands == {"80-112": {"auc": None, "reason": "no pair of two people", "same_pairs": 1, "different_pairs": 0}}


def test_a_trial_among_some_people_holds_their_comparisons_alone() -> None:
    trial = trial_of(*PEOPLE)
    some = np.array([0, 2, 3])
    part = trial.among(some)
    assert part is not None
    for faces in (part.gallery, part.probes, part.clean, part.hidden):
        assert len(faces)
        assert np.isin(trial.person[faces], some).all()
    inside = np.isin(trial.person[trial.clean], some) & np.isin(trial.person[trial.hidden], some)
    assert len(part.clean) == inside.sum()
    np.testing.assert_array_equal(part.same, trial.same[inside])
    np.testing.assert_array_equal(part.draws, trial.draws)
    assert trial.among(np.array([0])) is None
    assert trial.among(np.array([5, 6])) is None


@pytest.mark.parametrize(("people", "faces", "enough"), [(20, 3, True), (19, 4, False), (24, 2, False), (25, 2, True)])
def test_a_figure_needs_twenty_people_and_fifty_faces(people: int, faces: int, enough: bool) -> None:
    reason = trial_of(*["g" + "p" * (faces - 1)] * people).too_few()
    assert (reason is None) is enough
    assert enough or reason == f"too few: {people} people and {people * faces} faces, a figure needs 20 and 50"
