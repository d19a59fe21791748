"""Adversarial training of DartBlur's U-Net with the second-order step, as the method defines it.

An outer epoch is a few first-order epochs of fg (the detector that trains on anonymised pictures) and then second-order epochs in which the U-Net
and fg take turns. Everything random is a function of the seed and of the step's number, so a training that was cut off goes on to the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from dartblur.blur.unet import UNet, blend
from dartblur.detector.anchors import FaceBatch, Targets, anchors, match
from dartblur.detector.detect import detect
from dartblur.detector.loss import detection_loss
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.training import new_detector
from dartblur.detector.views import ViewBatch, Views
from dartblur.errors import DartblurError
from dartblur.params import Params
from dartblur.training.inner_step import Parameters, inner_steps, warm_state
from dartblur.training.objectives import Outputs, Terms, fidelity, review, total

BETAS = (0.5, 0.999)
_SEED_OF_FG = 1
_SEED_OF_VIEWS = 2


@dataclass(frozen=True)
class Step:
    """What one optimiser step came to.

    Attributes:
        number: from 1, over the whole training.
        kind: ``detector`` (fg alone) or ``adversarial`` (U, then fg).
        values: loss terms by name, each a mean over the batch.
    """

    number: int
    kind: str
    values: dict[str, float]


@dataclass
class Batch:
    """A batch on the device: clean and pre-blurred views, mask, and what the anchors should say of the annotated faces."""

    clean: Tensor  # x, (B, 3, S, S)
    blurred: Tensor  # x~, (B, 3, S, S)
    mask: Tensor  # b, (B, 1, S, S)
    annotated: Targets  # of y


@dataclass
class Trainer:
    """Holds the networks and optimisers of a training.

    Args:
        views: training views of two copies of the data set, clean and pre-blurred.
        frozen: f, trained on clean pictures.
    """

    params: Params
    views: Views
    frozen: RetinaFace
    device: torch.device
    unet: UNet = field(init=False)
    detector: RetinaFace = field(init=False)
    unet_optimizer: torch.optim.Adam = field(init=False)
    detector_optimizer: torch.optim.Adam = field(init=False)
    epoch: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        train = self.params.train
        torch.manual_seed(self.params.seed)
        self.unet = UNet(self.params.unet.width, self.params.unet.depth).to(self.device)
        self.detector = new_detector(self.params.detector, self.params.seed + _SEED_OF_FG).to(self.device)
        self.frozen = self.frozen.to(self.device).eval().requires_grad_(False)
        self.unet_optimizer = torch.optim.Adam(self.unet.parameters(), lr=train.unet_learning_rate, betas=BETAS)
        # One optimiser owns fg, in both kinds of epoch, so that its moments are never stale.
        self.detector_optimizer = torch.optim.Adam(self.detector.parameters(), lr=train.detector_learning_rate, betas=BETAS)

    @property
    def epoch_steps(self) -> int:
        """Steps of one inner epoch: as set, or one pass over the training pictures."""
        return self.params.train.epoch_steps or -(-len(self.views.pictures) // self.params.train.batch)

    @property
    def outer_steps(self) -> int:
        """Steps of one outer epoch."""
        return self.epoch_steps * (self.params.train.detector_epochs + self.params.train.adversarial_epochs)

    def learning_rates(self) -> tuple[float, float]:
        """The rates of U and fg in this outer epoch."""
        train = self.params.train
        return train.unet_learning_rate * train.decay**self.epoch, train.detector_learning_rate * train.decay**self.epoch

    def outer_epoch(self) -> Iterator[Step]:
        """Run one outer epoch, a step at a time, and count it when it is through."""
        rates = self.learning_rates()
        for optimizer, rate in zip((self.unet_optimizer, self.detector_optimizer), rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate
        first = self.epoch * self.outer_steps
        alone = self.epoch_steps * self.params.train.detector_epochs
        for index in range(self.outer_steps):
            batch = self._batch(first + index)
            if index < alone:
                yield Step(first + index + 1, "detector", {"detector": self.detector_step(batch, self._anonymise(batch))})
            else:
                yield Step(first + index + 1, "adversarial", self.adversarial_step(batch, first + index + 1))
        self.epoch += 1

    def _batch(self, step: int) -> Batch:
        views: ViewBatch = self.views.batch(self.params.seed + _SEED_OF_VIEWS, step, self.params.train.batch)
        clean, blurred = (images.to(self.device) for images in views.images)
        return Batch(clean, blurred, views.mask.to(self.device), self._targets(FaceBatch.of(views.boxes, views.ignored, self.device)))

    def _targets(self, faces: FaceBatch) -> Targets:
        size = self.params.view.size
        return match(faces, anchors(size, size, self.device), self.params.detector.match_iou)

    def _loss(self, outputs: Outputs, targets: Targets) -> Tensor:
        """Ldet on the annotated faces, without smoothing: what a detector in the field is trained on."""
        detector = self.params.detector
        return detection_loss(*outputs, targets, box_weight=detector.box_weight, negatives_per_positive=detector.negatives_per_positive)

    @torch.no_grad()
    def _anonymise(self, batch: Batch) -> Tensor:
        return blend(self.unet, batch.blurred, batch.mask)

    def detector_step(self, batch: Batch, anonymised: Tensor) -> float:
        """fg's ordinary step on Ldet(fg(g(x)), y), with g(x) (B, 3, S, S) as a constant; returns the loss."""
        self.detector.train()
        loss = self._loss(self.detector(anonymised.detach()), batch.annotated)
        if not bool(torch.isfinite(loss)):
            raise DartblurError(f"fg's loss is {float(loss.detach())} in outer epoch {self.epoch + 1}; lower train.detector_learning_rate")
        self.detector_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.detector_optimizer.step()
        return float(loss.detach())

    def adversarial_step(self, batch: Batch, number: int) -> dict[str, float]:
        """U's step on the four objectives, then fg's ordinary step on the same g(x); returns all terms."""
        anonymised = blend(self.unet, batch.blurred, batch.mask)
        terms = self.terms(batch, anonymised)
        loss = total(terms, self.params.train.weights)
        values = {**terms.numbers(), "total": float(loss.detach())}
        if not bool(torch.isfinite(loss)):
            listed = ", ".join(f"{name} {value:g}" for name, value in values.items())
            raise DartblurError(f"the loss is not finite at step {number} ({listed}); lower train.unet_learning_rate or train.inner.learning_rate")
        parameters = list(self.unet.parameters())
        # grad() rather than backward(): neither f nor fg collects a gradient that nobody wants.
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        # An infinite gradient must stop the run as loudly as an infinite loss.
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.params.train.gradient_clip)
        if not bool(torch.isfinite(norm)):
            raise DartblurError(f"U's gradient is not finite at step {number} (loss {values['total']:g}); raise train.inner.epsilon")
        self.unet_optimizer.step()
        return {**values, "gradient": float(norm), "detector": self.detector_step(batch, anonymised)}

    def terms(self, batch: Batch, anonymised: Tensor) -> Terms:
        """The objectives whose weight is above 0, as functions of g(x) (B, 3, S, S)."""
        train = self.params.train
        weights, smoothing = train.weights, train.label_smoothing
        pseudo = self._pseudo_labels(batch.clean) if weights.process or weights.posthoc or weights.cycle else batch.annotated
        constants = {name: value.detach() for name, value in self.detector.named_parameters()}
        self.detector.eval()
        posthoc = functional_call(self.detector, constants, (anonymised,)) if weights.posthoc else None
        return Terms(
            review=review(anonymised, batch.blurred, batch.mask, train.budget) if weights.review else None,
            process=fidelity(self.frozen(anonymised), pseudo, self.params.detector, 0.0) if weights.process else None,
            posthoc=fidelity(posthoc, pseudo, self.params.detector, smoothing) if posthoc else None,
            cycle=fidelity(self._after_inner_step(batch, anonymised), pseudo, self.params.detector, smoothing) if weights.cycle else None,
        )

    def _pseudo_labels(self, clean: Tensor) -> Targets:
        """T(x): what the frozen detector finds on the clean picture, from a probability on, as anchor targets."""
        found = detect(self.frozen, clean, self.params.detector, self.params.train.pseudo_label_score)
        return self._targets(FaceBatch.of([rows[:, :4] for rows in found], device=self.device))

    def _after_inner_step(self, batch: Batch, anonymised: Tensor) -> Outputs:
        """fg'(x): fg after the differentiable step on Ldet(fg(g(x)), y), run on clean pictures."""
        parameters = {name: value.detach().requires_grad_() for name, value in self.detector.named_parameters()}

        def loss(current: Parameters) -> Tensor:
            # In training mode a forward pass moves the batch-norm statistics: those of clones, so that fg's stay as they are. fg' keeps fg's
            # too: moved ones would depend on g(x) in a way that the gradient does not see.
            moved = {name: value.clone() for name, value in self.detector.named_buffers()}
            self.detector.train()
            return self._loss(functional_call(self.detector, {**current, **moved}, (anonymised,)), batch.annotated)

        warm = warm_state(self.detector, self.detector_optimizer)
        updated = inner_steps(parameters, loss, self.params.train.inner, warm)
        self.detector.eval()
        outputs: Outputs = functional_call(self.detector, updated, (batch.clean,))
        return outputs

    def describe(self) -> dict[str, Any]:
        """What a checkpoint says of itself."""
        return {"epoch": self.epoch, "outer_steps": self.outer_steps, "parameters": sum(p.numel() for p in self.unet.parameters())}
