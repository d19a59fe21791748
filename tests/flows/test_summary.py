"""The page that a run leaves in Prefect."""

from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError
from flows import summary

METRICS: dict[str, dict[str, Any]] = {
    "arms": {"clean": {"ap": {"all": {"mean": 0.91234}}}, "dartblur": {"suppression": {"mean": None, "reason": "no gap"}, "gap": {"mean": 0.25}}},
    "gate": {
        "passed": False,
        "reasons": ["arms.dartblur.suppression.mean: null (no gap)"],
        "floors": [{"metric": "arms.clean.ap.all.mean", "axis": "evidence", "direction": "min", "bound": 0.8, "value": 0.91234, "ok": True}],
    },
    "model": {"name": "dartblur", "version": "3", "aliases": ["challenger"]},
}


def test_the_page_has_verdict_reasons_floors_and_arms() -> None:
    page = summary.markdown(METRICS)
    assert "**gate not passed: dartblur version 3 is challenger**" in page
    assert "- arms.dartblur.suppression.mean: null (no gap)" in page
    assert "| arms.clean.ap.all.mean | evidence | ≥ 0.8 | 0.9123 | yes |" in page
    assert "| dartblur | – | – | 0.25 | – | – | – |" in page
    assert "champion" not in page


def test_the_champion_it_was_held_against() -> None:
    margin = {"metric": "arms.dartblur.suppression.mean", "axis": "utility", "gain": 0.02, "value": 0.7, "champion": 0.71, "ok": False}
    page = summary.markdown({**METRICS, "gate": {**METRICS["gate"], "champion": "2", "margins": [margin]}})
    assert "## Against champion 2" in page
    assert "| arms.dartblur.suppression.mean | utility | 0.02 | 0.7 | 0.71 | **no** |" in page


def test_only_true_is_passed() -> None:
    assert summary.verdict({"gate": {"passed": True}, "model": {}}).startswith("gate passed")
    for gate in ({}, {"passed": None}, {"passed": "true"}):
        assert summary.verdict({"gate": gate}).startswith("gate not passed")


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_metrics_that_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DartblurError, match="run `dvc repro"):
        summary.read_metrics(tmp_path / "metrics.json")
