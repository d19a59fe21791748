"""The flow against a real Prefect server: order, stages side by side, failures, locks, and a deployment run by a worker."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from ruamel.yaml import YAML

from tests.flows.conftest import BIN, ROOT, dvc, environment, events

pytestmark = pytest.mark.slow
MODULE = [sys.executable, "-m", "flows.pipeline"]


def run(project: Path, prefect: dict[str, str], *options: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MODULE, *options], cwd=project, env=prefect | extra, capture_output=True, text=True, check=False)


@contextmanager
def started(command: list[str], cwd: Path, env: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """A program and its output; ended with the block."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.terminate()
        process.stdout.read()
        process.wait()
        process.stdout.close()


def steps(project: Path) -> list[str]:
    """Stages in the order of their ends, items of a matrix as one; transfer, which runs among the items of downstream, left out."""
    names = [name.split("@")[0] for what, name in events(project) if what == "end" and not name.startswith(("transfer@", "frozen@", "review"))]
    return [name for name, _ in itertools.groupby(names)]


def test_order_width_and_lock(project: Path, prefect: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "other")
    dvc(tmp_path / "other", "repro")
    done = run(project, prefect, RENDEZVOUS="downstream")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "gate not passed: model version ? is without an alias"
    order = steps(project)
    assert order == [
        "ingest", "validate", "preblur", "train-detector", "train", "arm", "restorer", "privacy", "downstream", "evaluate", "register", "report",
    ]  # fmt: skip
    running: set[str] = set()
    for what, name in events(project):
        (running.add if what == "start" else running.discard)(name)
        assert len(running) <= 2  # compute.workers
        assert len(running) == 1 or not running & {"train", "train-detector"}
    locks = [YAML(typ="safe").load(folder / "dvc.lock") for folder in (project, tmp_path / "other")]
    assert locks[0] == locks[1]
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."
    before = events(project)
    assert run(project, prefect).returncode == 0
    assert events(project) == before  # DVC is the cache


def test_side_by_side_in_processes_of_dask(project: Path, prefect: dict[str, str]) -> None:
    """Each process waits for its sibling, so two are at work at once."""
    done = run(project, prefect, "--cluster", "dask", RENDEZVOUS="downstream")
    assert done.returncode == 0, done.stderr
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."


def test_a_cluster_that_is_none(project: Path, prefect: dict[str, str]) -> None:
    done = run(project, prefect, "--cluster", "spark")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: spark: no cluster that the flow knows; give dask, ")
    assert not events(project)


def test_a_failing_stage_is_one_sentence_and_runs_once(project: Path, prefect: dict[str, str]) -> None:
    done = run(project, prefect, FAIL="train")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: train: the table has no faces; add some"
    assert "Traceback" not in done.stdout + done.stderr
    assert events(project).count(("start", "train")) == 1
    assert "arm" not in steps(project)


def test_a_failing_item_of_a_matrix_lets_its_sibling_end(project: Path, prefect: dict[str, str]) -> None:
    done = run(project, prefect, FAIL="arm@block")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: arm@block: the table has no faces; add some"
    assert sorted(name for what, name in events(project) if what == "start" and name != "arm@block") == sorted(
        name for what, name in events(project) if what == "end"
    )


def test_a_held_lock_is_waited_for(project: Path, prefect: dict[str, str]) -> None:
    lock = project / ".dvc/tmp/rwlock"
    lock.parent.mkdir(exist_ok=True)
    holder = {"pid": os.getpid(), "cmd": "dvc repro"}
    lock.write_text(json.dumps({"write": {str(project / "models/dartblur"): holder}, "read": {}}))
    seen = ""
    with started(MODULE, project, prefect) as (process, output):
        for line in output:
            seen += line
            if "Retry 1/" in line:
                state = json.loads(lock.read_text())
                state["write"] = {path: info for path, info in state["write"].items() if info != holder}
                lock.write_text(json.dumps(state))
        assert process.wait() == 0, seen
    assert "Retry 1/" in seen
    assert steps(project)[-1] == "report"


def test_an_interruption_ends_the_stage(project: Path, prefect: dict[str, str]) -> None:
    with started(MODULE, project, prefect | {"HANG": "train"}) as (process, output):
        while ("start", "train") not in events(project):
            assert process.poll() is None
            time.sleep(0.05)
        stage = int((project / "events").read_text().splitlines()[-1].split()[2])
        process.send_signal(signal.SIGTERM)
        assert "error: interrupted" in output.read()
        assert process.wait() == 130
    # Gone, or a zombie where the container's first process reaps nothing.
    status = Path(f"/proc/{stage}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
    assert run(project, prefect).returncode == 0


def test_a_stage_that_the_flow_does_not_know(project: Path, prefect: dict[str, str]) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write("  extra: {cmd: echo}\n")
    done = run(project, prefect)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "error: dvc.yaml has a stage extra that the flow does not run; add it to STEPS in flows/pipeline.py",
    )


def test_a_profile_that_cannot_be_configured(project: Path, prefect: dict[str, str]) -> None:
    done = run(project, prefect, "--profile", "no-such-profile")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: configure: ")
    assert not events(project)


def test_a_server_that_does_not_answer(project: Path, prefect: dict[str, str]) -> None:
    done = run(project, prefect | {"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: Prefect's server at http://127.0.0.1:9/api does not answer (")
    assert "start it with `make services` or `prefect server start`" in line


def test_it_starts_a_server_for_itself(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(MODULE, cwd=project, env=environment(PREFECT_HOME=str(tmp_path / "home")), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert steps(project)[-1] == "report"


def test_a_deployment_runs_in_a_worker(project: Path, prefect: dict[str, str]) -> None:
    """Versions of FastAPI that break deployments pass `pip check`: only this shows them."""
    shutil.copytree(ROOT / "flows", project / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", project)
    settings = {key: value for key, value in prefect.items() if key != "PYTHONPATH"}

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "prefect"), "--no-prompt", *arguments], cwd=project, env=settings, capture_output=True, text=True, check=False
        )

    for arguments in (["work-pool", "create", "dartblur", "--type", "process"], ["deploy", "--all"]):
        done = command(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    worker = [str(BIN / "prefect"), "worker", "start", "--pool", "dartblur", "--name", "test"]
    with (project.parent / "worker.log").open("w") as log:
        process = subprocess.Popen(worker, cwd=project.parent, env=settings, stdout=log, stderr=subprocess.STDOUT)
        try:
            done = command("deployment", "run", "pipeline/pipeline", "--watch", "--watch-timeout", "480")
        finally:
            process.terminate()
            process.wait()
    assert done.returncode == 0, done.stdout + done.stderr + (project.parent / "worker.log").read_text()
    assert "Completed" in done.stdout
    assert steps(project)[-1] == "report"
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."
