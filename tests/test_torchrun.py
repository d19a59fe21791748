"""A training that torchrun is to start begins again under it, once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dartblur.params import PARAMS_FILE
from dartblur.stages.paths import DARTBLUR
from dartblur.torchrun import OPTIONS, rejoin
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store
from tests.stages.conftest import MakeParams, content, prepared, tiny, workplace

__all__ = ["empty_store", "prepared", "tiny", "workplace"]  # fixtures
pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    words: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: words.append([program, *arguments]))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    return words


def test_it_begins_again_under_torchrun(monkeypatch: pytest.MonkeyPatch, started: list[list[str]]) -> None:
    monkeypatch.setenv(OPTIONS, "--standalone --nproc-per-node 2 --rdzv-id 'a run'")
    rejoin("train")
    torchrun = [sys.executable, sys.executable, "-m", "torch.distributed.run"]
    assert started == [[*torchrun, "--standalone", "--nproc-per-node", "2", "--rdzv-id", "a run", "-m", "dartblur.cli", "train"]]


@pytest.mark.parametrize("variables", [{}, {OPTIONS: ""}, {OPTIONS: "--standalone", "LOCAL_WORLD_SIZE": "2"}])
def test_it_stays_where_nobody_asks_or_it_is_there_already(
    monkeypatch: pytest.MonkeyPatch, started: list[list[str]], variables: dict[str, str]
) -> None:
    monkeypatch.delenv(OPTIONS, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    rejoin("train")
    assert started == []


@pytest.mark.slow
def test_two_processes_of_torchrun_do_what_two_of_ours_do(workplace: Path, empty_store: Path, tiny: MakeParams) -> None:
    registry = {"name": "dartblur", "tracking_uri": f"sqlite:///{workplace / 'mlflow.db'}", "experiment": "test", "promotion": "gate"}
    shutil.copy(empty_store, workplace / "mlflow.db")
    results = []
    for processes, options in ((2, {}), (1, {OPTIONS: "--standalone --nproc-per-node 2"})):
        params = tiny(registry=registry, compute={"device": "cpu", "threads": 1, "train_threads": 1, "precision": "fp32", "processes": processes})
        (workplace / PARAMS_FILE).write_text(params.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "dartblur.cli", "train"]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1", **options}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        results.append(content(DARTBLUR)["unet.safetensors"])
    assert results[0] == results[1]
