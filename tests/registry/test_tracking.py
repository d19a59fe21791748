"""Runs are written as the work goes on, resumed, ended as what they were, and a store that is not there is one sentence."""

import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.params import RegistryParams
from dartblur.registry import tracking
from tests.registry.conftest import MLFLOW_WARNINGS, noise

pytestmark = MLFLOW_WARNINGS


def read(registry: RegistryParams, run_id: str) -> Any:
    return tracking.connect(registry).get_run(run_id)


def test_a_run_keeps_what_it_is_told(registry: RegistryParams, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    with tracking.run(registry, "train", {"seed": "0"}) as log:
        log.params({"unet": {"width": 8}, "seed": 0})
        for step in range(3):
            log.metrics({"loss": 1 / (step + 1), "gap": float("nan")}, step)
        assert read(registry, log.run_id).data.metrics["loss"] == pytest.approx(1 / 3)  # visible while it works
        log.picture(noise(), "faces", 2)
        log.record({"auc": float("nan")}, "decision.json")
        log.file(tmp_path / "note.txt", "notes")
        log.tags({"result": "good"})
    run = read(registry, log.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train")
    assert run.data.params == {"unet.width": "8", "seed": "0"}
    assert {"stage": "train", "seed": "0", "result": "good"}.items() <= run.data.tags.items()
    client = tracking.connect(registry)
    assert [item.step for item in client.get_metric_history(log.run_id, "loss")] == [0, 1, 2]
    assert {item.path for item in client.list_artifacts(log.run_id)} == {"pictures", "notes", "decision.json"}
    assert [item.path for item in client.list_artifacts(log.run_id, "pictures")] == ["pictures/faces-000002.png"]


def test_more_values_than_one_request_takes(registry: RegistryParams) -> None:
    with tracking.run(registry, "evaluate") as log:
        log.metrics({f"m{index}": index for index in range(250)})
        log.params({f"p{index}": index for index in range(250)})
    run = read(registry, log.run_id)
    assert (len(run.data.metrics), len(run.data.params)) == (250, 250)


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_breaks_off_says_so(registry: RegistryParams, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), tracking.run(registry, "train") as log:
        raise error
    assert read(registry, log.run_id).info.status == status


def test_an_interrupted_run_goes_on(registry: RegistryParams) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.run(registry, "train") as first:
        first.metrics({"loss": 2.0}, 0)
        raise KeyboardInterrupt
    with tracking.run(registry, "train", run_id=first.run_id) as second:
        second.metrics({"loss": 1.0}, 1)
    assert second.run_id == first.run_id
    assert read(registry, first.run_id).info.status == "FINISHED"
    with tracking.run(registry, "train", run_id="0" * 32) as third:
        pass
    assert third.run_id not in ("0" * 32, first.run_id)


def test_a_server_that_does_not_answer(registry: RegistryParams) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = registry.model_copy(update={"tracking_uri": f"http://user:hunter2@127.0.0.1:{port}"})
    with pytest.raises(UsageError) as caught:
        tracking.connect(away)
    message = str(caught.value)
    assert f"MLflow at http://127.0.0.1:{port} does not answer" in message
    assert f"mlflow server --host 127.0.0.1 --port {port}" in message
    assert "hunter2" not in message


def test_a_file_that_is_no_database(registry: RegistryParams, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("not a database at all" * 100)
    with pytest.raises(UsageError, match="cannot be used as MLflow's SQLite store"):
        tracking.connect(registry.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path / 'other.db'}"}))


def test_a_deleted_experiment(registry: RegistryParams) -> None:
    client = tracking.connect(registry)
    client.delete_experiment(client.create_experiment(registry.experiment))
    with pytest.raises(UsageError, match="is deleted"), tracking.run(registry, "train"):
        pass


def test_what_mlflow_refuses_is_one_sentence(registry: RegistryParams) -> None:
    with pytest.raises(DartblurError, match=r"^MLflow at sqlite:") as caught, tracking.run(registry, "train") as log:
        log.params({"seed": 0})
        log.params({"seed": 1})
    assert "\n" not in str(caught.value)


def test_it_is_quiet_and_imports_nothing_early(tmp_path: Path) -> None:
    code = (
        "import sys; from dartblur.params import RegistryParams; from dartblur.registry import promote, tracking; import dartblur.stages.register;"
        "assert 'mlflow' not in sys.modules;"
        "ctx = tracking.run(RegistryParams(name='m', tracking_uri='sqlite:///sub/mlflow.db', experiment='e', promotion='gate'), 'train')\n"
        "with ctx as log: log.metrics({'loss': 1.0})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "sub/mlflow.db").is_file()
    assert logging.getLogger("mlflow").level in (logging.WARNING, logging.NOTSET)
