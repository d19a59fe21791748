"""The original's training step on our modules, for machines without its checkout.

The same work in the same order, as far as it costs time or memory: whole pictures through the U-Net, a second time for fg's step; gradients for the
weights of f and fg that nobody wants; f, fg in evaluation, fg in training and fg' each in a pass of its own; detections and anchors one picture at
a time, targets gathered on the CPU, and matched anew for each of the five losses. Left out, because ours have none: landmarks and their head.
"""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.original.batch import StepBatch
from benchmarks.original.checkout import touched_mask
from benchmarks.original.nms import nms
from benchmarks.original.output import end_with_sum
from benchmarks.original.settings import BETAS, BOX_WEIGHT, GRADIENT_CLIP, MATCH_IOU, NEGATIVES_PER_POSITIVE, Settings
from benchmarks.original.weights import Learner, as_it_is
from dartblur.blur.unet import UNet, blend
from dartblur.detector.anchors import Targets, anchors, corners, decode, encode, pairwise_iou
from dartblur.detector.layers import ConvNorm
from dartblur.detector.loss import detection_loss
from dartblur.detector.retinaface import RetinaFace

Outputs = tuple[Tensor, Tensor]
"""A detector's raw outputs: offsets (B, A, 4), logits (B, A, 2)."""
Parameters = dict[str, Tensor]


class Rebuilt:
    """Copies of our networks, laid out and run as the original does it.

    Args:
        unet, frozen, detector: U, f and fg, of any size; they stay as they are.
    """

    def __init__(self, unet: UNet, frozen: RetinaFace, detector: RetinaFace, settings: Settings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.unet = _copied(unet).to(device)
        self.frozen, self.detector = _copied(frozen).to(device), _copied(detector).to(device)
        if settings.output == "sum":
            end_with_sum(self.unet, self.unet.up[-1])
        self.unet_optimizer = torch.optim.Adam(self.unet.parameters(), lr=settings.unet_learning_rate, betas=BETAS)
        self.detector_optimizer = torch.optim.Adam(self.detector.parameters(), lr=settings.detector_learning_rate, betas=BETAS)
        self.learners = {
            "unet": Learner(self.unet, self.unet_optimizer, {name: name for name in unet.state_dict()}, as_it_is),
            "detector": Learner(self.detector, self.detector_optimizer, {name: name for name in detector.state_dict()}, as_it_is),
        }

    def run(self, batch: StepBatch, given: Tensor | None) -> dict[str, float]:
        """One step; see :meth:`benchmarks.original_step.OriginalStep.step`."""
        settings = self.settings
        self._shown = torch.empty(0)
        clean, blurred = batch.clean.to(self.device), batch.blurred.to(self.device)
        annotated = [boxes.to(self.device) for boxes in batch.boxes]
        mask = self._mask(batch.size, annotated)
        self.frozen.eval()
        with torch.no_grad():
            pseudo = self._pseudo_labels(self.frozen(clean), batch.size)
        anonymised = self._paint(blurred, mask) if given is None else given.to(self.device)
        seen_by_frozen = self.frozen(anonymised)
        self.detector.eval()
        seen_by_detector = self.detector(anonymised)
        after_step = self._after_inner_step(anonymised, clean, annotated)
        terms = {
            "review": self._review(anonymised, blurred, mask),
            "process": self._loss(seen_by_frozen, pseudo, batch.size, 0.0),
            "posthoc": self._loss(seen_by_detector, pseudo, batch.size, settings.label_smoothing),
            "cycle": self._loss(after_step, pseudo, batch.size, settings.label_smoothing),
        }
        self.unet_optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        nn.utils.clip_grad_norm_(self.unet.parameters(), GRADIENT_CLIP)
        self.unet_optimizer.step()
        with torch.no_grad():
            shown = self._paint(blurred, mask) if settings.second_forward and given is None else anonymised
        self.detector.train()
        loss = self._loss(self.detector(shown.detach()), annotated, batch.size, settings.annotated_smoothing)
        self.detector_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.detector_optimizer.step()
        self._shown = anonymised.detach()
        return {name: float(value.detach()) for name, value in {**terms, "detector": loss}.items()}

    def anonymised(self) -> Tensor:
        """g(x) of the last step."""
        return self._shown

    def _paint(self, blurred: Tensor, mask: Tensor) -> Tensor:
        return blend(self.unet, blurred, mask)

    def _mask(self, size: int, annotated: list[Tensor]) -> Tensor:
        if self.settings.mask == "touched":
            return touched_mask(size, [boxes / size for boxes in annotated], self.device)
        mask = torch.zeros(len(annotated), 1, size, size, device=self.device)
        for row, boxes in enumerate(annotated):
            for box in boxes / size:
                x1, y1, x2, y2 = (int(value * size) for value in box)
                mask[row, :, y1:y2, x1:x2] = 1.0
        return mask

    def _review(self, anonymised: Tensor, blurred: Tensor, mask: Tensor) -> Tensor:
        distance = F.smooth_l1_loss(anonymised, blurred, reduction="none") * mask
        pixels = 3 * mask.sum(dim=(1, 2, 3))
        return F.relu(distance.sum(dim=(1, 2, 3)) / (pixels + 1e-7) - self.settings.budget).mean()

    def _pseudo_labels(self, outputs: Outputs, size: int) -> list[Tensor]:
        """T(x), picture by picture and by way of numpy: B tensors (M, 4)."""
        settings, priors = self.settings, anchors(size, size, self.device)
        found = []
        for offsets, logits in zip(*outputs, strict=True):
            scores = (logits.softmax(dim=-1) if settings.pseudo_of == "probability" else logits)[:, 1]
            boxes = decode(offsets, priors)
            if settings.pseudo_cut:
                boxes = boxes.clamp(0, size)
            good = scores >= settings.pseudo_score
            boxes, scores = boxes[good], scores[good]
            kept = boxes[nms(boxes / size, scores, settings.pseudo_nms_iou)] if len(boxes) else boxes
            found.append(torch.from_numpy(kept.cpu().numpy()).to(self.device))
        return found

    def _loss(self, outputs: Outputs, faces: list[Tensor], size: int, label_smoothing: float) -> Tensor:
        """Ldet, with the anchors matched picture by picture."""
        priors = anchors(size, size, self.device)
        labels = torch.empty(len(faces), len(priors), dtype=torch.long)
        offsets = torch.empty(len(faces), len(priors), 4)
        for row, boxes in enumerate(faces):
            labels[row], offsets[row] = self._match(boxes, priors)
        targets = Targets(labels.to(self.device), offsets.to(self.device))
        return detection_loss(
            *outputs, targets, box_weight=BOX_WEIGHT, negatives_per_positive=NEGATIVES_PER_POSITIVE, label_smoothing=label_smoothing
        )

    def _match(self, boxes: Tensor, priors: Tensor) -> tuple[Tensor, Tensor]:
        """Labels (A,) and offsets (A, 4) of one picture's faces (M, 4)."""
        overlap = pairwise_iou(boxes, corners(priors))  # (M, A)
        reachable = overlap.amax(dim=1) >= self.settings.forced_iou
        boxes, overlap = boxes[reachable], overlap[reachable]
        if len(boxes) == 0:
            # -1, neither face nor background, keeps the loss from drawing negatives.
            return torch.full((len(priors),), 0 if self.settings.empty_positives else -1), torch.zeros(len(priors), 4)
        best, face = overlap.max(dim=0)
        forced = overlap.argmax(dim=1)  # (M,)
        best.index_fill_(0, forced, 2.0)
        for index in range(len(boxes)):
            face[forced[index]] = index
        return (best >= MATCH_IOU).long(), encode(boxes[face], priors)

    def _after_inner_step(self, anonymised: Tensor, clean: Tensor, annotated: list[Tensor]) -> Outputs:
        """fg'(x): a functional fg after one differentiable step of Adam from the moments of fg's optimiser."""
        model, settings = self.detector, self.settings
        parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        kept = {name: value.clone() for name, value in buffers.items()}
        model.train()
        outputs = functional_call(model, {**parameters, **buffers}, (anonymised,))
        loss = self._loss(outputs, annotated, anonymised.shape[-1], settings.annotated_smoothing)
        gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        updated = self._updated(parameters, gradients)
        model.eval()
        result: Outputs = functional_call(model, {**updated, **(buffers if settings.moved_statistics else kept)}, (clean,))
        return result

    def _updated(self, parameters: Parameters, gradients: tuple[Tensor, ...]) -> Parameters:
        settings, (beta1, beta2) = self.settings, BETAS
        updated = {}
        for (name, value), own, gradient in zip(parameters.items(), self.detector.parameters(), gradients, strict=True):
            warm = self.detector_optimizer.state.get(own, {})
            step = int(warm.get("step", 0)) + 1
            first = beta1 * warm.get("exp_avg", torch.zeros_like(own)) + (1 - beta1) * gradient
            second = beta2 * warm.get("exp_avg_sq", torch.zeros_like(own)) + (1 - beta2) * gradient * gradient
            if settings.inner_epsilon_inside:
                root = torch.sqrt(second / (1 - beta2**step) + settings.inner_epsilon**2)
            else:
                if second.requires_grad:
                    # The root's gradient is infinite at 0, which a dead unit reaches; such entries pass none back.
                    second.register_hook(_without(second.detach() == 0))
                root = (second.sqrt() + settings.inner_epsilon) / (1 - beta2**step) ** 0.5
            updated[name] = value - settings.inner_learning_rate / (1 - beta1**step) * first / root
        return updated


def _without(dead: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient.masked_fill(dead, 0)


Network = TypeVar("Network", bound=nn.Module)


def _copied(model: Network) -> Network:
    """A copy with contiguous weights that need gradients, frozen or not, and plain layers: the original knows none of what makes ours fast."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if isinstance(module, UNet):
            module.whole = True
        if isinstance(module, ConvNorm):
            module.__class__ = nn.Sequential  # type: ignore[assignment]
        if isinstance(module, nn.LeakyReLU):
            module.inplace = True
    for parameter in copied.parameters():
        parameter.data = parameter.data.contiguous()
        parameter.requires_grad_()
    return copied
