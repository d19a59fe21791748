"""The canonical data set on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.convert import convert
from dartblur.faces.dataset import COLUMNS, TRUTH, FaceDataset, read_table, write_table
from dartblur.faces.formats import read_source
from tests.makedata import make_wider, write_wider_list


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tree = make_wider(tmp_path / "tree", 6)
    names = sorted(path.relative_to(tree / "images").as_posix() for path in (tree / "images").rglob("*.jpg"))
    # the last train picture has no face, its first one two, of which one is ignored
    write_wider_list(
        tree / "wider_face_train_bbx_gt.txt",
        {names[0]: [(50, 40, 30, 30), (5, 6, 20, 30, 0, 0, 0, 1, 0, 0)], names[2]: [(1, 2, 3, 4)], names[4]: []},
    )
    convert(read_source(tree), tmp_path / "data", 0.2, 0, 1)
    return tmp_path / "data"


def test_pictures_faces_and_pixels(root: Path) -> None:
    data = FaceDataset(root)
    train, val = data.pictures("train"), data.pictures("val")
    assert [len(picture.boxes) for picture in train] == [2, 1, 0]
    assert [picture.name for picture in train] == sorted(picture.name for picture in train)
    assert data.pictures() == [*train, *val] and data.pictures("test") == []
    assert train[0].ignore.tolist() == [True, False]  # rows are in the order of y
    assert train[0].boxes.tolist() == [[5, 6, 25, 36], [50, 40, 80, 70]]
    assert train[2].boxes.shape == (0, 4) and train[2].ignore.shape == (0,)
    pixels = data.read(val[0])
    assert pixels.shape == (val[0].height, val[0].width, 3) and pixels.dtype == np.uint8
    assert data.path(val[0]).is_file()


def test_the_same_rows_in_any_order_are_the_same_bytes(root: Path, tmp_path: Path) -> None:
    table = read_table(root)
    shuffled = table.sample(frac=1, random_state=3)[sorted(COLUMNS)]
    write_table(tmp_path / "again", shuffled)
    assert (tmp_path / "again" / "annotations.parquet").read_bytes() == (root / "annotations.parquet").read_bytes()
    pd.testing.assert_frame_equal(read_table(tmp_path / "again"), table)


def test_a_missing_broken_or_short_table_is_named(root: Path) -> None:
    with pytest.raises(UsageError, match="no canonical data set there; make one with `dartblur ingest`"):
        FaceDataset(root / "images")
    path = root / "annotations.parquet"
    read_table(root).drop(columns=["blur", "x1"]).to_parquet(path)
    with pytest.raises(DartblurError, match="lacks the columns x1, blur; ingest the source again"):
        read_table(root)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DartblurError, match="not readable as parquet"):
        read_table(root)


def test_what_only_synthetic_sources_know_is_kept_where_it_is(root: Path, tmp_path: Path) -> None:
    plain = read_table(root)
    assert list(plain.columns) == list(COLUMNS)
    faces = plain["x1"].notna()
    known = plain.assign(nose_x=np.where(faces, 3.5, np.nan), identity=faces.map({True: "p001", False: None}), visible=0.5, colour="red")
    write_table(root, known)
    table = read_table(root)
    assert list(table.columns) == [*COLUMNS, "identity", "visible", "nose_x"]  # in their order, and nothing unheard of
    assert table["identity"].tolist() == ["p001" if face else "" for face in faces]
    convert(read_source(root), tmp_path / "again", 0.2, 0, 1)
    again = read_table(tmp_path / "again")
    pd.testing.assert_frame_equal(again[faces], table[faces])
    assert again.loc[~faces, ["visible", "nose_x"]].isna().all(axis=None)
    assert len(TRUTH) == 14


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("role", "extra", "the role 'extra' is neither gallery nor probe"), ("visible", 1.5, "the visible share 1.5 is not between 0 and 1")],
)
def test_truth_that_there_is_not_is_refused(root: Path, column: str, value: str | float, words: str) -> None:
    write_table(root, read_table(root).assign(**{column: value}))
    with pytest.raises(DartblurError, match=words):
        read_source(root)


def test_truth_of_another_type_is_named(root: Path) -> None:
    read_table(root).assign(visible="much").to_parquet(root / "annotations.parquet")
    with pytest.raises(DartblurError, match=r"a column has another type than it should .*much"):
        read_table(root)
