"""A job: what becomes of every file, what is done again and what is not, and how it ends."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dartblur.anonymizer.job import NOT_OURS, Job, Summary, TargetFull, run
from dartblur.anonymizer.manifest import manifest, records
from dartblur.anonymizer.methods import Method
from dartblur.anonymizer.picture import Work
from dartblur.anonymizer.records import Record
from dartblur.anonymizer.search import Search
from dartblur.blur.block import Block
from dartblur.blur.gaussian import Gaussian
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image, read_image
from dartblur.media.places import Folder
from tests.anonymizer.conftest import Drawn


class Counting:
    """Blurs, and counts how often; may be told to do something first."""

    name = "gaussian"

    def __init__(self) -> None:
        self.calls = 0
        self.before: Any = lambda: None

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        self.calls += 1
        self.before()
        return Gaussian().anonymize(image, boxes)


@pytest.fixture
def blur() -> Counting:
    return Counting()


@pytest.fixture
def job(drawn: Drawn, tmp_path: Path, blur: Counting) -> Job:
    work = Work(Search(), Method(blur, "gaussian"))
    return Job(Folder(drawn.folder), Folder(tmp_path / "out"), work, "ab" * 32, given=drawn.boxes, workers=2)


def do(job: Job) -> tuple[Summary, dict[str, Record]]:
    assert isinstance(job.target, Folder)
    path = job.target.root.with_name("manifest.jsonl")
    with manifest(path) as lines:
        summary = run(job, lines, lambda done, so_far: None)
    return summary, {record.name: record for record in records(path)}


def content(job: Job) -> dict[str, bytes]:
    return {name: job.target.read(name) for name in job.target.names()}


def test_every_picture_is_written_and_recorded(job: Job, drawn: Drawn) -> None:
    summary, found = do(job)
    assert (summary.counts["anonymised"], summary.hidden, summary.resumed, summary.done) == (3, 6, 0, True)
    assert list(found) == ["a.png", "b.jpg", "sub/c.png"]
    for name, boxes in drawn.boxes.items():
        before, after = read_image(drawn.folder / name), read_image(job.target.root / name)  # type: ignore[attr-defined]
        inside = mask_of(boxes, 120, 120)
        if name.endswith(".png"):
            assert np.array_equal(before[~inside], after[~inside])
        assert np.abs(before[inside].astype(int) - after[inside]).mean() > 4
        assert (found[name].bytes_out, found[name].width) == (len(job.target.read(name)), 120)


def test_a_second_run_does_nothing_again(job: Job, blur: Counting) -> None:
    _, first = do(job)
    before = content(job)
    summary, second = do(job)
    assert (summary.resumed, summary.counts["anonymised"], summary.hidden, blur.calls) == (3, 3, 6, 3)
    assert second == first
    assert content(job) == before


@pytest.mark.parametrize("what", ["output gone", "output spoilt", "input changed", "other settings", "other boxes"])
def test_what_changed_is_done_again(job: Job, drawn: Drawn, blur: Counting, what: str) -> None:
    do(job)
    out = job.target.root / "a.png"  # type: ignore[attr-defined]
    match what:
        case "output gone":
            out.unlink()
        case "output spoilt":
            out.write_bytes(b"spoilt")
        case "input changed":
            (drawn.folder / "a.png").write_bytes((drawn.folder / "sub/c.png").read_bytes())
        case "other settings":
            job = replace(job, identity="cd" * 32)
        case "other boxes":
            job = replace(job, given={**drawn.boxes, "a.png": drawn.boxes["a.png"][:1]})
    do(replace(job, overwrite=True))
    assert blur.calls == 3 + (3 if what == "other settings" else 1)
    assert read_image(out).shape == (120, 120, 3)


def test_what_is_there_is_not_overwritten(job: Job) -> None:
    job.target.write("a.png", b"somebody's")
    summary, found = do(job)
    assert (found["a.png"].status, found["a.png"].reason) == ("failed", f"a.png: {NOT_OURS}")
    assert (summary.done, summary.counts["anonymised"], job.target.read("a.png")) == (False, 2, b"somebody's")
    assert do(replace(job, overwrite=True))[0].done
    assert job.target.read("a.png") != b"somebody's"


def test_what_a_killed_run_wrote_without_a_line_is_accepted(job: Job) -> None:
    do(job)
    lines = job.target.root.with_name("manifest.jsonl")  # type: ignore[attr-defined]
    lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:1]))
    summary, found = do(job)
    assert (summary.done, summary.resumed, len(found)) == (True, 1, 3)


def test_a_bad_file_does_not_stop_the_rest(job: Job, drawn: Drawn) -> None:
    (drawn.folder / "0.jpg").write_bytes((drawn.folder / "b.jpg").read_bytes()[:500])
    (drawn.folder / "notes.txt").write_text("not a picture")
    (drawn.folder / "x.dat").write_bytes((drawn.folder / "a.png").read_bytes()[:300])  # a picture by content, though not a whole one
    summary, found = do(job)
    assert {name: record.status for name, record in found.items()} == {
        "0.jpg": "failed", "a.png": "anonymised", "b.jpg": "anonymised", "notes.txt": "other", "sub/c.png": "anonymised", "x.dat": "failed",
    }  # fmt: skip
    assert not summary.done
    assert [reason.split(":")[1] for reason in summary.reasons] == [" 0.jpg", " x.dat"]
    assert set(content(job)) == set(drawn.boxes)


def test_pictures_that_the_annotations_do_not_name_are_withheld(job: Job, drawn: Drawn) -> None:
    summary, found = do(replace(job, given={"a.png": drawn.boxes["a.png"], "b.jpg": as_boxes([])}))
    assert [found[name].status for name in drawn.boxes] == ["anonymised", "withheld", "withheld"]
    assert set(content(job)) == {"a.png"}
    assert not summary.done


@pytest.mark.parametrize(("on_empty", "status", "done"), [("withhold", "withheld", False), ("fail", "failed", False), ("write", "empty", True)])
def test_no_face(job: Job, on_empty: Any, status: str, done: bool) -> None:
    work = replace(job.work, write_empty=on_empty == "write")
    summary, found = do(replace(job, given=None, on_empty=on_empty, work=work))
    assert {record.status for record in found.values()} == {status}
    assert (summary.done, bool(content(job))) == (done, done)


def test_what_is_withheld_now_does_not_lie_there_from_before(job: Job) -> None:
    do(job)
    _, found = do(replace(job, given={}, overwrite=True))
    assert {record.status for record in found.values()} == {"withheld"}
    assert content(job) == {}


def test_regions_are_left_alone_by_name_or_everywhere(job: Job, drawn: Drawn) -> None:
    everything = as_boxes([[0, 0, 120, 120]])
    _, found = do(replace(job, keep={"a.png": everything}))
    assert [found[name].hidden for name in drawn.boxes] == [0, 2, 2]
    summary, found = do(replace(job, keep={"": everything}, overwrite=True))
    assert (summary.hidden, found["a.png"].status) == (0, "anonymised")


def test_shards_are_parts_of_the_whole(job: Job, drawn: Drawn) -> None:
    for index in range(40):
        (drawn.folder / f"{index}.txt").write_text("x")
    parts = [list(replace(job, shard=(index, 3)).names()) for index in range(3)]
    assert sorted(name for part in parts for name in part) == sorted(job.names())
    assert all(5 < len(part) < 25 for part in parts)


def test_a_target_that_takes_no_more_ends_the_job_and_the_next_run_goes_on(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    target = job.target

    def write(name: str, data: bytes) -> None:
        if name == "b.jpg":
            raise OSError(28, os.strerror(28))
        Folder.write(target, name, data)  # type: ignore[arg-type]

    monkeypatch.setattr(target, "write", write)
    with pytest.raises(TargetFull, match=r"b\.jpg cannot be written \(No space left on device\); mend that"):
        do(replace(job, workers=1))
    monkeypatch.undo()
    summary, found = do(job)
    assert (summary.done, summary.resumed >= 1, len(found)) == (True, True, 3)


def test_ctrl_c_keeps_what_was_done(job: Job) -> None:
    def show(done: int, summary: Summary) -> None:
        raise KeyboardInterrupt

    path = job.target.root.with_name("manifest.jsonl")  # type: ignore[attr-defined]
    with manifest(path) as lines, pytest.raises(KeyboardInterrupt):
        run(job, lines, show)
    assert {record.name for record in records(path)} >= {"a.png"}
    assert all(read_image(job.target.root / name).size for name in job.target.names())  # type: ignore[attr-defined]
    assert do(job)[0].done


def test_a_fault_that_nobody_foresaw_fails_one_file(job: Job, blur: Counting) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by accident")

    blur.before = fail
    _, found = do(job)
    assert {record.reason for record in found.values()} == {"ZeroDivisionError: by accident; report this file"}
    assert content(job) == {}


def test_as_many_files_at_a_time_as_asked_for(job: Job, blur: Counting) -> None:
    meeting = threading.Barrier(2, timeout=60)
    blur.before = meeting.wait
    names = {"a.png", "b.jpg"}
    job = replace(job, source=Folder(job.source.root), given={name: boxes for name, boxes in (job.given or {}).items() if name in names})  # type: ignore[attr-defined]
    do(job)
    assert blur.calls == 2


def test_a_video_without_a_reader_fails_by_name(job: Job, drawn: Drawn) -> None:
    (drawn.folder / "film.mp4").write_bytes(b"film")
    _, found = do(job)
    assert found["film.mp4"].status == "failed"
    assert "video" in found["film.mp4"].reason


def test_a_block_of_the_same_picture_is_another_method(job: Job) -> None:
    do(job)
    summary, _ = do(replace(job, work=replace(job.work, method=Method(Block(), "block")), identity="cd" * 32))
    assert (summary.counts["failed"], summary.resumed) == (3, 0)
