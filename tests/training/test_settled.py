"""Differentiation at once gives the value and the gradient of the function."""

import torch
from torch import Tensor

from dartblur.training.settled import settled


def curved(x: Tensor) -> Tensor:
    return (x.sin() * x).sum()


def test_value_and_gradient_are_the_function_s() -> None:
    weight = torch.randn(4, requires_grad=True)
    x = weight * 3
    plain = torch.autograd.grad(2 * curved(x) + x.square().sum(), weight)[0]
    x = weight * 3
    value = settled(curved, x)
    assert torch.equal(value, curved(x))
    torch.testing.assert_close(torch.autograd.grad(2 * value + x.square().sum(), weight)[0], plain)


def test_nothing_of_the_function_is_kept() -> None:
    held: list[int] = []

    def function(x: Tensor) -> Tensor:
        y = x.exp()
        y.grad_fn.register_hook(lambda *_: held.append(1))  # type: ignore[union-attr]
        return y.sum()

    x = torch.zeros(3, requires_grad=True)
    value = settled(function, x)
    assert held == [1]  # walked back already
    torch.autograd.grad(value, x)
    assert held == [1]


def test_without_a_gradient_it_is_the_function() -> None:
    with torch.no_grad():
        assert settled(curved, torch.ones(2)) == curved(torch.ones(2))
