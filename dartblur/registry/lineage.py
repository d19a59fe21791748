"""Where a model comes from: the code's revision, the state of the DAG before it, the bytes of the files."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError
from dartblur.params import read_yaml

UNKNOWN = "unknown"


def git_state(root: Path, ignoring: tuple[str, ...]) -> dict[str, str]:
    """``git_revision`` (unknown outside a repository) and ``git_dirty`` (true, false or unknown) of the checkout at ``root``.

    Files in ``ignoring`` may differ without counting: dvc.lock changes under the very run that asks.
    """
    revision = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *(f":(exclude){name}" for name in ignoring))
    return {
        "git_revision": revision or UNKNOWN,
        "git_dirty": UNKNOWN if revision is None or changes is None else str(bool(changes)).lower(),
    }


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def dag_state(lock: Path, data_stage: str, excluding: tuple[str, ...]) -> dict[str, str]:
    """``dvc_lock_md5`` and ``data_md5`` as dvc.lock has them; unknown where there is no dvc.lock.

    The first is the MD5 of the entries of all stages but ``excluding``: the whole file would not do, because DVC rewrites it when the stage that
    asks ends. The second is DVC's own checksum of what ``data_stage`` wrote.
    """
    stages: dict[str, Any] = (read_yaml(lock) or {}).get("stages", {}) if lock.is_file() else {}
    before = {name: entry for name, entry in stages.items() if name not in excluding}
    outs = before.get(data_stage, {}).get("outs", [])
    digest = hashlib.md5(json.dumps(before, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()
    return {
        "dvc_lock_md5": digest if before else UNKNOWN,
        "data_md5": str(outs[0].get("md5", UNKNOWN)) if outs else UNKNOWN,
    }


def pinned_requirements(names: tuple[str, ...], lock: Path) -> list[str]:
    """The lines of ``lock`` (name==version) for ``names``, in the order of ``names``.

    Raises:
        DartblurError: the file cannot be read or lacks a name.
    """
    try:
        lines = [line.strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise DartblurError(f"{lock}: cannot be read ({error.strerror}); the model's requirements are taken from it") from error
    pins = {line.split("==")[0].strip().lower(): line for line in lines if "==" in line and not line.startswith("#")}
    absent = [name for name in names if name.lower() not in pins]
    if absent:
        raise DartblurError(f"{lock}: no pin for {', '.join(absent)}; run `make lock`")
    return [pins[name.lower()] for name in names]
