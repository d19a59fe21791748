"""What the detectors say of g(x): the three objectives of the method that look through f, fg and fg'."""

import torch
from torch import Tensor
from torch.func import functional_call

from dartblur.detector.anchors import FaceBatch, Targets, anchors, match
from dartblur.detector.detect import detect
from dartblur.detector.loss import detection_loss
from dartblur.detector.retinaface import RetinaFace
from dartblur.params import Params
from dartblur.processes import total
from dartblur.training.inner_step import Parameters, inner_steps, warm_state
from dartblur.training.objectives import Outputs, fidelity
from dartblur.training.pool import Learned
from dartblur.training.settled import settled


class Judges:
    """The detector objectives of one training.

    Args:
        frozen: f.
    """

    def __init__(self, params: Params, frozen: RetinaFace, device: torch.device) -> None:
        self._params, self._frozen, self._device = params, frozen, device

    def targets(self, faces: FaceBatch) -> Targets:
        """What the anchors of a view should say of given faces."""
        size = self._params.view.size
        return match(faces, anchors(size, size, self._device), self._params.detector.match_iou)

    def loss(self, outputs: Outputs, annotated: Targets) -> Tensor:
        """Ldet on the annotated faces, without smoothing: what a detector in the field is trained on."""
        detector = self._params.detector
        return detection_loss(*outputs, annotated, box_weight=detector.box_weight, negatives_per_positive=detector.negatives_per_positive)

    def pseudo_labels(self, clean: Tensor) -> Targets:
        """T(x): what the frozen detector finds on the clean picture, from a probability on, as anchor targets."""
        found = detect(self._frozen, clean, self._params.detector, self._params.train.pseudo_label_score)
        return self.targets(FaceBatch.of([rows[:, :4] for rows in found], device=self._device))

    def objectives(
        self, clean: Tensor, anonymised: Tensor, annotated: Targets, member: RetinaFace, optimizer: torch.optim.Adam
    ) -> tuple[dict[str, Tensor], Learned | None]:
        """``process``, ``posthoc`` and ``cycle`` of g(x) (B, 3, S, S), those whose weight is above 0, and what the inner step learned on the way.

        Args:
            clean: x, (B, 3, S, S). annotated: of y.
            member, optimizer: fg, which stays as it is.
        """
        train, detector = self._params.train, self._params.detector
        smoothing, learned, values = train.label_smoothing, None, {}
        if not (train.weights.process or train.weights.posthoc or train.weights.cycle):
            return {}, None
        pseudo = self.pseudo_labels(clean)

        def cycle(pictures: Tensor) -> Tensor:
            nonlocal learned
            outputs, learned = self.after_inner_step(clean, pictures, annotated, member, optimizer)
            return fidelity(outputs, pseudo, detector, smoothing)

        if train.weights.process:
            values["process"] = settled(lambda pictures: fidelity(self._frozen(pictures), pseudo, detector, 0.0), anonymised)
        if train.weights.posthoc:
            constants = {name: value.detach() for name, value in member.named_parameters()}
            member.eval()
            values["posthoc"] = settled(
                lambda pictures: fidelity(functional_call(member, constants, (pictures,)), pseudo, detector, smoothing), anonymised
            )
        if train.weights.cycle:
            values["cycle"] = settled(cycle, anonymised)
        return values, learned

    def after_inner_step(
        self, clean: Tensor, anonymised: Tensor, annotated: Targets, member: RetinaFace, optimizer: torch.optim.Adam
    ) -> tuple[Outputs, Learned]:
        """fg'(x): fg after the differentiable step on Ldet(fg(g(x)), y), run on clean pictures; and what its first step learned."""
        parameters = {name: value.detach().requires_grad_() for name, value in member.named_parameters()}
        passes: list[tuple[float, dict[str, Tensor]]] = []

        def loss(current: Parameters) -> Tensor:
            # In training mode a forward pass moves the batch-norm statistics: those of clones, so that fg's stay as they are. fg' keeps fg's
            # too: moved ones would depend on g(x) in a way that the gradient does not see.
            moved = {name: value.clone() for name, value in member.named_buffers()}
            member.train()
            value = self.loss(functional_call(member, {**current, **moved}, (anonymised,)), annotated)
            passes.append((float(total(value)), moved))
            return value

        updated, gradients = inner_steps(parameters, loss, self._params.train.inner, warm_state(member, optimizer))
        member.eval()
        outputs: Outputs = functional_call(member, updated, (clean,))
        value, statistics = passes[0]
        return outputs, Learned(value, gradients, statistics)
