"""The gate fails closed: only a finite number that meets its bound passes a floor."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.params import Floor, GateParams, Margin
from dartblur.registry.gate import Champion, Decision, decide

SUPPRESSION = "arms.dartblur.suppression.mean"


MARGIN = Margin(metric=SUPPRESSION, better="higher", gain=0.02, axis="utility")


def gate(*floors: dict[str, Any]) -> GateParams:
    return GateParams(floors=[Floor(axis="utility", **floor) for floor in floors], margins=[MARGIN])


def metrics(value: Any, **beside: Any) -> dict[str, Any]:
    return {"arms": {"dartblur": {"suppression": {"mean": value, **beside}}}}


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12)
not_numbers = st.none() | st.booleans() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers())
unusable = not_numbers | st.sampled_from([math.nan, math.inf, -math.inf])


@given(numbers, numbers)
def test_a_minimum_is_met_exactly_when_reached(value: float, bound: float) -> None:
    decision = decide(metrics(value), gate({"metric": SUPPRESSION, "min": float(bound)}))
    assert decision.passed == (float(value) >= float(bound))
    assert decision.passed == (decision.reasons == ())


@given(numbers, numbers)
def test_a_maximum_is_met_exactly_when_not_exceeded(value: float, bound: float) -> None:
    decision = decide(metrics(value), gate({"metric": SUPPRESSION, "max": float(bound)}))
    assert decision.passed == (float(value) <= float(bound))


@given(unusable, st.sampled_from(["min", "max"]), numbers)
def test_what_is_not_a_finite_number_fails_with_a_reason(value: Any, direction: str, bound: float) -> None:
    decision = decide(metrics(value), gate({"metric": SUPPRESSION, direction: float(bound)}))
    assert not decision.passed
    assert decision.floors[0].value is None
    assert SUPPRESSION in decision.reasons[0]


@given(st.lists(numbers, min_size=1, max_size=6), st.integers(0, 5))
def test_no_floor_pays_for_another(values: list[float], broken: int) -> None:
    broken %= len(values)
    table = {f"m{index}": value for index, value in enumerate(values)}
    floors = [{"metric": f"m{index}", "min": float(value)} for index, value in enumerate(values)]
    assert decide(table, gate(*floors)).passed
    del table[f"m{broken}"]
    decision = decide({key: value + 1e6 for key, value in table.items()}, gate(*floors))
    assert not decision.passed
    assert [floor.metric for floor in decision.floors if not floor.ok] == [f"m{broken}"]


@given(st.recursive(unusable | numbers, lambda inner: st.dictionaries(st.sampled_from(["arms", "dartblur", "reason", "mean"]), inner)))
def test_any_tree_gets_an_answer(tree: Any) -> None:
    table = tree if isinstance(tree, dict) else {"arms": tree}
    assert not decide(table, gate({"metric": "arms.dartblur.mean.nothing", "min": 0.0})).passed


def test_the_reason_beside_a_metric_is_quoted() -> None:
    decision = decide(metrics(None, reason="the gap is 0.004, within its noise"), gate({"metric": SUPPRESSION, "min": 0.5}))
    assert decision.reasons == (f"{SUPPRESSION}: null (the gap is 0.004, within its noise)",)


def test_the_reason_of_a_missing_branch_is_quoted() -> None:
    table = {"arms": {"dartblur": {"privacy": {"parrot": None, "reason": "no recogniser is installed"}}}}
    decision = decide(table, gate({"metric": "arms.dartblur.privacy.parrot.auc", "max": 0.7}))
    assert decision.reasons == ("arms.dartblur.privacy.parrot.auc: null (no recogniser is installed)",)


def test_a_missing_metric_says_so() -> None:
    assert decide({}, gate({"metric": SUPPRESSION, "min": 0.5})).reasons == (f"{SUPPRESSION}: missing",)


def test_a_misspelt_key_of_the_gate_is_told_the_metric_that_may_be_meant() -> None:
    misspelt = "arms.dartblur.supression.mean"
    decision = decide(metrics(0.9), gate({"metric": misspelt, "min": 0.5}))
    assert decision.reasons == (f"{misspelt}: missing, no metric bears this name; gate in params.yaml may mean {SUPPRESSION}",)


@pytest.mark.parametrize(("value", "words"), [(0.25, "0.25 is below the utility floor 0.5"), ("0.9", "not a number (str)")])
def test_reasons_name_value_and_bound(value: Any, words: str) -> None:
    assert words in decide(metrics(value), gate({"metric": SUPPRESSION, "min": 0.5})).reasons[0]


def test_a_gate_without_floors_passes_nothing() -> None:
    assert not decide(metrics(1.0), GateParams.model_construct(floors=[], margins=[])).passed


def test_a_floor_without_a_bound_passes_nothing() -> None:
    floor = Floor.model_construct(metric=SUPPRESSION, axis="utility", min=None, max=None)
    assert not decide(metrics(1.0), GateParams.model_construct(floors=[floor], margins=[])).passed


def test_the_record_is_plain_data() -> None:
    record = decide(metrics(0.6), gate({"metric": SUPPRESSION, "min": 0.5})).as_dict()
    assert json.loads(json.dumps(record)) == {
        "passed": True,
        "reasons": [],
        "floors": [{"metric": SUPPRESSION, "axis": "utility", "direction": "min", "bound": 0.5, "value": 0.6, "ok": True, "reason": None}],
        "champion": None,
        "margins": [],
    }


def against(ours: Any, theirs: Any, spread: Any = 0.0, **margin: Any) -> Decision:
    """A candidate that meets every floor, held against champion 3."""
    compared = GateParams(
        floors=[Floor(metric="there", min=0.0, axis="evidence")], margins=[Margin.model_validate({**MARGIN.model_dump(), **margin})]
    )
    champion = Champion("3", metrics(theirs, std=spread))
    return decide({"there": 1, **metrics(ours, std=spread)}, compared, champion)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["higher", "lower"]))
def test_a_gain_must_reach_the_margin_and_exceed_the_spread(ours: float, theirs: float, gain: float, spread: float, better: str) -> None:
    difference = ours - theirs if better == "higher" else theirs - ours
    assert against(ours, theirs, spread, gain=gain, better=better).passed == (difference >= gain and difference > spread)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-1, -1e-6), st.sampled_from(["higher", "lower"]))
def test_a_margin_below_zero_allows_so_much_loss_and_needs_no_spread(ours: float, theirs: float, gain: float, better: str) -> None:
    difference = ours - theirs if better == "higher" else theirs - ours
    assert against(ours, theirs, None, gain=gain, better=better).passed == (difference >= gain)


@given(numbers)
def test_a_tie_is_no_gain(value: float) -> None:
    decision = against(value, value, gain=0.0)
    assert not decision.passed
    assert "no gain" in decision.reasons[0]


@given(unusable, st.sampled_from(["ours", "theirs", "spread"]))
def test_a_comparison_without_a_number_fails_with_a_reason(value: Any, where: str) -> None:
    decision = against(**{"ours": 0.9, "theirs": 0.5, "spread": 0.01, where: value})
    assert not decision.passed
    assert SUPPRESSION.removesuffix("mean") in decision.reasons[0]


def test_the_larger_spread_of_the_two_counts() -> None:
    compared = GateParams(floors=[Floor(metric=SUPPRESSION, min=0.0, axis="utility")], margins=[MARGIN])
    decision = decide(metrics(0.9, std=0.01), compared, Champion("3", metrics(0.8, std=0.2)))
    assert decision.margins[0].spread == 0.2
    assert decision.reasons == (f"{SUPPRESSION}: 0.9 against 0.8 of champion 3 is no gain beyond the spread over seeds, 0.2",)
    assert decision.champion == "3"


def test_one_axis_does_not_pay_for_another() -> None:
    worse = Margin(metric="l1", better="lower", gain=-1.0, axis="convenience")
    compared = GateParams(floors=[Floor(metric=SUPPRESSION, min=0.0, axis="utility")], margins=[MARGIN, worse])
    champion = Champion("3", {**metrics(0.5, std=0.0), "l1": 10.0})
    assert decide({**metrics(0.99, std=0.0), "l1": 11.0}, compared, champion).passed
    decision = decide({**metrics(0.99, std=0.0), "l1": 11.5}, compared, champion)
    assert decision.reasons == ("l1: 11.5 against 10 of champion 3 is worse by more than the convenience margin 1",)


def test_a_champion_that_could_not_be_scored_stays() -> None:
    compared = GateParams(floors=[Floor(metric=SUPPRESSION, min=0.0, axis="utility")], margins=[MARGIN])
    decision = decide(metrics(0.9, std=0.0), compared, Champion("3", {}, "its weights are gone"))
    assert decision.reasons == (f"{SUPPRESSION}: no figure of champion 3 to compare with (its weights are gone)",)


def test_without_margins_a_champion_stays() -> None:
    floor = Floor(metric=SUPPRESSION, min=0.0, axis="utility")
    assert not decide(metrics(1.0), GateParams.model_construct(floors=[floor], margins=[]), Champion("3", {})).passed
