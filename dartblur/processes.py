"""What the processes of one training share: sums over all of them. In a training of one process each function hands back what it was given.

The batch of a step is dealt out item by item. Every loss is a sum over items divided by a count over the whole batch, so that the sum of the
processes' losses is the loss of one process with the whole batch; gradients are then summed, never averaged.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dartblur.errors import DartblurError

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """For work that one process does by itself while the others wait: inside, it is the only one."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


@contextmanager
def together() -> Iterator[None]:
    """Inside, a process that waits in vain for another one says so in a sentence.

    Raises:
        DartblurError: another process of the training has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if dist.is_initialized() and (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise DartblurError("another process of this training has ended, see what it said; run the same command again to go on") from error
        raise


def count() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() and not _alone.get() else 1


def own() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


@torch.no_grad()
def total(value: Tensor) -> Tensor:
    """The sum over all processes, a constant of the differentiation."""
    if count() == 1:
        return value.detach()
    value = value.detach().clone()
    dist.all_reduce(value)
    return value


def union(numbers: Iterable[int], limit: int, device: torch.device) -> list[int]:
    """The numbers, 0 to ``limit``, that any of the processes has, in order."""
    known = torch.zeros(limit + 1, device=device)
    known[list(numbers)] = 1
    return [int(number) for number in total(known).nonzero()]


class _Joint(torch.autograd.Function):
    """A sum over processes; its gradient is the sum of the gradients, which is the same function again."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return total(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return joint(gradients[0])


def joint(value: Tensor) -> Tensor:
    """The sum over all processes, differentiable any number of times."""
    if count() == 1:
        return value
    summed: Tensor = _Joint.apply(value)  # type: ignore[no-untyped-call]
    return summed


def joint_many(values: Iterable[Tensor]) -> list[Tensor]:
    """:func:`joint` of several tensors of one type in one message."""
    parts = list(values)
    if count() == 1:
        return parts
    flat = joint(torch.cat([part.reshape(-1) for part in parts]))
    pieces = torch.split(flat, [part.numel() for part in parts])
    return [piece.reshape(part.shape) for piece, part in zip(pieces, parts, strict=True)]


class JointBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics in training mode are those of the whole batch over all processes; differentiable twice."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        if not self.training or count() == 1 or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        pixels = float(total(torch.tensor(float(x.numel() // x.shape[1]), device=x.device)))
        mean = joint(x.sum(dim=(0, 2, 3))) / pixels
        centred = x - mean[None, :, None, None]
        variance = joint(centred.square().sum(dim=(0, 2, 3))) / pixels
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * (pixels / (pixels - 1)), self.momentum or 0.0)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scaled = centred * torch.rsqrt(variance + self.eps)[None, :, None, None]
        return scaled * self.weight[None, :, None, None] + self.bias[None, :, None, None]


def share_batch_norm(model: nn.Module) -> None:
    """Let every batch norm of ``model`` see the whole batch; its parameters and buffers stay as they are."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = JointBatchNorm
