"""Versions, aliases and tags follow the gate, and a repetition changes nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.params import Floor, GateParams, RegistryParams
from dartblur.registry import aliases
from dartblur.registry.gate import decide
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, Registered, register
from dartblur.registry.tracking import connect
from tests.registry.conftest import MLFLOW_WARNINGS, evaluation, write_model

pytestmark = MLFLOW_WARNINGS

GATE = GateParams(floors=[Floor(metric="arms.dartblur.suppression.mean", min=0.5, axis="utility")])


def submit(registry: RegistryParams, weights: Path, figures: dict[str, Any], gate: GateParams = GATE) -> Registered:
    lineage = {"git_revision": "abc", "git_dirty": "false", "dvc_lock_md5": "def", "data_md5": "123"}
    candidate = Candidate(weights, figures, [f"{name}==1" for name in REQUIREMENTS], lineage)
    return register(registry, candidate, decide(figures, gate))


def test_a_refused_first_version_is_challenger_only(registry: RegistryParams, weights: Path) -> None:
    made = submit(registry, weights, evaluation(0.1))
    assert made.as_dict() == {"name": "dartblur", "version": "1", "aliases": ["challenger"]}
    (version,) = aliases.history(registry)
    assert version.tags["gate_passed"] == "false"
    assert "0.1 is below the utility floor 0.5" in version.tags["gate_reasons"]
    assert {"git_revision", "git_dirty", "dvc_lock_md5", "data_md5", "model_sha256"} <= set(version.tags)


def test_passing_moves_champion_and_keeps_the_former_as_previous(registry: RegistryParams, tmp_path: Path) -> None:
    assert submit(registry, write_model(tmp_path / "a.safetensors", 1), evaluation()).aliases == ("challenger", "champion")
    assert submit(registry, write_model(tmp_path / "b.safetensors", 2), evaluation(0.9)).aliases == ("challenger", "champion")
    assert submit(registry, write_model(tmp_path / "c.safetensors", 3), evaluation(None)).aliases == ("challenger",)
    assert {item.version: item.aliases for item in aliases.history(registry)} == {"3": ("challenger",), "2": ("champion",), "1": ("previous",)}


def test_the_same_model_and_evidence_is_the_same_version(registry: RegistryParams, weights: Path) -> None:
    first = submit(registry, weights, evaluation())
    again = submit(registry, weights, dict(reversed(evaluation().items())))
    assert (again.version, again.aliases, again.reused) == (first.version, first.aliases, True)
    assert len(aliases.history(registry)) == 1


def test_a_stricter_gate_makes_a_new_refused_version(registry: RegistryParams, weights: Path) -> None:
    strict = GateParams(floors=[Floor(metric="arms.dartblur.suppression.mean", min=0.99, axis="utility")])
    submit(registry, weights, evaluation())
    assert submit(registry, weights, evaluation(), strict).as_dict() == {"name": "dartblur", "version": "2", "aliases": ["challenger"]}
    assert aliases.history(registry)[1].aliases == ("champion",)
    assert submit(registry, weights, evaluation()).as_dict() == {"name": "dartblur", "version": "1", "aliases": ["challenger", "champion"]}


def test_a_version_whose_files_are_gone_is_not_reused(registry: RegistryParams, weights: Path, tmp_path: Path) -> None:
    submit(registry, weights, evaluation())
    shutil.rmtree(tmp_path / "mlruns")
    assert submit(registry, weights, evaluation()).version == "2"


def test_rollback_swaps_and_is_not_undone_by_registering_again(registry: RegistryParams, tmp_path: Path) -> None:
    first, second = write_model(tmp_path / "a.safetensors", 1), write_model(tmp_path / "b.safetensors", 2)
    submit(registry, first, evaluation())
    with pytest.raises(UsageError, match="no previous champion"):
        aliases.rollback(registry)
    submit(registry, second, evaluation())
    assert aliases.rollback(registry).version == "1"
    assert submit(registry, second, evaluation()).aliases == ("challenger", "previous")
    assert aliases.promote(registry, "2").aliases == ("challenger", "champion")
    assert submit(registry, second, evaluation()).aliases == ("challenger", "champion")


def test_promotion_by_hand_holds_to_the_gate(registry: RegistryParams, weights: Path) -> None:
    with pytest.raises(UsageError, match="no version challenger"):
        aliases.promote(registry)
    submit(registry, weights, evaluation(0.1))
    with pytest.raises(DartblurError, match="did not pass the gate"):
        aliases.promote(registry)


def test_an_alias_that_does_not_read_back_is_an_error(registry: RegistryParams, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "version_at", lambda *_: "7")
    with pytest.raises(DartblurError, match="reads back as version 7"):
        submit(registry, weights, evaluation())


def test_the_decision_is_kept_with_the_run(registry: RegistryParams, weights: Path, tmp_path: Path) -> None:
    submit(registry, weights, evaluation())
    client = connect(registry)
    run = client.get_run(client.get_model_version("dartblur", "1").run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["arms.dartblur.suppression.mean"] == 0.8
    record = json.loads(Path(client.download_artifacts(run.info.run_id, "decision.json", str(tmp_path))).read_text())
    assert record["decision"]["passed"] is True
    assert record["model_sha256"] == aliases.history(registry)[0].tags["model_sha256"]
