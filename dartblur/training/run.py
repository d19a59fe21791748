"""The loop of a training: steps, rounds, checkpoints. A training that was cut off at any step goes on to the same bytes."""

from collections.abc import Callable
from pathlib import Path

from dartblur.processes import own
from dartblur.training.checkpoint import load_training, save_training
from dartblur.training.history import History
from dartblur.training.resumable import Resumable, Step

SAVE_EVERY = 50
"""Steps between checkpoints inside a round."""


def train(trainer: Resumable, steps: int, work: Path, on_step: Callable[[Step], None], on_round: Callable[[Step], dict[str, float]]) -> History:
    """Train until ``steps`` steps are done.

    Args:
        work: folder of the checkpoints; a training whose state lies there goes on from it.
        on_step: called after every step. on_round: called after the last step of a round, before its checkpoint; what it
            measures joins the round's means.

    Returns:
        The means of all rounds.
    """
    history = load_training(work, trainer)
    while trainer.done < steps:
        step = trainer.advance()
        history.add(step)
        on_step(step)
        if trainer.schedule.ends_round(step.number - 1) or trainer.done == steps:
            history.close_round(step.number, on_round(step))
            _save(work, trainer, history)
        elif trainer.done % SAVE_EVERY == 0:
            _save(work, trainer, history)
    return history


def _save(work: Path, trainer: Resumable, history: History) -> None:
    """All processes hold the same; the first one writes."""
    if own() == 0:
        save_training(work, trainer, history)
