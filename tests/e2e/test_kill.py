"""A worker and everything that it has started are killed in the middle of a stage: the retried run ends with the dvc.lock of an undisturbed one."""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from dartblur.media.tensors import load_tensors
from dartblur.training.checkpoint import STATE_FILE
from services.stack import Stack
from tests.e2e.project import BIN, clone, environment, settings
from tests.e2e.team import PATIENCE_SECONDS, Team, kill_all, log

LOST = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "its process was lost"}
"""What the automation of flows/automations.py makes of a run that gives no sign of life."""

MOMENTS: dict[str, Callable[[Path], bool]] = {
    "preblur": lambda folder: any(folder.glob("data/.preblur.*")),
    "train": lambda folder: any(folder.glob(f".work/*/{STATE_FILE}")),
    "evaluate": lambda folder: any(folder.glob("reports/.figures.*")),
    "register": lambda folder: any(folder.glob("mlruns/*/*/artifacts/decision.json")),
}
"""The middle of a stage: its outputs are half written, its first checkpoint is there, its version is half registered."""


@pytest.fixture(scope="module")
def undisturbed(servers: tuple[Stack, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run, without a server, its registry in a file."""
    folder = clone(tmp_path_factory.mktemp("undisturbed") / "project", settings())
    done = subprocess.run(
        [str(BIN / "dvc"), "repro"], cwd=folder, env=environment(folder, {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return folder


def lock(folder: Path) -> Any:
    return YAML(typ="safe").load(folder / "dvc.lock")


def forget(folder: Path, stage: str) -> None:
    """As if ``stage`` had never run: its outputs, its entry in dvc.lock, what DVC would restore it from, and the registry."""
    data = lock(folder)
    for out in data["stages"].pop(stage)["outs"]:
        path = folder / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with (folder / "dvc.lock").open("w", encoding="utf-8") as file:
        YAML().dump(data, file)
    for left in (".dvc/cache/runs", "mlruns", ".work"):
        shutil.rmtree(folder / left, ignore_errors=True)
    (folder / "mlflow.db").unlink(missing_ok=True)


def wait_for(moment: Callable[[Path], bool], folder: Path, worker: psutil.Process) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while not moment(folder):
        assert worker.is_running() and time.monotonic() < patience, "the stage never came to its middle"
        time.sleep(0.002)


def logged_twice(folder: Path, last: int) -> int:
    """Figures of the training that were logged more than once for a step up to ``last``: it would log them again if it began anew."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        query = "SELECT COUNT(*) FROM (SELECT 1 FROM metrics WHERE step BETWEEN 1 AND ? GROUP BY run_uuid, key, step HAVING COUNT(*) > 1)"
        assert store.execute("SELECT COUNT(*) FROM metrics WHERE step BETWEEN 1 AND ?", (last,)).fetchone()[0] > 0
        return int(store.execute(query, (last,)).fetchone()[0])


@pytest.mark.parametrize("stage", MOMENTS)
def test_nothing_is_lost(stage: str, undisturbed: Path, servers: tuple[Stack, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(undisturbed, tmp_path / "project", symlinks=True))
    forget(folder, stage)
    team = Team(folder, {"PREFECT_API_URL": servers[0].prefect}, tmp_path)
    team.deploy()
    with team.worker() as worker:
        run = team.start("pipeline")
        wait_for(MOMENTS[stage], folder, worker)
        kill_all(worker)
        log.info("  SIGKILL to the worker and all that it has started, in the middle of %s", stage)
    assert team.state(run)["type"] == "RUNNING"  # nobody was left to tell
    assert stage not in lock(folder)["stages"]
    saved = [int(load_tensors(path)[1]["done"]) for path in folder.glob(f".work/*/{STATE_FILE}")]
    assert team.ask("POST", f"/flow_runs/{run}/set_state", {"state": LOST})["status"] == "ACCEPT"
    with team.worker():
        state = team.wait(run)
    assert state["type"] == "COMPLETED", state
    assert team.ask("GET", f"/flow_runs/{run}")["run_count"] == 2
    assert lock(folder) == lock(undisturbed)
    log.info("  the same dvc.lock as undisturbed, on the second start")
    if stage == "train":
        assert logged_twice(folder, saved[0]) == 0
