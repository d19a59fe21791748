"""Distillation: what the small network is shown, and that it comes nearer to its teacher."""

from dataclasses import replace

import pytest
import torch

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.unet import blend
from dartblur.detector.views import Views
from dartblur.faces.dataset import FaceDataset
from dartblur.params import AdditionWeights, Params
from dartblur.training.additions import Faces
from dartblur.training.distiller import Distiller, Lesson, warm_settings
from tests.blur.samples import random_unet
from tests.settings import settings
from tests.training.conftest import NOTHING_ADDED, small

TEACHER = DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=16, face_max=24)
NEAR = NOTHING_ADDED.model_copy(update={"restore": 1.0, "seam": 0.5})
CRISP = NOTHING_ADDED.model_copy(update={"restore": 0.1, "realism": 1.0})


def params(additions: AdditionWeights = CRISP, steps: int = 4, near_steps: int = 2) -> Params:
    distill = {"width": 16, "depth": 3, "context": 0.125, "batch": 2, "learning_rate": 3e-3, "near": NEAR, "additions": additions}
    made = small().model_copy(update={"distill": settings(distill={**distill, "steps": steps, "near_steps": near_steps}).distill})
    return warm_settings(made)


def distiller(copies: list[FaceDataset], given: Params) -> Distiller:
    teacher = DartBlur(random_unet(TEACHER), TEACHER)
    return Distiller(given, Views(copies, "train", given.view), teacher, torch.device("cpu"))


def test_it_is_used_as_the_teacher_is_but_for_the_context(copies: list[FaceDataset]) -> None:
    assert distiller(copies, params()).config == replace(TEACHER, width=16, depth=3, context=0.125, network="small")


def test_a_lesson_is_the_middle_of_what_the_teacher_sees(copies: list[FaceDataset]) -> None:
    made = distiller(copies, params())
    for step in range(6):
        lesson = made.lesson(step)
        drawn = made._face_tiles.batch(made.params.seed + 3, step, 2)
        side, whole = lesson.mask.shape[-1], drawn.clean.shape[-1]
        assert side == -(-int(drawn.face * 1.25) // 8) * 8 and side < whole == -(-drawn.face * 2 // 8) * 8
        middle = slice((whole - side) // 2, (whole - side) // 2 + side)
        with torch.no_grad():
            taught = blend(made.teacher.unet, drawn.seen.blurred, drawn.seen.mask)
        pairs = [(lesson.clean, drawn.clean), (lesson.blurred, drawn.seen.blurred), (lesson.mask, drawn.seen.mask), (lesson.taught, taught)]
        for found, known in pairs:
            torch.testing.assert_close(found, known[..., middle, middle])
        assert ((lesson.taught - lesson.blurred).abs() * lesson.mask).sum() > 0


def test_it_comes_nearer_to_its_teacher(copies: list[FaceDataset]) -> None:
    made = distiller(copies, params(steps=60, near_steps=60))
    assert _distance(made) > 1
    before = _distance(made)
    for _ in range(60):
        made.advance()
    assert _distance(made) < 0.8 * before


def _distance(made: Distiller) -> float:
    """Grey levels from what is taught, on lessons that no step takes."""
    far = []
    for step in range(100, 104):
        lesson = made.lesson(step)
        with torch.no_grad():
            painted = blend(made.student, lesson.blurred, lesson.mask)
        far.append(float(((painted - lesson.taught).abs() * lesson.mask).sum() / (3 * lesson.mask.sum())))
    return sum(far) / len(far)


@pytest.mark.parametrize(("near_steps", "matters"), [(4, False), (0, True)])
def test_the_photograph_matters_to_realism_alone(copies: list[FaceDataset], monkeypatch: pytest.MonkeyPatch, near_steps: int, matters: bool) -> None:
    one, other = (distiller(copies, params(near_steps=near_steps)) for _ in range(2))
    lesson = Distiller.lesson
    for made, shown in ((one, lesson), (other, lambda self, step: _without_photograph(lesson(self, step)))):
        monkeypatch.setattr(Distiller, "lesson", shown)
        for _ in range(2):
            made.advance()
    pairs = zip(one.student.parameters(), other.student.parameters(), strict=True)
    assert matters != all(torch.equal(a, b) for a, b in pairs)


def _without_photograph(lesson: Lesson) -> Lesson:
    return replace(lesson, clean=torch.zeros_like(lesson.clean))


def test_each_part_has_its_terms_and_the_teacher_stays(copies: list[FaceDataset]) -> None:
    made = distiller(copies, params())
    known = [value.clone() for value in made.teacher.unet.parameters()]
    steps = [made.advance() for _ in range(4)]
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert [set(step.values) for step in steps[:2]] == [{"restore", "seam", "total", "gradient"}] * 2
    assert [set(step.values) for step in steps[2:]] == [{"restore", "realism", "total", "gradient", "discriminator"}] * 2
    assert all(torch.equal(a, b) for a, b in zip(known, made.teacher.unet.parameters(), strict=True))


def test_features_are_compared_with_the_teacher_s(copies: list[FaceDataset]) -> None:
    """Where the teacher's own painting is looked at, nothing is left to say, whatever the photograph shows."""
    made = distiller(copies, params(NOTHING_ADDED.model_copy(update={"features": 1.0}), near_steps=0))
    lesson, weights = made.lesson(0), made.schedule.additions(0)
    seen = made.critic.look([Faces(lesson.taught, lesson.clean, lesson.mask, lesson.taught)], weights)
    found = made.critic.additions(seen, weights).features
    assert found is not None and float(found) == 0
    seen = made.critic.look([Faces(lesson.taught, lesson.clean, lesson.mask)], weights)
    photograph = made.critic.additions(seen, weights).features
    assert photograph is not None and float(photograph) > 0.01
