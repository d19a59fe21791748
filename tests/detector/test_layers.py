"""The layers of the detectors against PyTorch's own, up to the second derivative."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dartblur.detector.layers import ConvNorm, conv_norm

SHAPES = st.tuples(st.sampled_from([(4, 4, 4), (3, 5, 1), (4, 8, 2)]), st.sampled_from([1, 3]), st.sampled_from([1, 2]))
"""(inputs, outputs, groups), kernel, stride."""


def pair(shape: tuple[tuple[int, int, int], int, int], seed: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    (inputs, outputs, groups), kernel, stride = shape
    torch.manual_seed(seed)
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False).double()
    norm = nn.BatchNorm2d(outputs).double()
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        nn.init.uniform_(tensor, 0.5, 2)
    return convolution, norm


def derivatives(x: Tensor, parts: tuple[nn.Module, nn.Module], *, own: bool) -> list[Tensor]:
    """Value, gradients, and what the gradients' gradient in the picture is, of a curved function of the layers."""
    x = x.clone().requires_grad_()
    y = conv_norm(x, *parts) if own else parts[1](parts[0](x))
    y = F.leaky_relu(y, 0.1, inplace=own)
    parameters = [*parts[0].parameters(), *parts[1].parameters()]
    gradients = torch.autograd.grad(y.square().sum() + y.sin().sum(), [x, *parameters], create_graph=True)
    (second,) = torch.autograd.grad(sum(gradient.sin().sum() for gradient in gradients), x)  # type: ignore[arg-type]
    return [y, *gradients, second]


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.booleans(), st.integers(0, 99))
def test_they_are_pytorch_s_up_to_the_second_derivative(shape: tuple[tuple[int, int, int], int, int], training: bool, seed: int) -> None:
    ours, known = pair(shape, seed), pair(shape, seed)
    for module in (*ours, *known):
        module.train(training)
    x = torch.randn(2, shape[0][0], 7, 6, dtype=torch.float64) + 3
    for one, other in zip(derivatives(x, ours, own=True), derivatives(x, known, own=False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    for name, value in known[1].state_dict().items():
        torch.testing.assert_close(ours[1].state_dict()[name], value)


def test_a_strided_depthwise_layer_of_a_frozen_network_is_exact_in_half_precision_too() -> None:
    """Its gradient in bfloat16 is slow on a CPU; what comes in is rounded already, and nothing more is."""
    convolution, norm = (module.float().eval() for module in pair(((4, 4, 4), 3, 2), 0))
    x = torch.randn(2, 4, 7, 6).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = conv_norm(x, convolution, norm)
    exact = x.detach().float().requires_grad_()
    known = norm(convolution(exact))
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, known)
    (one,), (other,) = torch.autograd.grad(y.sin().sum(), x), torch.autograd.grad(known.sin().sum(), exact)
    torch.testing.assert_close(one, other.bfloat16())


@pytest.mark.parametrize("groups", [1, 4])
def test_the_second_derivative_reaches_weights_that_are_no_leaves(groups: int) -> None:
    """As in a second inner step, whose weights are a function of the pictures."""
    convolution, norm = pair(((4, 4, groups), 3, 1), 0)
    weight = convolution.weight.detach().clone().requires_grad_()
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64, requires_grad=True)

    def second(*, own: bool) -> Tensor:
        layer, made = nn.Conv2d(4, 4, 3, padding=1, groups=groups, bias=False), 2 * weight
        del layer.weight
        layer.weight = made
        norm.train()
        y = conv_norm(x, layer, norm) if own else norm(layer(x))
        (gradient,) = torch.autograd.grad(y.pow(3).sum(), made, create_graph=True)
        return torch.autograd.grad(gradient.sin().sum(), weight)[0]

    torch.testing.assert_close(second(own=True), second(own=False))


def test_an_activation_follows_and_the_names_are_those_of_a_sequence() -> None:
    torch.manual_seed(0)
    layer = ConvNorm(3, 8, 3, stride=2, activation=nn.ReLU6(inplace=True))
    assert [name for name, _ in layer.named_parameters()] == ["0.weight", "1.weight", "1.bias"]
    x = torch.randn(2, 3, 16, 16)
    for mode in (True, False):
        layer.train(mode)
        torch.testing.assert_close(layer(x), nn.Sequential(*layer)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("groups", "kernel", "stride"), [(1, 1, 1), (1, 3, 2), (8, 3, 1), (8, 3, 2)])
def test_in_half_precision_a_training_step_is_that_of_full_precision_but_for_rounding(groups: int, kernel: int, stride: int) -> None:
    convolution, norm = (module.float().train() for module in pair(((8, 8, groups), kernel, stride), 0))
    x = torch.randn(4, 8, 16, 16).bfloat16()
    found: list[tuple[Tensor, ...]] = []
    for half in (True, False):
        entry = x.float().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            y = conv_norm(entry, convolution, norm) if half else norm(convolution(entry))
        found.append((y, *torch.autograd.grad(y.float().pow(3).sum(), [entry, *convolution.parameters(), *norm.parameters()])))
    for one, other in zip(*found, strict=True):
        assert float((one.detach() - other.detach()).norm() / other.detach().norm()) < 2e-2


def test_in_half_precision_it_runs_as_it_is_asked_to() -> None:
    layer = ConvNorm(3, 8, 3).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 3, 8, 8)).dtype == torch.bfloat16
