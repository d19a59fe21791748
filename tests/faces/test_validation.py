"""Each check fires on the fault it is there for, and on nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image as PillowImage

from dartblur.errors import DartblurError
from dartblur.faces.convert import convert
from dartblur.faces.dataset import TABLE, read_table, write_table
from dartblur.faces.formats import read_source
from dartblur.faces.validation import Validation, checks, validate
from dartblur.params import ValidationParams
from tests.makedata import EVENT, make_wider

BOUNDS = ValidationParams(min_images=4, min_faces=8, small_face_share=0.5, max_faces_per_image=5)
TRAIN, OTHER, VAL = (f"{EVENT}/0_Drawn_0000{index}.jpg" for index in (0, 2, 1))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validation")
    convert(read_source(make_wider(folder / "tree", 8)), folder / "data", 0.2, 0, 1)
    return folder / "data"


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))


def failing(result: Validation, severity: str = "critical") -> dict[str, int]:
    return {outcome.check.name: len(outcome.rows) for outcome in result.outcomes if not outcome.success and outcome.check.severity == severity}


def test_sound_data_pass_and_the_report_repeats(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    first, second = (validate(root, BOUNDS, workers).as_dict() for workers in (1, 3))
    assert first == second
    assert first["success"] and all(check["success"] and check["examples"] == [] for check in first["checks"])
    assert [check["name"] for check in first["checks"]] == sorted(check.name for check in checks(BOUNDS))
    assert first["facts"]["pictures"] == {"train": 4, "val": 4} and first["facts"]["faces"] == {"train": 8, "val": 8}
    assert 24 <= first["facts"]["height_quantiles"]["0"] <= first["facts"]["height_quantiles"]["1"] <= 70
    assert list(Path().iterdir()) == []  # no gx folder
    assert capfd.readouterr() == ("", "")


def test_every_check_names_itself_severity_and_remedy() -> None:
    listed = checks(BOUNDS)
    assert len({check.name for check in listed}) == len(listed)
    assert {check.severity for check in listed} == {"critical", "warning"}
    assert all(check.remedy and check.what for check in listed)


def change(column: str | list[str], value: float | str, image: str = TRAIN, rows: int = 1) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def spoil(table: pd.DataFrame) -> pd.DataFrame:
        index = table.index[table["image"] == image][:rows]
        for name in [column] if isinstance(column, str) else column:
            table.loc[index, name] = value
        return table

    return spoil


def repeat_row(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.head(1)])


def empty_boxes_of_val(table: pd.DataFrame) -> pd.DataFrame:
    table = table[(table["split"] == "train") | ~table.duplicated("image")].copy()
    table.loc[table["split"] == "val", ["x1", "y1", "x2", "y2"]] = np.nan
    table.loc[table["split"] == "val", ["blur", "occlusion", "pose", "expression", "illumination"]] = -1
    return table


TABLE_FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, int], dict[str, int]]] = {
    "empty split": (lambda table: table[table["split"] == "train"], {"enough_images": 1, "enough_faces": 1}, {}),
    "split without faces": (empty_boxes_of_val, {"enough_faces": 1}, {}),
    "unknown split": (change("split", "test", rows=2), {"split_vocabulary": 2, "enough_images": 1, "enough_faces": 1}, {}),
    "NaN box": (change("x1", np.nan), {"box_finite": 1, "enough_faces": 1}, {}),
    "all corners NaN beside a face": (change(["x1", "y1", "x2", "y2"], np.nan), {"box_finite": 1, "enough_faces": 1}, {}),
    "no width": (change("x2", 0.0, rows=2), {"box_width_positive": 2}, {}),
    "no height": (change("y2", 0.0), {"box_height_positive": 1}, {}),
    "outside": (change("x2", 161.0), {"box_inside_image": 1}, {}),
    "negative": (change("y1", -0.5), {"box_inside_image": 1}, {}),
    "blur": (change("blur", 3), {"blur_vocabulary": 1}, {}),
    "pose": (change("pose", -2), {"pose_vocabulary": 1}, {}),
    "size": (change("width", 161, rows=2), {"image_width": 1}, {}),
    "height": (change("height", 161, rows=2), {"image_height": 1}, {}),
    "hash": (change("sha256", "0" * 64, rows=2), {"image_bytes": 1}, {}),
    "annotated twice": (repeat_row, {}, {"box_unique": 2}),
    "too many faces": (lambda table: pd.concat([table, *[table.head(1)] * 4]), {"faces_per_image": 1}, {"box_unique": 5}),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_fault_of_the_table_is_found(fault: str, root: Path) -> None:
    spoil, critical, warning = TABLE_FAULTS[fault]
    write_table(root, spoil(read_table(root)))
    result = validate(root, BOUNDS, 1)
    found = failing(result)
    # A face without height is also a very low one.
    warned = {name: count for name, count in failing(result, "warning").items() if name != "face_height"}
    assert (found, warned) == (critical, warning)
    assert result.as_dict()["success"] == (not critical)


def test_faults_of_the_files_are_found(root: Path) -> None:
    folder = root / "images"
    (folder / TRAIN).write_bytes((folder / TRAIN).read_bytes()[:900])
    (folder / OTHER).unlink()
    result = validate(root, BOUNDS, 2)
    assert failing(result) == {"image_readable": 2, "image_bytes": 1}
    (readable,) = (outcome for outcome in result.failures if outcome.check.name == "image_readable")
    assert readable.rows[0] == (TRAIN, "the file: the JPEG ends before its end marker (truncated)")
    assert readable.rows[1] == (OTHER, "cannot be read (No such file or directory)")


def test_the_same_picture_in_both_splits_is_critical_and_within_one_a_warning(root: Path) -> None:
    table = read_table(root)
    for copy in (OTHER, VAL):
        (root / "images" / copy).write_bytes((root / "images" / TRAIN).read_bytes())
        table.loc[table["image"] == copy, "sha256"] = table.loc[table["image"] == TRAIN, "sha256"].iloc[0]
    write_table(root, table)
    result = validate(root, BOUNDS, 1)
    assert failing(result) == {"no_duplicate_across_splits": 3}
    assert failing(result, "warning") == {"no_duplicate_within_split": 1}
    assert (VAL, f"the same bytes as {TRAIN} of the other split") in result.failures[0].rows


def test_an_exif_orientation_is_a_warning(root: Path, tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    with PillowImage.open(root / "images" / TRAIN) as picture:
        picture.save(tmp_path / "tagged.jpg", exif=exif)
    table = read_table(root)
    (root / "images" / TRAIN).write_bytes((tmp_path / "tagged.jpg").read_bytes())
    write_table(root, table)
    result = validate(root, BOUNDS, 1)
    assert failing(result, "warning") == {"exif_orientation": 1}
    assert result.warnings[0].rows[0][1].startswith("the EXIF orientation is 6")


def test_small_faces_are_warnings(root: Path) -> None:
    table = read_table(root)
    table["y2"] = table["y1"] + 2
    write_table(root, table)
    result = validate(root, BOUNDS, 1)
    assert failing(result) == {}
    assert failing(result, "warning") == {"face_height": 16, "share_of_small_faces": 16}


def test_a_column_of_the_wrong_type_is_named(root: Path) -> None:
    table = read_table(root)
    table["blur"] = "clear"
    table.to_parquet(root / TABLE)
    with pytest.raises(DartblurError, match=r"another type than it should .*; ingest the source again"):
        validate(root, BOUNDS, 1)


def test_a_check_that_cannot_run_is_no_success(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(checks(BOUNDS)[0], arguments={"column": "nowhere", "value_set": []})
    monkeypatch.setattr("dartblur.faces.validation.checks", lambda params: [broken])
    with pytest.raises(DartblurError, match=r"the check split_vocabulary cannot be run .*nowhere"):
        validate(root, BOUNDS, 1)


def test_data_docs_open_without_a_network(root: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    for _ in range(2):
        validate(root, BOUNDS, 1, docs)
    pages = sorted(path.relative_to(docs).parts[0] for path in docs.rglob("*.html"))
    assert pages == ["expectations"] * 3 + ["index.html"] + ["validations"] * 3
    for page in docs.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and "<link" not in text and "src=" not in text and "url(http" not in text
