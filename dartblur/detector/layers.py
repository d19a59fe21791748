"""A convolution with its batch norm and activation, made for the second-order step: what the detectors are built of.

In training mode both operations have a second derivative of their own. It does what PyTorch's does in fewer passes over memory, and runs a depthwise
convolution as one call, where PyTorch's runs one a channel. In evaluation mode the batch norm is a scale and a shift, and both go into the
convolution's weights. Activations work in place, so that a layer keeps one tensor for the backward pass, not two.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dartblur.compute import computes_in
from dartblur.processes import count

PLANE = (0, 2, 3)
"""What a batch norm takes its mean over, in (B, C, H, W)."""


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, and the activation if there is one, under the names ``0``, ``1`` and ``2``.

    Args:
        activation: a module that works in place.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: nn.Module | None = None) -> None:
        layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
        super().__init__(*layers, *([activation] if activation is not None else []))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        x = conv_norm(x, self[0], self[1])
        return self[2](x) if len(self) > 2 else x


def conv_norm(x: Tensor, convolution: Any, norm: Any) -> Tensor:
    """An nn.Conv2d without bias and the nn.BatchNorm2d behind it: (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
    layout = (list(convolution.stride), list(convolution.padding), convolution.groups)
    dtype = computes_in(convolution, x)
    if not norm.training:
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # (outputs,)
        weight, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
        with torch.autocast(x.device.type, enabled=False):
            return F.conv2d(x.to(dtype), weight.to(dtype), bias.to(dtype), layout[0], layout[1], 1, layout[2])
    with torch.autocast(x.device.type, enabled=False):
        x = _Convolution.apply(x.to(dtype), convolution.weight.to(dtype), layout)  # type: ignore[no-untyped-call]
    if count() > 1:  # the statistics may be those of all processes
        return norm(x)  # type: ignore[no-any-return]
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    return _Norm.apply(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum, norm.eps)  # type: ignore[no-untyped-call, no-any-return]


Layout = tuple[list[int], list[int], int]
"""Stride, padding and groups of a convolution."""


def _convolve(x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
    stride, padding, groups = layout
    return F.conv2d(x, weight, None, stride, padding, 1, groups)


def _backward(gradient: Tensor, x: Tensor, weight: Tensor, layout: Layout, wanted: tuple[bool, bool]) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of a convolution in its input and in its weight, where wanted."""
    stride, padding, groups = layout
    # Where one is not wanted, the other two arguments give nothing but their shapes.
    in_x, in_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, padding, [1, 1], False, [0, 0], groups, [*wanted, False]
    )
    return in_x, in_weight


class _Convolution(torch.autograd.Function):
    """A convolution without bias. A weight that is a leaf is a constant of the second derivative, as fg's are in the inner step's first gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, layout: Layout) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layout = layout
        return _convolve(x, weight, layout)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return *_backward(gradients[0], x, weight, ctx.layout, ctx.needs_input_grad[:2]), None
        constant = weight.detach() if weight.is_leaf else weight
        return *_ConvolutionGradient.apply(gradients[0], x, constant, ctx.layout, ctx.needs_input_grad[:2]), None  # type: ignore[no-untyped-call]


class _ConvolutionGradient(torch.autograd.Function):
    """A convolution's gradients, linear in each of ``gradient``, ``x`` and ``weight``; so their own gradients are convolutions again."""

    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, layout: Layout, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        ctx.save_for_backward(gradient, x, weight)
        ctx.layout = layout
        ctx.set_materialize_grads(False)
        return _backward(gradient, x, weight, layout, wanted)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (of_x, of_weight), (gradient, x, weight), layout = gradients, ctx.saved_tensors, ctx.layout
        in_gradient = in_x = in_weight = None
        if of_x is not None:
            in_gradient = _convolve(of_x, weight, layout)
            if ctx.needs_input_grad[2]:
                _, in_weight = _backward(gradient, of_x, weight, layout, (False, True))
        if of_weight is not None:
            more = _convolve(x, of_weight, layout)
            in_gradient = more if in_gradient is None else in_gradient.add_(more)
            in_x, _ = _backward(gradient, x, of_weight, layout, (True, False))
        return in_gradient, in_x, in_weight, None, None


class _Norm(torch.autograd.Function):
    """Batch norm in training mode; moves the running statistics."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, momentum: float, eps: float) -> Tensor:
        y, of_batch, root = torch.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)
        ctx.save_for_backward(x, weight, of_batch, root)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, root = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_NormGradient.apply(gradients[0], x, weight, mean, root, ctx.eps), None, None, None, None  # type: ignore[no-untyped-call]
        return *_norm_backward(gradients[0], x, weight, mean, root, ctx.eps), None, None, None, None


def _norm_backward(gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, root: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients in the input, weight and bias; ``root`` is 1 / sqrt(variance + eps)."""
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        gradient, x, weight, None, None, mean, root, True, eps, [True, True, True]
    )
    return found


class _NormGradient(torch.autograd.Function):
    """The gradients of a batch norm. With h = (x - mean) * root and M values a channel:

    in x: weight * root * (g - sum(g) / M - h * sum(g h) / M); in the weight: sum(g h); in the bias: sum(g).
    """

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, root: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        in_x, in_weight, in_bias = _norm_backward(gradient, x, weight, mean, root, eps)
        ctx.save_for_backward(gradient, x, weight, mean, root, in_weight, in_bias)
        ctx.eps = eps
        return in_x, in_weight, in_bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor, s: Tensor, t: Tensor) -> tuple[Tensor | None, ...]:
        """Of sum(u * in_x) + sum(s * in_weight) + sum(t * in_bias)."""
        gradient, x, weight, mean, root, gh, g = ctx.saved_tensors  # the last two: sum(g h), sum(g)
        size = x.numel() // x.shape[1]
        in_gradient, uh, u0 = _norm_backward(u, x, weight, mean, root, ctx.eps)  # in_x is symmetric in u and g
        product = ((u * gradient).sum(dim=PLANE) - u0 * g / size - uh * gh / size) * root  # sum(u * in_x) / weight
        in_gradient.addcmul_(x, _wide(s * root)).add_(_wide(t - s * root * mean))
        # d root / dx = -root^2 h / M, and d sum(g h) / dx = root * (g - sum(g) / M - h * sum(g h) / M).
        scale = -weight * root.square() / size
        of_h = scale * (product / root - 2 * uh * gh / size) - s * root * gh / size
        of_gradient, of_u = scale * uh + s * root, scale * gh
        constant = -of_h * root * mean - (of_gradient * g + of_u * u0) / size
        in_x = torch.addcmul(_wide(constant), x, _wide(of_h * root)).addcmul_(gradient, _wide(of_gradient)).addcmul_(u, _wide(of_u))
        return in_gradient, in_x, product, None, None, None


def _wide(values: Tensor) -> Tensor:
    """(C,) to (1, C, 1, 1)."""
    return values[None, :, None, None]
