"""Is one arm really better than another? A paired t-test over seeds: detectors of one seed start alike and see the same windows.

With three seeds it has two degrees of freedom, so only large differences are told from chance; more seeds tell smaller ones.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

LEVEL = 0.95


def paired(results: Sequence[Mapping[str, Any]], arm: str, other: str) -> dict[str, Any]:
    """AP (all, clean test) of detectors trained on ``arm`` less that of those trained on ``other``.

    Args:
        results: single trainings as for :func:`dartblur.evaluation.suppression.summarise`.

    Returns:
        ``difference`` (mean over the seeds that both have), ``ci`` (95 %, of Student's t), ``p`` (two-sided), ``seeds`` (how many). What cannot
        be had is None, with a ``reason``.
    """
    found = {name: {result["seed"]: result["ap"].get("all") for result in results if result["arm"] == name} for name in (arm, other)}
    seeds = [seed for seed in sorted(found[arm]) if all(_finite(found[name].get(seed)) for name in (arm, other))]
    if not seeds:
        return {"difference": None, "ci": None, "p": None, "seeds": 0, "reason": f"no seed has an AP of both {arm} and {other}"}
    ours, theirs = ([float(found[name][seed]) for seed in seeds] for name in (arm, other))
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = math.fsum(differences) / len(seeds)
    reason = "one seed has no spread" if len(seeds) == 1 else "all seeds differ by the same" if max(differences) - min(differences) < 1e-12 else None
    if reason is not None:
        return {"difference": mean, "ci": None, "p": None, "seeds": len(seeds), "reason": reason}
    from scipy.stats import ttest_rel

    test = ttest_rel(ours, theirs)
    low, high = test.confidence_interval(LEVEL)
    return {"difference": mean, "ci": [float(low), float(high)], "p": float(test.pvalue), "seeds": len(seeds)}


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)
