"""Stage ingest: what it writes, and that bad data leave nothing behind."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.convert import held_out
from dartblur.faces.dataset import FaceDataset, read_table
from dartblur.faces.parallel import map_in_order
from dartblur.media.images import write_image
from dartblur.params import Params
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from tests.makedata import EVENT, make_wider, texture, write_wider_list
from tests.settings import settings

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "facemask_ilc"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parameters(source: str = "tree", workers: int = 2, **data: object) -> Params:
    return settings(data={"source": source, "format": "auto", **data}, compute={"workers": workers})


def test_pictures_are_copied_verbatim_and_described(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_wider(project / "tree", 6, faces=3)
    ingest.run(parameters())
    assert capsys.readouterr().out == "ingest: 6 pictures (3 train, 3 val), 18 faces\n"
    data = FaceDataset(CANONICAL)
    for picture in data.pictures():
        copied = data.path(picture).read_bytes()
        assert copied == (project / "tree" / "images" / picture.name).read_bytes()
        rows = data.table[data.table["image"] == picture.name]
        assert set(rows["sha256"]) == {hashlib.sha256(copied).hexdigest()}
        assert (picture.width, picture.height, len(picture.boxes)) == (160, 160, 3)
    assert sorted(path.name for path in Path("data").iterdir()) == ["canonical"]


def test_the_table_does_not_depend_on_workers_or_on_earlier_runs(project: Path) -> None:
    make_wider(project / "tree", 8)
    seen = set()
    for workers in (1, 4, 1):
        ingest.run(parameters(workers=workers))
        seen.add((CANONICAL / "annotations.parquet").read_bytes())
    assert len(seen) == 1


def test_boxes_are_clipped_dropped_and_counted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_wider(project / "tree", 2)
    rows = [(-5, 10, 20, 20), (150, 150, 30, 30), (3, 3, 0, 9), (10, 10, 5, 5), (900, 0, 5, 5, 0, 0, 0, 1, 0, 0)]
    write_wider_list(project / "tree" / "wider_face_train_bbx_gt.txt", {f"{EVENT}/0_Drawn_00000.jpg": rows})
    ingest.run(parameters())
    out = capsys.readouterr().out
    assert out.endswith("; boxes clipped: 2; boxes without area dropped: 1; ignored boxes outside dropped: 1\n")
    (picture,) = FaceDataset(CANONICAL).pictures("train")
    assert picture.boxes.tolist() == [[0, 10, 15, 30], [10, 10, 15, 15], [150, 150, 160, 160]]


def test_a_picture_whose_faces_are_all_dropped_stays(project: Path) -> None:
    make_wider(project / "tree", 2)
    write_wider_list(project / "tree" / "wider_face_val_bbx_gt.txt", {f"{EVENT}/0_Drawn_00001.jpg": [(3, 3, 0, 0)]})
    ingest.run(parameters())
    (picture,) = FaceDataset(CANONICAL).pictures("val")
    assert picture.boxes.shape == (0, 4)


def test_the_hold_out_depends_on_bytes_only(project: Path) -> None:
    for folder in ("one", "two"):
        for index in range(40):
            name = f"{index}.png" if folder == "one" else f"renamed/{99 - index}.png"
            write_image(project / folder / "images" / name, texture(np.random.default_rng(index), 32, 32))
        (project / folder / "labels").mkdir()
        (project / folder / "labels" / "classes.txt").write_text("face\n")
    splits = []
    for folder in ("one", "two"):
        ingest.run(parameters(folder, val_fraction=0.3))
        table = read_table(CANONICAL)
        splits.append(dict(zip(table["sha256"], table["split"], strict=True)))
    assert splits[0] == splits[1]
    assert 4 <= list(splits[0].values()).count("val") <= 20


@given(st.integers(0, 2**256 - 1), st.integers(0, 1000), st.floats(0.01, 0.5))
def test_a_larger_share_holds_out_more_of_the_same(number: int, seed: int, share: float) -> None:
    digest = f"{number:064x}"
    assert not held_out(digest, share, seed) or held_out(digest, share + 0.4, seed)
    assert held_out(digest, 1, seed) and not held_out(digest, 0, seed)


def corrupt(path: Path) -> None:
    path.write_bytes(b"no picture at all")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1500])


FIRST, SECOND = f"{EVENT}/0_Drawn_00000.jpg", f"{EVENT}/0_Drawn_00002.jpg"


@pytest.mark.parametrize(
    ("spoil", "rows", "expected"),
    [
        (corrupt, [(1, 2, 30, 30)], f"{SECOND}: not a readable picture; replace it"),
        (truncate, [(1, 2, 30, 30)], f"{SECOND}: the JPEG ends before its end marker (truncated); replace it"),
        (lambda path: path.write_bytes(b""), [(1, 2, 30, 30)], f"{SECOND}: the picture file is empty; replace it"),
        (lambda path: path.unlink(), [(1, 2, 30, 30)], "is not there; add the file or remove its annotation"),
        (None, [(200, 2, 30, 30)], "line 6: the box (200, 2, 230, 32) lies outside"),
        (None, [(float("nan"), 2, 30, 30)], "is not four finite numbers; correct or remove it"),
        (None, [(50, 2, -30, 30)], "has a negative side"),
    ],
)
@pytest.mark.parametrize("earlier", [False, True])
def test_bad_data_leave_nothing_and_mended_data_pass(project: Path, spoil: object, rows: list[list[float]], expected: str, earlier: bool) -> None:
    tree = make_wider(project / "tree", 6)
    list_path = tree / "wider_face_train_bbx_gt.txt"
    before = None
    if earlier:
        ingest.run(parameters())
        before = (CANONICAL / "annotations.parquet").read_bytes()
    if callable(spoil):
        spoil(tree / "images" / SECOND)
    write_wider_list(list_path, {FIRST: [(1, 2, 30, 30)], SECOND: rows})
    with pytest.raises(DartblurError) as caught:
        ingest.run(parameters())
    assert not isinstance(caught.value, UsageError)
    message = str(caught.value)
    assert expected in message and "\n" not in message and SECOND in message
    if before is None:
        assert not list(Path("data").glob("*")) if Path("data").exists() else True
    else:
        assert (CANONICAL / "annotations.parquet").read_bytes() == before
        assert [path.name for path in Path("data").iterdir()] == ["canonical"]
    make_wider(tree, 6)
    ingest.run(parameters())
    assert len(FaceDataset(CANONICAL).pictures()) == 6


def test_the_first_bad_picture_is_named_whatever_the_workers(project: Path) -> None:
    tree = make_wider(project / "tree", 12)
    for path in sorted((tree / "images" / EVENT).iterdir())[3:]:
        corrupt(path)
    for workers in (1, 4):
        with pytest.raises(DartblurError, match="0_Drawn_00003"):
            ingest.run(parameters(workers=workers))


def test_an_annotation_of_another_size_is_refused(project: Path) -> None:
    write_image(project / "tree" / "images" / "a.png", texture(np.random.default_rng(0), 40, 60))
    content = '{"images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 60}], "annotations": []}'
    (project / "tree" / "faces.json").write_text(content)
    with pytest.raises(DartblurError, match=r"images\[0\]: says 40 x 60 pixels, but tree/images/a.png has 60 x 40 as stored"):
        ingest.run(parameters())


def test_bad_usage(project: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        ingest.run(parameters("nowhere"))
    (project / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no annotations of a known format"):
        ingest.run(parameters("empty"))
    assert not Path("data").exists()


def test_a_long_job_shows_a_bar_and_a_short_one_does_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert map_in_order(abs, [-2, -1], 2, "short") == [2, 1]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("dartblur.faces.parallel._QUIET_SECONDS", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert map_in_order(abs, [-2, -1], 2, "long") == [2, 1]
    assert "long" in capsys.readouterr().err


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs of facemask_ilc are not beside this checkout")
def test_real_photographs() -> None:
    ingest.run(parameters(str(PHOTOGRAPHS)))
    data = FaceDataset(CANONICAL)
    assert len(data.pictures()) == 764
    assert sum(len(picture.boxes) for picture in data.pictures()) == 3125
