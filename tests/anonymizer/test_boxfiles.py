"""Boxes out and boxes in: what is written is read back."""

import json
from pathlib import Path

import numpy as np
import pytest

from dartblur.anonymizer.boxfiles import parse_region, read_boxes, read_csv, write_boxes, writer_of
from dartblur.anonymizer.manifest import manifest
from dartblur.anonymizer.records import Face, Record
from dartblur.errors import DartblurError, UsageError
from dartblur.media.images import write_image
from dartblur.media.places import Folder
from tests.makedata import make_wider

FACES = (Face((1.5, 2.0, 11.25, 22.0), "yunet", 0.91234), Face((30.0, 5.0, 40.0, 15.0), "annotated", kept=True))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "m.jsonl"
    with manifest(path) as opened:
        opened.add(Record("a/one.png", "anonymised", width=64, height=48, frames=1, faces=FACES))
        opened.add(Record("two.png", "withheld", width=64, height=48, frames=1))
        opened.add(Record("broken.png", "failed"))
    return path


def test_csv(lines: Path, tmp_path: Path) -> None:
    assert write_boxes(lines, tmp_path / "b.csv") == 2
    text = (tmp_path / "b.csv").read_text()
    assert text.splitlines()[1] == "a/one.png,1.5,2,11.25,22,0.9123,yunet,0,0"
    assert read_csv(tmp_path / "b.csv")["a/one.png"].tolist() == [[1.5, 2.0, 11.25, 22.0], [30.0, 5.0, 40.0, 15.0]]


def test_coco(lines: Path, tmp_path: Path) -> None:
    assert write_boxes(lines, tmp_path / "b.json") == 2
    content = json.loads((tmp_path / "b.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a/one.png", "two.png"]
    first = content["annotations"][0]
    assert (first["bbox"], first["image_id"], first["category_id"], first["score"]) == ([1.5, 2.0, 9.75, 20.0], 1, 1, 0.9123)
    assert "score" not in content["annotations"][1]


@pytest.mark.parametrize("name", ["wider_face_val_bbx_gt.txt", "instances_val.json"])
def test_what_is_written_is_an_annotation_that_is_read(lines: Path, tmp_path: Path, name: str) -> None:
    for picture in ("a/one.png", "two.png"):
        write_image(tmp_path / "images" / picture, np.zeros((48, 64, 3), np.uint8))
    write_boxes(lines, tmp_path / name)
    found = read_boxes(tmp_path / name, Folder(tmp_path / "images"))
    assert found["a/one.png"].tolist() == [[1.5, 2.0, 11.25, 22.0], [30.0, 5.0, 40.0, 15.0]]
    assert found["two.png"].shape == (0, 4)


def test_names_are_those_of_the_source_wherever_it_begins(tmp_path: Path) -> None:
    root = make_wider(tmp_path / "set", 2)
    below = read_boxes(root, Folder(root / "images"))
    above = read_boxes(root, Folder(root))
    elsewhere = read_boxes(root, Folder(tmp_path / "copy"))
    assert set(below) == set(elsewhere)
    assert set(above) == {f"images/{name}" for name in below}
    assert all(len(boxes) == 2 for boxes in below.values())


def test_shares_become_pixels(tmp_path: Path) -> None:
    write_image(tmp_path / "images/one.png", np.zeros((40, 100, 3), np.uint8))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/one.txt").write_text("0 0.5 0.5 0.2 0.5\n")
    (tmp_path / "data.yaml").write_text("names: [face]\n")
    assert read_boxes(tmp_path, Folder(tmp_path / "images"))["one.png"] == pytest.approx(np.array([[40, 10, 60, 30]]))


def test_a_picture_without_faces_has_empty_numbers(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("image,x1,y1,x2,y2\none.png,,,,\n")
    assert {name: boxes.shape for name, boxes in read_csv(tmp_path / "b.csv").items()} == {"one.png": (0, 4)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,x,y\n", "has no column image, x1, y1, x2, y2"),
        ("image,x1,y1,x2,y2\na.png,1,2,3,wide\n", "line 2: x1 y1 x2 y2 must be four numbers"),
        ("image,x1,y1,x2,y2\na.png,1,2\n", "line 2: x1 y1 x2 y2 must be four numbers"),
    ],
)
def test_a_bad_csv_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(DartblurError, match=words):
        read_csv(tmp_path / "b.csv")


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv, \.json"):
        writer_of(tmp_path / "b.xml")
    with pytest.raises(UsageError, match="cannot be read"):
        read_csv(tmp_path / "gone.csv")
    assert parse_region("1,2,3.5,4").tolist() == [[1, 2, 3.5, 4]]
    for text in ("1,2,3", "a,b,c,d", "1,2,3,4,5", ""):
        with pytest.raises(UsageError, match="--keep"):
            parse_region(text)


def test_a_name_of_two_lines_fits_no_wider_list(tmp_path: Path) -> None:
    with manifest(tmp_path / "m.jsonl") as opened:
        opened.add(Record("a\nb.png", "anonymised", width=4, height=4, faces=FACES))
    with pytest.raises(DartblurError, match="two lines"):
        write_boxes(tmp_path / "m.jsonl", tmp_path / "b.txt")
    assert not (tmp_path / "b.txt").exists()
