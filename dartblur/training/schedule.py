"""What happens at which step of a training: the warm start, then outer epochs of fg alone and of U and fg in turn."""

from dataclasses import dataclass
from typing import Literal

from dartblur.detector.training import one_cycle
from dartblur.params import AdditionWeights, TrainParams

Kind = Literal["warm", "detector", "adversarial"]

ROUND = 100
"""Warm steps that are reported together."""


@dataclass(frozen=True)
class Schedule:
    """A function of the step's number (from 0) alone, so that nothing of it has to be stored.

    Args:
        pictures: how many a pass over the training split takes.
    """

    params: TrainParams
    pictures: int

    @property
    def epoch_steps(self) -> int:
        """Steps of one inner epoch: as set, or one pass over the training pictures."""
        return self.params.epoch_steps or -(-self.pictures // self.params.batch)

    @property
    def outer_steps(self) -> int:
        """Steps of one outer epoch."""
        return self.epoch_steps * (self.params.detector_epochs + self.params.adversarial_epochs)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.params.warm.steps + self.params.epochs * self.outer_steps

    def kind(self, number: int) -> Kind:
        """What step ``number`` does."""
        if number < self.params.warm.steps:
            return "warm"
        alone = self.epoch_steps * self.params.detector_epochs
        return "detector" if (number - self.params.warm.steps) % self.outer_steps < alone else "adversarial"

    def epoch(self, number: int) -> int:
        """Outer epochs that are through before step ``number``."""
        return max(number - self.params.warm.steps, 0) // self.outer_steps

    def starts_epoch(self, number: int) -> bool:
        """Whether step ``number`` is the first of an outer epoch."""
        past = number - self.params.warm.steps
        return past >= 0 and past % self.outer_steps == 0

    def ends_round(self, number: int) -> bool:
        """Whether step ``number`` is the last of a round: of :data:`ROUND` warm steps, or of an outer epoch."""
        after, warm = number + 1, self.params.warm.steps
        return after == warm or (after < warm and after % ROUND == 0) or (after > warm and self.starts_epoch(after))

    def round(self, number: int) -> int:
        """The round that step ``number`` belongs to, from 1."""
        warm = self.params.warm.steps
        return number // ROUND + 1 if number < warm else -(-warm // ROUND) + self.epoch(number) + 1

    def additions(self, number: int) -> AdditionWeights:
        """The weights of what joins the objectives in step ``number``."""
        return self.params.near if number < self.params.warm.near_steps else self.params.additions

    def unet_rate(self, number: int) -> float:
        """U's learning rate: one cycle over each part of the warm start, then falling from outer epoch to outer epoch."""
        warm = self.params.warm
        if number < warm.near_steps:
            return one_cycle(number, warm.near_steps, warm.learning_rate)
        if number < warm.steps:
            return one_cycle(number - warm.near_steps, warm.steps - warm.near_steps, warm.learning_rate)
        return self.params.unet_learning_rate * self.params.decay ** self.epoch(number)

    def detector_rate(self, number: int) -> float:
        """fg's learning rate."""
        return self.params.detector_learning_rate * self.params.decay ** self.epoch(number)
