"""Runs of the pipeline's own stages under other settings, each in a folder of its own, sharing what does not depend on them.

A sweep over a setting and an ablation are such runs. What is finished in a folder is taken as it is, so the same call goes on where it was stopped.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from dartblur.errors import DartblurError, UsageError
from dartblur.params import PARAMS_FILE, Params
from dartblur.stages import paths


def open_folder(folder: Path, params: Params) -> None:
    """A project of its own.

    Raises:
        UsageError: it was begun with other parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / PARAMS_FILE, params.model_dump_json(indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise UsageError(f"{folder}: was begun with other parameters; take another folder or remove it")
    path.write_text(text, encoding="utf-8")


def share(base: Path, folder: Path, outs: Iterable[Path]) -> None:
    """Let ``folder`` see what lies in ``base``: links to each of ``outs``, relative paths; one that is there already stays."""
    for out in outs:
        if not (folder / out).exists():
            (folder / out).parent.mkdir(parents=True, exist_ok=True)
            (folder / out).symlink_to((base / out).resolve())


def stage(folder: Path, out: Path, *command: str) -> None:
    """A stage as the command line runs it, on one core, unless its ``out`` is there; what it says goes to ``log``.

    Raises:
        DartblurError: it failed.
    """
    if (folder / out).exists():
        return
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        if subprocess.call([sys.executable, "-m", "dartblur.cli", *command], cwd=folder, env=environment, stdout=log, stderr=log):
            raise DartblurError(f"`dartblur {' '.join(command)}` failed; see {folder / 'log'}")


def downstream(folder: Path, arm: str, seeds: Iterable[int]) -> None:
    """The fresh detectors of an arm."""
    for seed in seeds:
        stage(folder, paths.DOWNSTREAM / f"{arm}-{seed}.json", "downstream", arm, str(seed))
