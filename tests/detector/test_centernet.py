from pathlib import Path

import pytest
import torch

from dartblur.detector import training
from dartblur.detector.centernet import CENTERNET, CenterNet, peaks
from dartblur.detector.centernet_targets import STRIDE, encode
from dartblur.detector.training import train_detector, weight_groups
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, iou
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from tests.makedata import make_wider
from tests.settings import settings

CPU = torch.device("cpu")
PARAMS = settings(detector={"init": "imagenet", "channels": 16, "steps": 40, "batch": 8}).detector
SCRATCH = settings(detector={"init": "scratch", "channels": 8, "steps": 6, "batch": 2}).detector
VIEW = settings(view={"size": 64, "face_min": 20, "face_max": 40}).view


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Views:
    monkeypatch.chdir(tmp_path)
    make_wider(tmp_path / "source", 6)
    ingest.run(settings(data={"source": "source"}))
    return Views([FaceDataset(CANONICAL)], "train", VIEW)


def states_equal(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_maps_at_a_quarter_of_the_view() -> None:
    heat, values = CenterNet(16).eval()(torch.rand(2, 3, 64, 96) * 255)
    assert heat.shape == (2, 16, 24)
    assert values.shape == (2, 4, 16, 24)


def test_cells_lie_where_the_picture_is() -> None:
    """A change in one corner of the picture must move the heat near that corner most."""
    model = CENTERNET.new(SCRATCH, 0).eval()
    torch.nn.init.normal_(model.say.weight)
    picture = torch.full((1, 3, 128, 128), 100.0)
    changed = picture.clone()
    changed[:, :, :24, 96:] = 255.0
    row, column = divmod(int((model(picture)[0] - model(changed)[0]).abs().argmax()), 32)
    assert row < 12
    assert column > 20


def test_an_untrained_detector_expects_little() -> None:
    heat, values = CENTERNET.new(PARAMS, 0).train()(torch.rand(2, 3, 64, 64) * 255)
    assert float(heat.detach().sigmoid().mean()) == pytest.approx(0.1, abs=0.01)
    torch.testing.assert_close(values.detach().mean(dim=(0, 2, 3)), torch.tensor([0.5, 0.5, 2.0, 2.0]), atol=0.05, rtol=0)


def maps(faces: list[list[float]], logits: list[float], size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs that say exactly these faces, one view."""
    heat = torch.full((1, size // STRIDE, size // STRIDE), -8.0)
    values = torch.zeros(1, 4, size // STRIDE, size // STRIDE)
    cells, boxes = encode(torch.tensor(faces))
    for (row, column), box, logit in zip(cells.tolist(), boxes, logits, strict=True):
        heat[0, row, column], values[0, :, row, column] = logit, box
    return heat, values


def test_peaks_are_the_faces_that_the_maps_say() -> None:
    faces = [[4.0, 6.0, 20.0, 26.0], [30.0, 8.0, 52.0, 40.0], [40.0, 50.0, 70.0, 62.0]]
    (rows,) = peaks(*maps(faces, [1.0, 3.0, 2.0]), score_floor=0.5, max_detections=10)
    cut = torch.tensor([faces[1], [40.0, 50.0, 64.0, 62.0], faces[0]])  # best first, cut at the border
    torch.testing.assert_close(rows[:, :4], cut, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(rows[:, 4], torch.tensor([3.0, 2.0, 1.0]).sigmoid())


def test_a_cell_beside_a_better_one_is_no_peak_even_where_both_round_to_1() -> None:
    faces = [[8.0, 8.0, 24.0, 24.0], [12.0, 8.0, 28.0, 24.0], [20.0, 8.0, 36.0, 24.0]]  # centres one cell, then two cells apart
    heat, values = maps(faces, [40.0, 41.0, 2.0])
    (rows,) = peaks(heat, values, score_floor=0.5, max_detections=10)
    assert rows[:, 0].tolist() == [12.0, 20.0]


def test_floor_and_limit() -> None:
    heat, values = maps([[8.0, 8.0, 24.0, 24.0], [40.0, 40.0, 56.0, 56.0]], [1.0, 2.0])
    assert [len(view) for view in peaks(heat.expand(3, -1, -1), values.expand(3, -1, -1, -1), score_floor=0.9, max_detections=9)] == [0, 0, 0]
    (rows,) = peaks(heat, values, score_floor=0.0, max_detections=1)
    assert rows[:, 4].tolist() == [float(torch.tensor(2.0).sigmoid())]
    (rows,) = peaks(heat, values, score_floor=0.0, max_detections=10**6)
    assert 2 <= len(rows) < 256  # what is no peak is no detection, however low the floor


def test_mirrored_maps_give_mirrored_faces() -> None:
    faces = [[6.0, 6.0, 20.0, 26.0], [33.0, 8.0, 52.0, 40.0]]
    heat, values = maps(faces, [1.0, 3.0])
    turned = values.flip(3) * torch.tensor([-1.0, 1, 1, 1]).view(1, 4, 1, 1) + torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1)
    (straight,) = peaks(heat, values, score_floor=0.5, max_detections=10)
    (mirrored,) = peaks(heat.flip(2), turned, score_floor=0.5, max_detections=10)
    torch.testing.assert_close(mirrored[:, [0, 2]], 64 - straight[:, [2, 0]])
    torch.testing.assert_close(mirrored[:, [1, 3, 4]], straight[:, [1, 3, 4]])


def test_it_learns_drawn_faces_by_heart(views: Views, tmp_path: Path) -> None:
    losses: list[float] = []
    model = train_detector(CENTERNET, views, PARAMS, 0, CPU, tmp_path / "work", lambda step, loss: losses.append(loss))
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    batch = views.batch(0, 3, 8)
    hits = wanted = 0
    for rows, boxes, ignored in zip(CENTERNET.detect(model, batch.images[0], PARAMS, 0.3), batch.boxes, batch.ignored, strict=True):
        overlap = iou(as_boxes(boxes[~ignored].numpy()), as_boxes(rows[:, :4].numpy()))
        hits += int((overlap.max(axis=1, initial=0) >= 0.5).sum())
        wanted += int((~ignored).sum())
    assert hits >= 0.8 * wanted > 0


def test_same_seed_same_weights_and_resuming_changes_nothing(views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 2)
    whole = train_detector(CENTERNET, views, SCRATCH, 0, CPU, tmp_path / "a")

    def stop(step: int, loss: float) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(CENTERNET, views, SCRATCH, 0, CPU, tmp_path / "b", stop)
    assert [path.name.split("-")[0] for path in (tmp_path / "b").iterdir()] == ["centernet"]
    steps: list[int] = []
    resumed = train_detector(CENTERNET, views, SCRATCH, 0, CPU, tmp_path / "b", lambda step, loss: steps.append(step))
    assert steps == [5, 6]
    assert states_equal(whole, resumed)
    assert not list((tmp_path / "b").iterdir())
    assert not states_equal(whole, train_detector(CENTERNET, views, SCRATCH, 1, CPU, tmp_path / "c"))


def test_a_loss_that_is_not_finite_stops_loudly(views: Views, tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"loss is (nan|inf) at step \d+ of 6; lower detector\.learning_rate"):
        train_detector(CENTERNET, views, SCRATCH.model_copy(update={"learning_rate": 1e30}), 0, CPU, tmp_path / "work")


def test_the_seed_makes_what_imagenet_does_not() -> None:
    a, b, same = CENTERNET.new(PARAMS, 0), CENTERNET.new(PARAMS, 1), CENTERNET.new(PARAMS, 0)
    assert states_equal(a, same)
    assert states_equal(a.backbone, b.backbone)
    assert not torch.equal(a.mix.weight, b.mix.weight)
    assert not states_equal(a.backbone, CENTERNET.new(SCRATCH, 0).backbone)


def test_only_weights_decay_and_the_backbone_has_its_own_rate() -> None:
    model = CENTERNET.new(SCRATCH, 0)
    groups = weight_groups(model, SCRATCH)
    for group in groups:
        assert all((p.ndim == 4) == (group["weight_decay"] > 0) for p in group["params"])
    backbone = {id(p) for p in model.backbone.parameters()}
    assert {id(p) for group in groups[:2] for p in group["params"]} == backbone
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
