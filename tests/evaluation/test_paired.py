import math
from typing import Any

import pytest

from dartblur.evaluation.paired import paired


def trainings(**aps: list[float | None]) -> list[dict[str, Any]]:
    return [{"arm": arm, "seed": seed, "ap": {"all": ap}} for arm, values in aps.items() for seed, ap in enumerate(values)]


def test_by_hand() -> None:
    found = paired(trainings(a=[0.5, 0.7, 0.6], b=[0.4, 0.5, 0.3]), "a", "b")
    # Differences 0.1, 0.2, 0.3: mean 0.2, standard error 0.1 / sqrt(3), two degrees of freedom with t(0.975) = 4.302653.
    assert found["difference"] == pytest.approx(0.2)
    assert found["ci"] == pytest.approx([0.2 - 4.302653 * 0.1 / math.sqrt(3), 0.2 + 4.302653 * 0.1 / math.sqrt(3)], abs=1e-6)
    t = 0.2 / (0.1 / math.sqrt(3))
    assert found["p"] == pytest.approx(1 - t / math.sqrt(2 + t * t))  # Student's t with two degrees of freedom has this closed form
    assert found["seeds"] == 3


def test_only_seeds_that_both_have_are_paired() -> None:
    found = paired(trainings(a=[0.5, None, 0.6, 0.9], b=[0.4, 0.5, 0.3]), "a", "b")
    assert found["seeds"] == 2
    assert found["difference"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("a", "b", "difference", "reason"),
    [
        ([0.5], [0.4], 0.1, "one seed has no spread"),
        ([0.5, 0.6], [0.5, 0.6], 0.0, "all seeds differ by the same"),
        ([None], [0.4], None, "no seed has an AP of both a and b"),
        ([float("nan")], [0.4], None, "no seed has an AP of both a and b"),
    ],
)
def test_what_cannot_be_had_is_none(a: list[float | None], b: list[float | None], difference: float | None, reason: str) -> None:
    found = paired(trainings(a=a, b=b), "a", "b")
    assert found["difference"] == (None if difference is None else pytest.approx(difference))
    assert (found["ci"], found["p"], found["reason"]) == (None, None, reason)
