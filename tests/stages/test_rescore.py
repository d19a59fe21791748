"""The champion on this run's data: fetched, judged in a folder of its own, and never twice."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError
from dartblur.params import Params
from dartblur.registry.gate import decide
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, register
from dartblur.stages import paths, rescore, variation
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, evaluation, fresh_registry, write_model
from tests.stages.test_register import settings

__all__ = ["empty_store"]  # a fixture
pytestmark = MLFLOW_WARNINGS


def figures(suppression: float) -> dict[str, Any]:
    found = evaluation(suppression)
    found["arms"]["dartblur"]["convenience"] = {"l1": 9.0}
    return found


@pytest.fixture
def project(empty_store: Path, tmp_path: Path) -> Iterator[Params]:
    """A run whose new model is there, and what it was judged with."""
    with fresh_registry(tmp_path, empty_store) as registry:
        for out in variation.COMPARED:
            out.mkdir(parents=True)
        paths.DOWNSTREAM.mkdir(parents=True)
        for arm in ("clean", "gaussian"):
            (paths.DOWNSTREAM / f"{arm}-0.json").write_text("{}")
        paths.EVALUATION.write_text(json.dumps(figures(0.9)))
        write_model(paths.MODEL, seed=2)
        params = settings(registry)
        yield params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"seeds": [0]})})


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Commands of the stages that were run; each leaves its output. The stages themselves are tested by themselves."""
    words: list[tuple[str, ...]] = []

    def call(command: list[str], cwd: Path, **_: object) -> int:
        stage, *rest = command[3:]
        words.append((stage, *rest))
        files = {"privacy": paths.PRIVACY, "evaluate": paths.EVALUATION, "downstream": paths.DOWNSTREAM / "dartblur-0.json"}
        folders = {"arm": paths.ARMS / "dartblur", "restorer": paths.RESTORERS / "dartblur"}
        out = cwd / {**files, **folders, "frozen": paths.FROZEN / f"{rest[-1] if rest else ''}.json"}[stage]
        out.parent.mkdir(parents=True, exist_ok=True)
        out.mkdir() if stage in folders else out.write_text(json.dumps(figures(0.7)))
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return words


def champion(params: Params, seed: int = 1) -> Path:
    weights = write_model(Path(f"champion-{seed}.safetensors"), seed)
    candidate = Candidate(weights, figures(0.8), [f"{name}==1" for name in REQUIREMENTS], params.gate, {})
    assert "champion" in register(params.registry, candidate, decide(figures(0.8), params.gate)).aliases
    return weights


def test_without_a_champion_there_is_nothing_to_score(project: Params, called: list[tuple[str, ...]]) -> None:
    assert rescore.run(project) is None
    assert not called


def test_the_champion_is_judged_with_what_the_new_model_was(project: Params, called: list[tuple[str, ...]]) -> None:
    weights = champion(project)
    found = rescore.run(project)
    assert found is not None
    assert (found.version, found.problem) == ("1", None)
    assert found.metrics["arms"]["dartblur"]["suppression"]["mean"] == 0.7
    assert rescore.sentence(found) == "suppression 0.700, L1 9.000"
    (folder,) = rescore.FOLDER.iterdir()
    assert (folder / paths.MODEL).read_bytes() == weights.read_bytes()
    for out in variation.COMPARED:
        assert (folder / out).resolve() == out.resolve()
    assert [words[0] for words in called] == ["arm", "restorer", "downstream", "frozen", "frozen", "frozen", "privacy", "evaluate"]
    assert rescore.run(project) == found
    assert len(called) == 8  # nothing was run again


def test_other_data_are_another_folder(project: Params, called: list[tuple[str, ...]]) -> None:
    champion(project)
    rescore.run(project)
    (before,) = rescore.FOLDER.iterdir()
    changed = {**figures(0.9), "protocol": {"dataset": "others"}}
    paths.EVALUATION.write_text(json.dumps(changed))
    rescore.run(project)
    (after,) = rescore.FOLDER.iterdir()
    assert after != before
    assert len(called) == 16


def test_a_model_does_not_have_to_beat_itself(project: Params, called: list[tuple[str, ...]]) -> None:
    shutil.copy(champion(project), paths.MODEL)
    assert rescore.run(project) is None
    assert not called


def test_a_champion_whose_files_are_gone_is_no_reason_to_promote(project: Params, called: list[tuple[str, ...]]) -> None:
    champion(project)
    shutil.rmtree("mlruns")
    found = rescore.run(project)
    assert found is not None
    assert found.problem
    assert rescore.sentence(found) == found.problem
    decision = decide(figures(0.9), project.gate, found)
    assert not decision.passed
    assert found.problem in decision.reasons[0]
    assert not called


def test_a_stage_that_fails_is_named(project: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    champion(project)
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: 1)
    with pytest.raises(DartblurError, match=r"`dartblur arm dartblur` failed; see .*log"):
        rescore.run(project)
