"""Artifact suppression: what the anonymiser of a training set costs a detector that is tested on clean pictures.

With AP(A) of fresh detectors trained on arm A and tested on clean pictures, and AP_self(A) of the same detectors tested on arm A:

- ``gap(A) = AP(clean) - AP(A)``, paired by seed;
- ``suppression(A) = 1 - gap(A) / gap(gaussian)`` of the mean gaps: 0 is a plain Gaussian blur, 1 is no loss at all, above 1 beats clean training;
- ``shortcut(A) = AP_self(A) - AP(A)``: how much the detector leans on the blur itself.

All three are on the list ``all``. Spreads are sample standard deviations over seeds (ddof 1). A suppression per seed would divide by the gap of a
single training, which may be near zero; its spread is therefore that of the paired residuals ``gap_s(A) - r * gap_s(gaussian)`` with r the ratio
of the mean gaps, over the mean gap of the Gaussian (the first-order error of a ratio). A figure that cannot be had is None with a ``reason``.
"""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dartblur.evaluation.counting import DIFFICULTIES, LEAST_FACES, SLICES

BASELINE = "clean"
REFERENCE = "gaussian"
SMALLEST_GAP = 1e-6
"""A gap of the Gaussian below this is none: dividing by it would give noise a name."""

Figure = dict[str, Any]
"""``mean`` and ``std``, each a float or None; ``reason`` where one is None; ``seeds`` where the values of the single seeds are kept."""


def summarise(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Turn the results of single trainings into the ``ap``, ``ap_self``, ``slices``, ``gap``, ``suppression`` and ``shortcut`` of every arm.

    Args:
        results: one mapping a training: ``arm``, ``seed``, ``ap`` and ``ap_self``, the last two list of faces -> AP in 0..1, or None or NaN where
            too few faces count. One training an arm and seed; arms and seeds in any order.

    Returns:
        Arm -> figures, arms in order of first appearance, values of seeds in order of seed.

    Raises:
        ValueError: two results of one arm and seed.
    """
    by_arm: dict[str, dict[int, Mapping[str, Any]]] = {}
    for result in results:
        trainings = by_arm.setdefault(result["arm"], {})
        if result["seed"] in trainings:
            raise ValueError(f"two results of arm {result['arm']}, seed {result['seed']}")
        trainings[result["seed"]] = result
    gaps = {arm: _gaps(by_arm.get(BASELINE, {}), trainings) for arm, trainings in by_arm.items()}
    return {
        arm: {
            "ap": {name: _values(trainings, "ap", name) for name in DIFFICULTIES},
            "ap_self": {name: _values(trainings, "ap_self", name) for name in DIFFICULTIES},
            "slices": {name: _values(trainings, "ap", name) for name in SLICES},
            "gap": _spread(gaps[arm], f"no seed has an AP of both {BASELINE} and {arm}"),
            "suppression": _suppression(gaps[arm], gaps.get(REFERENCE, {})),
            "shortcut": _spread(_shortcuts(trainings), "no seed has an AP on this arm and on clean pictures"),
        }
        for arm, trainings in by_arm.items()
    }


def leave_out(result: Mapping[str, Any], few: Collection[str]) -> dict[str, Any]:
    """The result of a training without the lists of faces in ``few``, of which an AP would be read as more than it is."""
    cut = {key: {name: None if name in few else value for name, value in result[key].items()} for key in ("ap", "ap_self")}
    return {**result, **cut}


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _values(trainings: Mapping[int, Mapping[str, Any]], key: str, name: str) -> Figure:
    """One AP of one arm with the values of its seeds; a mean over fewer seeds than asked for would hide the missing one, so it is None."""
    results = [trainings[seed][key] for seed in sorted(trainings)]
    values = [_number(result.get(name)) for result in results]
    present = {seed: value for seed, value in enumerate(values) if value is not None}
    if len(present) < len(values):
        measured = all(name in result for result in results)
        few = f"too few: less than {LEAST_FACES} faces of the test views count as {name.replace('_', ' ')}"
        return {"mean": None, "std": None, "seeds": values, "reason": few if measured else "not measured"}
    figure = _spread(present, "no training")
    reason = {"reason": figure.pop("reason")} if "reason" in figure else {}
    return {**figure, "seeds": values, **reason}


def _spread(values: Mapping[int, float], missing: str) -> Figure:
    """Mean and sample standard deviation over seeds."""
    if not values:
        return {"mean": None, "std": None, "reason": missing}
    mean = statistics.fmean(values.values())
    if len(values) == 1:
        return {"mean": mean, "std": None, "reason": "one seed has no spread"}
    return {"mean": mean, "std": statistics.stdev(values.values())}


def _paired(a: Mapping[int, float | None], b: Mapping[int, float | None]) -> dict[int, tuple[float, float]]:
    pairs = ((seed, a[seed], b.get(seed)) for seed in sorted(a))
    return {seed: (x, y) for seed, x, y in pairs if x is not None and y is not None}


def _all(trainings: Mapping[int, Mapping[str, Any]], key: str) -> dict[int, float | None]:
    return {seed: _number(result[key].get("all")) for seed, result in trainings.items()}


def _gaps(clean: Mapping[int, Mapping[str, Any]], arm: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    return {seed: x - y for seed, (x, y) in _paired(_all(clean, "ap"), _all(arm, "ap")).items()}


def _shortcuts(trainings: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    return {seed: x - y for seed, (x, y) in _paired(_all(trainings, "ap_self"), _all(trainings, "ap")).items()}


def _suppression(gaps: Mapping[int, float], reference: Mapping[int, float]) -> Figure:
    pairs = _paired(gaps, reference)
    if not pairs:
        return {"mean": None, "std": None, "reason": f"no seed has a gap of this arm and of {REFERENCE}"}
    own = statistics.fmean(x for x, _ in pairs.values())
    whole = statistics.fmean(y for _, y in pairs.values())
    if whole < SMALLEST_GAP:
        return {"mean": None, "std": None, "reason": f"gap({REFERENCE}) is {whole:.4f}: it costs nothing here, so there is nothing to suppress"}
    ratio = own / whole
    residuals = {seed: (x - ratio * y) / whole for seed, (x, y) in pairs.items()}
    return {**_spread(residuals, ""), "mean": 1 - ratio}
