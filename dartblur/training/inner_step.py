"""The differentiable inner step: fg' = fg after optimiser steps whose result is a function of the pictures it was taken on.

Everything here is functional: parameters go in as a dictionary, updated ones come out, the module and its optimiser stay as they are. The
gradient of anything computed from the updated parameters flows back through the update: that is the second-order part of the method.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dartblur.params import InnerParams
from dartblur.processes import joint_many

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class AdamState:
    """Adam's moments, as constants of the differentiation.

    Attributes:
        first, second: exponential means of the gradient and of its square, one tensor a parameter.
        step: optimiser steps so far; 0 are fresh moments, which carry almost no signal to the pictures (the step is the gradient's sign).
    """

    first: Parameters
    second: Parameters
    step: int
    betas: tuple[float, float]


def sgd_step(parameters: Parameters, gradients: Parameters, velocity: Parameters, params: InnerParams) -> tuple[Parameters, Parameters]:
    """One step of SGD with momentum, as torch.optim.SGD does it: v <- momentum * v + gradient; p <- p - lr * v."""
    velocity = {name: params.momentum * velocity[name] + gradient for name, gradient in gradients.items()}
    return {name: value - params.learning_rate * velocity[name] for name, value in parameters.items()}, velocity


def adam_step(parameters: Parameters, gradients: Parameters, state: AdamState, params: InnerParams) -> tuple[Parameters, AdamState]:
    """One step of Adam with epsilon *inside* the root: p <- p - lr * m^ / sqrt(v^ + epsilon^2).

    With epsilon outside, as in torch.optim.Adam, the root has an infinite gradient at a second moment of zero: a dead unit makes everything NaN.
    """
    beta1, beta2 = state.betas
    step = state.step + 1
    first = {name: beta1 * state.first[name] + (1 - beta1) * gradient for name, gradient in gradients.items()}
    second = {name: beta2 * state.second[name] + (1 - beta2) * gradient.square() for name, gradient in gradients.items()}
    updated = {}
    for name, value in parameters.items():
        unbiased = first[name] / (1 - beta1**step)
        root = torch.sqrt(second[name] / (1 - beta2**step) + params.epsilon**2)
        updated[name] = value - params.learning_rate * unbiased / root
    return updated, replace(state, first=first, second=second, step=step)


def inner_steps(
    parameters: Parameters, loss: Callable[[Parameters], Tensor], params: InnerParams, warm: AdamState | None
) -> tuple[Parameters, Parameters]:
    """Take ``params.steps`` differentiable optimiser steps on ``loss``.

    Args:
        parameters: the starting point; leaves that need gradients, or functions of something that does.
        loss: parameters to a scalar. What else it depends on (pictures made by the U-Net) gets a gradient through the update.
        warm: moments to start Adam from; None starts from fresh ones. SGD has no use for it.

    Returns:
        The updated parameters, attached to the graph (memory grows with every step, since each keeps its graph); and the gradient at the starting
        point, which an ordinary optimiser step on the same loss would take.
    """
    names = list(parameters)
    zeros = {name: torch.zeros_like(value) for name, value in parameters.items()}
    first: Parameters = {}
    velocity, state = zeros, warm or AdamState(zeros, zeros, 0, (0.5, 0.999))
    for _ in range(params.steps):
        values = torch.autograd.grad(loss(parameters), [parameters[name] for name in names], create_graph=True)
        # Of the whole batch over all processes, still differentiable: what flows back through it is exchanged once more.
        gradients = dict(zip(names, joint_many(values), strict=True))
        first = first or {name: value.detach() for name, value in gradients.items()}
        if params.optimizer == "sgd":
            parameters, velocity = sgd_step(parameters, gradients, velocity, params)
        else:
            parameters, state = adam_step(parameters, gradients, state, params)
    return parameters, first


def warm_state(model: nn.Module, optimizer: torch.optim.Adam) -> AdamState | None:
    """The moments that ``optimizer`` has of ``model``'s parameters, copied; None before its first step."""
    group = optimizer.param_groups[0]
    entries = {name: optimizer.state.get(parameter) for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not all(entries.values()):
        return None
    known = {name: entry for name, entry in entries.items() if entry}
    step = int(next(iter(known.values()))["step"])
    return AdamState(
        {name: entry["exp_avg"].clone() for name, entry in known.items()},
        {name: entry["exp_avg_sq"].clone() for name, entry in known.items()},
        step,
        (float(group["betas"][0]), float(group["betas"][1])),
    )
