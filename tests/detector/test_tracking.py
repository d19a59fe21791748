"""Which detections are the same face: tracks begin with the first sighting, bridge gaps, end at cuts, and lose nothing."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.detections import Detections
from dartblur.detector.tracking import TrackSettings, track_faces, velocity
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes

FRAME = np.zeros((480, 640, 3), np.uint8)
SURE, WEAK = 0.9, 0.3
SETTINGS = TrackSettings(score=0.6)


def sighting(*faces: tuple[float, float, float]) -> Detections:
    """Faces of 60 x 80 pixels at x, y, of a score."""
    return Detections.of([(x, y, x + 60, y + 80) for x, y, _ in faces], [score for _, _, score in faces], FRAME)


def seconds(frames: int) -> "np.typing.NDArray[np.float64]":
    return np.arange(frames) / 25


def frames_of(found: Sequence[Detections], cuts: Sequence[int] = (), settings: TrackSettings = SETTINGS) -> list[list[int]]:
    return [track.frames.tolist() for track in track_faces(found, seconds(len(found)), cuts, settings)]


def test_no_detection_is_no_track() -> None:
    assert track_faces([], seconds(0)) == []
    assert track_faces([sighting()] * 5, seconds(5)) == []


def test_a_face_that_moves_is_one_track_from_its_first_sighting() -> None:
    found = [sighting((100 + 5 * number, 50, SURE)) for number in range(20)]
    assert frames_of(found) == [list(range(20))]
    track = track_faces(found, seconds(20))[0]
    assert np.array_equal(track.boxes[7], [135, 50, 195, 130])
    assert track.scores[7] == SURE


def test_two_faces_are_two_tracks_even_where_they_pass() -> None:
    found = [sighting((100 + 8 * number, 50, SURE), (420 - 8 * number, 150, SURE)) for number in range(40)]
    tracks = track_faces(found, seconds(40), settings=SETTINGS)
    assert [len(track.frames) for track in tracks] == [40, 40]
    assert [set(track.boxes[:, 1]) for track in tracks] == [{50.0}, {150.0}]


@pytest.mark.parametrize("every", [2, 3, 8])
def test_a_face_seen_now_and_then_is_one_track(every: int) -> None:
    found = [sighting((100 + 3 * number, 50, SURE), (400 - 3 * number, 250, SURE)) if number % every == 0 else sighting() for number in range(60)]
    assert frames_of(found) == [list(range(0, 60, every))] * 2


@pytest.mark.parametrize("missing", [1, 5, 15, 24])
def test_a_gap_is_bridged(missing: int) -> None:
    found = [sighting((100 + 3 * number, 50, SURE)) if not 20 <= number < 20 + missing else sighting() for number in range(70)]
    assert [len(frames) for frames in frames_of(found)] == [70 - missing]


def test_a_long_gap_is_not() -> None:
    found = [sighting((100, 50, SURE)) if not 20 <= number < 55 else sighting() for number in range(80)]
    assert frames_of(found) == [list(range(20)), list(range(55, 80))]


def test_a_track_is_not_joined_with_a_face_elsewhere_or_of_another_size() -> None:
    small = Detections.of([(100, 50, 115, 70)], [SURE], FRAME)
    for other in (sighting((400, 300, SURE)), small):
        found = [sighting((100, 50, SURE))] * 10 + [sighting()] * 5 + [other] * 10
        assert frames_of(found) == [list(range(10)), list(range(15, 25))]


def test_no_track_goes_on_over_a_cut() -> None:
    found = [sighting((100, 50, SURE))] * 20
    assert frames_of(found, cuts=[8]) == [list(range(8)), list(range(8, 20))]
    assert frames_of(found, cuts=[0, 20, 99]) == [list(range(20))]


def test_a_weak_detection_continues_a_track_but_begins_none() -> None:
    found = [sighting((100, 50, SURE if number < 5 else WEAK), (400, 300, WEAK)) for number in range(15)]
    assert frames_of(found) == [list(range(15))]
    assert len(frames_of(found, settings=TrackSettings(score=0.0))) == 2


def test_a_face_seen_once_is_a_track_of_its_own() -> None:
    found = [sighting()] * 6 + [sighting((100, 50, SURE))] + [sighting()] * 6
    assert frames_of(found) == [[6]]


def test_a_fast_face_seen_now_and_then_is_followed_or_kept_in_pieces() -> None:
    found = [sighting((20 + 25 * number, 50, SURE)) if number % 3 == 0 else sighting() for number in range(22)]
    assert sorted(frame for frames in frames_of(found) for frame in frames) == list(range(0, 22, 3))


def test_irregular_times_count_in_seconds() -> None:
    found = [sighting((100, 50, SURE))] * 5 + [sighting()] + [sighting((100, 50, SURE))] * 5
    for pause, tracks in ((0.8, 1), (3.0, 2)):
        times = np.array([*(np.arange(6) / 25), *(0.2 + pause + np.arange(5) / 25)])
        assert len(track_faces(found, times, settings=SETTINGS)) == tracks


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 380), st.sampled_from([SURE, WEAK])), max_size=4), max_size=25),
    st.lists(st.integers(0, 25), max_size=3),
)
def test_every_sure_detection_is_in_exactly_one_track(faces: list[list[tuple[int, int, float]]], cuts: list[int]) -> None:
    found = [sighting(*frame) for frame in faces]
    tracks = track_faces(found, seconds(len(found)), cuts, SETTINGS)
    kept = [(int(frame), *box) for track in tracks for frame, box in zip(track.frames, track.boxes.tolist(), strict=True)]
    for number, one in enumerate(found):
        sure = [(number, *box) for box, score in zip(one.boxes.tolist(), one.scores, strict=True) if score == SURE]
        for box in set(sure):
            assert kept.count(box) >= sure.count(box)
    for track in tracks:
        assert (np.diff(track.frames) > 0).all()
    assert len(kept) <= sum(len(one.scores) for one in found)


def test_the_same_detections_give_the_same_tracks() -> None:
    rng = np.random.default_rng(0)
    found = [sighting(*((float(x), float(y), SURE) for x, y in rng.uniform(0, 400, (3, 2)))) for _ in range(30)]
    once, again = (track_faces(found, seconds(30), settings=SETTINGS) for _ in range(2))
    assert [track.boxes.tolist() for track in once] == [track.boxes.tolist() for track in again]


def test_velocity_is_that_of_the_nearest_sightings() -> None:
    times = np.array([0.0, 0.1, 1.0, 1.1, 1.2])
    boxes = as_boxes([(0, 0, 10, 10), (0, 0, 10, 10), (100, 0, 110, 10), (110, 5, 120, 15), (120, 10, 130, 20)])
    assert velocity(times, boxes, -1) == pytest.approx([100, 50])
    assert velocity(times, boxes, 0) == pytest.approx([0, 0])
    assert velocity(times[1:3], boxes[1:3], -1) == pytest.approx([100 / 0.9, 0])
    assert velocity(times[:1], boxes[:1], -1) == pytest.approx([0, 0])


def test_a_missing_tracker_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(DartblurError, match=r"the module trackers is not installed .*install the extra dartblur\[video\]"):
        track_faces([sighting((100, 50, SURE))], seconds(1))


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, dartblur.anonymizer.video; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "av" in loaded
    assert not {"torch", "trackers", "supervision", "scipy.signal", "mlflow"} & set(loaded)
