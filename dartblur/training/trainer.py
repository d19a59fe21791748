"""Training DartBlur's U-Net: a warm start on tiles of faces, then the adversarial training of the method with its second-order step.

Everything random is a function of the seed and of the step's number, so a training that was cut off at any step goes on to the same bytes.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dartblur.blur.paint import Painted, gather, paint
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.tiles import Tile, tile_around, tiles_of
from dartblur.blur.unet import UNet, blend
from dartblur.blur.weights import new_unet
from dartblur.compute import mixed
from dartblur.detector.ahead import Ahead
from dartblur.detector.anchors import FaceBatch, Targets
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.training import channels_last
from dartblur.detector.views import ViewBatch, Views
from dartblur.media.windows import FILL
from dartblur.params import AdditionWeights, Params
from dartblur.processes import count, joint_many, own, total, union
from dartblur.training.additions import Additions, Faces, Seen
from dartblur.training.critic import Critic
from dartblur.training.discriminator import Discriminator
from dartblur.training.facetiles import CleanTiles, FaceTiles
from dartblur.training.judges import Judges
from dartblur.training.objectives import Terms, review
from dartblur.training.pool import BETAS, DetectorPool, Learned
from dartblur.training.resumable import Step
from dartblur.training.schedule import Schedule
from dartblur.training.update import update

_SEED_OF_FG = 1
_SEED_OF_VIEWS = 2
_SEED_OF_TILES = 3


@dataclass
class Batch:
    """A batch on the device: clean and pre-blurred views, mask, tiles, and what the anchors should say of the annotated faces."""

    clean: Tensor  # x, (B, 3, S, S)
    blurred: Tensor  # x~, (B, 3, S, S)
    mask: Tensor  # b, (B, 1, S, S)
    tiles: list[list[Tile]]
    annotated: Targets  # of y


@dataclass
class Trainer:
    """Holds the networks and optimisers of a training; :meth:`advance` takes the next step.

    Args:
        views: training views of two copies of the data set, clean and pre-blurred.
        frozen: f, trained on clean pictures.
    """

    params: Params
    views: Views
    frozen: RetinaFace
    device: torch.device
    unet: UNet = field(init=False)
    critic: Critic = field(init=False)
    judges: Judges = field(init=False)
    pool: DetectorPool = field(init=False)
    unet_optimizer: torch.optim.Adam = field(init=False)
    schedule: Schedule = field(init=False)
    _tiles_ahead: Ahead[CleanTiles] = field(init=False, repr=False)
    _views_ahead: Ahead[ViewBatch] = field(init=False, repr=False)
    done: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        train, unet = self.params.train, self.params.unet
        self.schedule = Schedule(train, len(self.views.pictures))
        torch.manual_seed(self.params.seed)
        self.unet = channels_last(new_unet(unet)).to(self.device)
        self.frozen = self.frozen.to(self.device).eval().requires_grad_(False)
        self.critic = Critic(self.params, self.device)
        self.judges = Judges(self.params, self.frozen, self.device)
        self.config = DartBlurConfig(unet.width, unet.depth, self.params.preblur.strength, self.params.preblur.context, unet.face_min, unet.face_max)
        if train.warm.steps:  # without a warm start, pictures of small faces alone will do
            self.face_tiles = FaceTiles(self.views, self.config.tiles)
        self.unet_optimizer = torch.optim.Adam(self.unet.parameters(), lr=train.unet_learning_rate, betas=BETAS)
        self.pool = DetectorPool(self.params.detector, train, self.params.seed + _SEED_OF_FG, self.device)
        ahead = self.device.type != "cpu"
        self._tiles_ahead, self._views_ahead = Ahead(self._draw_tiles, ahead), Ahead(self._draw_views, ahead)

    def _draw_tiles(self, number: int) -> CleanTiles:
        return self.face_tiles.batch(self.params.seed + _SEED_OF_TILES, number, self.params.train.warm.batch, (own(), count()))

    def _draw_views(self, turn: int) -> ViewBatch:
        return self.views.batch(self.params.seed + _SEED_OF_VIEWS, turn, self.params.train.batch, (own(), count()))

    @property
    def discriminator(self) -> Discriminator:
        """The one that the critic trains."""
        return self.critic.discriminator

    @property
    def discriminator_optimizer(self) -> torch.optim.Adam:
        """Its optimiser."""
        return self.critic.optimizer

    def advance(self) -> Step:
        """Take the next step of the training."""
        number, kind = self.done, self.schedule.kind(self.done)
        self.unet_optimizer.param_groups[0]["lr"] = self.schedule.unet_rate(number)
        if kind == "warm":
            values = self.warm_step(number)
        else:
            if self.schedule.starts_epoch(number):
                self.pool.begin_epoch(self.schedule.epoch(number))
            self.pool.set_rate(self.schedule.detector_rate(number))
            turn = number - self.params.train.warm.steps
            batch = self._batch(turn)
            if kind == "detector":
                with torch.no_grad():
                    made = self._paint(batch).views
                values = {"detector": self.detector_step(batch, made, turn)}
            else:
                values = self.adversarial_step(batch, turn)
        self.done += 1
        return Step(self.done, kind, values)

    def _batch(self, step: int) -> Batch:
        views = self._views_ahead.take(step)
        clean, blurred = (images.to(self.device) for images in views.images)
        size = self.params.view.size
        tiles = [tiles_of(boxes.numpy(), size, size, self.config.tiles) for boxes in views.boxes]
        return Batch(clean, blurred, views.mask.to(self.device), tiles, self.judges.targets(FaceBatch.of(views.boxes, views.ignored, self.device)))

    def _unet(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """U in training: with convolutions in half precision where asked for, never what the second-order step goes through."""
        with mixed(self.params.compute.precision, self.device):
            if self.params.compute.checkpointing and torch.is_grad_enabled():
                made: Tensor = checkpoint(self.unet, blurred, mask, use_reentrant=False, preserve_rng_state=False)
            else:
                made = self.unet(blurred, mask)
        return made

    @torch.no_grad()
    def paint(self, drawn: ViewBatch) -> Tensor:
        """g(x) of views as U is now, (B, 3, S, S) on the CPU; changes nothing."""
        size = self.params.view.size
        tiles = [tiles_of(boxes.numpy(), size, size, self.config.tiles) for boxes in drawn.boxes]
        return paint(self._unet, drawn.images[1].to(self.device), drawn.mask.to(self.device), tiles).views.cpu()

    def _paint(self, batch: Batch) -> Painted:
        return paint(self._unet, batch.blurred, batch.mask, batch.tiles)

    def warm_step(self, number: int) -> dict[str, float]:
        """U's step number ``number`` on tiles of faces, with review and the additions alone; returns all terms."""
        train = self.params.train
        drawn = self._tiles_ahead.take(number)
        clean, blurred, mask = (tensor.to(self.device) for tensor in (drawn.clean, drawn.seen.blurred, drawn.seen.mask))
        made = blend(self._unet, blurred, mask)
        terms = Terms(review=review(made, blurred, mask, train.budget) if train.weights.review else None)
        seen = self.critic.look([Faces(made, clean, mask)], self.schedule.additions(self.done))
        return self._learn(terms, seen)

    def _learn(self, terms: Terms, seen: list[Seen]) -> dict[str, float]:
        """U's step, then the discriminator's if it is in use, on the same tiles; returns all terms."""
        weights = self.schedule.additions(self.done)
        values = self._step_unet(terms, self.critic.additions(seen, weights), weights)
        return {**values, **self.critic.step(seen)} if weights.realism else values

    def _step_unet(self, terms: Terms, added: Additions, of_additions: AdditionWeights) -> dict[str, float]:
        """U's optimiser step on the weighted sum; returns the terms, their total and the norm of the gradient."""
        train = self.params.train
        weights = {**train.weights.model_dump(), **of_additions.model_dump()}
        return update(self.unet, self.unet_optimizer, [*terms.items(), *added.items()], weights, train.gradient_clip, self.done + 1)

    def detector_step(self, batch: Batch, anonymised: Tensor, turn: int) -> float:
        """fg's ordinary step on Ldet(fg(g(x)), y), with g(x) (B, 3, S, S) as a constant; returns the loss."""
        member, optimizer = self.pool.take(turn)
        loss = self.judges.loss(member.train()(anonymised.detach()), batch.annotated)
        names, parameters = zip(*member.named_parameters(), strict=True)
        gradients = dict(zip(names, joint_many(torch.autograd.grad(loss, parameters)), strict=True))
        return self.pool.step(member, optimizer, Learned(float(total(loss)), gradients, {}))

    def adversarial_step(self, batch: Batch, turn: int) -> dict[str, float]:
        """U's step on the four objectives and the additions, then fg's ordinary step on the same g(x); returns all terms."""
        painted = self._paint(batch)
        if not bool(total(batch.mask.amax()) > 0):  # no face in the whole batch: nothing for U to learn
            return {"detector": self.detector_step(batch, painted.views, turn)}
        terms, learned = self.terms(batch, painted.views, turn)
        seen = self.critic.look(self._faces(batch, painted), self.schedule.additions(self.done))
        values = self._learn(terms, seen)
        # The inner step has taken Ldet(fg(g(x)), y) and its gradient on the very same pictures: fg's ordinary step needs no pass of its own.
        loss = self.pool.step(*self.pool.take(turn), learned) if learned else self.detector_step(batch, painted.views, turn)
        return {**values, "detector": loss}

    def _faces(self, batch: Batch, painted: Painted) -> list[Faces]:
        """The tiles of every size that any process has. One that has none of a size takes part in the sums with an empty group."""
        groups = {
            seen.mask.shape[-1]: Faces(made, torch.stack([gather(batch.clean[view], tile, FILL) for view, tile in where]), seen.mask)
            for where, seen, made in painted.tiles
        }
        largest = tile_around((0, 0, self.config.face_max, self.config.face_max), self.config.tiles).size
        return [groups[size] if size in groups else self._nothing(size) for size in union(groups, largest, self.device)]

    def _nothing(self, size: int) -> Faces:
        """No tile of a size, but U's gradient all the same: zeros. PixelShuffle has none for a batch of nothing, so one tile runs and is dropped."""
        pictures, masks = (torch.zeros(1, channels, size, size, device=self.device) for channels in (3, 1))
        return Faces(blend(self._unet, pictures, masks)[:0], pictures[:0], masks[:0])

    def terms(self, batch: Batch, anonymised: Tensor, turn: int) -> tuple[Terms, Learned | None]:
        """The objectives whose weight is above 0, as functions of g(x) (B, 3, S, S), and what the inner step learned on the way."""
        train = self.params.train
        near = review(anonymised, batch.blurred, batch.mask, train.budget) if train.weights.review else None
        seen, learned = self.judges.objectives(batch.clean, anonymised, batch.annotated, *self.pool.take(turn))
        return Terms(review=near, **seen), learned

    def parts(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Everything that a training changes, networks and optimisers by name."""
        members = {f"detector{index}": member for index, member in enumerate(self.pool.members)}
        owners = {f"detector{index}_optimizer": optimizer for index, optimizer in enumerate(self.pool.optimizers)}
        return (
            {"unet": self.unet, "discriminator": self.discriminator, **members},
            {"unet_optimizer": self.unet_optimizer, "discriminator_optimizer": self.discriminator_optimizer, **owners},
        )

    def describe(self) -> dict[str, Any]:
        """What a checkpoint says of itself."""
        return {"done": self.done, "steps": self.schedule.steps, "parameters": sum(p.numel() for p in self.unet.parameters())}
