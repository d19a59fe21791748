import re

import numpy as np
import pytest

from dartblur.evaluation.matched import Compared, matched
from dartblur.evaluation.verification import Judgement


def judgement(auc: float, spread: float = 0.0, paired: int = 20, low: float | None = None, own: float = 0.8) -> Judgement:
    """An arm whose resamples lie within ``spread`` of its AUC, a tenth of them at ``low``; ``own`` is its AUC on a gallery hidden like it."""
    aucs = auc + spread * np.linspace(-1, 1, 201)
    aucs[:20] = aucs[:20] if low is None else low
    return Judgement(auc, aucs, 0.1, 0.1, 0.5, np.full(201, 0.5), own, np.full(201, own), 0.5, 0.1, paired, {})


@pytest.mark.parametrize(
    ("ours", "spread", "holds", "words"),
    [
        (0.70, 0.00, True, ""),  # equal, without any doubt
        (0.60, 0.01, True, ""),  # harder to recognise
        (0.71, 0.05, True, ""),  # a little easier, within what people differ by
        (0.72, 0.05, True, ""),  # at the tolerance
        (
            0.71,
            0.002,
            False,
            "at strength 2 a face is easier to recognise than under the ordinary blur: AUC 0.710 against 0.700 of the attacker off_the_shelf",
        ),
        (0.75, 0.10, False, "at strength 2 a face may be easier to recognise .* more than the tolerance of 0.02 apart"),
        (
            0.90,
            0.01,
            False,
            "is easier to recognise .* difference 0.191 to 0.210; raise preblur.strength, and see whether the model was trained on these very people",
        ),
    ],
)
def test_the_rule(ours: float, spread: float, holds: bool, words: str) -> None:
    found = matched(2.0, {"off_the_shelf": Compared(judgement(ours, spread), judgement(0.7))}, 0.02 + 1e-9)
    assert found["matched"] is holds
    assert ("reason" in found) is not holds
    assert re.search(words, found.get("reason", ""))
    assert (found["strength"], found["attacker"], found["gaussian_auc"], found["auc"]) == (2.0, "off_the_shelf", 0.7, ours)
    assert found["difference"] == pytest.approx(ours - 0.7)
    assert found["ci"][0] <= found["difference"] <= found["ci"][1]


def test_the_end_of_the_interval_may_be_0() -> None:
    found = matched(1.0, {"off_the_shelf": Compared(judgement(0.71, low=0.7), judgement(0.7))}, 0.02)
    assert found["ci"][0] == 0
    assert found["matched"]


def test_too_few_people_match_nothing() -> None:
    found = matched(1.0, {"off_the_shelf": Compared(judgement(0.5, paired=4), judgement(0.7, paired=4))}, 0.02)
    assert found["matched"] is False
    assert found["reason"] == "4 people with two faces to compare are too few for a confidence interval of the difference"
    assert found["ci"] is None
    assert found["ci_reason"]


def test_a_gallery_hidden_in_the_same_way_counts_as_much() -> None:
    found = matched(2.0, {"off_the_shelf": Compared(judgement(0.6, own=0.85), judgement(0.7))}, 0.02)
    assert found["matched"] is False
    assert re.search(
        "easier to recognise .* AUC 0.850 against 0.800 of the attacker off_the_shelf with a gallery of pictures hidden in the same way",
        found["reason"],
    )
    assert found["same_arm"]["difference"] == pytest.approx(0.05)
    assert matched(2.0, {"off_the_shelf": Compared(judgement(0.6, own=0.75), judgement(0.7))}, 0.02)["matched"]


def test_the_strongest_attacker_decides() -> None:
    weak, strong = Compared(judgement(0.6), judgement(0.7)), Compared(judgement(0.8), judgement(0.7))
    found = matched(2.0, {"off_the_shelf": weak, "parrot": strong}, 0.02)
    assert (found["attacker"], found["auc"], found["matched"]) == ("parrot", 0.8, False)
    found = matched(2.0, {"off_the_shelf": weak, "parrot": Compared(judgement(0.8), judgement(0.9))}, 0.02)
    assert (found["attacker"], found["gaussian_auc"], found["matched"]) == ("parrot", 0.9, True)
