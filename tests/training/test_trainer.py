"""The trainer on drawn faces, with networks small enough for seconds."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.unet import blend
from dartblur.detector.anchors import Targets
from dartblur.detector.training import new_detector
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset
from dartblur.params import ObjectiveWeights, Params
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from dartblur.training.checkpoint import fingerprint, load_training, save_training
from dartblur.training.trainer import Batch, Trainer
from tests.sampledata import sample_part
from tests.settings import settings

WEIGHTS = ObjectiveWeights(review=1.0, process=1.0, posthoc=1.0, cycle=1.0)


def small(**train: object) -> Params:
    return settings(
        view={"size": 64, "face_min": 20, "face_max": 40},
        detector={"backbone": "mobilenet025", "init": "scratch", "channels": 16},
        unet={"width": 4, "depth": 3},
        train={"epochs": 2, "epoch_steps": 2, "batch": 4, **train},
    )


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FaceDataset]:
    monkeypatch.chdir(tmp_path)
    sample_part(tmp_path / "source", 12)
    ingest.run(settings(data={"source": "source"}))
    clean = FaceDataset(CANONICAL)
    anonymize_dataset(clean, tmp_path / "blurred", Gaussian(1.0), 1)
    return [clean, FaceDataset(tmp_path / "blurred")]


def trainer(copies: list[FaceDataset], params: Params) -> Trainer:
    frozen = new_detector(params.detector, 7).eval().requires_grad_(False)
    return Trainer(params, Views(copies, "train", params.view), frozen, torch.device("cpu"))


def state(made: Trainer) -> dict[str, Tensor]:
    return {
        **{f"u.{k}": v.clone() for k, v in made.unet.state_dict().items()},
        **{f"d.{k}": v.clone() for k, v in made.detector.state_dict().items()},
    }


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def drawn(made: Trainer) -> Batch:
    """A batch, after fg has seen a few so that its statistics and moments are warm."""
    for step in range(3):
        batch = made._batch(step)
        made.detector_step(batch, made._anonymise(batch))
    return made._batch(3)


def test_an_outer_epoch_is_fg_alone_and_then_the_two_in_turn(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(detector_epochs=2))
    frozen = {k: v.clone() for k, v in made.frozen.state_dict().items()}
    kinds, before = [], state(made)
    for step in made.outer_epoch():
        kinds.append(step.kind)
        if len(kinds) == 4:
            assert all(torch.equal(v, before[f"u.{k}"]) for k, v in made.unet.state_dict().items())  # U waits while fg learns
    assert kinds == ["detector"] * 4 + ["adversarial"] * 2
    assert made.epoch == 1
    assert not same(before, state(made))
    assert any(not torch.equal(v, before[f"u.{k}"]) for k, v in made.unet.state_dict().items())
    assert same(frozen, made.frozen.state_dict())  # f never changes
    assert all(p.grad is None for p in made.frozen.parameters())


def test_objectives_leave_fg_alone(copies: list[FaceDataset]) -> None:
    """Neither weights, nor batch-norm statistics, nor gradients of fg change while the objectives are computed."""
    made = trainer(copies, small())
    batch = drawn(made)
    made.detector_optimizer.zero_grad(set_to_none=True)
    before = state(made)
    terms = made.terms(batch, blend(made.unet, batch.blurred, batch.mask))
    torch.stack([value for _, value in terms.items() if value is not None]).sum().backward()  # type: ignore[no-untyped-call]
    assert same(before, state(made))
    assert all(p.grad is None for p in made.detector.parameters())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_cycle_gradient_reaches_the_picture_through_the_weight_update(copies: list[FaceDataset], optimizer: str, steps: int) -> None:
    """fg'(x) sees the clean picture only: any gradient in g(x) has come through the update; without a step there is none."""
    inner = {"optimizer": optimizer, "steps": steps, "learning_rate": 0.01, "epsilon": 1e-3, "momentum": 0.0}
    params = small(weights=WEIGHTS.model_copy(update={"review": 0.0, "process": 0.0, "posthoc": 0.0}))
    params = params.model_copy(update={"train": params.train.model_copy(update={"inner": params.train.inner.model_copy(update=inner)})})
    made = trainer(copies, params)
    batch = drawn(made)
    picture = made._anonymise(batch).requires_grad_()
    cycle = made.terms(batch, picture).cycle
    assert cycle is not None
    (gradient,) = torch.autograd.grad(cycle, picture)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_the_cycle_gradient_of_the_real_detector_agrees_with_finite_differences(copies: list[FaceDataset]) -> None:
    """The whole path (RetinaFace, matching, hard negatives, warm Adam) in float64, along one random direction."""
    made = trainer(copies, small())
    batch = drawn(made)
    made.detector.double()
    made.unet.double()
    made.frozen.double()
    for entry in made.detector_optimizer.state.values():
        entry["exp_avg"], entry["exp_avg_sq"] = entry["exp_avg"].double(), entry["exp_avg_sq"].double()
    targets = Targets(batch.annotated.labels, batch.annotated.offsets.double())
    double = Batch(batch.clean.double(), batch.blurred.double(), batch.mask.double(), targets)

    def value(picture: Tensor) -> Tensor:
        offsets, logits = made._after_inner_step(double, picture)
        return offsets.square().mean() + logits.square().mean()

    picture = double.blurred.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(picture), picture)
    direction = torch.randn(picture.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    step = 1e-6
    expected = (value(picture + step * direction) - value(picture - step * direction)).detach() / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-14)


def test_a_weight_of_zero_switches_its_objective_off(copies: list[FaceDataset]) -> None:
    for name in ("review", "process", "posthoc", "cycle"):
        made = trainer(copies, small(weights=WEIGHTS.model_copy(update={name: 0.0})))
        batch = drawn(made)
        terms = dict(made.terms(batch, blend(made.unet, batch.blurred, batch.mask)).items())
        assert terms.pop(name) is None
        assert all(value is not None and torch.isfinite(value) for value in terms.values())


def test_pseudo_labels_are_what_f_finds_from_a_probability_on(copies: list[FaceDataset]) -> None:
    strict, lax = (trainer(copies, small(pseudo_label_score=score)) for score in (0.999, 0.001))
    batch = strict._batch(0)
    assert (strict._pseudo_labels(batch.clean).labels == 1).sum() == 0
    assert (lax._pseudo_labels(batch.clean).labels == 1).sum() > 0


def test_learning_rates_fall_after_every_outer_epoch(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(decay=0.5))
    first = made.learning_rates()
    list(made.outer_epoch())
    assert made.learning_rates() == (first[0] / 2, first[1] / 2)


def test_a_pass_over_the_data_where_no_steps_are_given(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small(epoch_steps=0, batch=4))
    assert made.epoch_steps == 2  # six training pictures, four a batch


def test_a_loss_that_is_not_finite_stops_with_every_term(copies: list[FaceDataset]) -> None:
    made = trainer(copies, small())
    batch = drawn(made)
    with torch.no_grad():
        made.unet.down[0].first.weight.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(DartblurError, match=r"not finite at step 9 \(review nan, process \S+, posthoc \S+, cycle \S+, total nan\)"):
        made.adversarial_step(batch, 9)


def test_a_training_goes_on_from_a_checkpoint_to_the_same_bytes(copies: list[FaceDataset], tmp_path: Path) -> None:
    whole = trainer(copies, small())
    list(whole.outer_epoch())
    save_training(tmp_path, whole, [{"epoch": 1.0}])
    list(whole.outer_epoch())
    resumed = trainer(copies, small())
    assert load_training(tmp_path, resumed) == [{"epoch": 1.0}]
    assert resumed.epoch == 1
    list(resumed.outer_epoch())
    assert same(state(whole), state(resumed))
    assert load_training(tmp_path / "elsewhere", trainer(copies, small())) == []


def test_a_checkpoint_belongs_to_its_settings_and_inputs(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"1")
    first = fingerprint(small(), [file])
    assert first == fingerprint(small(), [file])
    assert first != fingerprint(small(budget=3.0), [file])
    file.write_bytes(b"2")
    assert first != fingerprint(small(), [file])
