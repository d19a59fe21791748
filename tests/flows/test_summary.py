"""The page that a run leaves in Prefect."""

from pathlib import Path
from typing import Any

import pytest

from dartblur.errors import DartblurError
from dartblur.params import RegistryParams
from flows import artifacts, summary

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


def test_rows_of_the_arms() -> None:
    rows = summary.rows(METRICS)
    assert [row["arm"] for row in rows] == ["clean", "dartblur"]
    assert (rows[0]["AP"], rows[1]["gap"], rows[1]["suppression"]) == ("0.9123", "0.25", "–")
    assert summary.rows({}) == []


def test_a_failure_says_what_to_do() -> None:
    page = summary.failure("pipeline", "calm-newt", "1234", "Failed", "train: the table has no faces; add some", True)
    assert "**train: the table has no faces; add some**" in page
    assert "`prefect flow-run retry 1234`" in page
    assert "it said nothing" in summary.failure("pipeline", "calm-newt", "1234", "Crashed", None, False)
    assert "the same command again" in summary.failure("pipeline", "calm-newt", "1234", "Crashed", None, False)


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("http://user:hunter2@10.0.0.1:5000/", "http://10.0.0.1:5000/#/models/team/versions/3"),
        ("https://mlflow.example.org/team", "https://mlflow.example.org/team/#/models/team/versions/3"),
        ("sqlite:///mlflow.db", None),
    ],
)
def test_the_page_of_a_version(uri: str, page: str | None) -> None:
    registry = RegistryParams(name="team", tracking_uri=uri, experiment="team", promotion="hand")
    assert artifacts.version_page(METRICS, registry) == page
    assert artifacts.version_page({}, registry) is None
