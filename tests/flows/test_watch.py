"""What the last run used, and the version of the data as DVC counts it."""

import shutil
from pathlib import Path

import pytest

from dartblur.errors import DartblurError
from flows import watch
from tests.flows.conftest import dvc


def test_the_version_is_that_of_dvc(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert watch.used_version() is None
    dvc(project, "repro", "ingest")
    source, version = watch.data_version.fn()
    assert (source, version) == ("step.py", watch.used_version())
    (project / "step.py").write_text("another\n")
    assert watch.data_version.fn()[1] != version == watch.used_version()


def test_a_source_that_is_not_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (project / "step.py").unlink()
    with pytest.raises(DartblurError, match=r"dvc\.yaml: the data source of ingest cannot be read"):
        watch.data_version.fn()


def test_a_folder_that_is_no_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    shutil.rmtree(project / ".dvc")
    with pytest.raises(DartblurError, match=r"dvc\.yaml: the data source of ingest cannot be read"):
        watch.data_version.fn()
