"""What judges U's tiles beside the detectors: the additions, and the discriminator that trains along the way."""

import torch
from torch import Tensor

from dartblur.compute import mixed
from dartblur.detector.retinaface import RetinaFace
from dartblur.params import Params
from dartblur.processes import joint_many, total
from dartblur.training.additions import Additions, Faces, ShallowFeatures, additions
from dartblur.training.discriminator import Discriminator, hinge, patch_weights
from dartblur.training.pool import BETAS


class Critic:
    """The additions of one training, and the discriminator with its optimiser.

    Args:
        frozen: f, whose first layers compare faces.
    """

    def __init__(self, params: Params, frozen: RetinaFace, device: torch.device) -> None:
        self._weights, self._precision, self._device = params.train.additions, params.compute.precision, device
        self._features = ShallowFeatures(frozen)
        self.discriminator = Discriminator(params.train.discriminator_width).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=params.train.discriminator_learning_rate, betas=BETAS)

    def _mixed(self) -> torch.autocast:
        return mixed(self._precision, self._device)

    def additions(self, faces: list[Faces]) -> Additions:
        """What they say of U's tiles; no gradient for the discriminator."""
        self.discriminator.requires_grad_(False)
        with self._mixed():
            return additions(faces, self._weights, self._features, self.discriminator)

    def step(self, faces: list[Faces]) -> dict[str, float]:
        """The discriminator's step on what U painted, as a constant, and on the photographs; its loss, if it is in use."""
        if not self._weights.realism or not faces:
            return {}
        self.discriminator.requires_grad_(True)
        losses: list[Tensor] = []
        for group in faces:
            both, masks = torch.cat([group.clean, group.made.detach()]), torch.cat([group.mask, group.mask])
            with self._mixed():
                real, painted = self.discriminator(both, masks).chunk(2)
            losses.append(hinge(real, painted, patch_weights(group.mask)) / len(faces))
        loss = torch.stack(losses).sum()
        parameters = list(self.discriminator.parameters())
        for parameter, gradient in zip(parameters, joint_many(torch.autograd.grad(loss, parameters)), strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        return {"discriminator": float(total(loss))}
