"""Versions, aliases and tags follow the gate, and a repetition changes nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import file_sha256
from dartblur.params import Floor, GateParams, Margin, RegistryParams
from dartblur.registry import aliases
from dartblur.registry.gate import Champion, decide
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, Registered, fetch_weights, register, standing
from dartblur.registry.tracking import connect
from tests.registry.conftest import MLFLOW_WARNINGS, evaluation, write_model

pytestmark = MLFLOW_WARNINGS

MARGIN = Margin(metric="arms.dartblur.suppression.mean", better="higher", gain=0.02, axis="utility")
GATE = GateParams(floors=[Floor(metric="arms.dartblur.suppression.mean", min=0.5, axis="utility")], margins=[MARGIN])


def submit(registry: RegistryParams, weights: Path, figures: dict[str, Any], gate: GateParams = GATE) -> Registered:
    lineage = {"git_revision": "abc", "git_dirty": "false", "dvc_lock_md5": "def", "data_md5": "123"}
    candidate = Candidate(weights, figures, [f"{name}==1" for name in REQUIREMENTS], gate, lineage)
    former = aliases.champion(registry)
    # The champion's figures on the new data are another test's matter; here it is left behind by every model that meets the floors.
    against = None if former is None or former.tags["model_sha256"] == file_sha256(weights) else Champion(former.version, evaluation(-1.0))
    return register(registry, candidate, decide(figures, gate, against))


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


def test_the_champion_on_other_evidence_takes_its_own_place(registry: RegistryParams, weights: Path) -> None:
    submit(registry, weights, evaluation())
    assert submit(registry, weights, evaluation(0.7)).as_dict() == {"name": "dartblur", "version": "2", "aliases": ["challenger", "champion"]}
    assert aliases.history(registry)[1].aliases == ("previous",)


def test_a_stricter_gate_makes_a_new_refused_version(registry: RegistryParams, weights: Path) -> None:
    strict = GateParams(floors=[Floor(metric="arms.dartblur.suppression.mean", min=0.99, axis="utility")], margins=[MARGIN])
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
    move = aliases.promote(registry, "2")
    assert (move.version.aliases, move.former, move.moved) == (("challenger", "champion"), "1", True)
    assert aliases.ROLLED_BACK not in move.version.tags
    assert submit(registry, second, evaluation()).aliases == ("challenger", "champion")


def test_promotion_by_hand_holds_to_the_gate(registry: RegistryParams, weights: Path) -> None:
    with pytest.raises(UsageError, match="no version challenger"):
        aliases.promote(registry)
    submit(registry, weights, evaluation(0.1))
    with pytest.raises(DartblurError, match="did not pass the gate"):
        aliases.promote(registry)
    for name in ("7", "best", "champion"):
        with pytest.raises(UsageError, match=f"dartblur has no version {name} at sqlite"):
            aliases.promote(registry, name)


def test_a_promotion_can_be_tried_and_repeated(registry: RegistryParams, tmp_path: Path) -> None:
    submit(registry, write_model(tmp_path / "a.safetensors", 1), evaluation())
    submit(registry, write_model(tmp_path / "b.safetensors", 2), evaluation(0.9))
    move = aliases.plan(registry, "previous")
    assert (move.version.version, move.former, move.moved) == ("1", "2", False)
    assert {item.version: item.aliases for item in aliases.history(registry)} == {"2": ("challenger", "champion"), "1": ("previous",)}
    assert [aliases.promote(registry, "1").moved for _ in range(2)] == [True, False]
    assert {item.version: item.aliases for item in aliases.history(registry)} == {"2": ("challenger", "previous"), "1": ("champion",)}


def test_a_version_that_bears_no_decision_is_never_promoted(registry: RegistryParams, weights: Path) -> None:
    submit(registry, weights, evaluation())
    connect(registry).create_model_version("dartblur", str(weights), tags={"gate_passed": "true", "git_revision": "abc"})
    with pytest.raises(DartblurError, match="version 2 was registered without dvc_lock_md5, data_md5, model_sha256, which a promotion needs"):
        aliases.promote(registry, "2")
    assert aliases.promote(registry, "1").moved is False


def test_a_champion_that_changed_since_the_decision_stays(registry: RegistryParams, tmp_path: Path) -> None:
    first, second, third = (write_model(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2, 3))
    submit(registry, first, evaluation())
    decision = decide(evaluation(), GATE, Champion("1", evaluation(-1.0)))
    submit(registry, second, evaluation(0.9))
    candidate = Candidate(third, evaluation(), [f"{name}==1" for name in REQUIREMENTS], GATE, {})
    with pytest.raises(DartblurError, match="version 2 is champion now, not 1, against which version 3 was decided on"):
        register(registry, candidate, decision)
    assert {item.version: item.aliases for item in aliases.history(registry)} == {"3": ("challenger",), "2": ("champion",), "1": ("previous",)}


def test_the_champion_registered_again_keeps_its_decision(registry: RegistryParams, tmp_path: Path) -> None:
    submit(registry, write_model(tmp_path / "a.safetensors", 1), evaluation())
    weights = write_model(tmp_path / "b.safetensors", 2)
    submit(registry, weights, evaluation(0.9))
    same = Candidate(weights, evaluation(0.9), [], GATE, {})
    kept = standing(registry, same)
    assert kept is not None
    assert kept[0] == Registered("dartblur", "2", ("challenger", "champion"), True)
    assert (kept[1]["champion"], kept[1]["passed"]) == ("1", True)
    assert standing(registry, replace(same, evaluation=evaluation(0.8))) is None
    assert standing(registry, replace(same, weights=write_model(tmp_path / "c.safetensors", 3))) is None
    shutil.rmtree(tmp_path / "mlruns")
    assert standing(registry, same) is None


def test_the_weights_of_a_version_are_those_that_were_registered(registry: RegistryParams, weights: Path, tmp_path: Path) -> None:
    submit(registry, weights, evaluation())
    version = aliases.champion(registry)
    assert version is not None
    fetch_weights(registry, version, tmp_path / "fetched.safetensors")
    assert (tmp_path / "fetched.safetensors").read_bytes() == weights.read_bytes()
    (kept,) = tmp_path.glob("mlruns/**/artifacts/artifacts/unet.safetensors")
    kept.write_bytes(b"others")
    with pytest.raises(DartblurError, match="dartblur version 1: its weights are not those that were registered"):
        fetch_weights(registry, version, tmp_path / "again.safetensors")
    shutil.rmtree(tmp_path / "mlruns")
    with pytest.raises(DartblurError):
        fetch_weights(registry, version, tmp_path / "again.safetensors")
    assert not (tmp_path / "again.safetensors").exists()


def test_an_alias_that_does_not_read_back_is_an_error(registry: RegistryParams, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(registry, weights, evaluation())
    client = connect(registry)
    monkeypatch.setattr(aliases, "version_at", lambda *_: "7")
    with pytest.raises(DartblurError, match="champion reads back as version 7 after it was set to 1"):
        aliases.point(client, "dartblur", "champion", "1")


def test_the_decision_is_kept_with_the_run(registry: RegistryParams, weights: Path, tmp_path: Path) -> None:
    submit(registry, weights, evaluation())
    client = connect(registry)
    run = client.get_run(client.get_model_version("dartblur", "1").run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["arms.dartblur.suppression.mean"] == 0.8
    record = json.loads(Path(client.download_artifacts(run.info.run_id, "decision.json", str(tmp_path))).read_text())
    assert record["decision"]["passed"] is True
    assert record["model_sha256"] == aliases.history(registry)[0].tags["model_sha256"]
