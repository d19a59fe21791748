"""Runs of the pipeline's own stages under other settings, each in a folder of its own, sharing what does not depend on them.

A sweep over a setting, an ablation, and another model on this run's data are such runs. What is finished in a folder is taken as it is, so the same
call goes on where it was stopped.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError, UsageError
from dartblur.params import BLURRED, CLEAN, OURS, PARAMS_FILE, Params
from dartblur.stages import paths

COMPARED = (paths.CANONICAL, paths.DETECTOR, paths.ARMS / CLEAN, paths.ARMS / BLURRED, paths.RESTORERS / CLEAN, paths.RESTORERS / BLURRED)
"""What a model is judged with, of the main run."""


def judging(params: Params) -> Params:
    """``params`` of a run in a folder of its own that asks for the figures of one model, beside clean pictures and the ordinary blur."""
    root = Path.cwd()
    sources = {name: str((root / getattr(params.privacy, name)).resolve()) for name in ("identities", "teachers")}
    update = {
        "evaluate": params.evaluate.model_copy(update={"arms": [CLEAN, BLURRED, OURS], "transfer": [], "frozen": []}),
        "privacy": params.privacy.model_copy(update=sources),
    }
    return params.model_copy(update=update)


def share_compared(root: Path, folder: Path, params: Params) -> None:
    """Let ``folder`` see what the model in it is judged with: the data, f, the other arms, and the fresh detectors on them."""
    trained = [paths.DOWNSTREAM / f"{arm}-{seed}.json" for arm in (CLEAN, BLURRED) for seed in params.evaluate.seeds]
    share(root, folder, [*(out for out in COMPARED if (root / out).exists()), *trained])


def judge(folder: Path, params: Params) -> dict[str, Any]:
    """The figures of all arms, as in reports/evaluation.json, for the model in ``folder``: its arm, fresh detectors on it, all attackers.

    Raises:
        DartblurError: a stage failed; its log is named.
    """
    stage(folder, paths.ARMS / OURS, "arm", OURS)
    stage(folder, paths.RESTORERS / OURS, "restorer", OURS)
    downstream(folder, OURS, params.evaluate.seeds)
    for arm in params.evaluate.arms:
        stage(folder, paths.FROZEN / f"{arm}.json", "frozen", arm)
    stage(folder, paths.PRIVACY, "privacy")
    stage(folder, paths.EVALUATION, "evaluate")
    found: dict[str, Any] = json.loads((folder / paths.EVALUATION).read_text(encoding="utf-8"))["arms"]
    return found


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
