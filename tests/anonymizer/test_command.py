"""The commands anonymize and detect, as a user types them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from dartblur.anonymizer.command import detectors, parse_shard
from dartblur.cli import app
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import mask_of
from dartblur.faces.convert import convert
from dartblur.faces.dataset import FaceDataset
from dartblur.faces.formats import read_source
from dartblur.media.images import read_image, write_image
from tests.anonymizer.conftest import Drawn
from tests.makedata import make_wider, texture


def dartblur(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The sentence of a command that is refused as it stands."""
    result = dartblur(*arguments)
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def given(drawn: Drawn) -> list[object]:
    return ["--method", "gaussian", "--annotations", drawn.csv]


def test_a_folder(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    result = dartblur("anonymize", drawn.folder, tmp_path / "out", *given)
    assert (result.exit_code, result.output) == (0, "3 anonymised, 6 faces hidden\n")
    assert files(tmp_path / "out") == ["a.png", "b.jpg", "manifest.jsonl", "manifest.parquet", "sub/c.png"]
    table = pd.read_parquet(tmp_path / "out/manifest.parquet")
    assert table["method"].tolist() == ["gaussian 1"] * 3
    again = dartblur("anonymize", drawn.folder, tmp_path / "out", *given)
    assert again.output == "3 anonymised, 6 faces hidden; 3 of all were done before\n"


def test_with_the_learned_blur_and_a_detector(drawn: Drawn, models: Path, tmp_path: Path) -> None:
    """YuNet takes drawn faces for faces; where there is none, the picture is withheld until the user's boxes name one."""
    write_image(drawn.folder / "empty.png", texture(np.random.default_rng(0), 90, 120))
    options = ["--model", models / "unet.onnx", "--detector", "yunet", "--verify"]
    result = dartblur("anonymize", drawn.folder, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "3 anonymised, 6 faces hidden; 1 withheld, see review.txt"
    assert (tmp_path / "out/review.txt").read_text().startswith("empty.png\tno face found")
    assert not (tmp_path / "out/empty.png").exists()
    (tmp_path / "more.csv").write_text("image,x1,y1,x2,y2\nempty.png,10,10,40,50\n")
    result = dartblur("anonymize", drawn.folder, tmp_path / "out", *options, "--annotations", tmp_path / "more.csv")
    assert (result.exit_code, result.output) == (0, "4 anonymised, 7 faces hidden; 3 of all were done before\n")
    assert not (tmp_path / "out/review.txt").exists()


def test_a_single_file(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    result = dartblur("anonymize", drawn.folder / "a.png", tmp_path / "new/one.png", *given)
    assert (result.exit_code, files(tmp_path / "new")) == (0, ["one.png"])
    before, after = read_image(drawn.folder / "a.png"), read_image(tmp_path / "new/one.png")
    inside = mask_of(drawn.boxes["a.png"], 120, 120)
    assert np.array_equal(before[~inside], after[~inside])
    assert not np.array_equal(before[inside], after[inside])
    assert dartblur("anonymize", drawn.folder / "a.png", tmp_path / "new", *given).exit_code == 0
    assert files(tmp_path / "new") == ["a.png", "one.png"]


def test_a_pattern(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    result = dartblur("anonymize", f"{drawn.folder}/**/*.png", tmp_path / "out", *given)
    assert result.exit_code == 0
    assert files(tmp_path / "out") == ["a.png", "manifest.jsonl", "manifest.parquet", "sub/c.png"]


def test_a_data_set_knows_its_own_boxes(tmp_path: Path) -> None:
    convert(read_source(make_wider(tmp_path / "wider", 2)), tmp_path / "set", 0.5, 0, 1)
    result = dartblur("anonymize", tmp_path / "set", tmp_path / "out", "--method", "block")
    assert (result.exit_code, result.output) == (0, "2 anonymised, 4 faces hidden; 1 other files not copied\nannotations carried along: 1 file\n")
    made, source = FaceDataset(tmp_path / "out"), FaceDataset(tmp_path / "set")
    assert made.table.drop(columns="sha256").equals(source.table.drop(columns="sha256"))
    for picture in made.pictures():
        digest = made.table.loc[made.table["image"] == picture.name, "sha256"].iloc[0]
        assert hashlib.sha256(made.path(picture).read_bytes()).hexdigest() == digest
        assert made.read(picture)[mask_of(picture.boxes, picture.width, picture.height)].mean() < 12  # black, but for what JPEG makes of it


def test_annotations_go_along(tmp_path: Path) -> None:
    root = make_wider(tmp_path / "wider", 2)
    exif = Pillow.Exif()
    exif[0x0112] = 3
    turned = root / "images/0--Drawn/0_Drawn_00000.jpg"
    Pillow.open(turned).save(turned, exif=exif)
    result = dartblur("anonymize", root, tmp_path / "out", "--method", "block", "--annotations", root)
    assert result.exit_code == 0
    assert result.output.splitlines()[1:] == [
        "annotations carried along: 2 files",
        "  1 pictures were turned upright, images/0--Drawn/0_Drawn_00000.jpg first: their boxes are others now; --boxes writes these",
    ]
    for name in ("wider_face_train_bbx_gt.txt", "wider_face_val_bbx_gt.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (root / name).read_bytes()


def test_annotations_from_elsewhere_stay_there(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    assert dartblur("anonymize", drawn.folder, tmp_path / "out", *given).exit_code == 0
    assert drawn.csv.name not in files(tmp_path / "out")


def test_boxes_and_manifest_where_they_are_asked_for(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    options = ["--boxes", tmp_path / "b.json", "--manifest", tmp_path / "m.jsonl", "--keep", "0,0,120,120"]
    result = dartblur("anonymize", drawn.folder, tmp_path / "out", *given, *options)
    assert (result.exit_code, result.output) == (0, "3 anonymised, 0 faces hidden\n")
    assert files(tmp_path / "out") == ["a.png", "b.jpg", "sub/c.png"]
    assert (tmp_path / "m.parquet").is_file()
    assert len(json.loads((tmp_path / "b.json").read_text())["annotations"]) == 6
    assert np.array_equal(read_image(tmp_path / "out/a.png"), read_image(drawn.folder / "a.png"))


def test_shards(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    for shard in ("1/2", "2/2"):
        assert dartblur("anonymize", drawn.folder, tmp_path / "out", *given, "--shard", shard).exit_code == 0
    found = files(tmp_path / "out")
    assert [name for name in found if not name.startswith("manifest")] == ["a.png", "b.jpg", "sub/c.png"]
    assert {"manifest-1-of-2.jsonl", "manifest-2-of-2.parquet"} <= set(found)


def test_what_cannot_be_done_as_asked(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    out, picture = tmp_path / "out", drawn.folder / "a.png"
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert "no such file or folder" in refused("anonymize", tmp_path / "gone", out, *given)
    assert "nothing fits it as a pattern" in refused("anonymize", f"{drawn.folder}/*.bmp", out, *given)
    assert "give a target apart" in refused("anonymize", drawn.folder, drawn.folder / "out", *given)
    assert "give a target apart" in refused("anonymize", drawn.folder / "sub", drawn.folder, *given)
    assert "several pictures need a folder" in refused("anonymize", drawn.folder, tmp_path / "file", *given)
    assert "is the source itself" in refused("anonymize", picture, picture, *given)
    assert "must end in .png" in refused("anonymize", picture, tmp_path / "a.jpg", *given)
    assert "no detector and no annotations" in refused("anonymize", drawn.folder, out, "--detector", "none")
    assert "no such file or folder of annotations" in refused("anonymize", drawn.folder, out, "--annotations", tmp_path / "gone")
    assert "holds no file" in refused("anonymize", tmp_path / "empty", out, *given)
    assert "method swirl" in refused("anonymize", drawn.folder, out, "--method", "swirl")
    assert "detector yolo" in refused("anonymize", drawn.folder, out, "--detector", "yolo")
    assert "--shard 3/2" in refused("anonymize", drawn.folder, out, "--shard", "3/2")
    assert "--keep 1,2" in refused("anonymize", drawn.folder, out, *given, "--keep", "1,2")
    assert "boxes are written as" in refused("anonymize", drawn.folder, out, *given, "--boxes", tmp_path / "b.xml")
    assert [name for name in files(out) if not name.startswith("manifest")] == []


def test_a_manifest_that_is_none_is_left_as_it_is(drawn: Drawn, given: list[object], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.jsonl").write_text("my notes\n")
    result = dartblur("anonymize", drawn.folder, tmp_path / "out", *given)
    assert isinstance(result.exception, DartblurError)
    assert files(tmp_path / "out") == ["manifest.jsonl"]
    assert (tmp_path / "out/manifest.jsonl").read_text() == "my notes\n"


def test_detect(drawn: Drawn, tmp_path: Path) -> None:
    (drawn.folder / "cut.jpg").write_bytes((drawn.folder / "b.jpg").read_bytes()[:400])
    result = dartblur("detect", drawn.folder)
    assert result.exit_code == 1
    rows = result.stdout.splitlines()
    assert rows[0] == "image,x1,y1,x2,y2,score,from,frame,kept"
    assert [row.split(",")[0] for row in rows[1:]] == ["a.png"] * 2 + ["b.jpg"] * 2 + ["sub/c.png"] * 2
    assert "error: cut.jpg: the JPEG ends" in result.stderr
    (drawn.folder / "cut.jpg").unlink()
    result = dartblur("detect", drawn.folder, "--out", tmp_path / "b.json")
    assert (result.exit_code, result.output) == (0, f"{tmp_path / 'b.json'}: 6 faces\n")
    assert len(json.loads((tmp_path / "b.json").read_text())["images"]) == 3


def test_defaults() -> None:
    assert detectors(None, False) == ("yunet",)
    assert detectors(None, True) == ()
    assert detectors(["none"], False) == ()
    assert detectors(["mtcnn", "yunet", "mtcnn"], True) == ("mtcnn", "yunet")
    assert parse_shard("2/3") == (1, 3)
    for text in ("0/2", "3/2", "1", "a/b", "1/0", "-1/2"):
        with pytest.raises(UsageError, match="--shard"):
            parse_shard(text)
