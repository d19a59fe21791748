"""A training that was cut off, or whose last state a disk has spoilt, goes on to the same bytes."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset
from dartblur.media.tensors import load_tensors, save_tensors
from dartblur.params import Params, PoolParams
from dartblur.training.checkpoint import BEFORE_FILE, STATE_FILE, fingerprint, load_training, save_training
from dartblur.training.history import History
from dartblur.training.trainer import Trainer
from tests.training.conftest import everything, moved, small, trainer, warm


def params() -> Params:
    """Nine steps: three warm ones, then three outer epochs of one step each of fg and of both; a pool of two, one of which restarts every epoch."""
    return small(warm=warm(3), epochs=3, detector_epochs=1, epoch_steps=1, batch=2, pool=PoolParams(size=2, restart=1))


RESTARTED = 8
"""After this step the pool's second member has just started again and learned nothing yet: it is the other's turn."""


def advance(made: Trainer, history: History) -> None:
    """One step, as the stage takes it."""
    step = made.advance()
    history.add(step)
    if made.schedule.ends_round(step.number - 1):
        history.close_round(step.number, {"probe": step.number / 7})


@dataclass(frozen=True)
class Whole:
    """An undisturbed training: what it was after each step, and the checkpoints, a folder a step."""

    states: list[dict[str, Tensor]]
    histories: list[dict[str, Any]]
    folder: Path


@pytest.fixture(scope="module")
def whole(copies: list[FaceDataset], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    made, history = trainer(copies, params()), History()
    states = [everything(made)]
    histories: list[dict[str, Any]] = [{"history": [], "sums": {}}]
    for number in range(1, made.schedule.steps + 1):
        advance(made, history)
        states.append(everything(made))
        histories.append({"history": [dict(row) for row in history.rows], "sums": {name: list(known) for name, known in history.sums.items()}})
        (folder / str(number)).mkdir()
        save_training(folder / str(number), made, history)
        if number == RESTARTED:
            assert [bool(optimizer.state) for optimizer in made.pool.optimizers] == [True, False]
    assert len(states) == 10
    return Whole(states, histories, folder)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_training_goes_on_from_any_step(whole: Whole, copies: list[FaceDataset], number: int) -> None:
    """In the middle of the warm start (1, 2), at its end (3), in the middle of a round (4, 6, 8), at its end (5, 7), after a restart (6, 8).

    What comes back is what was there, and so is what one more step makes of it: with all steps, by induction, any training that was cut off.
    """
    resumed = trainer(copies, params())
    history = load_training(whole.folder / str(number), resumed)
    assert resumed.done == number
    assert moved(everything(resumed), whole.states[number]) == set()
    assert history.describe() == whole.histories[number]
    advance(resumed, history)
    assert moved(everything(resumed), whole.states[number + 1]) == set()
    assert history.describe() == whole.histories[number + 1]


def test_the_bytes_at_the_end_are_the_same(whole: Whole, copies: list[FaceDataset], tmp_path: Path) -> None:
    resumed = trainer(copies, params())
    history = load_training(whole.folder / "2", resumed)
    while resumed.done < resumed.schedule.steps:
        advance(resumed, history)
    save_training(tmp_path, resumed, history)
    assert (tmp_path / STATE_FILE).read_bytes() == (whole.folder / "9" / STATE_FILE).read_bytes()


def test_a_detector_that_has_learned_nothing_comes_back_without_moments(whole: Whole, copies: list[FaceDataset]) -> None:
    """Into a trainer that has taken steps of its own, whose optimisers all have some."""
    used, history = trainer(copies, params()), History()
    for _ in range(6):
        advance(used, history)
    assert all(optimizer.state for optimizer in used.pool.optimizers)
    load_training(whole.folder / str(RESTARTED), used)
    assert [bool(optimizer.state) for optimizer in used.pool.optimizers] == [True, False]
    assert moved(everything(used), whole.states[RESTARTED]) == set()
    load_training(whole.folder / "1", used)
    assert not any(optimizer.state for optimizer in used.pool.optimizers)
    assert moved(everything(used), whole.states[1]) == set()


def test_where_there_is_no_state_a_training_starts(copies: list[FaceDataset], whole: Whole, tmp_path: Path) -> None:
    made = trainer(copies, params())
    assert load_training(tmp_path, made).describe() == whole.histories[0]
    assert (made.done, moved(everything(made), whole.states[0])) == (0, set())


@pytest.fixture
def work(whole: Whole, tmp_path: Path) -> Path:
    """A folder with the states after steps 5 and 4."""
    shutil.copy(whole.folder / "5" / STATE_FILE, tmp_path / STATE_FILE)
    shutil.copy(whole.folder / "4" / STATE_FILE, tmp_path / BEFORE_FILE)
    return tmp_path


def test_the_state_before_is_kept(whole: Whole, copies: list[FaceDataset], tmp_path: Path) -> None:
    made, history = trainer(copies, params()), History()
    for _ in range(3):
        advance(made, history)
        save_training(tmp_path, made, history)
    for name, number in ((STATE_FILE, "3"), (BEFORE_FILE, "2")):
        assert (tmp_path / name).read_bytes() == (whole.folder / number / STATE_FILE).read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip_the_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def count_a_step_more(path: Path) -> None:
    data = path.read_bytes()
    said = f'\\"done\\": {load_tensors(path)[1]["done"]}'.encode()
    assert data.count(said) == 1
    path.write_bytes(data.replace(said, said[:-1] + b"8"))


def say_another_digest(path: Path) -> None:
    tensors, about = load_tensors(path)
    save_tensors(path, tensors, {**about, "sha256": "0" * 64})


def say_no_digest(path: Path) -> None:
    tensors, about = load_tensors(path)
    del about["sha256"]
    save_tensors(path, tensors, about)


def swap_two_tensors(path: Path) -> None:
    tensors, about = load_tensors(path)
    names = [name for name in tensors if name.endswith("down.1.first.bias")]
    assert len(names) == 1
    tensors[names[0]] = tensors[names[0]].flip(0)
    save_tensors(path, tensors, about)


DAMAGES = [
    *(cut_in_half, cut_to_nothing, cut_in_the_header, fill_with_zeros, flip_the_last_byte),
    *(count_a_step_more, say_another_digest, say_no_digest, swap_two_tensors),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_spoilt_state_is_noticed_and_the_one_before_taken(
    whole: Whole, copies: list[FaceDataset], work: Path, damage: Callable[[Path], None]
) -> None:
    damage(work / STATE_FILE)
    resumed = trainer(copies, params())
    with pytest.warns(RuntimeWarning, match=r"training\.safetensors: .*; the checkpoint before it is taken, if there is one") as caught:
        history = load_training(work, resumed)
    assert len(caught) == 1
    assert moved(everything(resumed), whole.states[4]) == set()
    assert (resumed.done, history.describe()) == (4, whole.histories[4])


def test_a_spoilt_state_never_takes_the_place_of_the_sound_one(whole: Whole, copies: list[FaceDataset], work: Path) -> None:
    """Not even if the next save is cut off half way."""
    flip_the_last_byte(work / STATE_FILE)
    resumed = trainer(copies, params())
    with pytest.warns(RuntimeWarning):
        history = load_training(work, resumed)
    resumed.unet.down[0].first.bias.data.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(DartblurError, match="the last checkpoint stands"):
        save_training(work, resumed, history)
    again = trainer(copies, params())
    load_training(work, again)
    assert moved(everything(again), whole.states[4]) == set()


def test_a_save_that_failed_leaves_the_last_state(whole: Whole, copies: list[FaceDataset], work: Path) -> None:
    made = trainer(copies, params())
    history = load_training(work, made)
    made.unet.down[0].first.bias.data.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(DartblurError, match="the last checkpoint stands"):
        save_training(work, made, history)
    again = trainer(copies, params())
    load_training(work, again)
    assert again.done == 5


def test_what_a_killed_save_left_behind_is_cleared_away(whole: Whole, copies: list[FaceDataset], work: Path) -> None:
    """Killed between the two renames and the writing: the state before is there, and half of the new one under another name."""
    (work / STATE_FILE).replace(work / BEFORE_FILE)
    (work / ".training.0123abcd.safetensors").write_bytes(b"half")
    resumed = trainer(copies, params())
    load_training(work, resumed)
    assert moved(everything(resumed), whole.states[5]) == set()
    assert [path.name for path in work.iterdir()] == [BEFORE_FILE]


def test_with_both_states_spoilt_a_training_starts_afresh(whole: Whole, copies: list[FaceDataset], work: Path) -> None:
    flip_the_last_byte(work / STATE_FILE)
    cut_in_half(work / BEFORE_FILE)
    resumed = trainer(copies, params())
    with pytest.warns(RuntimeWarning) as caught:
        history = load_training(work, resumed)
    assert [str(warning.message).partition(":")[0] for warning in caught] == [str(work / STATE_FILE), str(work / BEFORE_FILE)]
    assert moved(everything(resumed), whole.states[0]) == set()
    assert (resumed.done, history.describe()) == (0, whole.histories[0])


@pytest.mark.filterwarnings("ignore:.*the checkpoint before it is taken:RuntimeWarning")
def test_whatever_byte_is_flipped_a_wrong_state_never_comes_back(whole: Whole, copies: list[FaceDataset], tmp_path: Path) -> None:
    """In the header, which names steps, shapes and the history, as in the tensors; a flip may be harmless (a space), never wrong."""
    data = (whole.folder / "4" / STATE_FILE).read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(0)
    made = trainer(copies, params())
    path = tmp_path / STATE_FILE
    for position in [*range(8), *rng.integers(8, header, 40).tolist(), *rng.integers(header, len(data), 10).tolist()]:
        spoilt = bytearray(data)
        spoilt[position] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(spoilt)
        made.done = 0
        history = load_training(tmp_path, made)
        if made.done:
            assert (made.done, history.describe()) == (4, whole.histories[4])
            assert moved(everything(made), whole.states[4]) == set()
        else:
            assert not path.exists()


def test_a_checkpoint_of_other_settings_does_not_fit(copies: list[FaceDataset], work: Path) -> None:
    larger = params().model_copy(update={"unet": params().unet.model_copy(update={"width": 8})})
    with pytest.raises(DartblurError, match="does not fit the model"):
        load_training(work, trainer(copies, larger))
    assert (work / STATE_FILE).is_file()


def test_a_checkpoint_belongs_to_its_settings_and_inputs(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"1")
    first = fingerprint(small(), [file])
    assert first == fingerprint(small(), [file])
    assert first != fingerprint(small(budget=3.0), [file])
    assert first != fingerprint(small(pool=PoolParams(size=2, restart=0)), [file])
    file.write_bytes(b"2")
    assert first != fingerprint(small(), [file])


def test_a_state_may_be_saved_over_an_older_one_of_more_tensors(whole: Whole, copies: list[FaceDataset], work: Path) -> None:
    """A training that started afresh saves where an old state lies."""
    made, history = trainer(copies, params()), History()
    advance(made, history)
    save_training(work, made, history)
    resumed = trainer(copies, params())
    load_training(work, resumed)
    assert (resumed.done, moved(everything(resumed), whole.states[1])) == (1, set())
    assert torch.equal(everything(resumed)["unet.down.0.first.bias"], whole.states[1]["unet.down.0.first.bias"])
