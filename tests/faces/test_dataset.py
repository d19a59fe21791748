"""The canonical data set on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.convert import convert
from dartblur.faces.dataset import COLUMNS, FaceDataset, read_table, write_table
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
