"""What a person may mistype, and annotations that are damaged: told in one sentence, before anything is written."""

from pathlib import Path

import pytest

from tests.anonymizer.corpus.case import FACE
from tests.anonymizer.corpus.pngs import PLAIN
from tests.anonymizer.leaks import BOX, files_below, leak
from tests.anonymizer.scene import GAUSSIAN, NAMES, ends, run, written
from tests.anonymizer.terminal import here, write_csv


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--manifest", "m.parquet"), "--manifest m.parquet: must end in .jsonl"),
        (("--boxes", "boxes.csv"), "--boxes boxes.csv: is read by this very job"),
        (("--boxes", "in/found.csv"), "--boxes in/found.csv: is read by this very job, or lies in its source"),
        (("--boxes", "found.xml"), "found.xml: boxes are written as .csv"),
        (("--annotations", "gone.csv"), "gone.csv: no such file or folder of annotations"),
        (("--detector", "eye"), "detector eye: unknown"),
        (("--method", "fog"), "method fog: unknown"),
        (("--strength", "nan"), "strength nan: must be"),
        (("--margin", "nan"), "margin nan: must be"),
        (("--score", "nan"), "score nan: must be"),
        (("--feather", "nan"), "feather nan: must be"),
        (("--min-size", "nan"), "min-size nan: must be"),
        (("--keep", "1,2,3"), "--keep 1,2,3: give"),
        (("--shard", "0/3"), "--shard 0/3: give"),
        (("--model", "gone.onnx", "--method", "dartblur"), "gone.onnx: no such model"),
    ],
)
def test_what_is_mistyped_is_told_before_anything_is_written(
    source: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(source.parent)
    boxes = Path("boxes.csv").read_bytes()
    done = here("in", "out", "--annotations", "boxes.csv", *GAUSSIAN, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {words}")
    assert done.stderr.count("\n") == 1
    assert (Path("out").exists(), Path("boxes.csv").read_bytes()) == (False, boxes)
    assert {path.relative_to(source).as_posix() for path in files_below(source)} == set(NAMES)


@pytest.mark.parametrize(
    ("ends_of_it", "words"),
    [
        (("in", "in"), "lies in in or holds it"),
        (("in", "in/out"), "lies in in or holds it"),
        (("in/sub", "in"), "lies in in/sub or holds it"),
        (("in", "boxes.csv"), "is a file; several pictures need a folder"),
        (("gone", "out"), "no such file or folder"),
        (("gone*.png", "out"), "no such file or folder"),
        (("in/**/*.png", "in/sub"), "or holds it"),
        (("in/a.png", "in/a.png"), "is the source itself"),
        (("in/a.png", "in/link.png"), "is the source itself"),
        (("in/a.png", "out"), "the format is kept, so the name must end in .png"),
        (("in/a.png", "a.jpg"), "the format is kept, so the name must end in .png"),
        (("empty", "out"), "holds no file"),
    ],
)
def test_ends_that_cannot_be(source: Path, monkeypatch: pytest.MonkeyPatch, ends_of_it: tuple[str, str], words: str) -> None:
    monkeypatch.chdir(source.parent)
    Path("empty").mkdir()
    Path("in/link.png").symlink_to("a.png")
    done = here(*ends_of_it, "--annotations", "boxes.csv", *GAUSSIAN)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert all((source / name).read_bytes() == PLAIN for name in NAMES)


def test_a_pattern_in_the_current_folder_may_go_into_a_folder_of_it(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    for resumed in ("", "; 2 of all were done before"):
        done = here("*.png", "out", "--annotations", "../boxes.csv", *GAUSSIAN)
        assert (done.returncode, done.stdout) == (0, f"2 anonymised, 2 faces hidden{resumed}\n")
    assert {path.name for path in Path("out").iterdir()} == {"a.png", "b.png", "manifest.jsonl", "manifest.parquet"}


def test_a_name_that_looks_like_an_option(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    Path("--help.png").write_bytes(PLAIN)
    write_csv(Path("../b.csv"), {"--help.png": FACE})
    assert here("--annotations", "../b.csv", *GAUSSIAN, "--", "--help.png", "../one.png").returncode == 0
    assert leak(Path("../one.png").read_bytes()) == ""


def test_a_single_picture_that_is_withheld_or_in_the_way(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    write_csv(Path("none.csv"), {"a.png": ()})
    assert here("in/a.png", "x.png", "--annotations", "none.csv", *GAUSSIAN).returncode == 1
    assert not Path("x.png").exists()
    Path("x.png").write_bytes(b"mine")
    assert here("in/a.png", "x.png", "--annotations", "boxes.csv", *GAUSSIAN).returncode == 1
    assert Path("x.png").read_bytes() == b"mine"
    assert sorted(path.name for path in source.parent.iterdir()) == ["boxes.csv", "in", "none.csv", "x.png"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,x1,y1,x2,y2\na.png,,10,20,30\n", "line 2: x1 y1 x2 y2 must be four numbers"),
        ("image,x1,y1,x2,y2\na.png,1,10,20\n", "line 2: x1 y1 x2 y2 must be four numbers"),
        ("image,x1,y1,x2,y2\na.png,1,10,20,ten\n", "line 2: x1 y1 x2 y2 must be four numbers"),
        ("image;x1;y1;x2;y2\na.png;1;10;20;30\n", "has no column image"),
        ("a.png,1,10,20,30\n", "has no column image"),
        ("", "has no column image"),
        ("image,x1,y1,x2,y2\n" + "x" * 200_000 + ",1,2,3,4\n", "not readable as CSV"),
    ],
)
def test_damaged_annotations_anonymise_nothing(source: Path, content: str, words: str) -> None:
    (source.parent / "boxes.csv").write_text(content)
    done = run(source)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert not (source.parent / "out").exists()


@pytest.mark.parametrize("more", [(), ("--on-empty", "write")])
def test_annotations_of_another_folder_anonymise_nothing(source: Path, more: tuple[str, ...]) -> None:
    """With --on-empty write every picture would be written in the clear."""
    write_csv(source.parent / "boxes.csv", {f"in/{name}": FACE for name in NAMES})
    done = run(source, *more)
    assert (done.returncode, done.stdout) == (2, "")
    words = f"3 of its 3 pictures with faces are no files of {source}, in/a.png first; names are relative to that folder, correct them"
    assert done.stderr == f"error: {source.parent}/boxes.csv: {words}\n"
    assert not (source.parent / "out").exists()


def test_a_mistyped_name_in_annotations_is_told_and_is_refused_where_pictures_without_a_face_are_written(source: Path) -> None:
    write_csv(source.parent / "boxes.csv", {"a.png": FACE, "B.png": FACE, "sub/c.png": FACE, "none.png": ()})
    words = f"{source.parent}/boxes.csv: 1 of its 3 pictures with faces are no files of {source}, B.png first"
    refused = run(source, "--on-empty", "write")
    assert (refused.returncode, refused.stderr) == (2, f"error: {words}; names are relative to that folder, correct them\n")
    assert not (source.parent / "out").exists()
    done = run(source)
    assert (done.returncode, written(source), done.stdout.splitlines()[-1]) == (1, {"a.png", "sub/c.png"}, words)


def test_a_box_beside_the_picture_is_refused_though_its_margin_reaches_in(source: Path) -> None:
    x1, _, x2, _ = BOX
    write_csv(source.parent / "boxes.csv", dict.fromkeys(NAMES, ((x1, -40, x2, -1),)))
    done = run(source, "--margin", "0.5")
    assert done.returncode == 1
    assert all("lies outside the picture" in record.reason for record in ends(source).values())
    assert written(source) == set()
