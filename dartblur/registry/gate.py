"""The promotion gate: which model may become champion. A pure function of the metrics and the floors.

A floor stands by itself, so a good figure on one axis never pays for a bad one on another, and the first version is held to the floors as every
later one. Whatever is not a finite number (missing, null, NaN, text, true) fails its floor and says why.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dartblur.params import Floor, GateParams


@dataclass(frozen=True)
class FloorResult:
    """What one floor said.

    Attributes:
        metric: dotted path of the metric.
        axis: evidence, utility, convenience or privacy.
        direction: min (the value must reach the bound) or max (the value must not exceed it).
        bound: the limit; reaching it exactly is enough.
        value: the value found, None where there was no finite number.
        ok: whether the floor is met.
        reason: one clause on why not, None where the floor is met.
    """

    metric: str
    axis: str
    direction: Literal["min", "max"]
    bound: float
    value: float | None
    ok: bool
    reason: str | None


@dataclass(frozen=True)
class Decision:
    """The gate's answer: passed only if every floor is met; ``reasons`` has one line for each floor that is not."""

    passed: bool
    reasons: tuple[str, ...]
    floors: tuple[FloorResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain data, the block ``gate`` of reports/metrics.json."""
        return {"passed": self.passed, "reasons": list(self.reasons), "floors": [asdict(floor) for floor in self.floors]}


def decide(metrics: Mapping[str, Any], gate: GateParams) -> Decision:
    """Hold ``metrics`` (nested as in reports/metrics.json) against every floor of ``gate``."""
    floors = tuple(_check(metrics, floor) for floor in gate.floors)
    reasons = tuple(floor.reason for floor in floors if floor.reason is not None)
    # A gate without floors has seen nothing, so it lets nothing through.
    return Decision(bool(floors) and all(floor.ok for floor in floors), reasons if floors else ("the gate has no floors",), floors)


def _check(metrics: Mapping[str, Any], floor: Floor) -> FloorResult:
    direction: Literal["min", "max"] = "max" if floor.min is None else "min"
    bound = floor.max if floor.min is None else floor.min
    # Params allow exactly one bound; a gate built without validation still fails closed, on a bound that nothing can reach.
    limit = math.nan if bound is None else float(bound)
    found, explanation = _look_up(metrics, floor.metric)
    value, problem = _as_number(found)
    if value is None:
        reason = f"{floor.metric}: {problem}" + (f" ({explanation})" if explanation else "")
    elif direction == "min" and not value >= limit:
        reason = f"{floor.metric}: {value:.6g} is below the {floor.axis} floor {limit:.6g}"
    elif direction == "max" and not value <= limit:
        reason = f"{floor.metric}: {value:.6g} is above the {floor.axis} ceiling {limit:.6g}"
    else:
        reason = None
    return FloorResult(floor.metric, floor.axis, direction, limit, value, reason is None, reason)


_MISSING = object()


def _look_up(metrics: Mapping[str, Any], path: str) -> tuple[Any, str | None]:
    """The value at a dotted path and the nearest ``reason`` or ``<key>_reason`` written beside it or beside one of its parents."""
    here: Any = metrics
    explanation: str | None = None
    for key in path.split("."):
        if not isinstance(here, Mapping):
            return (_MISSING if here is not None else None), explanation
        for name in ("reason", f"{key}_reason"):
            reason = here.get(name)
            if isinstance(reason, str) and reason:
                explanation = reason
        here = here.get(key, _MISSING)
        if here is _MISSING:
            break
    return here, explanation


def _as_number(found: Any) -> tuple[float | None, str]:
    if found is _MISSING:
        return None, "missing"
    if found is None:
        return None, "null"
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None, f"not a number ({type(found).__name__})"
    try:
        value = float(found)
    except OverflowError:
        return None, "not a finite number"
    if not math.isfinite(value):
        return None, "not a finite number"
    return value, ""
