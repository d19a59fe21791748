"""What judges U's tiles beside the detectors: the additions, and the discriminator that trains along the way."""

from importlib.resources import as_file, files

import torch
from torch import Tensor

from dartblur.compute import mixed
from dartblur.media.tensors import load_state, load_tensors
from dartblur.params import AdditionWeights, Params
from dartblur.processes import joint_many, total
from dartblur.training.additions import Additions, Faces, Seen, additions
from dartblur.training.discriminator import Discriminator, hinge, patch_weights
from dartblur.training.perception import Perception
from dartblur.training.pool import BETAS

CRITIC = "weights/people-critic.safetensors"
"""Made by ``dartblur pretrain`` with the U-Net beside it."""


def new_discriminator(params: Params) -> Discriminator:
    """From torch's random state; where U starts from the sample people, the one that judged it there, if it has the same widths.

    One that starts anew seems to take a thousand steps to find fault with a U that does not (docs/experiments.md).
    """
    widths = {name: getattr(params.train, name) for name in ("discriminator_width", "discriminator_feature_width")}
    made = Discriminator(*widths.values())
    if params.unet.init == "people":
        with as_file(files("dartblur") / CRITIC) as path:
            state, about = load_tensors(path)
            if widths.items() <= about.items():
                load_state(made, state, path)
    return made


class Critic:
    """The additions of one training, and the discriminator with its optimiser."""

    def __init__(self, params: Params, device: torch.device) -> None:
        train = params.train
        self._precision, self._device = params.compute.precision, device
        weights = [train.additions, *([train.near] if train.warm.near_steps else [])]
        asked = any(added.features or (added.realism and train.discriminator_feature_width) for added in weights)
        self._perception = Perception().to(device) if asked else None
        self.discriminator = new_discriminator(params).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=train.discriminator_learning_rate, betas=BETAS)

    def _mixed(self) -> torch.autocast:
        return mixed(self._precision, self._device)

    def look(self, faces: list[Faces], weights: AdditionWeights) -> list[Seen]:
        """Tiles as :class:`Perception` sees them, once for all that follows; differentiable in what U painted. What weighs 0 is not looked at."""
        with self._mixed():
            return [self._look(group, weights) for group in faces]

    def _look(self, group: Faces, weights: AdditionWeights) -> Seen:
        through_features = weights.realism and len(self.discriminator.features)
        if self._perception is None or not (weights.features or through_features):
            return Seen(group, [], [], [])
        taught = group.taught if weights.features else None
        with torch.no_grad():
            clean = self._perception(group.clean) if through_features or taught is None else []
            wanted = clean if taught is None else self._perception(taught)
        return Seen(group, self._perception(group.made), clean, wanted)

    def additions(self, seen: list[Seen], weights: AdditionWeights) -> Additions:
        """What those whose weight is above 0 say of U's tiles; no gradient for the discriminator."""
        self.discriminator.requires_grad_(False)
        with self._mixed():
            return additions(seen, weights, self.discriminator)

    def step(self, seen: list[Seen]) -> dict[str, float]:
        """The discriminator's step on what U painted, as a constant, and on the photographs; its loss."""
        if not seen:
            return {}
        self.discriminator.requires_grad_(True)
        loss = torch.stack([self._loss(group) for group in seen]).mean()
        parameters = list(self.discriminator.parameters())
        for parameter, gradient in zip(parameters, joint_many(torch.autograd.grad(loss, parameters)), strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        return {"discriminator": float(total(loss))}

    def _loss(self, seen: Seen) -> Tensor:
        """The mean over its critics on one group of tiles."""
        group = seen.faces
        levels = [torch.cat([clean, made.detach()]) for clean, made in zip(seen.clean, seen.made, strict=True)]
        with self._mixed():
            logits = self.discriminator(torch.cat([group.clean, group.made.detach()]), levels, torch.cat([group.mask, group.mask]))
        pairs = [level.chunk(2) for level in logits]
        return torch.stack([hinge(real, made, patch_weights(group.mask, real.shape[2:])) for real, made in pairs]).mean()
