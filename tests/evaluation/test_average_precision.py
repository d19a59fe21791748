import math
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dartblur.evaluation.average_precision import WiderFaceAP
from dartblur.evaluation.counting import DIFFICULTIES
from tests.evaluation.wider_reference import reference_ap

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Case = list[tuple[Floats, Floats, Bools]]


def as_counts(counts: Bools) -> torch.Tensor | dict[str, torch.Tensor]:
    """M stays M, M x 4 becomes one entry a difficulty."""
    tensor = torch.from_numpy(counts)
    return tensor if tensor.ndim == 1 else {name: tensor[:, k] for k, name in enumerate(DIFFICULTIES)}


def measure(case: Case, iou: float = 0.5, at_once: bool = True) -> dict[str, float]:
    metric = WiderFaceAP(iou)
    for group in [case] if at_once else [[picture] for picture in case]:
        found, faces, counts = zip(*group, strict=True)
        metric.update([torch.from_numpy(f) for f in found], [torch.from_numpy(f) for f in faces], [as_counts(c) for c in counts])
    return {name: float(value) for name, value in metric.compute().items()}


@st.composite
def boxes(draw: st.DrawFn, most: int) -> Floats:
    """Boxes on a coarse grid, so that overlaps of exactly 0.5, equal overlaps and copies of one box are common."""
    number = draw(st.integers(0, most))
    corners = [draw(st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(0, 5)] * 2)) for _ in range(number)]
    return np.array([[x, y, x + w, y + h] for x, y, w, h in corners], np.float64).reshape(-1, 4)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    result = []
    # Few distinct scores give ties; thousandths give scores that lie on a threshold.
    scores = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.integers(0, 1000).map(lambda k: k / 1000) | st.floats(0, 1, width=32)
    for _ in range(draw(st.integers(1, 4))):
        found, faces = draw(boxes(8)), draw(boxes(5))
        score = np.array([draw(scores) for _ in range(len(found))], np.float64).reshape(-1, 1)
        counting = draw(st.lists(st.booleans(), min_size=4 * len(faces), max_size=4 * len(faces)))
        result.append((np.hstack([found, score]), faces, np.array(counting, np.bool_).reshape(-1, 4)))
    return result


@settings(max_examples=200, deadline=None)
@given(cases(), st.sampled_from([0.3, 0.5, 0.75]), st.booleans())
def test_equals_the_plain_evaluation(case: Case, iou: float, at_once: bool) -> None:
    ours = measure(case, iou, at_once)
    found, faces, counts = (list(column) for column in zip(*case, strict=True))
    for k, name in enumerate(DIFFICULTIES):
        plain = reference_ap(found, faces, [c[:, k] for c in counts], iou)
        assert ours[name] == pytest.approx(plain, abs=1e-4, nan_ok=True), name


@settings(max_examples=30, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_order_of_detections_changes_nothing(case: Case, random: Random) -> None:
    shuffled = []
    for found, faces, counts in case:
        order = list(range(len(found)))
        random.shuffle(order)
        shuffled.append((found[order], faces, counts))
    for name, value in measure(case).items():
        assert measure(shuffled)[name] == pytest.approx(value, abs=1e-12, nan_ok=True)


def picture(detections: list[list[float]], faces: list[list[float]], counts: list[bool]) -> Case:
    return [(np.array(detections, np.float64).reshape(-1, 5), np.array(faces, np.float64).reshape(-1, 4), np.array(counts, np.bool_))]


FACE = [0.0, 0.0, 10.0, 10.0]
OTHER = [50.0, 0.0, 60.0, 10.0]


def test_no_detections_is_zero() -> None:
    assert set(measure(picture([], [FACE], [True])).values()) == {0.0}


def test_no_counted_faces_is_nan() -> None:
    assert all(math.isnan(value) for value in measure(picture([[*FACE, 0.9]], [FACE], [False])).values())
    assert all(math.isnan(value) for value in measure(picture([], [], [])).values())


def test_an_untouched_metric_is_nan() -> None:
    metric = WiderFaceAP()
    metric.update([], [], [])
    assert all(math.isnan(float(value)) for value in metric.compute().values())


def test_second_hit_is_a_false_positive() -> None:
    # Threshold by threshold: hit (1/1), duplicate (1/2), the other face (2/3). AP = 0.5 * 1 + 0.5 * 2/3.
    case = picture([[*FACE, 0.9], [*FACE, 0.8], [*OTHER, 0.7]], [FACE, OTHER], [True, True])
    assert measure(case)["all"] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_detections_of_an_ignored_face_are_neither() -> None:
    case = picture([[*FACE, 0.9], [*FACE, 0.8], [*OTHER, 0.7]], [FACE, OTHER], [False, True])
    assert measure(case)["all"] == 1.0


def test_only_the_best_annotation_is_asked() -> None:
    # The detection overlaps both by more than a half, the ignored one more: it is ignored, and the face that counts stays unfound.
    case = picture([[0, 0, 10, 10, 0.9]], [[0, 0, 10, 9.5], [0, 0, 10, 7]], [False, True])
    assert measure(case)["all"] == 0.0


def test_scores_of_any_scale() -> None:
    rng = np.random.default_rng(0)
    found = np.hstack([rng.uniform(0, 50, (40, 2)), np.zeros((40, 2)), rng.integers(0, 1025, (40, 1)) / 1024])
    found[:, 2:4] = found[:, :2] + 20
    faces = found[:10, :4] + 2
    counts = np.ones(10, np.bool_)
    scaled = found.copy()
    scaled[:, 4] = 8 * found[:, 4] - 3
    assert measure([(scaled, faces, counts)]) == measure([(found, faces, counts)])


def test_equal_scores_are_one_point_of_the_curve() -> None:
    case = picture([[*FACE, 0.3], [*OTHER, 0.3]], [FACE], [True])
    assert measure(case)["all"] == pytest.approx(0.5)


def test_float32_tensors_and_a_detector_on_a_graph() -> None:
    metric = WiderFaceAP()
    rows = torch.tensor([[*FACE, 0.9]], requires_grad=True)
    metric.update([rows], [torch.tensor([FACE])], [torch.tensor([True])])
    assert float(metric.compute()["easy"]) == 1.0
    metric.reset()
    metric.update([torch.zeros(0, 5)], [torch.tensor([FACE])], [torch.tensor([True])])
    assert float(metric.compute()["easy"]) == 0.0


@pytest.mark.parametrize(
    ("detections", "faces", "counts", "message"),
    [
        (torch.zeros(1, 4), torch.zeros(0, 4), torch.zeros(0, dtype=torch.bool), "detections must be N x 5"),
        (torch.zeros(0, 5), torch.zeros(1, 5), torch.zeros(1, dtype=torch.bool), "faces must be N x 4"),
        (torch.zeros(0, 5), torch.zeros(2, 4), torch.zeros(3, dtype=torch.bool), "counts of 2 faces"),
        (torch.full((1, 5), torch.nan), torch.zeros(0, 4), torch.zeros(0, dtype=torch.bool), "not finite"),
    ],
)
def test_bad_input_is_refused(detections: torch.Tensor, faces: torch.Tensor, counts: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WiderFaceAP().update([detections], [faces], [counts])


def test_two_processes_are_one_set() -> None:
    # What torchmetrics gathers from two processes that saw the same pictures: every state twice.
    together = WiderFaceAP(dist_sync_fn=lambda state, group=None: [state, state], distributed_available_fn=lambda: True)
    found, faces = torch.tensor([[*FACE, 0.9], [*FACE, 0.8], [*OTHER, 0.7]]), torch.tensor([FACE, OTHER])
    together.update([found], [faces], [torch.tensor([True, True])])
    assert float(together.compute()["all"]) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_lists_of_different_lengths_and_a_bad_iou_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry a picture"):
        WiderFaceAP().update([torch.zeros(0, 5)], [], [])
    with pytest.raises(ValueError, match="iou must be"):
        WiderFaceAP(0.0)


def test_lists_of_any_name() -> None:
    metric = WiderFaceAP(lists=("near", "far"))
    metric.update(
        [torch.tensor([[*FACE, 0.9]])], [torch.tensor([FACE, OTHER])], [{"far": torch.tensor([False, True]), "near": torch.tensor([True, False])}]
    )
    assert {name: float(value) for name, value in metric.compute().items()} == {"near": 1.0, "far": 0.0}
