"""The course of a training: the mean of every term over each round."""

from dataclasses import dataclass, field
from typing import Any

from dartblur.training.resumable import Step


@dataclass
class History:
    """Rounds that are through, and the sums of the one that runs.

    Attributes:
        rows: ``step`` (the last of the round) and the mean of each term over the steps that have it.
        sums: term -> sum and number of steps.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, list[float]] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        """Count a step in."""
        for name, value in step.values.items():
            known = self.sums.setdefault(name, [0.0, 0.0])
            known[0] += value
            known[1] += 1

    def close_round(self, step: int, measured: dict[str, float]) -> None:
        """Make a row of the sums, and of what was measured at the end of the round."""
        self.rows.append({"step": float(step), **{name: total / count for name, (total, count) in sorted(self.sums.items())}, **measured})
        self.sums = {}

    def describe(self) -> dict[str, Any]:
        """As plain data, for a checkpoint."""
        return {"history": self.rows, "sums": self.sums}
