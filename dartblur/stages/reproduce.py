"""Command reproduce: a registered version once more, from what its registration recorded, and whether every hash agrees.

The recorded revision is checked out in a worktree beside the project, so that relative paths of data still lead somewhere. There everything up to the
evaluation is made again, by that revision's own code, without DVC's run cache: what was measured is measured again, not looked up. Registration and
report are left out, because a registration is an act.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from dartblur.errors import DartblurError, UsageError
from dartblur.params import PARAMS_FILE, Params, read_yaml
from dartblur.registry import aliases
from dartblur.registry.lineage import UNKNOWN
from dartblur.registry.promote import fetch_files
from dartblur.stages.register import DVC_LOCK, LEFT_OUT, REQUIREMENTS_LOCK


@dataclass(frozen=True)
class Comparison:
    """What came of a reproduction: how many outputs were compared, and those whose MD5 differs or that are missing."""

    compared: int
    differing: tuple[str, ...]


def run(params: Params, name: str, work: Path | None, keep: bool) -> None:
    """Reproduce the version that ``name`` (a number or an alias) stands for.

    Args:
        work: where; a folder beside the project's if None. A reproduction that was interrupted there goes on.
        keep: leave the worktree where it is, even if everything agrees.

    Raises:
        UsageError: no such version, or it does not say what it was made from. DartblurError: a step failed, or a hash differs.
    """
    version = aliases.find(params.registry, name)
    revision = _revision(params.registry.name, version)
    root = Path.cwd()
    folder = (work or root.with_name(f"{root.name}.reproduce-{version.version}")).resolve()
    _check_out(root, folder, revision)
    fetch_files(params.registry, version, (str(PARAMS_FILE), str(DVC_LOCK)), folder / ".work/recorded")
    recorded = read_yaml(folder / ".work/recorded" / DVC_LOCK) or {}
    stages = [stage for stage in recorded.get("stages", {}) if stage.split("@")[0] not in LEFT_OUT]
    if not stages:
        raise DartblurError(f"{params.registry.name} version {version.version}: its dvc.lock has no stage to make again; nothing was compared")
    shutil.copyfile(folder / ".work/recorded" / PARAMS_FILE, folder / PARAMS_FILE)
    _lend_environment(root, folder)
    typer.echo(f"version {version.version}: revision {revision[:12]} in {folder}")
    _pull(folder)
    _dvc(folder, "repro", "--no-run-cache", *stages)
    found = compare(recorded, read_yaml(folder / DVC_LOCK))
    if found.differing:
        raise DartblurError(
            f"version {version.version}: {len(found.differing)} of {found.compared} outputs differ from the recorded ones: "
            f"{', '.join(found.differing)}; both are kept, in DVC's cache and in {folder}"
        )
    if not keep:
        _git(root, "worktree", "remove", "--force", str(folder))
    typer.echo(f"version {version.version}: all {found.compared} outputs agree with the recorded ones, byte for byte")


def compare(recorded: dict[str, Any], made: dict[str, Any]) -> Comparison:
    """Hold the outputs of one dvc.lock against those of another, those of the stages register and report left out."""
    before, after = _outputs(recorded), _outputs(made)
    return Comparison(len(before), tuple(path for path, digest in before.items() if after.get(path) != digest))


def _outputs(lock: dict[str, Any]) -> dict[str, str]:
    stages = {name: entry for name, entry in lock.get("stages", {}).items() if name.split("@")[0] not in LEFT_OUT}
    return {str(out["path"]): str(out.get("md5")) for entry in stages.values() for out in entry.get("outs", [])}


def _revision(model: str, version: aliases.Version) -> str:
    tags, name = version.tags, f"{model} version {version.version}"
    revision = tags.get("git_revision", UNKNOWN)
    if revision == UNKNOWN:
        raise UsageError(f"{name}: was registered outside a git repository, so the code that made it is not known; it cannot be reproduced")
    if tags.get("git_dirty") != "false":
        raise UsageError(
            f"{name}: was registered with changes that were not committed, so the code that made it is not known; commit before you register"
        )
    return revision


def _check_out(root: Path, folder: Path, revision: str) -> None:
    if (folder / ".git").exists():
        if _git(folder, "rev-parse", "HEAD") != revision:
            raise UsageError(
                f"{folder}: holds another revision; remove it with `git worktree remove --force {folder.name}`, or name another folder with --work"
            )
        return
    if folder.exists():
        raise UsageError(f"{folder}: is there already and is no worktree; remove it, or name another folder with --work")
    _git(root, "worktree", "prune")
    _git(root, "worktree", "add", "--detach", str(folder), revision)


def _lend_environment(root: Path, folder: Path) -> None:
    """This checkout's environment, and the DVC settings that are not in git, such as a remote's address."""
    for name in (".venv", ".dvc/config.local"):
        if (root / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(root / name)
    ours, theirs = ((path / REQUIREMENTS_LOCK).read_bytes() if (path / REQUIREMENTS_LOCK).is_file() else b"" for path in (root, folder))
    if ours != theirs:
        typer.echo(f"note: {REQUIREMENTS_LOCK} was another one then; the packages of this checkout are used", err=True)


def _pull(folder: Path) -> None:
    """What DVC tracks by itself (data sets added with `dvc add`), from the remote."""
    tracked = sorted(str(path.relative_to(folder)) for path in folder.glob("**/*.dvc") if path.is_file())
    if tracked:
        _dvc(folder, "pull", *tracked)


def _dvc(folder: Path, *arguments: str) -> None:
    program = Path(sys.executable).with_name("dvc")
    environment = {**os.environ, "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1"}
    try:
        done = subprocess.run([str(program), *arguments], cwd=folder, env=environment, check=False)
    except OSError as error:
        raise UsageError(f"{program}: cannot be run ({error.strerror}); run `make setup`") from error
    if done.returncode:
        raise DartblurError(f"`dvc {arguments[0]}` failed in {folder}, see above; the same command goes on from there")


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(f"git: cannot be run ({error.strerror}); install it") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DartblurError(f"`git {' '.join(arguments[:2])}` failed ({last}); is the recorded revision in this repository? `git fetch` may bring it")
    return done.stdout.strip()
