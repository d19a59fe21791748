"""Stage downstream: a fresh detector, tested on clean pictures and on its own arm."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dartblur.detector import training
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.counting import LISTS
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import arm, downstream
from dartblur.stages.paths import ARMS, DOWNSTREAM, TRANSFER, WORK
from tests.stages.conftest import MakeParams


@pytest.fixture(autouse=True)
def arms(workplace: Path, tiny: MakeParams) -> None:
    for name in ("clean", "block"):
        arm.run(tiny(), name)


def result(name: str = "block", seed: int = 0) -> bytes:
    return (DOWNSTREAM / f"{name}-{seed}.json").read_bytes()


def test_the_result_names_arm_and_seed_and_has_every_difficulty(tiny: MakeParams) -> None:
    downstream.run(tiny(), "block", 1)
    found = json.loads(result("block", 1))
    assert list(found) == ["arm", "seed", "ap", "ap_self"]
    assert (found["arm"], found["seed"]) == ("block", 1)
    for figures in (found["ap"], found["ap_self"]):
        assert tuple(figures) == LISTS
        assert all(value is None or 0 <= value <= 1 for value in figures.values())
        assert figures["all"] is not None
    assert [path.name for path in DOWNSTREAM.iterdir()] == ["block-1.json"]
    assert not list(WORK.glob("*"))


def test_on_clean_pictures_both_figures_are_one(tiny: MakeParams) -> None:
    downstream.run(tiny(), "clean", 0)
    found = json.loads(result("clean"))
    assert found["ap"] == found["ap_self"]


def test_training_pictures_come_from_the_arm_and_test_pictures_from_both(tiny: MakeParams) -> None:
    downstream.run(tiny(), "block", 0)
    before = result()
    for name, split in (("clean", "train"), ("block", "train"), ("clean", "val"), ("block", "val")):
        kept = ARMS / f"{name}.kept"
        shutil.copytree(ARMS / name, kept)
        data = FaceDataset(ARMS / name)
        for picture in data.pictures(split):
            data.path(picture).write_bytes(b"")
        if (name, split) == ("clean", "train"):
            downstream.run(tiny(), "block", 0)
            assert result() == before
        else:
            with pytest.raises(DartblurError, match="the picture file is empty"):
                downstream.run(tiny(), "block", 0)
        shutil.rmtree(ARMS / name)
        kept.rename(ARMS / name)


def interrupting(at: int) -> Callable[[str, int], object]:
    """A progress bar that interrupts the work when it is told of step ``at``."""

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
        def show(done: int, note: str = "") -> None:
            if done == at:
                raise KeyboardInterrupt

        yield show

    return bar


def watching(steps: list[int]) -> Callable[[str, int], object]:
    """A progress bar that notes the steps it is told of."""

    @contextmanager
    def bar(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
        def show(done: int, note: str = "") -> None:
            steps.append(done)

        yield show

    return bar


def test_an_interrupted_run_goes_on_to_the_same_bytes(tiny: MakeParams, monkeypatch: pytest.MonkeyPatch) -> None:
    params = tiny(detector={"steps": 6})
    downstream.run(params, "block", 0)
    undisturbed = result()
    shutil.rmtree(DOWNSTREAM)

    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr(downstream, "progress_bar", interrupting(at=5))
    with pytest.raises(KeyboardInterrupt):
        downstream.run(params, "block", 0)
    assert not DOWNSTREAM.exists()
    assert len(list(WORK.iterdir())) == 1

    steps: list[int] = []
    monkeypatch.setattr(downstream, "progress_bar", watching(steps))
    # Neither another seed nor another arm takes the checkpoint for its own.
    downstream.run(params, "block", 1)
    downstream.run(params, "clean", 0)
    assert steps == [1, 2, 3, 4, 5, 6] * 2
    steps.clear()
    downstream.run(params, "block", 0)
    assert steps == [5, 6]
    assert result() == undisturbed
    assert not list(WORK.iterdir())


def test_seeds_differ_and_a_run_repeats_itself(tiny: MakeParams) -> None:
    texts = []
    for seed in (0, 0, 1):
        downstream.run(tiny(), "block", seed)
        texts.append(result("block", seed).replace(b'"seed": 1', b'"seed": 0'))
    assert texts[0] == texts[1] != texts[2]


def test_a_missing_arm_is_bad_usage(tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match="data/arms/gaussian"):
        downstream.run(tiny(), "gaussian", 0)
    assert not DOWNSTREAM.exists()


def test_another_family_has_files_of_its_own(tiny: MakeParams) -> None:
    params = tiny(evaluate={"transfer": ["centernet"], "test_views": 4})
    downstream.run(params, "block", 1, "centernet")
    (path,) = TRANSFER.iterdir()
    assert path.name == "centernet-block-1.json"
    found = json.loads(path.read_bytes())
    assert list(found) == ["detector", "arm", "seed", "ap", "ap_self"]
    assert (found["detector"], found["arm"], found["seed"]) == ("centernet", "block", 1)
    assert 0 <= found["ap"]["all"] <= 1
    before = path.read_bytes()
    downstream.run(params, "block", 1, "centernet")
    assert path.read_bytes() == before
    assert not DOWNSTREAM.exists()
    assert not list(WORK.glob("*"))


def test_a_family_that_is_switched_off_says_so_and_needs_no_arm(tiny: MakeParams) -> None:
    shutil.rmtree(ARMS)
    downstream.run(tiny(), "dartblur", 0, "centernet")
    found = json.loads((TRANSFER / "centernet-dartblur-0.json").read_bytes())
    assert found == {"detector": "centernet", "arm": "dartblur", "seed": 0, "skipped": "evaluate.transfer does not name this family"}


def test_an_unknown_family_is_bad_usage(tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match="no such family"):
        downstream.run(tiny(), "block", 0, "yolo")
    assert not TRANSFER.exists()
