from pathlib import Path

import pytest
import torch

from dartblur.compute import mixed
from dartblur.detector import training
from dartblur.detector.centernet import CENTERNET
from dartblur.detector.checkpoint import DETECTOR_FILE, load_detector, save_detector
from dartblur.detector.detect import detect
from dartblur.detector.families import RETINAFACE
from dartblur.detector.family import Family
from dartblur.detector.training import channels_last, new_detector, ready_detector, train_detector, weight_groups
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from tests.makedata import make_wider
from tests.settings import settings

CPU = torch.device("cpu")
PARAMS = settings(detector={"backbone": "mobilenet025", "init": "scratch", "channels": 16, "steps": 60, "batch": 8, "learning_rate": 1e-2}).detector
VIEW = settings(view={"size": 64, "face_min": 20, "face_max": 40}).view


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Views:
    monkeypatch.chdir(tmp_path)
    make_wider(tmp_path / "source", 16)
    ingest.run(settings(data={"source": "source"}))
    return Views([FaceDataset(CANONICAL)], "train", VIEW)


def states_equal(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_learns_drawn_faces(views: Views, tmp_path: Path) -> None:
    losses: list[float] = []
    model = train_detector(RETINAFACE, views, PARAMS, 0, CPU, tmp_path / "work", lambda step, loss: losses.append(loss))
    assert len(losses) == PARAMS.steps
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    batch = views.batch(0, 99, 4)
    assert all(len(rows) for rows in detect(model, batch.images[0], PARAMS, 0.05))


def test_same_seed_same_weights_and_resuming_changes_nothing(views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 3)
    params = PARAMS.model_copy(update={"steps": 8})
    whole = train_detector(RETINAFACE, views, params, 0, CPU, tmp_path / "a")

    def stop(step: int, loss: float) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(RETINAFACE, views, params, 0, CPU, tmp_path / "b", stop)
    steps: list[int] = []
    resumed = train_detector(RETINAFACE, views, params, 0, CPU, tmp_path / "b", lambda step, loss: steps.append(step))
    assert steps[0] == 4
    assert states_equal(whole, resumed)
    assert not list((tmp_path / "b").iterdir())
    assert not states_equal(whole, train_detector(RETINAFACE, views, params, 1, CPU, tmp_path / "c"))


@pytest.mark.parametrize("family", [RETINAFACE, CENTERNET], ids=lambda family: family.name)
def test_in_half_precision_loss_and_gradients_of_weights_are_still_in_full(family: Family[torch.nn.Module]) -> None:
    params = PARAMS.model_copy(update={"backbone": "mobilenetv2"})
    model = channels_last(family.new(params, 0)).train()
    images = 255 * torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    boxes, ignored = [torch.tensor([[10.0, 12.0, 40.0, 44.0]])] * 4, [torch.tensor([False])] * 4
    exact = family.loss(model, images, boxes, ignored, params).detach()
    with mixed("bf16", CPU):
        loss = family.loss(model, images, boxes, ignored, params)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.detach(), exact, rtol=2e-2, atol=0)
    assert not torch.equal(loss.detach(), exact)
    assert all(gradient.dtype == torch.float32 for gradient in torch.autograd.grad(loss, list(model.parameters())))


def test_precision_of_a_training_is_part_of_what_a_checkpoint_belongs_to(views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 1)

    def stop(step: int, loss: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(RETINAFACE, views, PARAMS, 0, CPU, tmp_path, stop)
    steps: list[int] = []
    train_detector(RETINAFACE, views, PARAMS, 0, CPU, tmp_path, lambda step, loss: steps.append(step), precision="bf16")
    assert steps[0] == 1


def test_a_loss_that_is_not_finite_stops_loudly(views: Views, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(DartblurError, match=r"loss is (nan|inf) at step \d+ of 60; lower detector\.learning_rate"):
        train_detector(RETINAFACE, views, params, 0, CPU, tmp_path / "work")


def test_an_empty_split_is_one_sentence(views: Views, tmp_path: Path) -> None:
    views.pictures = []
    with pytest.raises(DartblurError, match="no picture with a counted face"):
        train_detector(RETINAFACE, views, PARAMS, 0, CPU, tmp_path / "work")


def test_heads_come_from_the_seed_and_fresh_detectors_never_from_a_face_detector() -> None:
    wider = settings(detector={"backbone": "mobilenet025", "init": "wider", "channels": 64}).detector
    ready = ready_detector(wider)
    assert ready is not None
    fresh = new_detector(wider, 0)
    assert not torch.equal(fresh.pyramid.merge1[0].weight, ready.pyramid.merge1[0].weight)  # type: ignore[arg-type]
    assert states_equal(fresh, new_detector(wider, 0))
    assert ready_detector(PARAMS) is None


def test_only_convolution_weights_decay() -> None:
    model = new_detector(PARAMS, 0)
    groups = weight_groups(model, PARAMS.model_copy(update={"backbone_rate": 0.5}))
    for group in groups:
        assert all((p.ndim == 4) == (group["weight_decay"] > 0) for p in group["params"])
    assert [group["rate"] for group in groups] == [0.5, 0.5, 1.0, 1.0]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_checkpoint_round_trip_and_a_detector_of_another_kind(tmp_path: Path) -> None:
    model = new_detector(PARAMS, 0).eval()
    save_detector(tmp_path, model, PARAMS, {"seed": 0})
    assert states_equal(load_detector(tmp_path, PARAMS), model)
    with pytest.raises(DartblurError, match=r"a mobilenet025 detector, params\.yaml wants mobilenetv2"):
        load_detector(tmp_path, settings().detector)
    (tmp_path / DETECTOR_FILE).write_bytes(b"no tensors")
    with pytest.raises(DartblurError, match="not a checkpoint"):
        load_detector(tmp_path, PARAMS)
