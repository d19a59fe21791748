"""Running DVC and the command line as programs: output line by line, errors as one sentence. Knows nothing of Prefect."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import DartblurError, UsageError

_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# DVC's two locks: the one around dvc.lock, and the one around the files of a stage.
_BUSY = ("Unable to acquire lock", "is busy, it is being blocked by")
_COMMAND_FAILED = re.compile(r"^ERROR: failed to reproduce .*(exited with|failed to run)")
# What DVC itself says around the output of a stage; the second are tips that would come after every stage.
_CHATTER = re.compile(r"^(> |Running stage |Updating lock file |Generating lock file |Stage ')")
_TIPS = re.compile(r"^\s*($|Use `dvc push`|To track the changes with git|git add |To enable auto staging|dvc config core\.autostage)")
_GRACE_SECONDS = 10

_running: set["subprocess.Popen[str]"] = set()


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        code: exit status.
        error: one sentence on what failed, None on success.
        busy: it failed because another DVC process held a lock, so trying again may help.
    """

    code: int
    error: str | None
    busy: bool


def tool(name: str) -> str:
    """Path of a program of the environment that runs this code, on PATH or not.

    Raises:
        UsageError: it is not installed there.
    """
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise UsageError(f"{name} is not installed beside {Path(sys.executable).name}; run `make setup`")
    return str(path)


def repro_command(stage: str, force: bool = False) -> list[str]:
    """The command that runs one stage alone, if it is not up to date.

    Without ``--wait-for-lock`` a stage that ends while another one writes dvc.lock gives up after 3 s, and its work is lost.
    """
    return [tool("dvc"), "--wait-for-lock", "repro", "--single-item", *(["--force"] if force else []), stage]


def stage_names() -> list[str]:
    """Names of all stages in dvc.yaml, in its order, those of a matrix as name@item.

    Raises:
        DartblurError: DVC cannot read the DAG.
    """
    lines: list[str] = []
    outcome = execute([tool("dvc"), "stage", "list", "--name-only"], lines.append)
    if outcome.error is not None:
        raise DartblurError(f"dvc.yaml: {outcome.error}")
    return [line.strip() for line in lines if line.strip()]


def execute(command: list[str], tell: Callable[[str], None], folder: Path | None = None, variables: Mapping[str, str] | None = None) -> Outcome:
    """Run a program and ``tell`` each line it writes, as it comes, DVC's tips left out.

    The program ends when this call is interrupted.

    Args:
        folder: where it runs; the current folder if None.
        variables: of the environment, added to this process's own.
    """
    environment = {**os.environ, **_ENVIRONMENT, **(variables or {})}
    # A session of its own, so that the program and all it started can be ended together.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1,
        env=environment, cwd=folder, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101  by stdout=PIPE
    lines: list[str] = []
    _running.add(process)
    try:
        with process.stdout as output:
            for raw in output:
                line = _COLOURS.sub("", raw).rstrip()
                if not _TIPS.match(line):
                    lines.append(line)
                    tell(line)
        code = process.wait()
    finally:
        _end(process)
        _running.discard(process)
    if code == 0:
        return Outcome(0, None, False)
    return Outcome(code, _sentence(lines, code), any(mark in line for line in lines for mark in _BUSY))


@contextmanager
def ended_on_interrupt() -> Iterator[None]:
    """End every program of :func:`execute` when the block is interrupted; threads that wait for one return then."""
    try:
        yield
    except Exception:
        raise
    except BaseException:  # Ctrl-C, SIGTERM, Prefect's cancellation
        for process in list(_running):
            _end(process)
        raise


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _sentence(lines: list[str], code: int) -> str:
    """The last thing that the stage itself said, or DVC's own error where no stage had started."""
    spoken = [line.strip() for line in lines]
    dvc_error = next((number for number, line in enumerate(spoken) if line.startswith("ERROR: ")), len(spoken))
    if dvc_error < len(spoken) and not _COMMAND_FAILED.match(spoken[dvc_error]):
        return spoken[dvc_error].removeprefix("ERROR: ")
    own = [line for line in spoken[:dvc_error] if not _CHATTER.match(line)]
    if own:
        # What torchrun adds after its processes have failed would hide their own sentence.
        said = [line for line in own if line.startswith("error: ")] or own
        return re.sub(r"^(error|usage error): ", "", said[-1], flags=re.IGNORECASE)
    return spoken[dvc_error].removeprefix("ERROR: ") if dvc_error < len(spoken) else f"ended with status {code} and said nothing"
