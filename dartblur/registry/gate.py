"""The promotion gate: which model may become champion. A pure function of the metrics, the floors, and the champion's metrics on the same data.

Every floor and every margin stands by itself, so a good figure on one axis never pays for a bad one on another. The first version is held to the
floors; where there is a champion, a later one also to the margins. Whatever is not a finite number (missing, null, NaN, text, true) fails and says
why. So does a gain that is no larger than the spread over seeds, or whose spread is not known: noise must not promote a model. A tie is no gain.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dartblur.params import Floor, GateParams, Margin


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
class MarginResult:
    """What one comparison with the champion said.

    Attributes:
        metric, axis, value, ok, reason: as of a floor.
        better: whether higher or lower values are better.
        gain: by how much the value must be better; below 0 it may be worse by that.
        spread: the larger sample standard deviation over seeds of the two, None where the metric has none.
        champion: the champion's value on the same data, None where there was no finite number.
    """

    metric: str
    axis: str
    better: Literal["higher", "lower"]
    gain: float
    spread: float | None
    value: float | None
    champion: float | None
    ok: bool
    reason: str | None


@dataclass(frozen=True)
class Champion:
    """The model in use.

    Attributes:
        version: in the registry.
        metrics: its figures on the candidate's data, nested as in reports/metrics.json; empty where they could not be had.
        problem: one sentence on why not.
    """

    version: str
    metrics: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True)
class Decision:
    """The gate's answer: passed only if every floor and every margin is met; ``reasons`` has one line for each that is not.

    ``champion`` is the version that the margins were taken against, None where there is none; then there are no ``margins``.
    """

    passed: bool
    reasons: tuple[str, ...]
    floors: tuple[FloorResult, ...]
    champion: str | None = None
    margins: tuple[MarginResult, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain data, the block ``gate`` of reports/metrics.json."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "floors": [asdict(floor) for floor in self.floors],
            "champion": self.champion,
            "margins": [asdict(margin) for margin in self.margins],
        }


def decide(metrics: Mapping[str, Any], gate: GateParams, champion: Champion | None = None) -> Decision:
    """Hold ``metrics`` (nested as in reports/metrics.json) against every floor of ``gate``, and against the champion's by every margin."""
    floors = tuple(_check(metrics, floor) for floor in gate.floors)
    margins = () if champion is None else tuple(_compare(metrics, champion, margin) for margin in gate.margins)
    results: list[FloorResult | MarginResult] = [*floors, *margins]
    reasons = [result.reason for result in results if result.reason is not None]
    # A gate that has seen nothing lets nothing through.
    if not floors:
        reasons.append("the gate has no floors")
    if champion is not None and not margins:
        reasons.append("the gate has no margins to the champion")
    return Decision(not reasons, tuple(reasons), floors, None if champion is None else champion.version, margins)


def _check(metrics: Mapping[str, Any], floor: Floor) -> FloorResult:
    direction: Literal["min", "max"] = "max" if floor.min is None else "min"
    bound = floor.max if floor.min is None else floor.min
    # Params allow exactly one bound; a gate built without validation still fails closed, on a bound that nothing can reach.
    limit = math.nan if bound is None else float(bound)
    value, problem = _number(metrics, floor.metric)
    if value is None:
        reason: str | None = problem
    elif direction == "min" and not value >= limit:
        reason = f"{floor.metric}: {value:.6g} is below the {floor.axis} floor {limit:.6g}"
    elif direction == "max" and not value <= limit:
        reason = f"{floor.metric}: {value:.6g} is above the {floor.axis} ceiling {limit:.6g}"
    else:
        reason = None
    return FloorResult(floor.metric, floor.axis, direction, limit, value, reason is None, reason)


def _compare(metrics: Mapping[str, Any], champion: Champion, margin: Margin) -> MarginResult:
    value, problem = _number(metrics, margin.metric)
    theirs, their_problem = _number(champion.metrics, margin.metric)
    spreads, unknown = _spreads(metrics, champion.metrics, margin.metric)
    spread = max(spreads) if spreads else None
    reason: str | None
    if value is None:
        reason = problem
    elif theirs is None:
        reason = f"{margin.metric}: no figure of champion {champion.version} to compare with ({champion.problem or their_problem})"
    else:
        gain = value - theirs if margin.better == "higher" else theirs - value
        words = f"{margin.metric}: {value:.6g} against {theirs:.6g} of champion {champion.version}"
        if margin.gain < 0:
            reason = None if gain >= margin.gain else f"{words} is worse by more than the {margin.axis} margin {-margin.gain:.6g}"
        elif unknown:
            reason = f"{words}: {unknown}, so a gain cannot be told from chance"
        elif not gain >= margin.gain:
            reason = f"{words} is no gain of {margin.gain:.6g}, the {margin.axis} margin"
        else:
            reason = None if gain > (spread or 0.0) else f"{words} is no gain beyond the spread over seeds, {spread or 0.0:.6g}"
    return MarginResult(margin.metric, margin.axis, margin.better, margin.gain, spread, value, theirs, reason is None, reason)


def _spreads(ours: Mapping[str, Any], theirs: Mapping[str, Any], metric: str) -> tuple[list[float], str | None]:
    """The standard deviations beside a mean, and why one is missing; a metric that is no mean has neither."""
    figure, dot, last = metric.rpartition(".")
    if last != "mean":
        return [], None
    found = [_number(metrics, f"{figure}{dot}std") for metrics in (ours, theirs)]
    return [value for value, _ in found if value is not None], next((problem for value, problem in found if value is None), None)


_MISSING = object()


def _number(metrics: Mapping[str, Any], path: str) -> tuple[float | None, str]:
    """The finite number at a dotted path, or None and a clause on why there is none."""
    found, explanation = _look_up(metrics, path)
    value, problem = _as_number(found)
    if found is _MISSING and explanation is None:
        problem += _near(metrics, path)
    return value, f"{path}: {problem}" + (f" ({explanation})" if explanation else "")


def _near(metrics: Mapping[str, Any], path: str) -> str:
    """A clause with the metric that may have been meant: a key of the gate that is misspelt fails every model."""
    names = difflib.get_close_matches(path, list(_paths(metrics)), 1, 0.85)
    return f", no metric bears this name; gate in params.yaml may mean {names[0]}" if names else ""


def _paths(metrics: Mapping[Any, Any]) -> Iterator[str]:
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{rest}" for rest in _paths(value))
        else:
            yield str(key)


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
