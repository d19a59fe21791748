from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.detections import Detections, suppress
from dartblur.faces.boxes import Boxes

PICTURE = np.zeros((30, 40, 3), np.uint8)


def test_answers_are_sorted_cut_and_never_empty() -> None:
    found = Detections.of([[1, 1, 5, 5], [-4, 10, 8, 50], [41, 2, 60, 9], [7, 7, 7, 9]], [0.2, 0.9, 0.8, 0.7], PICTURE)
    np.testing.assert_array_equal(found.boxes, [[0, 10, 8, 30], [1, 1, 5, 5]])
    np.testing.assert_array_equal(found.scores, [0.9, 0.2])


def test_no_detection_keeps_its_shape() -> None:
    found = Detections.of([], [], PICTURE)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def slow_suppress(boxes: Boxes, scores: list[float], overlap: float, over: str) -> list[int]:
    """One box after the other, in plain Python."""
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        x1, y1, x2, y2 = boxes[index]
        for other in kept:
            u1, v1, u2, v2 = boxes[other]
            shared = max(0.0, min(x2, u2) - max(x1, u1)) * max(0.0, min(y2, v2) - max(y1, v1))
            a, b = (x2 - x1) * (y2 - y1), (u2 - u1) * (v2 - v1)
            if shared / (a + b - shared if over == "union" else min(a, b)) > overlap:
                break
        else:
            kept.append(index)
    return kept


@given(
    st.lists(st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 5)] * 2, st.sampled_from([0.1, 0.5, 0.5, 0.9])), max_size=12),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    st.sampled_from(["union", "smaller"]),
)
def test_suppression_equals_the_plain_loop(rows: list[tuple[int, int, int, int, float]], overlap: float, over: Literal["union", "smaller"]) -> None:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in rows], np.float64).reshape(-1, 4)
    scores = [row[4] for row in rows]
    assert suppress(boxes, np.array(scores, np.float64), overlap, over).tolist() == slow_suppress(boxes, scores, overlap, over)


@pytest.mark.parametrize(("over", "left"), [("union", 2), ("smaller", 1)])
def test_a_box_inside_another(over: Literal["union", "smaller"], left: int) -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 2, 6, 6]], np.float64)
    assert len(suppress(boxes, np.array([0.9, 0.8]), 0.5, over)) == left
