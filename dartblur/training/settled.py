"""Differentiation at once: a function's graph is walked back and freed before the next one is built, and only the gradient is kept."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class _Settled(torch.autograd.Function):
    """A value whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (known,) = ctx.saved_tensors
        return gradients[0] * known, None, None


def settled(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``function(x)``, a scalar, with a gradient in x and nothing else, once.

    Several of them on one x take the memory of the largest, where their plain sum takes that of all together.
    """
    if not x.requires_grad:
        return function(x)
    leaf = x.detach().requires_grad_()
    value = function(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    found: Tensor = _Settled.apply(x, value.detach(), gradient)  # type: ignore[no-untyped-call]
    return found
