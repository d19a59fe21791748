"""The detectors fg that learn from anonymised pictures while U trains, each with the one optimiser that owns it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.training import new_detector
from dartblur.errors import DartblurError
from dartblur.params import DetectorParams, TrainParams
from dartblur.processes import share_batch_norm

BETAS = (0.5, 0.999)


@dataclass(frozen=True)
class Learned:
    """What one pass of fg over anonymised pictures taught.

    Attributes:
        loss: Ldet(fg(g(x)), y).
        gradients: of the loss, by parameter name.
        statistics: batch-norm statistics after the pass, by buffer name; empty where the pass has updated fg's own.
    """

    loss: float
    gradients: dict[str, Tensor]
    statistics: dict[str, Tensor]


class DetectorPool:
    """One or several fg of different ages, taken in turn.

    Several, restarted now and then, keep U from finding what suits one detector's habits only.
    """

    def __init__(self, detector: DetectorParams, train: TrainParams, seed: int, device: torch.device) -> None:
        self._detector, self._train, self._seed, self._device = detector, train, seed, device
        self.members: list[RetinaFace] = []
        self.optimizers: list[torch.optim.Adam] = []
        for generation in range(train.pool.size):
            self._start(generation)

    def _start(self, generation: int) -> None:
        place = generation % self._train.pool.size
        member = new_detector(self._detector, self._seed + 1000 * generation).to(self._device)
        share_batch_norm(member)
        # One optimiser owns an fg, in both kinds of epoch, so that its moments are never stale.
        optimizer = torch.optim.Adam(member.parameters(), lr=self._train.detector_learning_rate, betas=BETAS)
        self.members[place : place + 1], self.optimizers[place : place + 1] = [member], [optimizer]

    def begin_epoch(self, epoch: int) -> None:
        """Restart the oldest member where its time has come."""
        every = self._train.pool.restart
        if every and epoch and epoch % every == 0:
            self._start(len(self.members) + epoch // every - 1)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of every member."""
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate

    def take(self, turn: int) -> tuple[RetinaFace, torch.optim.Adam]:
        """The member whose turn it is."""
        return self.members[turn % len(self.members)], self.optimizers[turn % len(self.members)]

    @staticmethod
    def step(member: RetinaFace, optimizer: torch.optim.Adam, learned: Learned) -> float:
        """The optimiser step on gradients that are known already; returns the loss.

        Raises:
            DartblurError: the loss is not finite.
        """
        if not math.isfinite(learned.loss):
            raise DartblurError(f"fg's loss is {learned.loss}; lower train.detector_learning_rate")
        for name, parameter in member.named_parameters():
            parameter.grad = learned.gradients[name].detach()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, buffer in member.named_buffers():
                if name in learned.statistics:
                    buffer.copy_(learned.statistics[name])
        return learned.loss
