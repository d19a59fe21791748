"""Stages as programs: their output, their sentence, DVC's locks."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dartblur.errors import DartblurError, UsageError
from flows import programs
from tests.flows.conftest import dvc, events


def say(*lines: str, code: int = 0) -> list[str]:
    text = "\n".join(lines)
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


def run(command: list[str]) -> programs.Outcome:
    return programs.execute(command, lambda _: None)


def test_lines_arrive_without_colours() -> None:
    heard: list[str] = []
    assert programs.execute(say("one", "\x1b[31mtwo\x1b[0m"), heard.append) == programs.Outcome(0, None, False)
    assert heard == ["one", "two"]


def test_it_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    heard: list[str] = []
    code = "import os; print(os.getcwd(), os.environ['GREETING'])"
    assert programs.execute([sys.executable, "-c", code], heard.append, tmp_path, {"GREETING": "hello"}).error is None
    assert heard == [f"{tmp_path} hello"]


STARTED = ["Running stage 'train':", "> .venv/bin/dartblur train"]
FAILED = "ERROR: failed to reproduce 'train': failed to run: .venv/bin/dartblur train, exited with 1"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([*STARTED, "step 1", "Error: loss is not finite; lower the rate", FAILED], "loss is not finite; lower the rate"),
        ([*STARTED, "error: loss is not finite", "====", "dartblur.cli FAILED", "====", FAILED], "loss is not finite"),
        ([*STARTED, FAILED], FAILED.removeprefix("ERROR: ")),
        (["ERROR: failed to reproduce 'train': missing data 'source': data/x"], "failed to reproduce 'train': missing data 'source': data/x"),
        (["Traceback (most recent call last):", "  File", "ValueError: no", FAILED], "ValueError: no"),
        ([], "ended with status 3 and said nothing"),
    ],
)
def test_the_sentence_is_the_stages_own(lines: list[str], sentence: str) -> None:
    assert run(say(*lines, code=3)) == programs.Outcome(3, sentence, False)


@pytest.mark.parametrize(
    "line", ["ERROR: Unable to acquire lock. Most likely another DVC process is running", "ERROR: 'data' is busy, it is being blocked by:"]
)
def test_a_held_lock_is_told_from_a_failure(line: str) -> None:
    assert run(say(line, code=1)).busy


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="make setup"):
        programs.tool("no-such-program")


def test_an_interruption_ends_what_a_thread_waits_for() -> None:
    started = threading.Event()
    sleeper = [sys.executable, "-uc", "import time; print('up'); time.sleep(600)"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(programs.execute, sleeper, lambda _: started.set())
        assert started.wait(60)
        with pytest.raises(KeyboardInterrupt), programs.ended_on_interrupt():
            raise KeyboardInterrupt
        assert waiting.result().code != 0


def test_stage_names_come_from_dvc(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    names = programs.stage_names()
    assert {"ingest", "train-detector", "arm@block", "downstream@dartblur-1"} <= set(names)
    (project / "dvc.yaml").write_text("stages: [")
    with pytest.raises(DartblurError, match=r"dvc\.yaml: "):
        programs.stage_names()


def test_stages_side_by_side_leave_the_lock_of_dvc_repro(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["cp", "-r", str(project), str(tmp_path / "other")], check=True)
    dvc(tmp_path / "other", "repro")
    monkeypatch.chdir(project)
    names = programs.stage_names()
    arms = ("clean", "block", "dartblur")
    alone = [
        "ingest",
        "validate",
        "preblur",
        "train-detector",
        "train",
        *(f"{stage}@{arm}" for stage in ("arm", "restorer") for arm in arms),
        "privacy",
    ]
    for name in alone:
        assert run(programs.repro_command(name)).error is None
    monkeypatch.setenv("RENDEZVOUS", "downstream")
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(
            threads.map(run, [programs.repro_command(name) for name in names if name.startswith(("downstream@", "transfer@", "frozen@"))])
        )
    assert [outcome.error for outcome in outcomes] == [None] * 11
    for name in ("evaluate", "review", "register", "report"):
        assert run(programs.repro_command(name)).error is None
    locks = [YAML(typ="safe").load(folder / "dvc.lock") for folder in (project, tmp_path / "other")]
    assert locks[0] == locks[1]
    assert dvc(project, "status").strip() == "Data and pipelines are up to date."
    before = events(project)
    assert run(programs.repro_command("evaluate")).error is None
    assert events(project) == before
    assert run(programs.repro_command("evaluate", force=True)).error is None
    assert events(project)[-1] == ("end", "evaluate")


def test_a_lock_held_by_another_process_reads_as_busy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    holder = {"pid": os.getppid(), "cmd": "dvc repro"}
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    (project / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(project / "data/canonical"): holder}, "read": {}}))
    assert run(programs.repro_command("ingest")).busy
    assert not events(project)


def test_a_stages_failure_is_its_sentence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("FAIL", "ingest")
    outcome = run(programs.repro_command("ingest"))
    assert (outcome.error, outcome.busy) == ("the table has no faces; add some", False)
