"""The page that a run leaves in Prefect."""

from pathlib import Path

import pytest

from dartblur.errors import DartblurError
from flows import summary

METRICS = {
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
