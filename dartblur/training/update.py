"""One optimiser step of the network that paints, on a weighted sum of terms."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from dartblur.errors import DartblurError
from dartblur.processes import joint_many, total


def update(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    terms: Iterable[tuple[str, Tensor | None]],
    weights: Mapping[str, float],
    clip: float,
    number: int,
) -> dict[str, float]:
    """Lower the sum of ``terms``, each times its weight, those that are None left out.

    Args:
        clip: largest norm of the gradient. number: of the step, for messages.

    Returns:
        The terms, their total and the norm of the gradient.

    Raises:
        DartblurError: the total or the gradient is not finite; nothing was changed.
    """
    known = {name: value for name, value in terms if value is not None}
    loss = torch.stack([weights[name] * value for name, value in known.items()]).sum()
    listing = total(torch.stack([*known.values(), loss]))
    values = dict(zip([*known, "total"], listing.tolist(), strict=True))
    if not math.isfinite(values["total"]):
        listed = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise DartblurError(f"the loss is not finite at step {number} ({listed}); lower train.unet_learning_rate or train.inner.learning_rate")
    parameters = list(network.parameters())
    # grad() rather than backward(): neither f nor fg collects a gradient that nobody wants.
    for parameter, gradient in zip(parameters, joint_many(torch.autograd.grad(loss, parameters)), strict=True):
        parameter.grad = gradient
    # An infinite gradient must stop the run as loudly as an infinite loss.
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
    if not bool(torch.isfinite(norm)):
        raise DartblurError(f"U's gradient is not finite at step {number} (loss {values['total']:g}); raise train.inner.epsilon")
    optimizer.step()
    return {**values, "gradient": float(norm)}
