"""Whole data sets: the same bytes however they were made, and one sentence where they cannot be."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from dartblur.blur.block import Block
from dartblur.blur.copy import anonymize_dataset
from dartblur.cli import app
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.convert import convert
from dartblur.faces.dataset import COLUMNS, TRUTH, FaceDataset, read_table
from dartblur.faces.formats import read_source
from dartblur.faces.people import scenes as scene_files
from dartblur.faces.people.make import Made, make_scenes
from dartblur.faces.people.scenes import SceneWriter

SCENES = 8


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def make(sprites: Path, out: Path, scenes: int = SCENES, workers: int = 1, **more: Any) -> Made:
    return make_scenes(sprites, out, scenes, more.pop("seed", 3), workers, more.pop("val_fraction", 0.3), **more)


@pytest.fixture(scope="module")
def made(sprites: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "set"
    result = make(sprites, out)
    assert result.pictures == {"train": 6, "val": 2} and result.fresh
    assert str(result).startswith(f"{out}: 8 pictures (6 train, 2 val), {result.faces} faces of {result.identities} identities, 0.")
    return out


def test_a_set_is_canonical_and_its_splits_share_nobody(made: Path) -> None:
    data = FaceDataset(made)
    assert list(data.table.columns) == [*COLUMNS, *TRUTH]
    for picture in data.pictures():
        assert data.read(picture).shape == (picture.height, picture.width, 3) and len(picture.boxes) >= 1
        assert (picture.boxes[:, :2] >= 0).all() and (picture.boxes[:, 2:] <= [picture.width, picture.height]).all()
    people = data.table.groupby("split")["identity"].agg(set)
    assert people["train"] and people["val"] and not people["train"] & people["val"]
    assert data.table["visible"].between(0, 1).all() and set(data.table["role"]) == {"gallery", "probe"}
    assert (data.table["ignore"] == (data.table["visible"] < 0.3)).all()
    assert sorted(path.name for path in made.iterdir()) == ["README.md", "annotations.parquet", "contact-sheet.jpg", "images", "scenes.json"]
    assert not made.with_name("set.partial").exists()


def test_the_bytes_do_not_depend_on_processes(sprites: Path, made: Path, tmp_path: Path) -> None:
    make(sprites, tmp_path / "two", workers=2)
    assert content(tmp_path / "two") == content(made)


def test_a_scene_depends_on_its_index_not_on_the_others(sprites: Path, made: Path, tmp_path: Path) -> None:
    make(sprites, tmp_path / "part", 3, first=4)
    part, whole = content(tmp_path / "part/images"), content(made / "images")
    assert sorted(part) == ["train/scene-000004.jpg", "train/scene-000005.jpg", "val/scene-000006.jpg"]
    assert part == {name: whole[name] for name in part}
    make(sprites, tmp_path / "other", 1, first=4, seed=4)
    assert content(tmp_path / "other/images")["train/scene-000004.jpg"] != whole["train/scene-000004.jpg"]


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int, problem: BaseException) -> None:
    original = scene_files._write
    left = [2 * count]  # a picture and its rows

    def write(path: Path, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise problem
        original(path, data)

    monkeypatch.setattr(scene_files, "_write", write)


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_an_interrupted_run_goes_on(sprites: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    out, partial = tmp_path / "set", tmp_path / "set.partial"
    with monkeypatch.context() as patch:
        stop_after(patch, 3, problem)
        if isinstance(problem, OSError):
            with pytest.raises(DartblurError, match=r"^.*set.partial: the scene 3 cannot be written \(No space left .*to go on$") as error:
                make(sprites, out)
            assert error.value.exit_code == 1
        else:
            with pytest.raises(KeyboardInterrupt):
                make(sprites, out)
    assert not out.exists() and len(list((partial / "rows").iterdir())) == 3
    # A picture that a power cut has emptied is made again; the others are not.
    (partial / "images/train/scene-000001.jpg").write_bytes(b"")
    made_now = []
    original = SceneWriter.write

    def write(self: SceneWriter, index: int) -> None:
        made_now.append(index)
        original(self, index)

    monkeypatch.setattr(SceneWriter, "write", write)
    make(sprites, out)
    assert made_now == [1, 3, 4, 5, 6, 7]
    assert content(out) == content(made)


def test_a_smaller_set_can_be_made_of_a_larger_unfinished_one(sprites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            make(sprites, tmp_path / "set")
    make(sprites, tmp_path / "set", 2)
    make(sprites, tmp_path / "again", 2)
    assert content(tmp_path / "set") == content(tmp_path / "again")


def test_what_lies_there_is_never_replaced(sprites: Path, made: Path, tmp_path: Path) -> None:
    before = content(made)
    again = make(sprites, made)
    assert not again.fresh and str(again).endswith("; up to date") and content(made) == before
    with pytest.raises(UsageError, match="set: something else than these scenes is there; choose another folder or remove it"):
        make(sprites, made, 9)
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"set.partial: something is in the way; remove it"):
        make(sprites, tmp_path / "set")
    shutil.rmtree(tmp_path / "set.partial")
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial/scenes.json").write_text('{"library": "another", "seed": 3}')
    with pytest.raises(UsageError, match="an interrupted run with another library or other settings lies there"):
        make(sprites, tmp_path / "set")


def test_portraits_of_people_of_val_alone(sprites: Path, tmp_path: Path) -> None:
    made = make(sprites, tmp_path / "set", 4, val_fraction=1, kind="portrait")
    assert made.pictures == {"train": 0, "val": 4}
    assert read_table(tmp_path / "set").groupby("image").size().max() <= 2 and (tmp_path / "set/README.md").is_file()
    with pytest.raises(UsageError, match=r"there is no kind of scene 'portraits'; choose portrait, group, walk, crowd or any"):
        make(sprites, tmp_path / "other", 4, kind="portraits")
    with pytest.raises(UsageError, match=r"set: something else than these scenes is there"):
        make(sprites, tmp_path / "set", 4, val_fraction=1, kind="group")


@pytest.mark.parametrize(("name", "value"), [("scenes", 0), ("seed", -1), ("workers", 0), ("first", -1)])
def test_impossible_numbers_are_bad_usage(sprites: Path, tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}; choose {value + 1} or more"):
        make(sprites, tmp_path / "set", **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_sprite_stops_with_its_name(sprites: Path, tmp_path: Path, workers: int) -> None:
    broken = Path(shutil.copytree(sprites, tmp_path / "broken"))
    for path in broken.rglob("people/*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DartblurError, match=r"p00\d/[bhf]0\.png: is not the picture that the library was made with"):
        make(broken, tmp_path / "set", 4, workers)
    assert not (tmp_path / "set").exists()


def test_truth_is_carried_through_ingest_and_copies(made: Path, tmp_path: Path) -> None:
    convert(read_source(made), tmp_path / "canonical", 0.5, 0, 1)
    card = {"scenes.json", "README.md", "contact-sheet.jpg"}
    assert content(tmp_path / "canonical") == {name: data for name, data in content(made).items() if name not in card}
    anonymize_dataset(FaceDataset(tmp_path / "canonical"), tmp_path / "arm", Block(), 1)
    changed = ["file", "sha256"]
    pd.testing.assert_frame_equal(read_table(tmp_path / "arm").drop(columns=changed), read_table(made).drop(columns=changed))


def test_the_command(sprites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["sample", "set", "--scenes", "2", "--from", str(sprites), "--workers", "1"], catch_exceptions=False)
    assert result.exit_code == 0 and result.output.startswith("sample: set: 2 pictures (2 train, 0 val), ")
    assert CliRunner().invoke(app, ["sample", "set", "--scenes", "0"]).exit_code == 2
    command = [sys.executable, "-m", "dartblur.cli", "sample", "other", "--scenes", "2"]
    missing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "error: data/sprites: no sprite library there (library.json is missing); make one with `make sample`\n"


def test_ctrl_c_stops_the_workers_and_the_run_goes_on(sprites: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dartblur.cli", "sample", "set", "--scenes", "2000", "--from", str(sprites)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        end = time.monotonic() + 60
        while not list(tmp_path.glob("set.partial/rows/*.json")) and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, stderr) == (130, "error: interrupted; run the same command again to go on\n")
    with pytest.raises(ProcessLookupError):  # no worker is left; the interpreter's own helper process ends a moment after it
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.05)
    assert not list(tmp_path.glob("set.partial/**/.*"))  # nothing half written
    assert list(tmp_path.glob("set.partial/rows/*.json"))
