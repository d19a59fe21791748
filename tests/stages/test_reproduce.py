"""dartblur reproduce: a version made again in a worktree from what its registration recorded, with real git and real DVC."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.params import Params
from dartblur.registry.gate import decide
from dartblur.registry.lineage import dag_state, git_state
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, register
from dartblur.stages import reproduce
from dartblur.stages.register import DVC_LOCK, LEFT_OUT, RECORDED
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, evaluation, fresh_registry, write_model
from tests.settings import ROOT, settings

__all__ = ["empty_store"]  # a fixture
pytestmark = [*MLFLOW_WARNINGS, pytest.mark.slow]

# The second stage reads a file that DVC does not know of: as long as it stays, everything can be made again.
DAG = """stages:
  ingest:
    cmd: cp data/raw.txt canonical.txt
    deps: [data/raw.txt]
    outs: [canonical.txt]
  evaluate:
    cmd: cat canonical.txt params.yaml ../outside.txt > evaluation.txt
    deps: [canonical.txt]
    params: [seed]
    outs: [evaluation.txt]
  register:
    cmd: echo registered > metrics.json
    deps: [evaluation.txt]
    metrics: [metrics.json: {cache: false}]
"""


def call(folder: Path, *words: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def git(folder: Path, *words: str) -> str:
    return call(folder, "git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words)


def dvc(folder: Path, *words: str) -> str:
    return call(folder, str(Path(sys.executable).with_name("dvc")), *words)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose pipeline has run, and beside it the remote with its data."""
    work = tmp_path_factory.mktemp("made")
    folder = work / "project"
    (folder / "data").mkdir(parents=True)
    (work / "outside.txt").write_text("as it was\n")
    (folder / "data/raw.txt").write_text("faces\n")
    (folder / "dvc.yaml").write_text(DAG)
    (folder / ".gitignore").write_text("/canonical.txt\n/evaluation.txt\n/metrics.json\n/mlflow.db\n/mlruns/\n/models/\n")
    shutil.copy(ROOT / "params.yaml", folder)
    git(folder, "init", "-q")
    dvc(folder, "init", "-q")
    dvc(folder, "remote", "add", "-q", "-d", "store", "../remote")
    dvc(folder, "add", "-q", "data/raw.txt")
    dvc(folder, "push", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    dvc(folder, "repro", "-q")
    return work


@pytest.fixture
def project(made: Path, empty_store: Path, tmp_path: Path) -> Iterator[Params]:
    """A copy of it, with a registry; the current folder meanwhile."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    with fresh_registry(tmp_path / "project", empty_store) as registry:
        yield settings().model_copy(update={"registry": registry})


def registered(params: Params, **tags: str) -> str:
    """Register a model as the stage does; the version's number."""
    lineage = {**git_state(Path(), RECORDED), **dag_state(DVC_LOCK, "ingest", LEFT_OUT), **tags}
    pins = [f"{name}==1" for name in REQUIREMENTS]
    files = tuple(path for path in (Path("params.yaml"), DVC_LOCK) if path.is_file())
    candidate = Candidate(write_model(Path("models/unet.safetensors")), evaluation(), pins, params.gate, lineage, files=files)
    return register(params.registry, candidate, decide(evaluation(), params.gate)).version


def test_it_agrees_and_leaves_nothing(project: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = registered(project)
    # Whatever the checkout has become since, the recorded revision, data and settings are used.
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 0", "seed: 7"))
    Path("data/raw.txt").write_text("others\n")
    shutil.rmtree(".dvc/cache")
    reproduce.run(project, version, None, keep=False)
    assert capsys.readouterr().out.splitlines()[-1] == f"version {version}: all 2 outputs agree with the recorded ones, byte for byte"
    assert not (tmp_path / f"project.reproduce-{version}").exists()
    assert git(Path(), "worktree", "list").count("\n") == 0
    assert Path("evaluation.txt").read_text().startswith("faces")  # this checkout's own is not touched


def test_what_differs_is_named_and_kept(project: Params, tmp_path: Path) -> None:
    registered(project)
    (tmp_path / "outside.txt").write_text("as it is now\n")
    work = tmp_path / "again"
    with pytest.raises(DartblurError, match=r"version 1: 1 of 2 outputs differ from the recorded ones: evaluation\.txt; both are kept") as caught:
        reproduce.run(project, "challenger", work, keep=False)
    assert str(work) in str(caught.value)
    assert "as it is now" in (work / "evaluation.txt").read_text()
    (tmp_path / "outside.txt").write_text("as it was\n")
    (work / "evaluation.txt").unlink()
    (work / "dvc.lock").unlink()
    reproduce.run(project, "1", work, keep=True)  # goes on in the same folder, and leaves it there
    assert (work / "evaluation.txt").is_file()


def test_data_that_are_gone(project: Params, tmp_path: Path) -> None:
    registered(project)
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(".dvc/cache")
    with pytest.raises(DartblurError, match=r"`dvc pull` failed in .*project\.reproduce-1, see above; the same command goes on from there"):
        reproduce.run(project, "1", None, keep=False)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"git_revision": "unknown"}, "dartblur version 1: was registered outside a git repository"),
        ({"git_dirty": "true"}, "dartblur version 1: was registered with changes that were not committed"),
        ({"git_dirty": "unknown"}, "dartblur version 1: was registered with changes that were not committed"),
        ({"git_revision": "0" * 40}, "is the recorded revision in this repository"),
    ],
)
def test_a_version_that_does_not_say_what_made_it(project: Params, tmp_path: Path, tags: dict[str, str], words: str) -> None:
    registered(project, **tags)
    with pytest.raises(DartblurError, match=words):
        reproduce.run(project, "1", None, keep=False)
    assert not (tmp_path / "project.reproduce-1").exists()


def test_a_version_that_is_not_there(project: Params) -> None:
    for name in ("1", "champion"):
        with pytest.raises(UsageError, match=f"dartblur has no version {name}"):
            reproduce.run(project, name, None, keep=False)


def test_a_registration_that_kept_no_lock(project: Params) -> None:
    DVC_LOCK.rename("elsewhere.lock")
    registered(project)
    with pytest.raises(DartblurError, match=r"dartblur version 1: its registration kept no dvc\.lock"):
        reproduce.run(project, "1", None, keep=False)


def test_a_lock_in_which_there_is_nothing_to_compare(project: Params) -> None:
    DVC_LOCK.write_text("schema: '2.0'\nstages:\n  register: {cmd: a}\n")
    registered(project)
    with pytest.raises(DartblurError, match=r"dartblur version 1: its dvc\.lock has no stage to make again"):
        reproduce.run(project, "1", None, keep=False)


def test_a_folder_that_holds_something_else(project: Params, tmp_path: Path) -> None:
    registered(project)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="taken: is there already and is no worktree"):
        reproduce.run(project, "1", tmp_path / "taken", keep=False)
    git(Path(), "worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "second")
    with pytest.raises(UsageError, match="other: holds another revision; remove it with `git worktree remove --force other`"):
        reproduce.run(project, "1", tmp_path / "other", keep=False)


def lock(**outs: str) -> dict[str, Any]:
    return {"stages": {name: {"outs": [{"path": name, "md5": digest}]} for name, digest in outs.items()}}


def test_hashes_are_compared_output_by_output() -> None:
    one = lock(ingest="a", evaluate="b", register="c", report="d")
    assert reproduce.compare(one, lock(ingest="a", evaluate="b", register="x")) == reproduce.Comparison(2, ())
    assert reproduce.compare(one, lock(ingest="a", evaluate="c")) == reproduce.Comparison(2, ("evaluate",))
    assert reproduce.compare(one, {}) == reproduce.Comparison(2, ("ingest", "evaluate"))
    assert reproduce.compare({}, one) == reproduce.Comparison(0, ())
