"""A whole video: no frame shows a face that its neighbours hide, everything else stays, and nothing is written where anything is wrong."""

import math
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from dartblur.anonymizer.video import VideoOptions, anonymize_video
from dartblur.blur.gaussian import Gaussian
from dartblur.detector.detections import Detections
from dartblur.detector.trajectories import HOW
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image
from tests.makevideo import Film, Packaging, make_video, read_frames, read_packets

FILM = Film(frames=50, paths=((10, 14, 2, 0.3), (115, 72, -1.5, 0.1)))
OPTIONS = VideoOptions(threads=1)
LOSSLESS = Packaging(codec="ffv1", pixels="yuv444p", options={})
PAINT = (0, 255, 0)


def quiet(done: int, total: int, faces: int) -> None:
    """Nobody listens."""


def painted(image: Image, boxes: Boxes) -> Image:
    """Boxes hidden under a colour that nothing else has."""
    result = image.copy()
    for x1, y1, x2, y2 in boxes.astype(int).tolist():
        result[y1:y2, x1:x2] = PAINT
    return result


class Finder:
    """A detector that knows where the drawn faces are, frame by frame, and misses some of them."""

    def __init__(self, film: Film, sees: Callable[[int], bool] = lambda frame: True, noise: float = 0.0, turn: int = 0) -> None:
        self.film, self.sees, self.noise, self.turn, self.frame = film, sees, noise, turn, -1
        self._rng = np.random.default_rng(0)

    def __call__(self, image: Image) -> Detections:
        self.frame += 1
        assert image.shape == ((self.film.width, self.film.height, 3) if self.turn else (self.film.height, self.film.width, 3))
        boxes = self.upright(self.frame) if self.sees(self.frame) else self.upright(0)[:0]
        return Detections.of(boxes + self._rng.normal(0, 1, boxes.shape) * self.noise, [0.9] * len(boxes), image)

    def upright(self, frame: int) -> Boxes:
        """The truth in a frame turned by a quarter counterclockwise, or not."""
        x1, y1, x2, y2 = self.film.boxes(frame).T
        return np.stack([y1, self.film.width - x2, y2, self.film.width - x1] if self.turn else [x1, y1, x2, y2], axis=1)


def uncovered(film: Film, frames: list[Image], finder: Finder) -> list[int]:
    """Frames in which a pixel of a face is not painted over."""
    bare = []
    for number, image in enumerate(frames):
        hidden = np.abs(image.astype(int) - PAINT).max(axis=2) < 60
        for x1, y1, x2, y2 in np.clip(finder.upright(number), 0, (image.shape[1], image.shape[0]) * 2).astype(int).tolist():
            if not hidden[y1:y2, x1:x2].all():
                bare.append(number)
    return bare


@pytest.fixture(scope="module")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """:data:`FILM`, every pixel as it was drawn."""
    return make_video(tmp_path_factory.mktemp("films") / "a.mkv", FILM, LOSSLESS)


@pytest.mark.parametrize(
    "sees",
    [
        lambda frame: True,
        lambda frame: frame % 3 == 0,
        lambda frame: frame not in range(15, 35),
        lambda frame: 8 < frame < 40,
        lambda frame: frame in (12, 13, 30, 40),
    ],
    ids=["always", "every third", "a gap", "not at the ends", "four times"],
)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_no_frame_shows_a_face_that_its_neighbours_hide(tmp_path: Path, lossless: Path, sees: Callable[[int], bool], noise: float) -> None:
    finder = Finder(FILM, sees, noise)
    outcome = anonymize_video(lossless, tmp_path / "b.mkv", finder, painted, VideoOptions(threads=1, margin=0.1 * noise), quiet)
    assert outcome.faces == 2 or noise  # where it comes from cannot be told of a face that was seen for two frames, and not exactly
    assert outcome.frames == outcome.frames_with_faces == 50
    assert uncovered(FILM, read_frames(tmp_path / "b.mkv")[0], finder) == []
    detected = outcome.boxes.frame[outcome.boxes.how == HOW.index("detected")]
    assert sorted(set(detected.tolist())) == [frame for frame in range(50) if sees(frame)]


def test_pixels_away_from_faces_stay_exactly_and_so_do_times_and_sound(tmp_path: Path, lossless: Path) -> None:
    outcome = anonymize_video(lossless, tmp_path / "b.mkv", Finder(FILM, lambda frame: frame % 4 != 1), Gaussian().anonymize, OPTIONS, quiet)
    (before, times, _), (after, same, _) = read_frames(lossless), read_frames(tmp_path / "b.mkv")
    assert same == times
    assert read_packets(tmp_path / "b.mkv", "audio") == read_packets(lossless, "audio")
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        outside = np.ones(one.shape[:2], np.bool_)
        for x1, y1, x2, y2 in outcome.boxes.of(number).astype(int).tolist():
            outside[y1:y2, x1:x2] = False
        assert np.array_equal(one[outside], other[outside])
        assert np.abs(one.astype(int) - other)[~outside].mean() > 3


def test_what_is_hidden_around_a_box_is_written_too(tmp_path: Path, lossless: Path) -> None:
    def hide(image: Image, boxes: Boxes) -> Image:
        return painted(image, np.clip(boxes + np.array([-5, -3, 5, 3]), 0, (160, 120, 160, 120)))

    outcome = anonymize_video(lossless, tmp_path / "b.mkv", Finder(FILM), hide, OPTIONS, quiet)
    before, after = read_frames(lossless)[0], read_frames(tmp_path / "b.mkv")[0]
    for number in (0, 20, 49):
        hidden = hide(before[number], outcome.boxes.of(number))
        assert np.abs(hidden.astype(int) - after[number]).max() <= 4


def test_a_video_that_is_turned_is_looked_at_and_written_upright(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(turn=90))
    finder = Finder(FILM, lambda frame: frame % 5 != 2, turn=90)
    outcome = anonymize_video(source, tmp_path / "b.mp4", finder, painted, OPTIONS, quiet)
    frames, _, rotations = read_frames(tmp_path / "b.mp4")
    assert (outcome.width, outcome.height) == (120, 160)
    assert frames[0].shape == (160, 120, 3)
    assert set(rotations) == {0}
    assert uncovered(FILM, frames, finder) == []


def test_a_face_found_once_is_hidden_in_neighbouring_frames_too(tmp_path: Path) -> None:
    film = Film(frames=40, paths=((40, 40, 0, 0),))
    source = make_video(tmp_path / "a.mkv", film, LOSSLESS)
    finder = Finder(film, lambda frame: frame == 20)
    outcome = anonymize_video(source, tmp_path / "b.mkv", finder, painted, VideoOptions(threads=1, extend_seconds=0.2), quiet)
    assert outcome.faces == 1
    assert outcome.boxes.frame.tolist() == list(range(15, 26))
    bare = uncovered(film, read_frames(tmp_path / "b.mkv")[0], finder)
    assert [frame for frame in range(40) if frame not in bare] == list(range(15, 26))


def test_a_weak_detection_only_continues_a_face(tmp_path: Path, lossless: Path) -> None:
    sure = Finder(FILM)

    def find(image: Image) -> Detections:
        found = sure(image)
        elsewhere = [[100, 5, 130, 40]]  # a picture on a wall, say
        return Detections.of([*found.boxes, *elsewhere], [*(found.scores if sure.frame in (5, 6) else found.scores * 0.5), 0.4], image)

    outcome = anonymize_video(lossless, tmp_path / "b.mkv", find, painted, VideoOptions(threads=1, score=0.6), quiet)
    assert outcome.faces == 2
    assert uncovered(FILM, read_frames(tmp_path / "b.mkv")[0], sure) == []


def test_a_gap_over_a_cut_is_not_filled_with_boxes_between_two_scenes(tmp_path: Path) -> None:
    """A face on the left of one scene and on the right of the next is not taken to have moved."""
    source = tmp_path / "a.mkv"
    films = Film(frames=20, paths=((20, 40, 0, 0),)), Film(frames=20, paths=((60, 40, 0, 0),), seed=1)
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv444p"
        for number in range(40):
            image = films[number // 20].picture(number % 20)
            picture = image if number < 20 else 255 - image
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    frame = -1

    def find(image: Image) -> Detections:
        nonlocal frame
        frame += 1
        # Not seen about the cut.
        return Detections.of(films[frame // 20].boxes(0) if not 14 < frame < 25 else [], [0.9] * (not 14 < frame < 25), image)

    outcome = anonymize_video(source, tmp_path / "b.mkv", find, painted, OPTIONS, quiet)
    assert outcome.faces == 2
    assert HOW.index("interpolated") not in outcome.boxes.how
    frames = read_frames(tmp_path / "b.mkv")[0]
    assert uncovered(films[0], frames[:20], Finder(films[0])) == []
    assert uncovered(films[1], frames[20:], Finder(films[1])) == []


def test_without_a_face_nothing_is_written_unless_asked_for(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(metadata={"comment": "secretwords"}))
    outcome = anonymize_video(source, tmp_path / "b.mp4", Finder(FILM, lambda frame: False), painted, OPTIONS, quiet)
    assert (outcome.faces, outcome.frames, outcome.frames_with_faces, len(outcome.boxes.frame)) == (0, 50, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    anonymize_video(source, tmp_path / "b.mp4", Finder(FILM, lambda frame: False), painted, VideoOptions(threads=1, write_empty=True), quiet)
    assert len(read_frames(tmp_path / "b.mp4")[0]) == 50
    assert b"secretwords" not in (tmp_path / "b.mp4").read_bytes()


def test_several_workers_give_the_same_file_as_one(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM)
    truth = {image.tobytes(): boxes for image, boxes in _decoded(source)}
    threads: set[int] = set()

    def find(image: Image) -> Detections:
        threads.add(threading.get_ident())
        return Detections.of(truth[image.tobytes()], [0.9] * 2, image)

    for workers in (1, 3):
        anonymize_video(source, tmp_path / f"{workers}.mp4", find, Gaussian().anonymize, VideoOptions(threads=1, workers=workers), quiet)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "3.mp4").read_bytes()
    assert len(threads) > 2


def _decoded(path: Path) -> list[tuple[Image, Boxes]]:
    seen: list[tuple[Image, Boxes]] = []

    def find(image: Image) -> Detections:
        seen.append((image, FILM.boxes(len(seen))))
        return Detections.of([], [], image)

    anonymize_video(path, path.with_name("none.mp4"), find, painted, OPTIONS, quiet)
    return seen


def test_progress_counts_both_passes(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    source = make_video(tmp_path / "a.mp4", FILM)
    anonymize_video(source, tmp_path / "b.mp4", Finder(FILM), painted, OPTIONS, lambda *state: told.append(state))
    assert [done for done, _, _ in told] == list(range(1, 101))
    assert {total for _, total, _ in told} == {100}
    assert {faces for _, _, faces in told} == {2}


def test_notes_say_what_was_left_out(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(cover=True))
    outcome = anonymize_video(source, tmp_path / "b.mp4", Finder(FILM), painted, OPTIONS, quiet)
    assert outcome.notes == ("covers and thumbnails left out: 1",)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_irregular_frames_are_followed_in_seconds(tmp_path: Path) -> None:
    times = [number * 40 if number < 25 else 1000 + (number - 25) * 200 for number in range(50)]
    source = make_video(tmp_path / "a.mkv", FILM, Packaging(codec="ffv1", pixels="yuv444p", options={}, base=1000, times=times))
    outcome = anonymize_video(source, tmp_path / "b.mkv", Finder(FILM, lambda frame: frame in (24, 25)), painted, OPTIONS, quiet)
    assert outcome.boxes.frame.min() == 12  # 0.5 s before, at 25 frames a second
    assert outcome.boxes.frame.max() == 27  # 0.5 s after, at 5 frames a second
    assert read_frames(tmp_path / "b.mkv")[1] == [time / 1000 for time in times]


class Stop(Exception):
    """Something that no code here expects."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Stop, DartblurError])
@pytest.mark.parametrize("place", ["find", "hide", "tell"])
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_stops_it_nothing_is_left(tmp_path: Path, error: type[BaseException], place: str, workers: int) -> None:
    source = make_video(tmp_path / "a.mp4", Film(frames=12))
    (tmp_path / "b.mp4").write_bytes(b"an older file")
    calls = dict.fromkeys(("find", "hide", "tell"), 0)

    def count(name: str) -> None:
        calls[name] += 1
        if name == place and calls[name] == (18 if name == "tell" else 6):
            raise error("stop")

    def find(image: Image) -> Detections:
        count("find")
        return Detections.of([[20, 20, 60, 70]], [0.9], image)

    def hide(image: Image, boxes: Boxes) -> Image:
        count("hide")
        return painted(image, boxes)

    with pytest.raises(error, match="stop"):
        anonymize_video(source, tmp_path / "b.mp4", find, hide, VideoOptions(threads=1, workers=workers), lambda *state: count("tell"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"an older file"


def test_a_damaged_video_leaves_nothing(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(muxing={"movflags": "+faststart"}))
    source.write_bytes(source.read_bytes()[:-3000])
    with pytest.raises(DartblurError, match=r"^holiday: .*nothing was written$"):
        anonymize_video(source, tmp_path / "b.mp4", Finder(FILM), painted, OPTIONS, quiet, name="holiday")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_video_that_changes_between_the_passes_is_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", FILM, LOSSLESS)
    for other in (Film(frames=49), Film(frames=51), Film(frames=50, width=176), Film(frames=50, seed=2)):
        make_video(source, FILM, LOSSLESS)
        replacement = make_video(tmp_path / "c.mkv", other, LOSSLESS)

        def swap(done: int, total: int, faces: int, path: Path = replacement) -> None:
            if done == 50:
                path.replace(source)

        with pytest.raises(DartblurError, match=r"changed while it was read|changes its size"):
            anonymize_video(source, tmp_path / "b.mkv", Finder(FILM), painted, OPTIONS, swap)
        assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_the_same_face_keeps_its_track(tmp_path: Path, lossless: Path) -> None:
    boxes = anonymize_video(lossless, tmp_path / "b.mkv", Finder(FILM), painted, OPTIONS, quiet).boxes
    for number in (0, 1):
        corners = boxes.boxes[boxes.track == number]
        assert np.abs(np.diff(corners, axis=0)).max() <= 8
        assert all(math.isnan(score) or score == 0.9 for score in boxes.score[boxes.track == number])
