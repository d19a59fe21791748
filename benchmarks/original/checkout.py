"""The original's own training loop, run one batch at a time from a checkout.

``Trainer.m_run_train`` of the checkout is called for one epoch of one batch without epochs of fg alone: what runs are its lines, unchanged. Around
it stand-ins: for torchvision where there is none, for the progress bar (which is where the terms are read), for the two optimisers (it makes new
ones at every call; it is handed the same ones, so that their moments last), for saving pictures and weights (left out), and for ``print``, with
which it passes over errors (they are raised). Where a setting differs from the original's, the method in question is wrapped, never the loop.
"""

import importlib
import importlib.util
import itertools
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.original.batch import MEAN, StepBatch
from benchmarks.original.nms import nms
from benchmarks.original.output import end_with_artanh
from benchmarks.original.settings import BETAS, BOX_WEIGHT, MATCH_IOU, NEGATIVES_PER_POSITIVE, Settings
from benchmarks.original.weights import Learner, as_it_is, detector_name, turned, unet_name
from dartblur.blur.unet import UNet
from dartblur.detector.retinaface import RetinaFace
from dartblur.errors import DartblurError, UsageError

_PACKAGES = ("trainer", "nets", "utils")
_ANNOTATED_CALLS = (0, 4)
"""Of the five losses of a step, in order: inner, process, post-hoc, cycle, fg."""
_TERMS = {"rev": "review", "fid_proc": "process", "fid_post": "posthoc", "fid_cycl": "cycle", "fg": "detector"}


class Checkout:
    """A checkout's U-Net, f, fg and trainer.

    Args:
        folder: the root of a checkout.
        unet, frozen, detector: our networks, whose weights the checkout's get: U (width 32, depth 5), f and fg (mobilenet025, 64 channels).

    Raises:
        UsageError: no checkout there, or the package higher is not installed.
    """

    def __init__(self, folder: Path, unet: UNet, frozen: RetinaFace, detector: RetinaFace, settings: Settings, device: torch.device) -> None:
        if not (folder / "trainer.py").is_file():
            raise UsageError(f"{folder}: no checkout of the original implementation (no trainer.py); clone JaNg2333/DartBlur there")
        if importlib.util.find_spec("higher") is None:
            raise UsageError("the original needs the package higher; pip install --no-deps -r benchmarks/requirements.txt")
        self.settings, self.device = settings, device
        self._module = _imported(folder)
        self.unet = self._module.UNet(input_channel=4)
        self.unet.load_state_dict({unet_name(name): turned(name, value) for name, value in unet.state_dict().items()})
        self.frozen, self.detector = (_detector(self._module, model) for model in (frozen, detector))
        for model in (self.unet, self.frozen, self.detector):
            model.to(device)
        unet_optimizer = torch.optim.Adam(self.unet.parameters(), lr=settings.unet_learning_rate, betas=BETAS)
        detector_optimizer = torch.optim.Adam(self.detector.parameters(), lr=settings.detector_learning_rate, betas=BETAS)
        self.learners = {
            "unet": Learner(self.unet, unet_optimizer, {name: unet_name(name) for name in unet.state_dict()}, turned),
            "detector": Learner(self.detector, detector_optimizer, {name: detector_name(name) for name in detector.state_dict()}, as_it_is),
        }
        if settings.output == "artanh":
            end_with_artanh(self.unet, self.unet.up0)
        self._offset = torch.from_numpy(MEAN).view(1, 3, 1, 1).to(device)
        self._known_anchors: dict[int, Tensor] = {}
        self._reported: dict[str, Any] = {}
        self._stand_in()
        self._trainer = _trainer(self._module, settings, device)

    def run(self, batch: StepBatch, given: Tensor | None) -> dict[str, float]:
        """One step; see :meth:`benchmarks.original_step.OriginalStep.step`."""
        trainer, anchors = self._trainer, self._anchors(batch.size)
        trainer.image_size = batch.size
        trainer.given = None if given is None else given.to(self.device).flip(1) - self._offset
        trainer.shown = None
        criterion = _criterion(self._module, self.settings, self.device, anchors)
        loader = [(batch.loader.clean, batch.loader.blurred, batch.loader.annotations)]
        trainer.m_run_train(self.unet, self.frozen, self.detector, criterion, anchors, loader, 1)
        return {ours: float(self._reported[theirs]) for theirs, ours in _TERMS.items()}

    def anonymised(self) -> Tensor:
        """g(x) of the last step."""
        return (self._trainer.shown + self._offset).flip(1)  # type: ignore[no-any-return] # the checkout has no types

    def _anchors(self, size: int) -> Tensor:
        """As in the original, made once, in a Python loop that takes longer than a small step."""
        if size not in self._known_anchors:
            anchors = self._module.Anchors(self._trainer.cfg, image_size=(size, size))
            self._known_anchors[size] = anchors.get_anchors().to(self.device)
        return self._known_anchors[size]

    def _stand_in(self) -> None:
        module = self._module
        reported = self._reported

        class Bar:
            def __init__(self, *_: Any, **__: Any) -> None: ...

            def __enter__(self) -> "Bar":
                return self

            def __exit__(self, *_: object) -> None: ...

            def update(self, _: int) -> None: ...

            def set_postfix(self, **values: Any) -> None:
                reported.update(values)

        def raise_it(error: Exception) -> None:
            raise DartblurError(f"the original's step failed: {error}") from error

        module.tqdm = Bar
        module.print = raise_it
        # In the order in which the loop makes them; the third is that of the epochs of fg alone.
        made = itertools.cycle([self.learners["unet"].optimizer, self.learners["detector"].optimizer, self.learners["detector"].optimizer])
        module.optim = SimpleNamespace(Adam=lambda *_, **__: next(made), lr_scheduler=SimpleNamespace(ExponentialLR=_ConstantRate))
        module.higher = SimpleNamespace(innerloop_ctx=_inner_loop(module.higher, self.settings))
        if self.settings.pseudo_cut:
            decode = module.decode
            module.decode = lambda *arguments: decode(*arguments).clamp_(0, 1)


class _ConstantRate:
    """In place of ExponentialLR: a benchmark's step is always of the first epoch."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def step(self) -> None: ...


def _detector(module: Any, ours: RetinaFace) -> Any:
    model = module.RetinaFace(cfg=module.cfg_mnet, pretrained=False)
    missing, unexpected = model.load_state_dict({detector_name(name): value for name, value in ours.state_dict().items()}, strict=False)
    if unexpected or any(not name.startswith("LandmarkHead.") for name in missing):
        raise DartblurError(f"the original's RetinaFace does not take our weights (missing {missing}, unknown {unexpected})")
    for parameter in model.LandmarkHead.parameters():  # a constant extra: its loss is computed and left out of the sum
        nn.init.zeros_(parameter)
    return model


def _trainer(module: Any, settings: Settings, device: torch.device) -> Any:
    class OneStep(module.Trainer):  # type: ignore[misc] # the checkout has no types
        given: Tensor | None = None
        shown: Tensor | None = None

        def m_save(self, *_: Any) -> None: ...

        def m_save_g_x(self, images: Tensor, gaussian: Tensor, pictures: Tensor, *_: Any) -> None:
            self.shown = pictures.detach()  # called for the first batch of an epoch: here, for each

        def m_get_binary_mask(self, shape: tuple[int, ...], targets: list[Tensor]) -> Tensor:
            if settings.mask == "truncated":
                return super().m_get_binary_mask(shape, targets)  # type: ignore[no-any-return]
            return touched_mask(shape[2], targets, self.device)

        def m_get_blurred_image(self, x: Tensor, b: Tensor, g: nn.Module) -> Tensor:
            if self.given is not None:
                return self.given
            if self.shown is not None and not settings.second_forward:
                return self.shown
            return super().m_get_blurred_image(x, b, g)  # type: ignore[no-any-return]

        def m_get_final_bbox(self, preds: tuple[Tensor, ...], anchors: Tensor, **_: Any) -> Any:
            boxes, logits, landmarks = preds
            scores = logits.softmax(dim=-1) if settings.pseudo_of == "probability" else logits
            return super().m_get_final_bbox((boxes, scores, landmarks), anchors, settings.pseudo_score, settings.pseudo_nms_iou)

    options = SimpleNamespace(
        start_epoch=0, num_epoch=1, num_fg_epoch=0, batch_size=None, num_workers=0,
        load_checkpoint_g=False, load_checkpoint_fg=False, input_blurred_data=True,
        budget=settings.budget, label_smoothing=settings.label_smoothing,
        lr_org_g=settings.unet_learning_rate, gamma_g=1.0, lr_org_fg=settings.detector_learning_rate, gamma_fg=1.0,
        blurred_image_path=None, training_dataset_path=None, retinaface_path=None, g_path=None, fg_path=None,
        pth_save_dir=".", debug_save_dir=".",
    )  # fmt: skip
    trainer = OneStep(options)
    trainer.device = device
    return trainer


def touched_mask(size: int, targets: list[Tensor], device: torch.device) -> Tensor:
    """The original's mask, box by box, but of every pixel that a box touches: (B, 1, size, size) from boxes in shares of the view."""
    mask = torch.zeros(len(targets), 1, size, size, device=device)
    for row, boxes in enumerate(targets):
        for box in boxes:
            # A thousandth of a pixel is the rounding of the shares.
            x1, y1 = (math.floor(float(value) * size + 1e-3) for value in box[:2])
            x2, y2 = (math.ceil(float(value) * size - 1e-3) for value in box[2:4])
            mask[row, :, y1:y2, x1:x2] = 1.0
    return mask


class _Negatives:
    """Stands for the 7 that multiplies the number of positives: a view without any counts as one with ``least``."""

    def __init__(self, least: int) -> None:
        self.least = least

    def __mul__(self, positives: Tensor) -> Tensor:
        return NEGATIVES_PER_POSITIVE * positives.clamp(min=self.least)


def _criterion(module: Any, settings: Settings, device: torch.device, anchors: Tensor) -> Callable[..., Any]:
    """The checkout's MultiBoxLoss, for the five losses of one step."""
    loss = module.MultiBoxLoss(2, MATCH_IOU, NEGATIVES_PER_POSITIVE, module.cfg_mnet["variance"], cuda=device.type == "cuda")
    if module.cfg_mnet["loc_weight"] != BOX_WEIGHT:
        raise DartblurError(f"the checkout weighs boxes with {module.cfg_mnet['loc_weight']}, not {BOX_WEIGHT}; take commit 28cdf76")
    if settings.empty_positives:
        loss.negpos_ratio = _Negatives(settings.empty_positives)
    jaccard, point_form = (module.MultiBoxLoss.forward.__globals__[name] for name in ("jaccard", "point_form"))
    calls = 0

    def reachable(faces: Tensor) -> Tensor:
        best = jaccard(faces[:, :4], point_form(anchors)).amax(dim=1)
        # The original marks a view without faces by one row of zeros.
        return faces[best >= settings.forced_iou] if bool((best >= settings.forced_iou).any()) else torch.zeros_like(faces[:1])

    def criterion(predictions: Any, priors: Tensor, targets: list[Tensor], label_smoothing: float) -> Any:
        nonlocal calls
        smoothing = settings.annotated_smoothing if calls in _ANNOTATED_CALLS else label_smoothing
        calls += 1
        return loss(predictions, priors, [reachable(faces) for faces in targets] if settings.forced_iou else targets, smoothing)

    return criterion


def _inner_loop(higher: Any, settings: Settings) -> Callable[..., Any]:
    """higher.innerloop_ctx with the inner step of ``settings``; as it is where they are the original's."""

    class RootedAdam(higher.optim.DifferentiableAdam):  # type: ignore[misc] # higher has no types
        """Adam with epsilon squared inside the root, as dartblur.training.inner_step has it; for one step, so no moments are kept."""

        def _update(self, grouped_grads: list[list[Tensor | None]], **_: Any) -> None:
            for group, states, gradients in zip(self.param_groups, self.state, grouped_grads, strict=True):
                beta1, beta2 = group["betas"]
                for index, gradient in enumerate(gradients):
                    if gradient is None:
                        continue
                    warm = states[index]
                    step = int(warm.get("step", 0)) + 1
                    first = beta1 * warm.get("exp_avg", 0.0) + (1 - beta1) * gradient
                    second = beta2 * warm.get("exp_avg_sq", 0.0) + (1 - beta2) * gradient.square()
                    root = torch.sqrt(second / (1 - beta2**step) + group["eps"] ** 2)
                    group["params"][index] = group["params"][index] - group["lr"] * first / (1 - beta1**step) / root

    @contextmanager
    def innerloop_ctx(model: nn.Module, optimizer: torch.optim.Adam, track_higher_grads: bool) -> Iterator[tuple[nn.Module, Any]]:
        override = {"lr": [settings.inner_learning_rate], "eps": [settings.inner_epsilon]}
        with higher.innerloop_ctx(model, optimizer, override=override, track_higher_grads=track_higher_grads) as (fast, adam):
            if not settings.moved_statistics:
                for part in fast.modules():
                    if isinstance(part, nn.BatchNorm2d):
                        part.momentum = 0.0  # of the functional copy; fg's own stays
            if settings.inner_epsilon_inside:
                options = {"fmodel": fast, "override": override, "track_higher_grads": track_higher_grads}
                yield fast, RootedAdam(optimizer, model.parameters(), **options)
            else:
                yield fast, adam

    return innerloop_ctx


def _imported(folder: Path) -> Any:
    """The checkout's trainer module. Its packages have common names, so they are taken out of sys.modules again."""
    stand_ins = {"tqdm": _module("tqdm", tqdm=None)}
    if importlib.util.find_spec("torchvision") is None:
        utils = _module("torchvision.models._utils", IntermediateLayerGetter=IntermediateLayerGetter)
        models = _module("torchvision.models", _utils=utils)
        operators = _module("torchvision.ops", nms=nms)
        parts = [_module("torchvision", models=models, ops=operators), models, utils, operators]
        stand_ins.update({part.__name__: part for part in parts})
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name in stand_ins or name.split(".")[0] in _PACKAGES}
    path = list(sys.path)
    sys.path.insert(0, str(folder.resolve()))
    sys.modules.update(stand_ins)
    try:
        return importlib.import_module("trainer")
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if name in stand_ins or name.split(".")[0] in _PACKAGES]:
            del sys.modules[name]
        sys.modules.update(before)


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module


class IntermediateLayerGetter(nn.ModuleDict):
    """torchvision's: runs a model's children in order up to the last wanted one and returns the wanted outputs, {new name: output}."""

    def __init__(self, model: nn.Module, return_layers: dict[str, Any]) -> None:
        children = dict(model.named_children())
        last = max(list(children).index(name) for name in return_layers)
        super().__init__(dict(list(children.items())[: last + 1]))
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> "OrderedDict[Any, Tensor]":
        taken: OrderedDict[Any, Tensor] = OrderedDict()
        for name, layer in self.items():
            x = layer(x)
            if name in self.return_layers:
                taken[self.return_layers[name]] = x
        return taken
