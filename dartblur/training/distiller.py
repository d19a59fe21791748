"""Distillation: a small network learns, on tiles of faces, to paint what a U-Net paints there, and to be as crisp as that.

Like every training here it goes on to the same bytes wherever it was cut off: what is random is a function of the seed and of the step's number.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.small import SmallNet
from dartblur.blur.tiles import tile_around
from dartblur.blur.unet import blend
from dartblur.compute import mixed
from dartblur.detector.training import channels_last
from dartblur.detector.views import Views
from dartblur.params import Params
from dartblur.training.additions import Faces
from dartblur.training.critic import Critic
from dartblur.training.facetiles import FaceTiles
from dartblur.training.pool import BETAS
from dartblur.training.resumable import Step
from dartblur.training.schedule import Schedule
from dartblur.training.update import update

_SEED_OF_TILES = 3


def warm_settings(params: Params) -> Params:
    """The settings under which the parts of a warm start do what ``params.distill`` asks for, beginning with the critic of the sample people."""
    distill = params.distill
    warm = params.train.warm.model_copy(
        update={"steps": distill.steps, "near_steps": distill.near_steps, "batch": distill.batch, "learning_rate": distill.learning_rate}
    )
    train = params.train.model_copy(update={"warm": warm, "near": distill.near, "additions": distill.additions})
    return params.model_copy(update={"train": train, "unet": params.unet.model_copy(update={"init": "people"})})


@dataclass(frozen=True)
class Lesson:
    """A batch of tiles as the small network sees them: (N, 3, T, T) in grey levels but for the mask (N, 1, T, T), 0 or 1.

    ``taught`` is what the teacher painted, who saw more around the faces.
    """

    clean: Tensor
    blurred: Tensor
    mask: Tensor
    taught: Tensor


@dataclass
class Distiller:
    """Holds the small network, its teacher and the critic; :meth:`advance` takes the next step. A :class:`dartblur.training.resumable.Resumable`.

    Args:
        params: as :func:`warm_settings` makes them.
        views: training views of a data set, clean and pre-blurred at the teacher's strength.
        teacher: a trained U-Net; how it sees faces is how the small network sees them, but for the context.
    """

    params: Params
    views: Views
    teacher: DartBlur
    device: torch.device
    student: SmallNet = field(init=False)
    config: DartBlurConfig = field(init=False)
    critic: Critic = field(init=False)
    optimizer: torch.optim.Adam = field(init=False)
    schedule: Schedule = field(init=False)
    done: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        distill, known = self.params.distill, self.teacher.config
        self.schedule = Schedule(self.params.train, len(self.views.pictures))
        torch.manual_seed(self.params.seed)
        self.student = channels_last(SmallNet(distill.width, distill.depth)).to(self.device).train()
        self.config = DartBlurConfig(distill.width, distill.depth, known.strength, distill.context, known.face_min, known.face_max, "small")
        channels_last(self.teacher.unet)
        self.critic = Critic(self.params, self.device)
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=distill.learning_rate, betas=BETAS)
        self._face_tiles = FaceTiles(self.views, known.tiles)

    def lesson(self, step: int) -> Lesson:
        """Batch number ``step``: a function of the seed and the step alone; those after the last step are for measuring."""
        drawn = self._face_tiles.batch(self.params.seed + _SEED_OF_TILES, step, self.params.distill.batch)
        clean, blurred, mask = (tensor.to(self.device) for tensor in (drawn.clean, drawn.seen.blurred, drawn.seen.mask))
        with torch.no_grad(), self._mixed():
            taught = blend(self.teacher.unet, blurred, mask)
        return Lesson(*(self._inner(tensor, drawn.face) for tensor in (clean, blurred, mask, taught)))

    def _inner(self, tiles: Tensor, face: int) -> Tensor:
        """What the small network sees of the teacher's tiles (N, C, T, T) with faces of ``face`` pixels: their middle, with less around the face."""
        side = tile_around((0, 0, face, face), self.config.tiles).size
        start = max((tiles.shape[-1] - side) // 2, 0)
        return tiles[..., start : start + side, start : start + side]

    def advance(self) -> Step:
        """Take the next step."""
        weights, lesson = self.schedule.additions(self.done), self.lesson(self.done)
        self.optimizer.param_groups[0]["lr"] = self.schedule.unet_rate(self.done)
        with self._mixed():
            made = blend(self.student, lesson.blurred, lesson.mask)
        seen = self.critic.look([Faces(made, lesson.clean, lesson.mask, lesson.taught)], weights)
        terms = self.critic.additions(seen, weights).items()
        values = update(self.student, self.optimizer, terms, weights.model_dump(), self.params.train.gradient_clip, self.done + 1)
        if weights.realism:
            values |= self.critic.step(seen)
        self.done += 1
        return Step(self.done, "warm", values)

    def _mixed(self) -> torch.autocast:
        return mixed(self.params.compute.precision, self.device)

    def parts(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        """Everything that the training changes, networks and optimisers by name."""
        return (
            {"student": self.student, "discriminator": self.critic.discriminator},
            {"student_optimizer": self.optimizer, "discriminator_optimizer": self.critic.optimizer},
        )

    def describe(self) -> dict[str, Any]:
        """What a checkpoint says of itself."""
        return {"done": self.done, "steps": self.schedule.params.warm.steps, "parameters": sum(p.numel() for p in self.student.parameters())}
