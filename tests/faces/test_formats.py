"""Every layout gives the same records; every bad record gives one sentence that names file, record and remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.convert import convert
from dartblur.faces.dataset import FaceDataset
from dartblur.faces.formats import READERS, detect_format, read_source
from dartblur.faces.formats.records import face_classes, safe_name, split_of
from dartblur.media.images import write_image
from tests.makedata import make_wider, texture, write_wider_list

WIDTH, HEIGHT = 100, 80
BOX = (10.0, 20.0, 40.0, 60.0)
"""x1 y1 x2 y2 of the one face that every picture of these trees has."""


def picture(path: Path) -> Path:
    write_image(path, texture(np.random.default_rng(len(str(path))), HEIGHT, WIDTH))
    return path


def wider(root: Path) -> None:
    for split in ("train", "val"):
        picture(root / "images" / "0--Event" / f"{split}.jpg")
        write_wider_list(root / f"wider_face_{split}_bbx_gt.txt", {f"0--Event/{split}.jpg": [(10, 20, 30, 40)]})


def wider_official(root: Path) -> None:
    for split in ("train", "val"):
        picture(root / f"WIDER_{split}" / "images" / "0--Event" / f"{split}.jpg")
        write_wider_list(root / "wider_face_split" / f"wider_face_{split}_bbx_gt.txt", {f"0--Event/{split}.jpg": [(10, 20, 30, 40)]})


def coco_content(name: str, **annotation: object) -> dict[str, list[dict[str, object]]]:
    return {
        "images": [{"id": 7, "file_name": name, "width": WIDTH, "height": HEIGHT}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0, **annotation}],
        "categories": [{"id": 3, "name": "face"}, {"id": 4, "name": "dog"}],
    }


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def coco(root: Path) -> None:
    for split in ("train", "val"):
        picture(root / "images" / f"{split}2017" / "a.jpg")
        write(root / "annotations" / f"instances_{split}2017.json", coco_content("a.jpg"))
        write(root / "annotations" / f"captions_{split}2017.json", {"images": [], "annotations": []})


def coco_folder_a_split(root: Path) -> None:
    for split in ("train", "valid"):
        picture(root / split / "a.jpg")
        write(root / split / "_annotations.coco.json", coco_content("a.jpg"))


def yolo(root: Path) -> None:
    for split in ("train", "val"):
        picture(root / "images" / split / "a.jpg")
        write(root / "labels" / split / "a.txt", "0 0.25 0.5 0.3 0.5\n")
    write(root / "data.yaml", "names: [face, dog]\n")


def yolo_outside(root: Path) -> None:
    for split in ("train", "valid"):
        picture(root / split / "images" / "a.jpg")
        write(root / split / "labels" / "a.txt", "0 0.25 0.5 0.3 0.5\n")


def voc_xml(name: str, corners: tuple[float, float, float, float] = (11, 21, 40, 60), extra: str = "") -> str:
    bounds = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    return f"<annotation><filename>{name}</filename>{size}<object><name>face</name>{extra}<bndbox>{bounds}</bndbox></object></annotation>"


def voc(root: Path) -> None:
    for split in ("train", "val"):
        picture(root / "JPEGImages" / f"{split}.jpg")
        write(root / "Annotations" / f"{split}.xml", voc_xml(f"{split}.jpg"))
        write(root / "ImageSets" / "Main" / f"{split}.txt", f"{split}\n")


def canonical(root: Path) -> None:
    tree = root.parent / "before"
    wider(tree)
    convert(read_source(tree), root, 0.2, 0, 1)


TREES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "wider": ("wider", wider),
    "wider official": ("wider", wider_official),
    "coco": ("coco", coco),
    "coco, a folder a split": ("coco", coco_folder_a_split),
    "yolo": ("yolo", yolo),
    "yolo, split outside": ("yolo", yolo_outside),
    "voc": ("voc", voc),
    "canonical": ("canonical", canonical),
}


@pytest.mark.parametrize("tree", TREES)
def test_every_layout_is_detected_and_gives_the_same_boxes(tree: str, tmp_path: Path) -> None:
    name, make = TREES[tree]
    make(tmp_path / "data")
    assert detect_format(tmp_path / "data") == name
    source = read_source(tmp_path / "data")
    assert sorted(str(item.split) for item in source.pictures) == ["train", "val"]
    for item in source.pictures:
        assert item.path.is_file()
        (face,) = item.faces
        scale = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]) if item.relative else 1
        assert np.allclose(np.array(face.box) * scale, BOX)
        assert not face.ignore
        assert not item.name.startswith("images/")
    convert(source, tmp_path / "made", 0.2, 0, 1)
    made = FaceDataset(tmp_path / "made").pictures()
    assert [item.boxes.round(6).tolist() for item in made] == [[list(BOX)]] * 2


def test_the_registry_holds_every_format_of_the_parameters() -> None:
    assert set(READERS) == {"wider", "coco", "yolo", "voc", "canonical"}
    assert all(reader.LAYOUT for reader in READERS.values())


def test_wider_attributes_invalid_and_pictures_without_faces(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / "images" / f"{name}.jpg")
    text = "a.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \nb.jpg\n2\n1 2 3 4 2 1 1 1 2 1 \n5 6 7 8\nc.jpg\n0\n"
    write(tmp_path / "wider_face_train_bbx_gt.txt", text)
    first, second, third = read_source(tmp_path).pictures
    assert first.faces == third.faces == ()
    assert second.faces[0].ignore
    assert second.faces[0].attributes == {"blur": 2, "expression": 1, "illumination": 1, "occlusion": 2, "pose": 1}
    assert second.faces[1].attributes == {} and not second.faces[1].ignore


def test_coco_keeps_crowd_and_attributes_and_leaves_other_classes_out(tmp_path: Path) -> None:
    content = coco_content("a.jpg", iscrowd=1, attributes={"blur": 2, "colour": "red"})
    content["annotations"].append({"image_id": 7, "category_id": 4, "bbox": [1, 1, 5, 5]})
    write(tmp_path / "faces.json", content)
    picture(tmp_path / "images" / "a.jpg")
    source = read_source(tmp_path)
    (item,) = source.pictures
    assert item.split is None and item.size == (WIDTH, HEIGHT)
    assert [(face.ignore, dict(face.attributes)) for face in item.faces] == [(True, {"blur": 2})]
    assert source.notes == {"boxes of other classes left out": 1}


def test_yolo_without_split_or_label_file(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.png")
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "labels" / "a.txt", "1 0.5 0.5 0.1 0.1\n")
    source = read_source(tmp_path)
    assert [(item.name, item.split, len(item.faces)) for item in source.pictures] == [("a.jpg", None, 1), ("a.png", None, 1), ("b.png", None, 0)]
    assert source.notes == {"pictures without a label file": 1}


def test_a_test_split_is_left_out(tmp_path: Path) -> None:
    yolo(tmp_path)
    picture(tmp_path / "images" / "test" / "a.jpg")
    source = read_source(tmp_path)
    assert {item.split for item in source.pictures} == {"train", "val"}
    assert source.notes["pictures of a test split left out"] == 1


def test_voc_difficult_occluded_and_corners_at_the_border(tmp_path: Path) -> None:
    voc(tmp_path)
    write(tmp_path / "Annotations" / "val.xml", voc_xml("val.jpg", (1, 0, WIDTH, HEIGHT), "<difficult>1</difficult><occluded>1</occluded>"))
    face = read_source(tmp_path).pictures[1].faces[0]
    assert face.box == (0, 0, WIDTH, HEIGHT)
    assert face.ignore and face.attributes == {"occlusion": 1}


def test_canonical_round_trip_keeps_everything(tmp_path: Path) -> None:
    picture(tmp_path / "tree" / "images" / "a.jpg")
    write(tmp_path / "tree" / "wider_face_val_bbx_gt.txt", "a.jpg\n1\n1 2 30 40 2 1 1 1 2 1\n")
    convert(read_source(tmp_path / "tree"), tmp_path / "one", 0.2, 0, 1)
    convert(read_source(tmp_path / "one"), tmp_path / "two", 0.5, 1, 1)
    assert (tmp_path / "one" / "annotations.parquet").read_bytes() == (tmp_path / "two" / "annotations.parquet").read_bytes()


def cells(*items: object) -> npt.NDArray[np.object_]:
    """A cell array as MATLAB writes it, N x 1."""
    array = np.empty((len(items), 1), object)
    for place, item in enumerate(items):
        array[place, 0] = item
    return array


def write_official(folder: Path, **changes: object) -> None:
    """The lists of the evaluation tool, for a validation split of two events; ``easy`` has one face, ``medium`` two, ``hard`` three."""
    folder.mkdir(parents=True, exist_ok=True)
    boxes = cells(cells(np.array([[10, 20, 30, 40], [50, 20, 30, 40], [60, 5, 3, 4]]), np.array([[1, 2, 3, 4]])), cells(np.zeros((1, 4))))
    tree = {"event_list": cells("0--Event", "1--Other"), "file_list": cells(cells("val", "more"), cells("none")), "face_bbx_list": boxes}
    for name, numbers in (("easy", [[1]]), ("medium", [[1], [2]]), ("hard", [[1], [2], [3]])):
        lists = cells(cells(np.array(numbers), np.array([[1]]) if name == "hard" else np.zeros((0, 0))), cells(np.zeros((0, 0))))
        savemat(folder / f"wider_{name}_val.mat", {**tree, "gt_list": lists, **changes})


def wider_with_official(root: Path) -> None:
    wider(root)
    for name in ("0--Event/more.jpg", "1--Other/none.jpg"):
        picture(root / "images" / name)
    three = [(10, 20, 30, 40), (50, 20, 30, 40), (60, 5, 3, 4)]
    write_wider_list(root / "wider_face_val_bbx_gt.txt", {"0--Event/val.jpg": three, "0--Event/more.jpg": [(1, 2, 3, 4)], "1--Other/none.jpg": []})


@pytest.mark.parametrize("place", ["", "eval_tools/ground_truth"])
def test_official_lists_of_wider_reach_the_data_set(place: str, tmp_path: Path) -> None:
    wider_with_official(tmp_path / "tree")
    write_official(tmp_path / "tree" / place)
    convert(read_source(tmp_path / "tree"), tmp_path / "one", 0.2, 0, 1)
    convert(read_source(tmp_path / "one"), tmp_path / "two", 0.2, 0, 1)
    for root in ("one", "two"):
        found = {item.name: {name: flags.tolist() for name, flags in item.official.items()} for item in FaceDataset(tmp_path / root).pictures()}
        # The table has the faces of a picture from top to bottom: the third of the list comes first.
        assert found["0--Event/val.jpg"] == {"easy": [False, True, False], "medium": [False, True, True], "hard": [True, True, True]}
        assert found["0--Event/more.jpg"] == {"easy": [False], "medium": [False], "hard": [True]}
        assert found["0--Event/train.jpg"] == {"easy": [False], "medium": [False], "hard": [False]}
        assert found["1--Other/none.jpg"] == {"easy": [], "medium": [], "hard": []}


def test_without_official_lists_no_face_is_on_one(tmp_path: Path) -> None:
    wider(tmp_path / "tree")
    convert(read_source(tmp_path / "tree"), tmp_path / "one", 0.2, 0, 1)
    assert all(item.official == {} for item in FaceDataset(tmp_path / "one").pictures())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file_list": cells(cells("other", "more"), cells("none"))}, "does not name 0--Event/val.jpg"),
        (
            {"face_bbx_list": cells(cells(np.full((3, 4), 9), np.array([[1, 2, 3, 4]])), cells(np.zeros((1, 4))))},
            "has other boxes of 0--Event/val.jpg",
        ),
        ({"gt_list": cells(cells(np.array([[4]]), np.zeros((0, 0))), cells(np.zeros((0, 0))))}, "has other boxes of 0--Event/val.jpg"),
        ({"gt_list": cells(cells(np.array([[0]]), np.zeros((0, 0))), cells(np.zeros((0, 0))))}, "a number below 1"),
        ({"gt_list": cells(np.zeros((0, 0)))}, "not a list of WIDER FACE's evaluation tool"),
        ({"gt_list": np.ones(3)}, "a cell array is missing"),
    ],
)
def test_official_lists_of_something_else_are_refused(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    wider_with_official(tmp_path)
    write_official(tmp_path, **changes)
    with pytest.raises(DartblurError, match=words):
        read_source(tmp_path)


def test_official_lists_that_are_broken_or_not_all_there(tmp_path: Path) -> None:
    wider_with_official(tmp_path)
    write_official(tmp_path)
    (tmp_path / "wider_easy_val.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(DartblurError, match=r"wider_easy_val\.mat: not a list of WIDER FACE's evaluation tool"):
        read_source(tmp_path)
    (tmp_path / "wider_easy_val.mat").unlink()
    with pytest.raises(DartblurError, match=r"has wider_medium_val\.mat and lacks wider_easy_val\.mat; add that"):
        read_source(tmp_path)


BAD: dict[str, tuple[Callable[[Path], None], dict[str, object], str]] = {
    "wider: count is no number": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n1 2 3 4\n"}, "line 2: expected the number of faces"),
    "wider: count too large": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n2\n1 2 3 4\n"}, "ends before the last face"),
    "wider: count too small": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n1\n1 2 3 4\n1 2 3 4\n"}, "line 5: expected the number"),
    "wider: no number": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n1\n1 2 x 4\n"}, "line 3: expected a number, found 'x'"),
    "wider: attribute": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n1\n1 2 3 4 .5 0 0 0 0 0\n"}, "not a whole number"),
    "wider: columns": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/val.jpg\n1\n1 2 3 4 5\n"}, "4 or 10 numbers"),
    "wider: split": (wider, {"wider_face_x_bbx_gt.txt": ""}, "says no split"),
    "wider: file missing": (wider, {"wider_face_val_bbx_gt.txt": "gone.jpg\n0\n"}, "is not there; add the file"),
    "wider: outside": (wider, {"wider_face_val_bbx_gt.txt": "../../x.jpg\n0\n"}, "not a plain path"),
    "wider: in both": (wider, {"wider_face_val_bbx_gt.txt": "0--Event/train.jpg\n0\n"}, "is also annotated at"),
    "wider: not text": (wider, {"wider_face_val_bbx_gt.txt": b"\xff\xfe\xff"}, "not UTF-8 text"),
    "wider: no pictures": (wider, {"wider_face_val_bbx_gt.txt": "", "wider_face_train_bbx_gt.txt": ""}, "name no picture"),
    "coco: syntax": (coco, {"annotations/instances_val2017.json": '{"images": ['}, "the file: Invalid JSON"),
    "coco: nan": (
        coco,
        {"annotations/instances_val2017.json": json.dumps(coco_content("a.jpg", bbox=[1, 2, float("nan"), 4]))},
        "annotations[0].bbox[2]: Input should be a finite number",
    ),
    "coco: no picture": (coco, {"annotations/instances_val2017.json": coco_content("a.jpg", image_id=9)}, "image_id 9 is no picture"),
    "coco: no category": (coco, {"annotations/instances_val2017.json": coco_content("a.jpg", category_id=9)}, "category_id 9 is no category"),
    "coco: climbs out": (coco, {"annotations/instances_val2017.json": coco_content("../../a.jpg")}, "not a plain path"),
    "coco: absolute": (coco, {"annotations/instances_val2017.json": coco_content("/etc/a.jpg")}, "not a plain path"),
    "coco: some in no split": (coco, {"annotations/instances_more.json": coco_content("train2017/a.jpg")}, "is in no split while others are"),
    "yolo: polygon": (yolo, {"labels/val/a.txt": "0 .1 .1 .2 .2 .3 .3\n"}, "line 1: expected class cx cy w h"),
    "yolo: pixels": (yolo, {"labels/val/a.txt": "0 50 40 20 20\n"}, "not in shares of the picture"),
    "yolo: label alone": (yolo, {"labels/val/b.txt": "0 .5 .5 .1 .1\n"}, "no picture of that name"),
    "yolo: classes": (yolo, {"data.yaml": "names: {0: cat, 1: dog}\n"}, "none of the classes cat, dog has 'face'"),
    "yolo: yaml": (yolo, {"data.yaml": "names: [a\n"}, "not readable as YAML"),
    "voc: syntax": (voc, {"Annotations/val.xml": "<annotation>"}, "not readable as XML"),
    "voc: entities": (
        voc,
        {"Annotations/val.xml": '<!DOCTYPE a [<!ENTITY b "c">]><annotation><filename>&b;</filename></annotation>'},
        "declares entities or a DTD",
    ),
    "voc: climbs out": (voc, {"Annotations/val.xml": voc_xml("../val.jpg")}, "not a plain path"),
    "voc: no file name": (voc, {"Annotations/val.xml": "<annotation/>"}, "<annotation> lacks <filename>"),
    "voc: no box": (voc, {"Annotations/val.xml": voc_xml("val.jpg").replace("bndbox", "box")}, "object 1: lacks <bndbox>"),
    "voc: list names nothing": (voc, {"ImageSets/Main/val.txt": "other\n"}, "has no xml"),
    "voc: in both lists": (voc, {"ImageSets/Main/val.txt": "val\ntrain\n"}, "keep one of the two"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_named_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, files, expected = BAD[case]
    make(tmp_path)
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            write(tmp_path / name, content)
    with pytest.raises(DartblurError) as caught:
        read_source(tmp_path, case.partition(":")[0])
    message = str(caught.value)
    assert not isinstance(caught.value, UsageError)
    assert expected in message
    assert message.startswith(str(tmp_path)) and "\n" not in message and ";" in message


def test_bad_usage_is_told_apart_from_bad_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such folder; set data\.source"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no annotations of a known format; arrange"):
        read_source(tmp_path)
    wider(tmp_path)
    with pytest.raises(UsageError, match=r"data\.format: pascal is unknown; choose"):
        read_source(tmp_path, "pascal")
    with pytest.raises(UsageError, match="not in the format coco"):
        read_source(tmp_path, "coco")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        read_source(tmp_path / "wider_face_val_bbx_gt.txt")
    voc(tmp_path)
    with pytest.raises(UsageError, match=r"several formats \(wider, voc\); set data.format"):
        detect_format(tmp_path)
    assert len(read_source(tmp_path, "voc").pictures) == 2


def test_other_json_files_are_no_coco(tmp_path: Path) -> None:
    wider(tmp_path)
    write(tmp_path / "info.json", {"name": "x"})
    write(tmp_path / "empty.json", "")
    assert detect_format(tmp_path) == "wider"


@pytest.mark.parametrize("name", ["", ".", "/a.jpg", "a/../../b.jpg", "..\\b.jpg", "C:\\b.jpg", "a\x00.jpg"])
def test_names_that_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(DartblurError, match="not a plain path"):
        safe_name(name, "list, line 1")


def test_small_rules() -> None:
    assert safe_name("a\\b.jpg", "x") == "a/b.jpg"
    assert [split_of(text) for text in ("instances_train2017", "valid", "VAL", "test-dev", "retrain", "other")] == [
        "train", "val", "val", "test", None, None]  # fmt: skip
    assert face_classes(["Face_mask", "face", "dog"], "x") == {"Face_mask", "face"}
    assert face_classes(["person"], "x") == {"person"}
    assert face_classes([], "x") == set()


def test_drawn_data_are_the_same_every_time(tmp_path: Path) -> None:
    one, two = make_wider(tmp_path / "one", 4, faces=3), make_wider(tmp_path / "two", 4, faces=3)
    files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
    assert len(files) == 6
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    assert [len(item.faces) for item in read_source(one).pictures] == [3] * 4
