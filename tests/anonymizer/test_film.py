"""Videos through the command line: tracked, written, withheld, and how settings of pictures hold for them."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dartblur.anonymizer.film import _common
from dartblur.anonymizer.manifest import records
from dartblur.anonymizer.records import Record
from dartblur.cli import app
from tests.makevideo import Film, make_video, read_frames

FILM = Film(160, 120, 12, ((20, 30, 2, 1),))


def anonymize(source: Path, out: Path, *options: str) -> tuple[int, Record]:
    result = CliRunner().invoke(app, ["anonymize", str(source), str(out), "--method", "block", *options])
    (record,) = records(out / "manifest.jsonl")
    return result.exit_code, record


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in/deep").mkdir(parents=True)
    make_video(tmp_path / "in/deep/a.mp4", FILM)
    return tmp_path / "in"


def test_every_frame_of_a_video_is_hidden(source: Path, tmp_path: Path) -> None:
    code, record = anonymize(source, tmp_path / "out")
    assert (code, record.status, record.kind, record.width, record.height, record.frames) == (0, "anonymised", "mp4", 160, 120, 12)
    assert {face.frame for face in record.faces} == set(range(12))
    assert all(face.score is None or 0.5 <= face.score < 1 for face in record.faces)
    frames, _, _ = read_frames(tmp_path / "out/deep/a.mp4")
    for index, frame in enumerate(frames):
        x1, y1, x2, y2 = FILM.boxes(index)[0].astype(int)
        assert frame[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean() < 25
    assert not list((tmp_path / "out").glob(".dartblur-*"))


def test_a_second_run_does_nothing_again(source: Path, tmp_path: Path) -> None:
    anonymize(source, tmp_path / "out")
    before = (tmp_path / "out/deep/a.mp4").stat().st_mtime_ns
    result = CliRunner().invoke(app, ["anonymize", str(source), str(tmp_path / "out"), "--method", "block"])
    assert "1 of all were done before" in result.output
    assert (tmp_path / "out/deep/a.mp4").stat().st_mtime_ns == before


def test_a_region_left_alone_is_so_in_every_frame(source: Path, tmp_path: Path) -> None:
    code, record = anonymize(source, tmp_path / "out", "--keep", "0,0,160,120", "--on-empty", "write")
    assert (code, record.status, record.faces) == (0, "empty", ())
    one, other = (read_frames(path)[0] for path in (source / "deep/a.mp4", tmp_path / "out/deep/a.mp4"))
    assert np.abs(one[0].astype(int) - other[0]).mean() < 8


def test_a_video_without_a_face_is_withheld(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_video(tmp_path / "in/a.mp4", Film(160, 120, 4, ()))
    code, record = anonymize(tmp_path / "in", tmp_path / "out")
    assert (code, record.status) == (1, "withheld")
    assert not (tmp_path / "out/a.mp4").exists()


def test_a_broken_video_fails_by_name(source: Path, tmp_path: Path) -> None:
    path = source / "deep/a.mp4"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, record = anonymize(source, tmp_path / "out")
    assert (code, record.status) == (1, "failed")
    assert "deep/a.mp4" in record.reason
    assert not (tmp_path / "out/deep").exists()


def test_boxes_of_pictures_are_none_of_a_video(source: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("image,x1,y1,x2,y2\ndeep/a.mp4,20,30,50,68\n")
    code, record = anonymize(source, tmp_path / "out", "--annotations", str(tmp_path / "b.csv"))
    assert (code, record.status) == (1, "failed")
    assert "give a detector with --detector" in record.reason


def test_scores_of_detectors_on_one_scale() -> None:
    for usual in (0.2, 0.35, 0.7):
        scores = np.linspace(0, 1, 50)
        common = [_common(score, usual) for score in scores]
        assert common == sorted(common)
        assert (_common(usual, usual), _common(0, usual), _common(1, usual)) == pytest.approx((0.5, 0, 1))
