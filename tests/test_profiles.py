"""Writing a profile and a source into params.yaml."""

import os
import re
import shutil
from pathlib import Path

import pytest

from dartblur.errors import UsageError
from dartblur.params import load_params
from dartblur.profiles import configure, read_profile

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, in which the profile ``study`` differs from ``sample`` in every kind of value."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    # As in a fresh clone, whatever a run has recorded in this one since.
    Path("data/sample").mkdir(parents=True)
    configure("sample", "data/sample")
    shutil.rmtree("data")
    larger = {
        "view.mode": "letterbox",
        "detector.backbone": "mobilenet025",
        "detector.init": "scratch",
        "detector.steps": 12000,
        "detector.learning_rate": "1.25e-3",
        "evaluate.seeds": "[0, 1, 2]",
    }
    lines = [f"{key}: {larger.get(key, value)}" for key, value in read_profile("sample").items() if key != "evaluate.seeds"]
    Path("profiles/study.yaml").write_text("\n".join([*lines, "evaluate.seeds: [0, 1, 2]"]) + "\n")
    return tmp_path


def text() -> str:
    return Path("params.yaml").read_text(encoding="utf-8")


def comments(content: str) -> list[str]:
    return [line.partition("#")[2] for line in content.splitlines()]


def test_a_profile_is_written_and_every_comment_survives() -> None:
    before = text()
    params = configure("study")
    assert params == load_params()
    assert (params.profile, params.detector.steps, params.evaluate.seeds, params.view.mode) == ("study", 12000, [0, 1, 2], "letterbox")
    assert params.detector.learning_rate == 1.25e-3
    assert comments(text()) == comments(before)
    changed = [line for line, old in zip(text().splitlines(), before.splitlines(), strict=True) if line != old]
    assert [line.split(":")[0].strip() for line in changed] == ["profile", "mode", "backbone", "init", "steps", "learning_rate", "seeds"]


def test_there_and_back_restores_the_bytes() -> None:
    before = text()
    configure("study")
    assert text() != before
    configure("sample")
    assert text() == before


def test_a_key_edited_by_hand_survives_the_same_profile() -> None:
    Path("params.yaml").write_text(re.sub(r"(?m)^  steps: \d+ ", "  steps: 9123 ", text()), encoding="utf-8")
    edited = text()
    assert configure("sample").detector.steps == 9123
    assert text() == edited
    assert configure("study").detector.steps == 12000


def test_nothing_to_change_leaves_the_file_alone() -> None:
    os.utime("params.yaml", (1, 1))
    configure("sample")
    configure()
    Path("data/sample").mkdir(parents=True)
    configure(source="data/sample/")
    assert Path("params.yaml").stat().st_mtime == 1


def test_a_source_is_written_without_its_slash() -> None:
    Path("faces/new").mkdir(parents=True)
    before = text()
    assert configure(source="faces/new/").data.source == "faces/new"
    changed = [line for line, old in zip(text().splitlines(), before.splitlines(), strict=True) if line != old]
    assert len(changed) == 1
    assert changed[0].startswith("  source: faces/new ")
    assert comments(text()) == comments(before)


def test_a_source_with_a_number_for_a_name_stays_text() -> None:
    Path("2024").mkdir()
    assert configure(source="2024").data.source == "2024"
    assert load_params().data.source == "2024"
    assert configure(source="s3://bucket/faces/").data.source == "s3://bucket/faces"  # whether it is there, ingest will see


@pytest.mark.parametrize(
    ("profile", "source", "message"),
    [
        ("study", "nowhere", "nowhere: no such folder; give DATA="),
        (None, "params.yaml", "params.yaml: no such folder"),
        ("tiny", None, "tiny: no such profile; known are sample, study, widerface"),
        ("", None, "no such profile"),
    ],
)
def test_what_is_not_there_leaves_the_file_untouched(profile: str | None, source: str | None, message: str) -> None:
    before = text()
    with pytest.raises(UsageError, match=message):
        configure(profile, source)
    assert text() == before
    assert sorted(path.name for path in Path().iterdir()) == ["params.yaml", "profiles"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("detector.steps: many", r"detector\.steps: Input should be a valid integer"),
        ("detector.stepz: 4", r"profile study: detector\.stepz is no key of params\.yaml"),
        ("detectro.steps: 4", r"profile study: detectro\.steps is no key of params\.yaml"),
        ("seed.steps: 4", r"profile study: seed\.steps is no key of params\.yaml"),
        ("- 1", r"study\.yaml: not a list of keys and values"),
        ("view.size: [", r"study\.yaml: not readable as YAML at line 2"),
    ],
)
def test_a_broken_profile_leaves_the_file_untouched(line: str, message: str) -> None:
    Path("profiles/study.yaml").write_text(line + "\n")
    before = text()
    with pytest.raises(UsageError, match=message) as caught:
        configure("study")
    assert "\n" not in str(caught.value)
    assert text() == before


def test_an_invalid_file_is_not_written_over() -> None:
    Path("params.yaml").write_text(text().replace("seed: 0 ", "seed: -1 "), encoding="utf-8")
    before = text()
    with pytest.raises(UsageError, match="seed: "):
        configure("study")
    assert text() == before


def test_a_missing_file_is_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        configure("study", path=tmp_path / "other" / "params.yaml")
    assert not (tmp_path / "other").exists()
