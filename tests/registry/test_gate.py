"""The gate fails closed: only a finite number that meets its bound passes a floor."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.params import Floor, GateParams
from dartblur.registry.gate import decide

SUPPRESSION = "arms.dartblur.suppression.mean"


def gate(*floors: dict[str, Any]) -> GateParams:
    return GateParams(floors=[Floor(axis="utility", **floor) for floor in floors])


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


@pytest.mark.parametrize(("value", "words"), [(0.25, "0.25 is below the utility floor 0.5"), ("0.9", "not a number (str)")])
def test_reasons_name_value_and_bound(value: Any, words: str) -> None:
    assert words in decide(metrics(value), gate({"metric": SUPPRESSION, "min": 0.5})).reasons[0]


def test_a_gate_without_floors_passes_nothing() -> None:
    assert not decide(metrics(1.0), GateParams.model_construct(floors=[])).passed


def test_a_floor_without_a_bound_passes_nothing() -> None:
    floor = Floor.model_construct(metric=SUPPRESSION, axis="utility", min=None, max=None)
    assert not decide(metrics(1.0), GateParams.model_construct(floors=[floor])).passed


def test_the_record_is_plain_data() -> None:
    record = decide(metrics(0.6), gate({"metric": SUPPRESSION, "min": 0.5})).as_dict()
    assert json.loads(json.dumps(record)) == {
        "passed": True,
        "reasons": [],
        "floors": [{"metric": SUPPRESSION, "axis": "utility", "direction": "min", "bound": 0.5, "value": 0.6, "ok": True, "reason": None}],
    }
