"""The model card: every figure that is there, a word for each that is not, and a page that needs no network and runs nothing."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.params import Floor, GateParams, Margin
from dartblur.registry.card import Card, write_card
from dartblur.registry.gate import decide

MARGIN = Margin(metric="arms.dartblur.suppression.mean", better="higher", gain=0.02, axis="utility")
GATE = GateParams(floors=[Floor(metric="arms.dartblur.suppression.mean", min=0.7, axis="utility")], margins=[MARGIN])
EVALUATION: dict[str, Any] = {
    "protocol": {
        "dataset": "data/faces", "split": "val", "pictures": 167, "faces": 683, "input_size": 128, "iou": 0.5, "seeds": [0, 1, 2],
        "spread": "sample standard deviation over seeds", "privacy": {"people": 48, "faces": 238},
    },
    "arms": {
        "clean": {
            "ap": {"easy": {"mean": 0.9, "std": 0.01}, "all": {"mean": 0.8271, "std": 0.005}},
            "convenience": {"l1": 17.7, "within_budget": 0.5},
        },
        "dartblur": {
            "ap": {"easy": {"mean": 0.536, "std": 0.049}, "all": {"mean": 0.614, "std": 0.021}},
            "suppression": {"mean": 0.7418, "std": 0.0245},
            "shortcut": {"mean": None, "std": None, "reason": "no arm"},
            "convenience": {"l1": 14.08, "within_budget": 0.997},
            "privacy": {"parrot": {"auc": 0.787, "ci": [0.71, 0.855]}, "off_the_shelf": {"auc": None}},
            "matched": {"attacker": "parrot", "difference": -0.0885, "ci": [-0.148, -0.0418]},
        },
    },
}  # fmt: skip


def card(evaluation: dict[str, Any], lineage: dict[str, str] | None = None) -> Card:
    return write_card("dartblur 0123", evaluation, lineage or {"git_revision": "abc"}, {"seed": 0, "train.budget": 19.0}, decide(evaluation, GATE))


def test_figures_stand_with_their_spreads() -> None:
    text = card(EVALUATION).markdown
    assert "| clean | 0.827 ± 0.005 | not measured | not measured | 17.7 | 50% |" in text
    assert "| dartblur | 0.614 ± 0.021 | 0.742 ± 0.025 | not measured | 14.1 | 100% |" in text
    assert "| dartblur | not measured | 0.787 (0.710 to 0.855) | not measured |" in text
    assert "The strongest attacker (parrot) differs from the ordinary blur's figure by -0.088 (-0.148 to -0.042)." in text
    assert "| arms.dartblur.suppression.mean | utility | at least 0.7 | 0.7418 | yes |" in text
    assert "0.536 ± 0.049 on dartblur" in text
    assert "It passed the gate." in text
    assert "| git_revision | abc |" in text and "| train.budget | 19.0 |" in text


def test_nothing_measured_is_said_so() -> None:
    text = card({}).markdown
    assert "**It did not pass the gate and must not be used.**" in text
    assert "On not measured pictures with not measured faces" in text
    assert "is not known (not measured)" in text
    assert "- arms.dartblur.suppression.mean: " in text


def test_the_page_is_the_text_and_loads_nothing() -> None:
    page = card(EVALUATION).html
    assert page.count("<table>") == 5
    assert "0.742 ± 0.025" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a | b", "two\nlines"])
def test_what_a_tag_says_stays_text(text: str) -> None:
    made = card(EVALUATION, {"git_revision": text})
    assert "<script>" not in made.html
    assert len([line for line in made.markdown.splitlines() if line.startswith("| git_revision |")]) == 1
    assert made.html.count("<td>git_revision</td>") == 1


@given(
    st.recursive(
        st.none() | st.floats() | st.text(max_size=3),
        lambda inner: st.dictionaries(
            st.sampled_from(["arms", "protocol", "dartblur", "ap", "all", "mean", "ci", "privacy", "matched", "difference"]), inner
        ),
        max_leaves=8,
    )
)
def test_whatever_the_evaluation_holds_there_is_a_card(evaluation: Any) -> None:
    made = card(evaluation if isinstance(evaluation, dict) else {})
    assert made.markdown.startswith("# dartblur 0123\n")
