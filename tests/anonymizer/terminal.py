"""The command anonymize as a person starts it."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from dartblur.cli import main

COMMAND = (sys.executable, "-m", "dartblur.cli", "anonymize")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def anonymize(*arguments: str | Path, cwd: Path, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run it to its end in a process of its own; ``before`` is what the command line starts with (a program that changes its rights, say)."""
    line = [*before, *COMMAND, *(str(argument) for argument in arguments)]
    return subprocess.run(line, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, errors="surrogateescape", check=False)


def write_csv(path: Path, boxes: Mapping[str, Iterable[Sequence[float]]]) -> Path:
    """Boxes by name as the command takes them; a name without a box gets a line without numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "x1", "y1", "x2", "y2"))
        for name, found in boxes.items():
            rows.writerows([(name, *(repr(float(value)) for value in box)) for box in found] or [(name, "", "", "", "")])
    return path


def here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which takes a hundredth of the time."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["dartblur", "anonymize", *(str(argument) for argument in arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.argv = before
    return subprocess.CompletedProcess(list(arguments), code, out.getvalue(), err.getvalue())
