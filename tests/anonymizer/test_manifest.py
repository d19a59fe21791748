"""The manifest: lines that survive a crash, the last word on each file, a table of them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dartblur.anonymizer import manifest as module
from dartblur.anonymizer.manifest import Manifest, manifest, records, write_table
from dartblur.anonymizer.records import Face, Record
from dartblur.errors import DartblurError, UsageError

A, B = "aa" * 32, "bb" * 32
FACE = Face((1.0, 2.0, 30.004, 40.0), "yunet", 0.87654321, 3)


def record(name: str, **changes: object) -> Record:
    return Record(**{"name": name, "status": "anonymised", "sha256_in": A, "sha256_out": B, "job": A, "faces": (FACE,), **changes})  # type: ignore[arg-type]


def test_a_record_survives_the_way_through_json() -> None:
    back = Record.of(json.loads(json.dumps(record("a").as_dict())))
    assert back.faces[0] == Face((1.0, 2.0, 30.0, 40.0), "yunet", 0.8765, 3)
    assert back == record("a", faces=back.faces)
    assert (back.hidden, record("a", faces=(Face((0, 0, 1, 1), "annotated", kept=True), FACE)).hidden) == (1, 1)


def test_what_was_written_is_known_to_the_next_run(tmp_path: Path) -> None:
    with manifest(tmp_path / "deep/m.jsonl") as lines:
        assert lines.known == {}
        lines.add(record("a"))
        lines.add(record("b\n\udcff", status="failed", sha256_out=""))
    with manifest(tmp_path / "deep/m.jsonl") as lines:
        assert set(lines.known) == {"a", "b\n\udcff"}
        assert (lines.known["a"].sha256_out.hex(), lines.known["a"].hidden) == (B, 1)
        assert lines.known["b\n\udcff"].sha256_out == b""


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with manifest(path) as lines:
        lines.add(record("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    with manifest(path) as lines:
        assert set(lines.known) == {"a"}
        lines.add(record("b"))
    assert [found.name for found in records(path)] == ["a", "b"]


def test_a_file_that_is_no_manifest_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"name": "a"}\nnotes of somebody\n')
    with pytest.raises(DartblurError, match=r"m\.jsonl, line 1: not a line of a manifest"):
        Manifest(path)
    assert path.read_text() == '{"name": "a"}\nnotes of somebody\n'


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with manifest(tmp_path / "m.jsonl"), pytest.raises(UsageError, match="another run writes there"):
        Manifest(tmp_path / "m.jsonl")
    Manifest(tmp_path / "m.jsonl").close()


def test_the_last_word_on_a_file_counts(tmp_path: Path) -> None:
    with manifest(tmp_path / "m.jsonl") as lines:
        for name, status in (("a", "failed"), ("b", "withheld"), ("a", "anonymised")):
            lines.add(record(name, status=status))
    assert [(found.name, found.status) for found in records(tmp_path / "m.jsonl")] == [("b", "withheld"), ("a", "anonymised")]


def test_the_table_has_a_row_a_file(tmp_path: Path) -> None:
    with manifest(tmp_path / "m.jsonl") as lines:
        lines.add(record("a", width=20))
        lines.add(record("\udcff", faces=(), reason="\udcff: 1 \n \\ é"))
    write_table(tmp_path / "m.jsonl", tmp_path / "m.parquet")
    table = pd.read_parquet(tmp_path / "m.parquet")
    assert table["name"].tolist() == ["a", "\\udcff"]
    assert table["reason"].tolist() == ["", "\\udcff: 1 \n \\ é"]
    assert table["width"].tolist() == [20, 0]
    face = table["faces"][0][0]
    assert (face["from"], face["score"], face["frame"], face["kept"], list(face["box"])) == ("yunet", 0.8765, 3, False, [1.0, 2.0, 30.0, 40.0])
    assert len(table["faces"][1]) == 0


def test_a_long_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2000)
    with manifest(tmp_path / "m.jsonl") as lines:
        for number in range(50):
            lines.add(record(f"{number}", bytes_in=number))
    write_table(tmp_path / "m.jsonl", tmp_path / "m.parquet")
    table = pd.read_parquet(tmp_path / "m.parquet")
    assert table["bytes_in"].tolist() == list(range(50))
    assert {len(faces) for faces in table["faces"]} == {1}


def test_a_table_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").touch()
    write_table(tmp_path / "m.jsonl", tmp_path / "m.parquet")
    assert len(pd.read_parquet(tmp_path / "m.parquet")) == 0
