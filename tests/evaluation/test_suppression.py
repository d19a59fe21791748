import math
from typing import Any

import pytest

from dartblur.evaluation.counting import SLICES
from dartblur.evaluation.suppression import leave_out, summarise


def training(arm: str, seed: int, ap: float | None, ap_self: float | None = None) -> dict[str, Any]:
    same = dict.fromkeys(("easy", "medium", "hard", "all"), ap)
    return {"arm": arm, "seed": seed, "ap": same, "ap_self": dict.fromkeys(same, ap if ap_self is None else ap_self)}


def three_seeds() -> list[dict[str, Any]]:
    values = {"clean": [0.90, 0.92, 0.94], "gaussian": [0.60, 0.66, 0.64], "dartblur": [0.84, 0.88, 0.86]}
    results = [training(arm, seed, ap, ap + 0.1 * (seed + 1)) for arm, aps in values.items() for seed, ap in enumerate(aps)]
    return results[::-1]  # any order


def test_hand_computed() -> None:
    arms = summarise(three_seeds())
    assert arms["clean"]["ap"]["all"] == {"mean": pytest.approx(0.92), "std": pytest.approx(0.02), "seeds": [0.90, 0.92, 0.94]}
    # Gaps: gaussian 0.30, 0.26, 0.30; dartblur 0.06, 0.04, 0.08.
    assert arms["gaussian"]["gap"] == {"mean": pytest.approx(0.86 / 3), "std": pytest.approx(math.sqrt(0.0016 / 3))}
    assert arms["dartblur"]["gap"] == {"mean": pytest.approx(0.06), "std": pytest.approx(0.02)}
    # r = 0.18 / 0.86; residuals 0.06 - 0.3 r, 0.04 - 0.26 r, 0.08 - 0.3 r have mean 0.
    ratio = 0.18 / 0.86
    residuals = [0.06 - 0.3 * ratio, 0.04 - 0.26 * ratio, 0.08 - 0.3 * ratio]
    expected = math.sqrt(sum(r * r for r in residuals) / 2) / (0.86 / 3)
    assert arms["dartblur"]["suppression"] == {"mean": pytest.approx(1 - ratio), "std": pytest.approx(expected)}
    assert arms["dartblur"]["shortcut"] == {"mean": pytest.approx(0.2), "std": pytest.approx(0.1)}


def test_ends_of_the_scale() -> None:
    arms = summarise(three_seeds())
    assert arms["gaussian"]["suppression"] == {"mean": 0.0, "std": pytest.approx(0.0)}
    assert arms["clean"]["suppression"] == {"mean": 1.0, "std": 0.0}
    assert arms["clean"]["gap"] == {"mean": 0.0, "std": 0.0}


def test_one_seed_has_no_spread() -> None:
    arms = summarise([training("clean", 0, 0.9), training("gaussian", 0, 0.6), training("dartblur", 0, 0.84)])
    figure = arms["dartblur"]["suppression"]
    assert figure["mean"] == pytest.approx(0.8)
    assert figure["std"] is None
    assert "one seed" in figure["reason"]
    assert arms["dartblur"]["ap"]["all"]["std"] is None
    assert arms["dartblur"]["ap"]["all"]["seeds"] == [0.84]


@pytest.mark.parametrize("gaussian", [0.9, 0.95])
def test_without_a_gap_there_is_no_suppression(gaussian: float) -> None:
    arms = summarise([training("clean", 0, 0.9), training("gaussian", 0, gaussian), training("dartblur", 0, 0.84)])
    figure = arms["dartblur"]["suppression"]
    assert (figure["mean"], figure["std"]) == (None, None)
    assert "gap(gaussian)" in figure["reason"]


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_an_ap_that_does_not_exist_is_none_with_a_reason(nothing: float | None) -> None:
    results = [training("clean", 0, 0.9), training("gaussian", 0, 0.6)]
    results[1]["ap"]["easy"] = nothing
    figure = summarise(results)["gaussian"]["ap"]["easy"]
    assert figure == {"mean": None, "std": None, "seeds": [None], "reason": "too few: less than 50 faces of the test views count as easy"}
    results[1]["ap"]["all"] = nothing
    arms = summarise(results)
    for name in ("gap", "suppression", "shortcut"):
        assert arms["gaussian"][name]["mean"] is None
        assert arms["gaussian"][name]["reason"]


def test_slices_and_lists_that_are_left_out() -> None:
    results = [training("clean", 0, 0.9), training("gaussian", 0, 0.6)]
    results[0]["ap"]["occlusion_heavy"] = 0.4
    slices = summarise(results)["clean"]["slices"]
    assert list(slices) == list(SLICES)
    assert slices["occlusion_heavy"]["mean"] == 0.4
    assert slices["blur_clear"]["reason"] == "not measured"
    cut = [leave_out(result, {"occlusion_heavy", "easy"}) for result in results]
    arms = summarise(cut)
    assert arms["clean"]["slices"]["occlusion_heavy"]["reason"] == "too few: less than 50 faces of the test views count as occlusion heavy"
    assert arms["clean"]["ap"]["easy"]["mean"] is arms["clean"]["ap_self"]["easy"]["mean"] is None
    assert arms["clean"]["ap"]["all"]["mean"] == 0.9
    assert results[0]["ap"]["easy"] == 0.9


def test_only_shared_seeds_are_paired() -> None:
    results = [training("clean", 0, 0.9), training("clean", 1, 0.8), training("gaussian", 1, 0.5), training("gaussian", 2, 0.1)]
    assert summarise(results)["gaussian"]["gap"]["mean"] == pytest.approx(0.3)


def test_a_repeated_training_is_refused() -> None:
    with pytest.raises(ValueError, match="two results of arm clean, seed 0"):
        summarise([training("clean", 0, 0.9), training("clean", 0, 0.8)])
