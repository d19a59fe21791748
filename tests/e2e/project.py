"""A clone of this repository with a small data set of drawn faces and settings so small that the whole pipeline takes minutes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.makedata import make_wider
from tests.settings import ROOT, delivered

BIN = Path(sys.executable).parent
DATA = "data/team"
SMALL: dict[str, dict[str, Any]] = {
    "compute": {"device": "cpu", "threads": 1, "train_threads": 1, "precision": "fp32", "workers": 2},
    "data": {"source": DATA},
    "preblur": {"strength": 1.5},
    "view": {"size": 64, "face_min": 16, "face_max": 40, "min_face": 4},
    "detector": {"backbone": "mobilenet025", "init": "scratch", "channels": 16, "steps": 300, "batch": 8},
    "unet": {"width": 4, "depth": 3, "face_min": 16, "face_max": 24, "init": "scratch"},
    "train": {
        **{"epochs": 1, "detector_epochs": 1, "epoch_steps": 4, "batch": 2, "discriminator_width": 4, "discriminator_feature_width": 4},
        "warm": {"steps": 110, "near_steps": 0, "batch": 4, "learning_rate": 6.0e-4},
    },
    "evaluate": {"arms": ["clean", "gaussian", "dartblur"], "seeds": [0], "frozen": [], "transfer": [], "test_views": 48, "review_faces": 10},
    "privacy": {"identities": "data/strangers", "teachers": "data/strangers", "max_faces": 6, "pairs": 100, "bootstrap": 100, "restorer_steps": 0},
    # What a network of minutes can reach: the measurement is sound, the blur stays near an ordinary one and inside its boxes.
    "gate": {
        "floors": [
            {"metric": "arms.clean.ap.all.mean", "min": 0.3, "axis": "evidence"},
            {"metric": "arms.dartblur.convenience.l1", "max": 10.0, "axis": "convenience"},
            {"metric": "arms.dartblur.convenience.outside_changed", "max": 0, "axis": "convenience"},
        ],
        "margins": [
            {"metric": "arms.dartblur.convenience.l1", "better": "lower", "gain": 0.5, "axis": "convenience"},
            {"metric": "arms.dartblur.ap.all.mean", "better": "higher", "gain": -0.5, "axis": "utility"},
        ],
    },
}
_TOLD_FROM_OUTSIDE = ("AWS_", "PREFECT_", "MLFLOW_", "DVC_", "PYTHON", "GIT_", "COV_", "DARTBLUR_")
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "team"), ("EMAIL", "team@example.org"))}


def environment(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """What programs in a clone see: the clone's own code, one thread each, ``variables``, and nothing of what tests were started with."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(_TOLD_FROM_OUTSIDE)}
    quiet = {"DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    own = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PREFECT_HOME": str(folder / ".prefect-home"), "PATH": path}
    return {**clean, **quiet, **IDENTITY, **own, **variables}


def call(folder: Path, variables: Mapping[str, str], *words: str) -> str:
    """Run a program in a clone; its output.

    Raises:
        AssertionError: it failed; its output is the message.
    """
    done = subprocess.run(
        words, cwd=folder, env=environment(folder, variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}"
    return done.stdout


def settings(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """params.yaml made small, and keys of sections replaced."""
    data: dict[str, Any] = delivered()
    for changes in (SMALL, sections):
        for name, keys in changes.items():
            data[name] = _merged(data[name], keys)
    return data


def _merged(before: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**before, **{key: _merged(before[key], value) if isinstance(value, Mapping) else value for key, value in changes.items()}}


def write_settings(folder: Path, data: dict[str, Any]) -> None:
    """Replace the clone's params.yaml."""
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(data, file)


def clone(folder: Path, data: dict[str, Any]) -> Path:
    """Clone the repository as it was committed last; this Python's environment, the drawn data set (tracked by DVC), ``data`` as params.yaml."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(BIN.parent)
    make_wider(folder / DATA, 60)
    write_settings(folder, data)
    call(folder, {}, str(BIN / "dvc"), "add", "--quiet", DATA)
    commit(folder, "a data set of drawn faces")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit every change of tracked files, and DVC's own; the revision."""
    call(folder, {}, "git", "add", "--update")
    call(folder, {}, "git", "add", "--", "data", ".dvc", *(["dvc.lock"] if (folder / "dvc.lock").is_file() else []))
    call(folder, {}, "git", "commit", "--quiet", "--allow-empty", "-m", message)
    return call(folder, {}, "git", "rev-parse", "HEAD").strip()
