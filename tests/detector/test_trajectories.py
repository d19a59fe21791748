"""Where a face is hidden in every frame: never less than was seen, before, between and after, and without jumps."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.tracking import Track
from dartblur.detector.trajectories import HOW, FaceBoxes, PathSettings, face_boxes, smoothed
from dartblur.faces.boxes import Boxes, as_boxes

WIDTH, HEIGHT = 1280, 720


def track(frames: list[int], boxes: Boxes) -> Track:
    return Track(np.array(frames), boxes, np.full(len(frames), 0.9))


def moving(frames: list[int], x: float = 300, dx: float = 4, side: float = 60) -> Track:
    return track(frames, as_boxes([(x + dx * frame, 200, x + dx * frame + side, 200 + 1.3 * side) for frame in frames]))


def seconds(frames: int) -> npt.NDArray[np.float64]:
    return np.arange(frames) / 25


def covers(outer: Boxes, inner: npt.NDArray[np.float64]) -> bool:
    return bool(((outer[:, :2] <= inner[:2]) & (outer[:, 2:] >= inner[2:])).all(axis=1).any())


def hows(boxes: FaceBoxes) -> list[str]:
    return [HOW[how] for how in boxes.how]


def test_no_face_is_no_box() -> None:
    boxes = face_boxes([], seconds(10), WIDTH, HEIGHT)
    assert boxes.boxes.shape == (0, 4)
    assert boxes.of(3).shape == (0, 4)


def test_a_face_is_hidden_before_between_and_after_its_sightings() -> None:
    seen = [20, 21, 22, 30, 31, 40]
    boxes = face_boxes([moving(seen)], seconds(100), WIDTH, HEIGHT)
    assert boxes.frame.tolist() == list(range(8, 53))  # 0.5 s are 12 frames
    expected = ["extended"] * 12 + ["detected" if frame in seen else "interpolated" for frame in range(20, 41)] + ["extended"] * 12
    assert hows(boxes) == expected
    assert np.isnan(boxes.score).tolist() == [how != "detected" for how in expected]
    for frame in range(8, 53):
        assert covers(boxes.of(frame), np.array([300 + 4 * frame, 200, 360 + 4 * frame, 278]))
    assert len(boxes.of(7)) == len(boxes.of(53)) == 0


def test_outside_its_sightings_a_face_may_have_gone_on_or_stayed() -> None:
    boxes = face_boxes([moving(list(range(20, 31)))], seconds(100), WIDTH, HEIGHT)
    for frame in range(31, 42):
        for x in (300 + 4 * frame, 300 + 4 * 30):
            assert covers(boxes.of(frame), np.array([x, 200, x + 60, 278]))
    for frame in range(9, 20):
        for x in (300 + 4 * frame, 300 + 4 * 20):
            assert covers(boxes.of(frame), np.array([x, 200, x + 60, 278]))
    widths = [float(boxes.of(frame)[0, 2] - boxes.of(frame)[0, 0]) for frame in range(30, 42)]
    assert widths == sorted(widths)


def test_the_neighbours_of_a_sighting_are_hidden_however_short_the_time() -> None:
    still = track([5], as_boxes([100, 100, 160, 180]))
    assert face_boxes([still], seconds(11) * 50, WIDTH, HEIGHT, PathSettings(extend_seconds=0.3)).frame.tolist() == [4, 5, 6]
    assert face_boxes([still], seconds(6), WIDTH, HEIGHT, PathSettings(extend_seconds=0.3)).frame.tolist() == list(range(6))
    assert face_boxes([still], seconds(11), WIDTH, HEIGHT, PathSettings(extend_seconds=0)).frame.tolist() == [4, 5, 6]


def test_boxes_are_whole_pixels_inside_the_picture() -> None:
    boxes = face_boxes([moving(list(range(40)), x=-80, dx=1.7), moving(list(range(60)), x=1100, dx=6.3)], seconds(60), WIDTH, HEIGHT)
    assert np.array_equal(boxes.boxes, np.rint(boxes.boxes))
    assert (boxes.boxes >= 0).all()
    assert (boxes.boxes[:, [2, 3]] <= (WIDTH, HEIGHT)).all()
    assert (boxes.boxes[:, 2:] > boxes.boxes[:, :2]).all()
    assert (np.diff(boxes.frame) >= 0).all()
    assert set(boxes.track.tolist()) == {0, 1}


def test_a_margin_is_added_on_each_side() -> None:
    still = track(list(range(30)), as_boxes([[200, 200, 300, 300]] * 30))
    plain, wide = (face_boxes([still], seconds(30), WIDTH, HEIGHT, PathSettings(margin=margin)).of(15)[0] for margin in (0.0, 0.25))
    assert np.abs(wide - plain - (-25, -25, 25, 25)).max() <= 4


def test_a_still_face_has_a_still_box_little_larger_than_it() -> None:
    still = track(list(range(40)), as_boxes([[200.3, 200.6, 300.1, 320.2]] * 40))
    boxes = face_boxes([still], seconds(40), WIDTH, HEIGHT).boxes
    assert (boxes == boxes[0]).all()
    assert (boxes[0, :2] >= (194, 194)).all()
    assert (boxes[0, 2:] <= (306, 328)).all()


@given(st.integers(0, 1000), st.integers(1, 80), st.integers(0, 8))
def test_smoothing_never_uncovers(seed: int, frames: int, reach: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.cumsum(rng.normal(0, 10, (frames, 2)), axis=0) + 300
    boxes = np.concatenate([corners, corners + rng.uniform(5, 90, (frames, 2))], axis=1)
    made = smoothed(boxes, reach)
    assert (made[:, :2] <= boxes[:, :2]).all()
    assert (made[:, 2:] >= boxes[:, 2:]).all()
    assert np.array_equal(made, np.rint(made))


@given(st.integers(0, 1000), st.floats(0, 1))
def test_a_detected_face_is_covered_whatever_the_noise_and_the_gaps(seed: int, missed: float) -> None:
    rng = np.random.default_rng(seed)
    frames = [frame for frame in range(60) if rng.random() >= missed] or [30]
    noisy = moving(frames).boxes + rng.normal(0, 3, (len(frames), 4))
    boxes = face_boxes([track(frames, noisy)], seconds(60), WIDTH, HEIGHT)
    for frame, box in zip(frames, noisy, strict=True):
        assert covers(boxes.of(frame), box)
    assert set(range(frames[0], frames[-1] + 1)) <= set(boxes.frame.tolist())


@pytest.mark.parametrize("dx", [0, 3])
def test_noise_of_the_detector_does_not_shake_the_box(dx: float) -> None:
    rng = np.random.default_rng(0)
    truth = moving(list(range(100)), dx=dx, side=100).boxes
    noisy = truth + rng.normal(0, 2, truth.shape)
    boxes = face_boxes([track(list(range(100)), noisy)], seconds(100), WIDTH, HEIGHT).boxes[10:-10]

    def shake(values: Boxes) -> float:
        """Mean change of velocity from frame to frame, pixels."""
        return float(np.abs(np.diff(values, 2, axis=0)).mean())

    sides = boxes[:, 2:] - boxes[:, :2]
    assert shake(boxes) < 0.4 * shake(noisy)
    assert (np.diff(sides, axis=0) != 0).any(axis=1).mean() < 0.15
    assert (sides / (100, 130)).max() < 1.35
