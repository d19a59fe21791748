"""Training a detector on the pictures of one data set: f on clean ones, fresh ones on every arm of the evaluation."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dartblur.compute import in_half, mixed
from dartblur.detector.ahead import Ahead
from dartblur.detector.family import Family, M
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.views import Views
from dartblur.detector.weights import load_imagenet, load_wider
from dartblur.errors import DartblurError
from dartblur.media.tensors import load_optimizer, load_state, load_tensors, optimizer_tensors, save_tensors
from dartblur.params import DetectorParams

CHECKPOINT_STEPS = 200
"""Steps between checkpoints that an interrupted training goes on from."""


def ready_detector(params: DetectorParams) -> RetinaFace | None:
    """The detector whose weights ``params.init`` has ready (``wider``), frozen; None where one has to be trained."""
    if params.init != "wider":
        return None
    model = RetinaFace(params.backbone, params.channels)
    load_wider(model)
    return channels_last(model).eval().requires_grad_(False)


def new_detector(params: DetectorParams, seed: int) -> RetinaFace:
    """An untrained detector: heads from ``seed``, the backbone too unless ``params.init`` is ``imagenet``. Never from a face detector."""
    torch.manual_seed(seed)
    model = RetinaFace(params.backbone, params.channels)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for head in [*model.classify, *model.regress]:
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
    if params.init == "imagenet":
        load_imagenet(model.backbone)  # type: ignore[arg-type] # params allow imagenet with mobilenetv2 alone
    return channels_last(model)


def channels_last(model: M) -> M:
    """Lay convolution weights out channels last, which a CPU runs through twice as fast; the values stay."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def weight_groups(model: nn.Module, params: DetectorParams) -> list[dict[str, Any]]:
    """Parameters in four groups: convolution weights decay, biases and batch norms do not; ``rate`` scales the learning rate of the backbone."""
    groups = []
    for backbone, rate in ((True, params.backbone_rate), (False, 1.0)):
        named = [value for name, value in model.named_parameters() if name.startswith("backbone.") == backbone]
        groups.append({"params": [p for p in named if p.ndim > 1], "weight_decay": params.weight_decay, "rate": rate})
        groups.append({"params": [p for p in named if p.ndim <= 1], "weight_decay": 0.0, "rate": rate})
    return groups


def one_cycle(step: int, steps: int, peak: float) -> float:
    """The learning rate of step ``step`` of ``steps``: a cosine from peak / 25 up over the first fifth, then down to nothing (Smith 2018).

    A function of the step alone, so that an interrupted training needs no schedule to be stored.
    """
    rise = max(steps // 5, 1)
    if step < rise:
        return peak * (1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * (step + 1) / rise)) / 2)
    return peak * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1))) / 2


def train_detector(
    family: Family[M],
    views: Views,
    params: DetectorParams,
    seed: int,
    device: torch.device,
    work: Path,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    *,
    precision: str = "fp32",
) -> M:
    """Train a detector of ``family`` for ``params.steps`` steps of AdamW with a one-cycle learning rate.

    Args:
        views: where batches come from; the first data set is trained on.
        seed: of the heads and the batches; the same seed shows every arm and family the same windows in the same order.
        work: folder for checkpoints; an interrupted training of the same settings goes on from there to the same bytes.
        on_step: called after each step with its number (from 1) and its loss.
        precision: of the network's convolutions, as ``compute.precision``; weights, batch norms' statistics and the loss are fp32 always.

    Raises:
        DartblurError: the loss is not finite, or the split has no picture with a face.
    """
    if not views.pictures:
        raise DartblurError("no picture with a counted face to train a detector on; check the split in the validation report")
    model = channels_last(family.new(params, seed)).to(device).train()
    optimizer = torch.optim.AdamW(weight_groups(model, params), lr=params.learning_rate)
    checkpoint = work / f"{family.name}-{_fingerprint(views, params, seed, device, in_half(precision, device))}.safetensors"
    first = _resume(checkpoint, model, optimizer) if checkpoint.is_file() else 0
    batches = Ahead(lambda step: views.batch(seed, step, params.batch), on=device.type != "cpu")
    for step in range(first, params.steps):
        batch = batches.take(step)
        with mixed(precision, device):
            loss = family.loss(model, batch.images[0].to(device), batch.boxes, batch.ignored, params)
        if not torch.isfinite(loss):
            raise DartblurError(f"the detector's loss is {loss.item()} at step {step + 1} of {params.steps}; lower detector.learning_rate")
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * one_cycle(step, params.steps, params.learning_rate)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        on_step(step + 1, float(loss.detach()))
        if (step + 1) % CHECKPOINT_STEPS == 0 and step + 1 < params.steps:
            save_tensors(checkpoint, {**_prefixed(model), **optimizer_tensors(optimizer, "optimizer")}, {"step": step + 1})
    checkpoint.unlink(missing_ok=True)
    return model.eval().requires_grad_(False)


def _prefixed(model: nn.Module) -> dict[str, torch.Tensor]:
    return {f"model.{name}": value for name, value in model.state_dict().items()}


def _resume(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    tensors, about = load_tensors(path)
    load_state(model, {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}, path)
    load_optimizer(optimizer, tensors, "optimizer")
    return int(about["step"])


def _fingerprint(views: Views, params: DetectorParams, seed: int, device: torch.device, half: bool) -> str:
    """What a checkpoint belongs to: settings, seed, how it is computed, and the whole table with the pictures' hashes."""
    table = hashlib.sha256(views.datasets[0].table.to_csv().encode()).hexdigest()
    text = json.dumps([params.model_dump(), views.params.model_dump(), seed, str(device), half, torch.get_num_threads(), table])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
