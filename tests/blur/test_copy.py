"""Anonymised copies of a data set."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.errors import DartblurError
from dartblur.faces.boxes import mask_of
from dartblur.faces.dataset import FaceDataset, write_table
from dartblur.media.images import write_image
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from tests.blur.samples import painter
from tests.makedata import EVENT, Rows, make_wider, write_wider_list
from tests.settings import settings

COPY = Path("copy")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaceDataset:
    """Six pictures: one of them without a face, and one whose second face is ignored."""
    monkeypatch.chdir(tmp_path)
    make_wider(tmp_path / "tree", 6, size=96)
    name = f"{EVENT}/0_Drawn_0000{{}}.jpg"
    faces: dict[str, Rows] = {
        name.format(0): [(5, 5, 30, 40), (50, 10, 30, 40, 0, 0, 0, 1, 0, 0)],
        name.format(2): [],
        name.format(4): [(9, 9, 3, 2)],
    }
    write_wider_list(tmp_path / "tree/wider_face_train_bbx_gt.txt", faces)
    ingest.run(settings(data={"source": "tree"}, compute={"workers": 1}))
    return FaceDataset(CANONICAL)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("anonymiser", [Clean(), Block(), Gaussian(), painter()], ids=lambda a: str(a.name))
def test_a_copy_has_the_same_names_and_faces_and_exactly_the_anonymised_pixels(source: FaceDataset, anonymiser: Anonymizer) -> None:
    anonymize_dataset(source, COPY, anonymiser, 2)
    copy = FaceDataset(COPY)
    pd.testing.assert_frame_equal(copy.table.drop(columns=["file", "sha256"]), source.table.drop(columns=["file", "sha256"]))
    assert list(copy.table["file"]) == [f"{name}.png" for name in source.table["file"]]
    assert [p.name for p in copy.pictures()] == [p.name for p in source.pictures()]
    for picture, original in zip(copy.pictures(), source.pictures(), strict=True):
        expected = anonymiser.anonymize(source.read(original), original.boxes)
        assert np.array_equal(copy.read(picture), expected)
        digest = hashlib.sha256(copy.path(picture).read_bytes()).hexdigest()
        assert set(copy.table["sha256"][copy.table["image"] == picture.name]) == {digest}
    assert set(content(COPY)) == {f"images/{p.file}" for p in copy.pictures()} | {"annotations.parquet"}


def test_ignored_faces_are_hidden_and_the_background_of_all_copies_is_the_same(source: FaceDataset) -> None:
    anonymize_dataset(source, COPY, Block(7), 1)
    anonymize_dataset(source, Path("clean"), Clean(), 1)
    copy, clean = FaceDataset(COPY), FaceDataset(Path("clean"))
    ignored = 0
    for picture, original in zip(copy.pictures(), clean.pictures(), strict=True):
        mask = mask_of(picture.boxes, picture.width, picture.height)
        pixels = copy.read(picture)
        assert (pixels[mask] == 7).all()
        assert np.array_equal(pixels[~mask], clean.read(original)[~mask])
        ignored += int(picture.ignore.sum())
    assert ignored == 1


def test_the_bytes_do_not_depend_on_workers_or_on_what_lay_there(source: FaceDataset) -> None:
    seen = []
    for workers in (1, 3):
        (COPY / "images").mkdir(parents=True, exist_ok=True)
        (COPY / "images" / "stale.png").write_bytes(b"from an earlier run")
        anonymize_dataset(source, COPY, Gaussian(), workers)
        seen.append(content(COPY))
    assert seen[0] == seen[1]
    assert "images/stale.png" not in seen[0]


def test_pictures_that_differ_in_their_suffix_alone_stay_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    row = {"width": 8, "height": 8, "sha256": "0" * 64, "split": "train", "x1": 1.0, "y1": 1.0, "x2": 4.0, "y2": 4.0, "ignore": False}
    unknown = dict.fromkeys(("blur", "occlusion", "pose", "expression", "illumination"), -1)
    for name in ("a.png", "a.jpg"):
        write_image(tmp_path / "in/images" / name, rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    write_table(tmp_path / "in", pd.DataFrame([{**row, **unknown, "image": name, "file": name} for name in ("a.png", "a.jpg")]))
    anonymize_dataset(FaceDataset(tmp_path / "in"), tmp_path / "out", Clean(), 1)
    assert sorted(path.name for path in (tmp_path / "out/images").iterdir()) == ["a.jpg.png", "a.png.png"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_picture_that_cannot_be_read_leaves_nothing_behind(source: FaceDataset, workers: int, earlier: bool) -> None:
    if earlier:
        anonymize_dataset(source, COPY, Block(), 1)
    before = content(COPY)
    broken = source.pictures()[3]
    path = source.path(broken)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:800])
    with pytest.raises(DartblurError, match=f"^{broken.name}: .*truncated"):
        anonymize_dataset(source, COPY, Gaussian(), workers)
    assert content(COPY) == before
    assert sorted(p.name for p in Path().iterdir()) == (["copy", "data", "tree"] if earlier else ["data", "tree"])


def test_a_face_that_cannot_be_hidden_leaves_nothing_behind(source: FaceDataset) -> None:
    table = source.table.copy()
    table.loc[table["image"].str.endswith("1.jpg"), ["x1", "x2"]] = (500.0, 520.0)
    write_table(CANONICAL, table)
    with pytest.raises(DartblurError, match=r"0_Drawn_00001\.jpg: the face box .* lies outside the picture of 96 x 96 pixels"):
        anonymize_dataset(FaceDataset(CANONICAL), COPY, Gaussian(), 2)
    assert not COPY.exists()
