"""Stage train: what it writes, that a killed training goes on to the same bytes, and what MLflow sees of it."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dartblur.blur.dartblur import UNET_FILE, DartBlur, DartBlurConfig
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import as_boxes
from dartblur.faces.dataset import TABLE, FaceDataset, write_table
from dartblur.media.images import read_image
from dartblur.params import Params, RegistryParams
from dartblur.registry.tracking import connect
from dartblur.stages import train
from dartblur.stages.paths import CANONICAL, DARTBLUR, DETECTOR, LIVE, PREBLUR, WORK
from dartblur.training.checkpoint import STATE_FILE
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, fresh_registry
from tests.stages.conftest import MakeParams, content

__all__ = ["empty_store"]  # a fixture
pytestmark = MLFLOW_WARNINGS

TERMS = {"review", "process", "posthoc", "cycle", "total", "gradient", "detector"}


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
    assert set(undisturbed) == {UNET_FILE, STATE_FILE, "history.csv", "training.json", "samples/epoch-001.png", "samples/epoch-002.png"}
    for name, data in undisturbed.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    model = DartBlur.load(tmp_path / UNET_FILE)
    assert model.config == DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=16, face_max=40)
    picture = FaceDataset(prepared / CANONICAL).pictures("val")[0]
    image = FaceDataset(prepared / CANONICAL).read(picture)
    assert (model.anonymize(image, picture.boxes) != image).any()
    assert (model.anonymize(image, as_boxes([])) == image).all()

    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    assert all(set(row) == TERMS | {"epoch"} and all(row.values()) for row in rows)
    described = json.loads(undisturbed["training.json"])
    assert (described["epoch"], described["outer_steps"]) == (2, 4)
    assert described["weights"] == tiny().train.weights.model_dump()
    assert described["last"] == {name: float(value) for name, value in rows[-1].items()}
    # Six views of 64 pixels, one a row: clean, pre-blurred, anonymised.
    assert read_image(tmp_path / "samples/epoch-002.png").shape == (6 * 64, 3 * 64, 3)


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
    # Every fifth of the eight steps is logged: the fifth, of fg alone.
    client = connect(registry)
    (point,) = client.get_metric_history(run.info.run_id, "train/detector")
    assert (point.step, point.value > 0) == (5, True)
    assert {"rate/unet", "rate/detector", "images_per_second"} <= set(run.data.metrics)
    assert run.data.metrics["rate/unet"] == pytest.approx(params.train.unet_learning_rate * params.train.decay)
    pictures = [item.path for item in client.list_artifacts(run.info.run_id, "pictures")]
    assert pictures == ["pictures/samples-000001.png", "pictures/samples-000002.png"]
    assert any(path.is_file() and "detector" in str(path) for path in LIVE.rglob("*"))


def kill_after(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Let call number ``call`` of ``train.<name>`` do its work, then be the last thing that the process does."""
    original: Callable[..., Any] = getattr(train, name)
    calls = 0

    def killed(*args: Any, **keys: Any) -> Any:
        nonlocal calls
        calls += 1
        result = original(*args, **keys)
        if calls == call:
            monkeypatch.setattr(train, name, original)
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(train, name, killed)


@pytest.mark.parametrize(
    ("name", "call", "left"),
    [
        ("save_training", 1, 4),  # after the first outer epoch
        ("write_image", 2, 4),  # in the second, before its checkpoint: it is done again
        ("write_image", 1, 8),  # in the first: there is nothing to go on from
        ("save_unet", 1, 0),  # while the result is written
    ],
)
def test_a_killed_training_goes_on_to_the_same_bytes(
    undisturbed: dict[str, bytes], params: Params, registry: RegistryParams, monkeypatch: pytest.MonkeyPatch, name: str, call: int, left: int
) -> None:
    kill_after(monkeypatch, name, call)
    with pytest.raises(KeyboardInterrupt):
        train.run(params)
    assert not DARTBLUR.exists()
    assert [path.name for path in DARTBLUR.parent.iterdir()] == ["detector"]
    (run,) = runs(registry)
    assert run.info.status == ("FINISHED" if name == "save_unet" else "KILLED")

    steps: list[int] = []

    @contextmanager
    def watching(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
        def show(done: int, note: str = "") -> None:
            steps.append(done)

        yield show

    monkeypatch.setattr(train, "progress_bar", watching)
    train.run(params)
    assert steps == list(range(9 - left, 9))
    assert content(DARTBLUR) == undisturbed
    assert not list(WORK.iterdir())
    assert [(other.info.run_id, other.info.status) for other in runs(registry)] == [(run.info.run_id, "FINISHED")]


def test_another_setting_or_other_pictures_start_afresh(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is killed after its first outer epoch and leaves a work folder of its own."""
    table = (PREBLUR / TABLE).read_bytes()
    for number, changed in enumerate((params, params.model_copy(update={"seed": 1}), params)):
        if number == 2:
            write_table(PREBLUR, FaceDataset(PREBLUR).table.assign(sha256="0" * 64))
            assert (PREBLUR / TABLE).read_bytes() != table
        kill_after(monkeypatch, "save_training", 1)
        with pytest.raises(KeyboardInterrupt):
            train.run(changed)
        assert len(list(WORK.iterdir())) == number + 1


def test_a_loss_that_is_not_finite_fails_the_run_and_leaves_the_old_model(params: Params, registry: RegistryParams) -> None:
    DARTBLUR.mkdir()
    (DARTBLUR / UNET_FILE).write_bytes(b"the old model")
    broken = params.train.model_copy(update={"detector_learning_rate": 1e30})
    with pytest.raises(DartblurError, match=r"^fg's loss is .* in outer epoch 1; lower train\.detector_learning_rate$"):
        train.run(params.model_copy(update={"train": broken}))
    assert content(DARTBLUR) == {UNET_FILE: b"the old model"}
    (run,) = runs(registry)
    assert run.info.status == "FAILED"


def test_what_is_missing_is_said(params: Params) -> None:
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
