"""What the loop and its checkpoints need to know of a training, whatever it trains."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn, optim

from dartblur.training.schedule import Kind, Schedule


@dataclass(frozen=True)
class Step:
    """What one optimiser step came to.

    Attributes:
        number: from 1, over the whole training.
        kind: ``warm`` (U on tiles), ``detector`` (fg alone) or ``adversarial`` (U, then fg).
        values: loss terms by name, each a mean over the batch.
    """

    number: int
    kind: Kind
    values: dict[str, float]


class Resumable(Protocol):
    """A training whose steps are functions of their number and of the state that :meth:`parts` names."""

    schedule: Schedule
    done: int

    def advance(self) -> Step:
        """Take the next step."""
        ...

    def parts(self) -> tuple[dict[str, nn.Module], dict[str, optim.Optimizer]]:
        """Everything that the training changes, networks and optimisers by name."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a checkpoint says of itself; ``done`` is in it."""
        ...
