"""Programs as processes of their own: an environment for a peer, and what one run of a program takes."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import DartblurError

_POLL = 0.01
"""Seconds between two looks at a running process."""
_NOT_PASSED_ON = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
"""Variables of this process that would change how fast another one is, or what it imports."""


@dataclass(frozen=True)
class Run:
    """What a process took.

    Attributes:
        seconds: from its start to its end.
        processor_seconds: of all its threads, and of processes that it waited for.
        memory_mib: the largest resident memory; None where the system does not tell.
    """

    seconds: float
    processor_seconds: float
    memory_mib: float | None
    code: int


def run(
    command: Sequence[str | Path],
    log: Path,
    allowed: Sequence[int] = (0,),
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Run a program to its end, on the CPU.

    Args:
        log: takes what it says.
        allowed: codes with which it may end.
        folder: where it runs; None is here. variables: of its environment, beside those of this process.

    Raises:
        DartblurError: it ended with another one.
    """
    passed_on = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    given = {**passed_on, "CUDA_VISIBLE_DEVICES": "", **(variables or {})}
    memory = None
    with log.open("wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=given)
        ended = 0
        while not ended:
            time.sleep(_POLL)
            # Of resource usage the memory is of no use: it starts with that of the process that has forked.
            memory = _peak(process.pid) or memory
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["without a word"])[-1]
        raise DartblurError(f"{command[0]}: ended with {process.returncode} ({last}); see {log}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, memory, process.returncode)


def environment(name: str, requirements: Path, work: Path) -> Path:
    """The folder of the programs of a virtual environment below ``work`` with the packages of a pinned list; made if it is not there yet.

    Raises:
        DartblurError: a package cannot be had.
    """
    folder = work / f"{name}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    complete = folder / ".complete"
    if not complete.is_file():
        print(f"making {folder.name}, an environment for the peer (once)", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        log = folder.with_suffix(".log")
        run([sys.executable, "-m", "venv", "--without-pip", folder], log)
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder, "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--no-deps", "-r", requirements], log)
        complete.touch()
    return folder / "bin"


def _peak(process: int) -> float | None:
    """The largest resident memory so far, MiB."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) / 1024 if lines else None
