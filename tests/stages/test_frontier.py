"""The frontier, and the choice of a strength by it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dartblur.cli import app
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.figures import draw_frontier
from dartblur.stages import frontier, paths, variation
from tests.stages.conftest import MakeParams


def point(strength: float | None, rank1: float, high: float, arm: str = "dartblur", **more: Any) -> dict[str, Any]:
    """With a parrot who names ``rank1`` of the people, at most ``high``, and a recogniser who names half as many."""
    figure = {"auc": 0.6, "ci": [0.5, 0.7], "rank1": rank1, "rank1_ci": [rank1 / 2, high], "chance": 0.02}
    privacy = {"off_the_shelf": {**figure, "rank1": rank1 / 2}, "parrot": {**figure, "auc": 0.7}, "restoration": None}
    return {"arm": arm, "strength": strength, "suppression": {"mean": 0.71234, "std": 0.01}, "l1": 10.0, "privacy": privacy, "matched": True, **more}


def write(*points: dict[str, Any]) -> None:
    paths.REPORTS.mkdir(exist_ok=True)
    paths.FRONTIER.write_text(json.dumps({"points": list(points)}))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_smallest_strength_whose_interval_holds_the_bound() -> None:
    write(point(None, 0.0, 0.0, arm="block"), point(3.0, 0.01, 0.03), point(2.0, 0.02, 0.05), point(1.5, 0.03, 0.06), point(1.0, 0.2, 0.3))
    result = CliRunner().invoke(app, ["choose", "--max-reid", "0.05"])
    assert result.exit_code == 0, result.output
    assert result.stdout == "preblur.strength: 2, where parrot names 0.020 of the people (0.010 to 0.050, chance 0.020); suppression 0.71\n"
    assert frontier.choose(0.5).startswith("preblur.strength: 1, ")


def test_where_no_strength_holds_it_the_nearest_is_named() -> None:
    write(point(1.0, 0.2, 0.3), point(2.0, 0.1, 0.15))
    with pytest.raises(DartblurError, match=r"no strength of 1, 2 holds re-identification to 0\.05; nearest is 2, where parrot names 0\.100"):
        frontier.choose(0.05)


def test_without_a_measurement_there_is_no_choice() -> None:
    with pytest.raises(DartblurError, match=r"reports/frontier\.json: .*; make it with `dartblur frontier`"):
        frontier.choose(0.05)
    unmeasured = point(1.0, 0.1, 0.2)
    unmeasured["privacy"] = dict.fromkeys(unmeasured["privacy"])
    write(unmeasured)
    with pytest.raises(DartblurError, match="no strength of dartblur has a re-identification with an interval; measure more people"):
        frontier.choose(0.05)


def test_the_picture_is_the_same_bytes_and_leaves_out_what_was_not_measured() -> None:
    unknown = point(None, 0.1, 0.2, arm="deface", privacy={"off_the_shelf": None})
    points = [point(1.0, 0.1, 0.2), point(2.0, 0.1, 0.2), point(None, 0.1, 0.2, arm="block"), unknown]
    draw_frontier(points, Path("a.png"))
    draw_frontier(points[:3], Path("b.png"))
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_it_needs_a_run_of_the_pipeline(tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match=r"reports/evaluation\.json: missing; the frontier compares with a run of the pipeline"):
        frontier.run(tiny(), [1.0])


def test_every_strength_is_a_run_of_its_own_on_what_is_shared(tiny: MakeParams, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages are tested by themselves; here it is their order, what they share, and that what is finished is not run again."""
    figures = {"suppression": {"mean": 0.5, "std": None}, "convenience": {"l1": 9.0}, "privacy": point(1.0, 0.1, 0.2)["privacy"]}
    paths.REPORTS.mkdir()
    paths.EVALUATION.write_text(json.dumps({"arms": {"clean": figures, "block": figures, "gaussian": figures, "dartblur": figures}}))
    for out in variation.COMPARED:
        out.mkdir(parents=True)
    paths.DOWNSTREAM.mkdir()
    for arm in ("clean", "gaussian"):
        (paths.DOWNSTREAM / f"{arm}-0.json").write_text("{}")
    called: list[tuple[str, ...]] = []

    def call(command: list[str], cwd: Path, **_: object) -> int:
        words = tuple(command[3:])
        called.append((cwd.name, *words))
        assert (cwd / paths.CANONICAL).is_symlink()
        outs = {"preblur": paths.PREBLUR, "train": paths.MODEL, "arm": paths.ARMS / "dartblur", "restorer": paths.RESTORERS / "dartblur"}
        files = {"privacy": paths.PRIVACY, "evaluate": paths.EVALUATION, "downstream": paths.DOWNSTREAM / "dartblur-0.json"}
        out = cwd / {**outs, **files, "frozen": paths.FROZEN / f"{words[-1]}.json"}[words[0]]
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"arms": {"dartblur": figures}}))
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    frontier.run(tiny(), [1.0, 2.0, 3.0])
    assert not [words for place, *words in called if place == "1"]  # the main run's own
    assert [words for place, *words in called if place == "2"] == [words for place, *words in called if place == "3"]
    assert [words[0] for place, *words in called if place == "2"] == [
        "preblur", "train", "arm", "restorer", "downstream", "frozen", "frozen", "frozen", "privacy", "evaluate",
    ]  # fmt: skip
    points = json.loads(paths.FRONTIER.read_text())["points"]
    ours = [("dartblur", strength) for strength in (1.0, 2.0, 3.0)]
    assert [(found["arm"], found["strength"]) for found in points] == [("block", None), ("gaussian", 1.0), *ours]
    assert paths.FRONTIER.with_suffix(".png").is_file()
    called.clear()
    frontier.run(tiny(), [1.0, 2.0, 3.0])
    assert not called
    with pytest.raises(UsageError, match="was begun with other parameters"):
        frontier.run(tiny(seed=1), [2.0])


def test_a_stage_that_fails_names_its_log(tmp_path: Path, tiny: MakeParams) -> None:
    variation.open_folder(tmp_path / "run", tiny())
    with pytest.raises(DartblurError, match=r"`dartblur preblur` failed; see .*run/log"):
        variation.stage(tmp_path / "run", paths.PREBLUR, "preblur")
    assert "data/canonical" in (tmp_path / "run" / "log").read_text()
