"""Parts of a large source side by side: every file once, one manifest of all, and what was not written is said."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.anonymizer.manifest import LINES, TABLE
from dartblur.anonymizer.records import Record, Status
from dartblur.errors import DartblurError, UsageError
from dartblur.media.images import write_image
from flows import anonymise
from tests.makedata import drawn_picture

MODULE = [sys.executable, "-m", "flows.anonymise"]
NAMES = [f"{letter}.png" for letter in "abcdefgh"]


def record(name: str, status: Status = "anonymised") -> Record:
    made = Record(name, status, job="00", method="gaussian")
    return made if status == "anonymised" else replace(made, reason="no face")


def lay_out(folder: Path, parts: dict[int, list[Record]]) -> tuple[str, str]:
    """Source and target of a job in two parts, the parts' manifests written."""
    source, target = folder / "in", folder / "out"
    source.mkdir()
    target.mkdir()
    for part, records in parts.items():
        lines = [json.dumps(one.as_dict()) + "\n" for one in records]
        (target / f"manifest-{part}-of-2.jsonl").write_text("".join(lines))
        for one in records:
            (source / one.name).touch()
    return str(source), str(target)


def test_one_manifest_in_the_order_of_names(tmp_path: Path) -> None:
    again = [record("c.png", "failed"), record("b.png", "withheld"), record("c.png")]
    source, target = lay_out(tmp_path, {1: again, 2: [record("d.png"), record("a.png", "withheld")]})
    assert anonymise.merge.fn(source, target, 2) == {"anonymised": 2, "withheld": 2}
    lines = [json.loads(line) for line in (tmp_path / "out" / LINES).read_text().splitlines()]
    assert [(line["name"], line["status"]) for line in lines] == [
        ("a.png", "withheld"), ("b.png", "withheld"), ("c.png", "anonymised"), ("d.png", "anonymised"),
    ]  # fmt: skip
    assert pd.read_parquet(tmp_path / "out" / TABLE)["name"].tolist() == ["a.png", "b.png", "c.png", "d.png"]
    assert (tmp_path / "out/review.txt").read_text() == "a.png\tno face\nb.png\tno face\n"


def test_a_reviewers_list_of_an_earlier_run_goes(tmp_path: Path) -> None:
    source, target = lay_out(tmp_path, {1: [record("a.png")], 2: []})
    (tmp_path / "out/review.txt").write_text("a.png\tno face\n")
    assert anonymise.merge.fn(source, target, 2) == {"anonymised": 1}
    assert not (tmp_path / "out/review.txt").exists()


def test_a_part_or_a_file_that_is_missing_is_no_success(tmp_path: Path) -> None:
    source, target = lay_out(tmp_path, {1: [record("a.png")]})
    with pytest.raises(DartblurError, match=r"manifest-2-of-2\.jsonl"):
        anonymise.merge.fn(source, target, 2)
    (tmp_path / "out/manifest-2-of-2.jsonl").touch()
    (tmp_path / "in/new.png").touch()
    with pytest.raises(DartblurError, match=r"new\.png is in no part's manifest \(1 such files\)"):
        anonymise.merge.fn(source, target, 2)
    assert not (tmp_path / "out" / LINES).exists()


@pytest.mark.parametrize(("options", "words"), [([], ["--workers", "1"]), (["--verify", "--workers", "4"], ["--verify", "--workers", "4"])])
def test_a_part_works_on_one_file_at_a_time_unless_told(options: list[str], words: list[str]) -> None:
    made = anonymise.words_of("in", "out", "gaussian", "small", "boxes.csv", options)
    assert made == ["in", "out", "--method", "gaussian", "--model", "small", "--annotations", "boxes.csv", *words]


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder; a flow takes a folder or s3"):
        anonymise.run_parts(str(tmp_path / "gone"), "out", [], 2, None, None)
    with pytest.raises(UsageError, match="shards: 0 are none"):
        anonymise.run_parts(str(tmp_path), "out", [], 0, None, None)


@pytest.mark.slow
def test_every_file_once_whatever_one_of_them_is(prefect: dict[str, str], tmp_path: Path) -> None:
    boxes = ["image,x1,y1,x2,y2"]
    for number, name in enumerate(NAMES):
        picture, faces = drawn_picture(np.random.default_rng(number))
        write_image(tmp_path / "in" / name, picture)
        boxes += [f"{name},{x},{y},{x + width},{y + height}" for x, y, width, height in faces]
    (tmp_path / "boxes.csv").write_text("\n".join(boxes) + "\n")
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    words = [*MODULE, "in", "out", "--method", "gaussian", "--annotations", "boxes.csv", "--shards", "2"]
    done = subprocess.run(words, cwd=tmp_path, env=prefect, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "error: 1 files were not written; manifest.jsonl in out says which and why")
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {*NAMES} - {"b.png"}
    lines = [json.loads(line) for line in (tmp_path / "out" / LINES).read_text().splitlines()]
    assert [line["name"] for line in lines] == NAMES
    parts = [len((tmp_path / f"out/manifest-{part}-of-2.jsonl").read_text().splitlines()) for part in (1, 2)]
    assert min(parts) > 0 and sum(parts) == len(NAMES)
    (tmp_path / "in/b.png").write_bytes((tmp_path / "in/a.png").read_bytes())
    done = subprocess.run(words, cwd=tmp_path, env=prefect, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "8 files in out")
