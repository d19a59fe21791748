"""Stage train-detector: f, from the train split alone, the same bytes every time."""

import importlib.util
from pathlib import Path

import pytest

from dartblur.detector.checkpoint import DETECTOR_FILE, load_detector
from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset, write_table
from dartblur.media.tensors import load_tensors
from dartblur.stages import train_detector
from dartblur.stages.paths import CANONICAL, DETECTOR, WORK
from tests.stages.conftest import MakeParams, content


def test_f_is_written_frozen_and_says_where_it_comes_from(workplace: Path, tiny: MakeParams) -> None:
    params = tiny(seed=3)
    train_detector.run(params)
    detector = load_detector(DETECTOR, params.detector)
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    _, about = load_tensors(DETECTOR / DETECTOR_FILE)
    assert about == {"backbone": "mobilenet025", "channels": 8, "init": "scratch", "seed": 3}
    assert list(content(DETECTOR)) == [DETECTOR_FILE]
    assert not list(WORK.glob("*"))


def test_same_seed_same_bytes_and_another_seed_others(workplace: Path, tiny: MakeParams) -> None:
    seen = []
    for seed in (0, 0, 1):
        train_detector.run(tiny(seed=seed, detector={"steps": 2}))
        seen.append((DETECTOR / DETECTOR_FILE).read_bytes())
    assert seen[0] == seen[1] != seen[2]


def test_validation_pictures_are_never_opened(workplace: Path, tiny: MakeParams) -> None:
    data = FaceDataset(CANONICAL)
    train_detector.run(tiny())
    before = content(DETECTOR)
    assert len(data.pictures("val")) == 4
    for picture in data.pictures("val"):
        data.path(picture).unlink()
    train_detector.run(tiny())
    assert content(DETECTOR) == before


@pytest.mark.skipif(importlib.util.find_spec("retinaface") is None, reason="the extra `weights` is not installed")
def test_ready_weights_are_taken_over_without_training(workplace: Path, tiny: MakeParams) -> None:
    data = FaceDataset(CANONICAL)
    for picture in data.pictures():
        data.path(picture).unlink()
    params = tiny(detector={"init": "wider", "channels": 64})
    train_detector.run(params)
    assert load_detector(DETECTOR, params.detector)
    assert load_tensors(DETECTOR / DETECTOR_FILE)[1]["init"] == "wider"


def test_a_loss_that_is_not_finite_leaves_the_old_detector(workplace: Path, tiny: MakeParams) -> None:
    before = content(DETECTOR)
    with pytest.raises(DartblurError, match=r"the detector's loss is .* of 20; lower detector\.learning_rate"):
        train_detector.run(tiny(detector={"learning_rate": 1e30, "steps": 20}))
    assert content(DETECTOR) == before
    assert [path.name for path in DETECTOR.parent.iterdir()] == ["detector"]


def test_nothing_to_train_on_is_said(workplace: Path, tiny: MakeParams) -> None:
    table = FaceDataset(CANONICAL).table
    write_table(CANONICAL, table.assign(ignore=True))
    with pytest.raises(DartblurError, match="no picture with a counted face to train a detector on"):
        train_detector.run(tiny())
