"""The loop: what it calls when, and that it goes on where a state lies."""

from pathlib import Path

import pytest
import torch

from dartblur.detector.ahead import Ahead
from dartblur.faces.dataset import FaceDataset
from dartblur.training import checkpoint, run
from dartblur.training.checkpoint import STATE_FILE
from dartblur.training.history import History
from dartblur.training.resumable import Step
from tests.training.conftest import everything, moved, small, trainer, warm

PARAMS = small(warm=warm(3), epochs=2, detector_epochs=0, epoch_steps=3)


class Calls:
    """What the loop does, in its order."""

    def __init__(self, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.work = work
        self.seen: list[str] = []
        save = checkpoint.save_training

        def saved(*args: object) -> None:
            self.seen.append("save")
            save(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(run, "save_training", saved)
        monkeypatch.setattr(run, "SAVE_EVERY", 2)

    def step(self, step: Step) -> None:
        self.seen.append(str(step.number))

    def round(self, step: Step) -> dict[str, float]:
        self.seen.append(f"round {step.number}")
        return {"probe": step.number / 10}


def test_steps_rounds_and_checkpoints(copies: list[FaceDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(tmp_path, monkeypatch)
    made = trainer(copies, PARAMS)
    history = run.train(made, 9, tmp_path, calls.step, calls.round)
    assert " ".join(calls.seen) == "1 2 save 3 round 3 save 4 save 5 6 round 6 save 7 8 save 9 round 9 save"
    assert [(row["step"], row["probe"]) for row in history.rows] == [(3, 0.3), (6, 0.6), (9, 0.9)]
    calls.seen.clear()
    assert run.train(trainer(copies, PARAMS), 9, tmp_path, calls.step, calls.round).rows == history.rows
    assert not calls.seen


def test_a_part_of_a_training_ends_with_a_round_and_may_go_on(copies: list[FaceDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage pretrain takes the warm start alone; a last step in the middle of a round closes it."""
    calls = Calls(tmp_path, monkeypatch)
    part = run.train(trainer(copies, PARAMS), 5, tmp_path, calls.step, calls.round)
    assert [row["step"] for row in part.rows] == [3, 5]
    assert calls.seen[-3:] == ["5", "round 5", "save"]
    assert (tmp_path / STATE_FILE).is_file()
    rest, whole = trainer(copies, PARAMS), trainer(copies, PARAMS)
    assert run.train(rest, 6, tmp_path, calls.step, calls.round).rows[:2] == part.rows
    for _ in range(6):
        whole.advance()
    assert moved(everything(rest), everything(whole)) == set()


def test_nothing_to_do_is_an_empty_history(copies: list[FaceDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(tmp_path, monkeypatch)
    assert run.train(trainer(copies, PARAMS), 0, tmp_path, calls.step, calls.round) == History()
    assert not list(tmp_path.iterdir())


def test_batches_drawn_ahead_change_nothing(copies: list[FaceDataset], tmp_path: Path) -> None:
    """As on a GPU, where a thread draws while the device computes."""
    made = []
    for name, on in (("in turn", False), ("ahead", True)):
        one = trainer(copies, PARAMS)
        one._tiles_ahead, one._views_ahead = Ahead(one._draw_tiles, on), Ahead(one._draw_views, on)
        run.train(one, 9, tmp_path / name, lambda step: None, lambda step: {})
        made.append(everything(one))
    assert made[0].keys() == made[1].keys()
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())
