"""Stage train: what it writes, that a killed training goes on to the same bytes, and what MLflow sees of it."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dartblur.blur.dartblur import UNET_FILE, DartBlur
from dartblur.blur.repaint import DartBlurConfig
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import as_boxes
from dartblur.faces.dataset import TABLE, FaceDataset, write_table
from dartblur.faces.files import MEMBERS, SHARDS
from dartblur.media.images import read_image
from dartblur.params import PARAMS_FILE, Params, PoolParams, RegistryParams
from dartblur.registry.tracking import connect
from dartblur.stages import ingest, preblur, shard, train, train_detector
from dartblur.stages.paths import CANONICAL, DARTBLUR, DETECTOR, LIVE, PREBLUR, WORK
from dartblur.training import run as loop
from dartblur.training.checkpoint import BEFORE_FILE, STATE_FILE
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, fresh_registry
from tests.stages.conftest import MakeParams, content

__all__ = ["empty_store"]  # a fixture
pytestmark = MLFLOW_WARNINGS

ON_TILES = {"review", "restore", "seam", "features", "realism", "total", "gradient", "discriminator"}
TERMS = ON_TILES | {"process", "posthoc", "cycle", "detector"}
STEPS = 11
"""Three warm ones, then twice two of fg and two of both; the last of each round is 3, 7 and 11."""


@pytest.fixture
def registry(workplace: Path, empty_store: Path) -> Iterator[RegistryParams]:
    with fresh_registry(workplace, empty_store) as registry:
        yield registry


@pytest.fixture
def params(registry: RegistryParams, tiny: MakeParams) -> Params:
    return tiny(registry=registry.model_dump())


@pytest.fixture(scope="module")
def undisturbed(prepared: Path, empty_store: Path, tiny: MakeParams, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """models/dartblur of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with fresh_registry(folder, empty_store) as registry:
        train.run(tiny(registry=registry.model_dump()))
        return content(DARTBLUR)


def runs(registry: RegistryParams) -> list[Any]:
    client = connect(registry)
    experiment = client.get_experiment_by_name(registry.experiment)
    return list(client.search_runs([experiment.experiment_id]))


def test_the_model_the_state_the_history_and_the_samples(undisturbed: dict[str, bytes], tmp_path: Path, prepared: Path, tiny: MakeParams) -> None:
    samples = {f"samples/step-{number:06d}.png" for number in (3, 7, 11)}
    assert set(undisturbed) == {UNET_FILE, STATE_FILE, "history.csv", "training.json", *samples}
    for name, data in undisturbed.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    model = DartBlur.load(tmp_path / UNET_FILE)
    assert model.config == DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=16, face_max=24)
    picture = FaceDataset(prepared / CANONICAL).pictures("val")[0]
    image = FaceDataset(prepared / CANONICAL).read(picture)
    assert (model.anonymize(image, picture.boxes) != image).any()
    assert (model.anonymize(image, as_boxes([])) == image).all()

    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows] == [3, 7, 11]
    assert [{name for name, value in row.items() if value} for row in rows] == [ON_TILES | {"step"}, TERMS | {"step"}, TERMS | {"step"}]
    described = json.loads(undisturbed["training.json"])
    assert (described["done"], described["steps"]) == (STEPS, STEPS)
    assert described["parameters"] == sum(value.numel() for value in model.unet.parameters())
    assert described["weights"] == {**tiny().train.weights.model_dump(), **tiny().train.additions.model_dump()}
    assert described["last"] == {name: float(value) for name, value in rows[-1].items()}
    # Six views of 64 pixels, one a row: clean, pre-blurred, anonymised.
    assert read_image(tmp_path / "samples/step-000011.png").shape == (6 * 64, 3 * 64, 3)


def test_the_training_moved_the_network(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / UNET_FILE).write_bytes(undisturbed[UNET_FILE])
    last = DartBlur.load(tmp_path / UNET_FILE).unet.state_dict()["up.2.second.weight"]
    assert last.abs().max() > 0  # it starts at zero


def test_a_second_run_gives_the_same_bytes_and_replaces_the_first(undisturbed: dict[str, bytes], params: Params) -> None:
    (DARTBLUR / "stale").mkdir(parents=True)
    (DARTBLUR / "stale" / "file").write_bytes(b"from an earlier run")
    train.run(params)
    assert content(DARTBLUR) == undisturbed
    assert not list(WORK.iterdir())
    assert sorted(path.name for path in DARTBLUR.parent.iterdir()) == ["dartblur", "detector"]


def test_mlflow_and_dvclive_have_the_numbers(params: Params, registry: RegistryParams) -> None:
    train.run(params)
    (run,) = runs(registry)
    assert (run.info.status, run.info.run_name, run.data.tags["stage"]) == ("FINISHED", "train", "train")
    assert run.data.params["train.inner.optimizer"] == "adam"
    assert run.data.params["unet.width"] == "4"
    assert "registry.tracking_uri" not in run.data.params
    # Every fifth step is logged: the fifth, of fg alone, and the tenth, of both.
    client = connect(registry)
    points = {name: client.get_metric_history(run.info.run_id, f"train/{name}") for name in TERMS}
    assert {name: [point.step for point in found] for name, found in points.items()} == {**{name: [10] for name in TERMS}, "detector": [5, 10]}
    assert all(point.value > 0 for point in points["detector"])
    assert {"rate/unet", "rate/detector", "images_per_second"} <= set(run.data.metrics)
    assert run.data.metrics["rate/unet"] == pytest.approx(params.train.unet_learning_rate * params.train.decay)
    pictures = [item.path for item in client.list_artifacts(run.info.run_id, "pictures")]
    assert pictures == ["pictures/samples-000003.png", "pictures/samples-000007.png", "pictures/samples-000011.png"]
    assert any(path.is_file() and "detector" in str(path) for path in LIVE.rglob("*"))


def kill_after(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, call: int) -> None:
    """Let call number ``call`` of ``<module>.<name>`` do its work, then be the last thing that the process does."""
    original: Callable[..., Any] = getattr(module, name)
    calls = 0

    def killed(*args: Any, **keys: Any) -> Any:
        nonlocal calls
        calls += 1
        result = original(*args, **keys)
        if calls == call:
            monkeypatch.setattr(module, name, original)
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(module, name, killed)


def watch(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the steps that are taken from now on."""
    steps: list[int] = []

    @contextmanager
    def watching(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
        assert total == STEPS

        def show(done: int, note: str = "") -> None:
            steps.append(done)

        yield show

    monkeypatch.setattr(train, "progress_bar", watching)
    return steps


@pytest.mark.parametrize(
    ("module", "name", "call", "first"),
    [
        (loop, "save_training", 1, 3),  # in the middle of the warm start
        (loop, "save_training", 2, 4),  # at its end
        (loop, "save_training", 4, 7),  # in the middle of a round, between two adversarial steps
        (loop, "save_training", 6, 9),  # after a detector of the pool has started again
        (train, "write_image", 2, 7),  # at the end of a round, before its checkpoint: the step is done again
        (train, "save_unet", 1, STEPS + 1),  # while the result is written: nothing is left to do
    ],
)
def test_a_killed_training_goes_on_to_the_same_bytes(
    undisturbed: dict[str, bytes],
    params: Params,
    registry: RegistryParams,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    call: int,
    first: int,
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)  # checkpoints after the steps 2, 3, 4, 6, 7, 8, 10 and 11
    kill_after(monkeypatch, module, name, call)
    with pytest.raises(KeyboardInterrupt):
        train.run(params)
    assert not DARTBLUR.exists()
    assert [path.name for path in DARTBLUR.parent.iterdir()] == ["detector"]
    (run,) = runs(registry)
    assert run.info.status == ("FINISHED" if name == "save_unet" else "KILLED")

    steps = watch(monkeypatch)
    train.run(params)
    assert steps == list(range(first, STEPS + 1))
    assert content(DARTBLUR) == undisturbed
    assert not list(WORK.iterdir())
    assert [(other.info.run_id, other.info.status) for other in runs(registry)] == [(run.info.run_id, "FINISHED")]


def test_a_training_whose_last_checkpoint_is_spoilt_goes_on_from_the_one_before(
    undisturbed: dict[str, bytes], params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_after(monkeypatch, loop, "save_training", 2)
    with pytest.raises(KeyboardInterrupt):
        train.run(params)
    (work,) = WORK.iterdir()
    assert {STATE_FILE, BEFORE_FILE} <= {path.name for path in work.iterdir()}
    state = bytearray((work / STATE_FILE).read_bytes())
    state[-1000] ^= 16
    (work / STATE_FILE).write_bytes(state)
    steps = watch(monkeypatch)
    with pytest.warns(RuntimeWarning, match="the checkpoint before it is taken"):
        train.run(params)
    assert steps == list(range(4, STEPS + 1))
    assert content(DARTBLUR) == undisturbed


@pytest.mark.slow
def test_processes_that_are_killed_at_random_moments_leave_the_same_bytes(
    undisturbed: dict[str, bytes], params: Params, registry: RegistryParams, workplace: Path
) -> None:
    """SIGKILL, which nothing can catch: once early, once about the first checkpoint, once about the second."""
    (workplace / PARAMS_FILE).write_text(params.model_dump_json(), encoding="utf-8")
    moments = random.Random(0)  # noqa: S311
    for moment in ("mlflow_run", STATE_FILE, BEFORE_FILE, "the end"):
        with (workplace / "stderr").open("w+") as log, subprocess.Popen([sys.executable, "-m", "dartblur.cli", "train"], stderr=log) as process:
            while process.poll() is None and not list(WORK.glob(f"*/{moment}")):
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.2))
            if moment != "the end":
                process.kill()
            process.wait()
            log.seek(0)
            assert process.returncode in (-9, 0), log.read()
        assert content(DARTBLUR) in ({}, undisturbed)
    assert process.returncode == 0
    assert content(DARTBLUR) == undisturbed
    assert not list(WORK.iterdir())
    assert {run.info.status for run in runs(registry)} == {"FINISHED"}


def test_from_shards_everything_is_as_from_the_folder(undisturbed: dict[str, bytes], params: Params, tiny: MakeParams) -> None:
    """f and U, with a cache on disk that holds nothing; pictures are blurred as they are read, so that there is no second copy of the data set."""
    detector = content(DETECTOR)
    shard.run(CANONICAL, "shards", 1)
    for folder in (CANONICAL, PREBLUR, DETECTOR):
        shutil.rmtree(folder)
    ingest.run(tiny(data={"source": "shards"}))
    preblur.run(params)
    assert {path.name for folder in (CANONICAL, PREBLUR) for path in folder.iterdir()} == {TABLE, SHARDS, MEMBERS}
    train_detector.run(tiny(detector={"steps": 2}, compute={"cache_mb": 0}))
    assert content(DETECTOR) == detector
    train.run(tiny(registry=params.registry.model_dump(), compute={"cache_mb": 1}))
    assert content(DARTBLUR) == undisturbed


def test_another_setting_or_other_pictures_start_afresh(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is killed after its first round and leaves a work folder of its own."""
    table = (PREBLUR / TABLE).read_bytes()
    for number, changed in enumerate((params, params.model_copy(update={"seed": 1}), params)):
        if number == 2:
            write_table(PREBLUR, FaceDataset(PREBLUR).table.assign(sha256="0" * 64))
            assert (PREBLUR / TABLE).read_bytes() != table
        kill_after(monkeypatch, loop, "save_training", 1)
        with pytest.raises(KeyboardInterrupt):
            train.run(changed)
        assert len(list(WORK.iterdir())) == number + 1


def test_a_loss_that_is_not_finite_fails_the_run_and_leaves_the_old_model(params: Params, registry: RegistryParams) -> None:
    DARTBLUR.mkdir()
    (DARTBLUR / UNET_FILE).write_bytes(b"the old model")
    broken = params.train.model_copy(update={"detector_learning_rate": 1e30, "pool": PoolParams(size=1, restart=0)})
    with pytest.raises(DartblurError, match=r"^fg's loss is (nan|inf); lower train\.detector_learning_rate$"):
        train.run(params.model_copy(update={"train": broken}))
    assert content(DARTBLUR) == {UNET_FILE: b"the old model"}
    (run,) = runs(registry)
    assert run.info.status == "FAILED"


@pytest.mark.slow
def test_a_process_whose_fellow_dies_says_so_in_a_sentence(params: Params, workplace: Path) -> None:
    shared = params.model_copy(update={"compute": params.compute.model_copy(update={"processes": 2})})
    endless = shared.model_copy(update={"train": params.train.model_copy(update={"epochs": 10_000})})
    (workplace / PARAMS_FILE).write_text(endless.model_dump_json(), encoding="utf-8")
    with (workplace / "stderr").open("w+") as log, subprocess.Popen([sys.executable, "-m", "dartblur.cli", "train"], stderr=log) as process:
        while process.poll() is None and not list(WORK.glob(f"*/{STATE_FILE}")):
            time.sleep(0.05)
        (fellow,) = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split())
        os.kill(fellow, signal.SIGKILL)
        assert process.wait(60) == 1
        log.seek(0)
        said = log.read()
    assert said.endswith("error: another process of this training has ended, see what it said; run the same command again to go on\n"), said
    assert "Traceback" not in said
    assert not DARTBLUR.exists()


def test_more_processes_than_a_batch_has_items_are_refused(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "count", lambda: 3)
    with pytest.raises(UsageError, match=r"train\.batch: 2 cannot be dealt out among 3 processes; raise it or lower compute\.processes"):
        train.run(params)
    assert not DARTBLUR.exists()


def test_what_is_missing_is_said(params: Params) -> None:
    with pytest.raises(DartblurError, match=r"train\.batch: 5 is more than the 4 training pictures; lower it or add pictures"):
        train.run(params.model_copy(update={"train": params.train.model_copy(update={"batch": 5})}))
    write_table(CANONICAL, FaceDataset(CANONICAL).table.assign(ignore=True))
    with pytest.raises(DartblurError, match="the train split has no picture with a counted face"):
        train.run(params)
    shutil.rmtree(DETECTOR)
    write_table(CANONICAL, FaceDataset(CANONICAL).table.assign(ignore=False))
    with pytest.raises(UsageError, match="models/detector"):
        train.run(params)
    shutil.rmtree(PREBLUR)
    with pytest.raises(UsageError, match="data/preblur"):
        train.run(params)
