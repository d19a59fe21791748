"""Where a model comes from, as tags."""

import subprocess
from pathlib import Path

import pytest

from dartblur.errors import DartblurError
from dartblur.registry.lineage import UNKNOWN, dag_state, git_state, pinned_requirements

LOCK = """schema: '2.0'
stages:
  ingest:
    cmd: a
    outs:
    - path: data/canonical
      md5: 11112222.dir
  register:
    cmd: b
    outs:
    - path: reports/metrics.json
      md5: {md5}
"""


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def test_git_state_ignores_the_lock_that_the_run_writes(tmp_path: Path) -> None:
    assert git_state(tmp_path, ("dvc.lock",)) == {"git_revision": UNKNOWN, "git_dirty": UNKNOWN}
    git(tmp_path, "init", "-q")
    for name in ("dvc.lock", "code.py"):
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "dvc.lock").write_text("2")
    (tmp_path / "untracked").write_text("2")
    assert git_state(tmp_path, ("dvc.lock",)) == {"git_revision": git(tmp_path, "rev-parse", "HEAD"), "git_dirty": "false"}
    (tmp_path / "code.py").write_text("2")
    assert git_state(tmp_path, ("dvc.lock",))["git_dirty"] == "true"


def test_the_dag_state_does_not_depend_on_what_comes_after(tmp_path: Path) -> None:
    states = []
    for md5 in ("1", "2"):
        (tmp_path / "dvc.lock").write_text(LOCK.format(md5=md5))
        states.append(dag_state(tmp_path / "dvc.lock", "ingest", ("register", "report")))
    assert states[0] == states[1]
    assert states[0]["data_md5"] == "11112222.dir"
    (tmp_path / "dvc.lock").write_text(LOCK.format(md5="1").replace("cmd: a", "cmd: c"))
    assert dag_state(tmp_path / "dvc.lock", "ingest", ("register", "report"))["dvc_lock_md5"] != states[0]["dvc_lock_md5"]


def test_without_a_lock_nothing_is_known(tmp_path: Path) -> None:
    assert set(dag_state(tmp_path / "dvc.lock", "ingest", ()).values()) == {UNKNOWN}


def test_pins_come_from_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    with pytest.raises(DartblurError, match="cannot be read"):
        pinned_requirements(("numpy",), lock)
    lock.write_text("# comment\nFlask==3.1\nnumpy==2.4.6\n")
    assert pinned_requirements(("numpy", "flask"), lock) == ["numpy==2.4.6", "Flask==3.1"]
    with pytest.raises(DartblurError, match="no pin for torch"):
        pinned_requirements(("numpy", "torch"), lock)
