"""The benchmark of videos: its film, and what it calls uncovered."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.peers import films
from benchmarks.peers.films import Film
from benchmarks.video import SEEN, detail, frames, sound, uncovered
from dartblur.blur.gaussian import Gaussian
from dartblur.errors import DartblurError
from tests.makevideo import make_video, read_frames

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return films.make(SAMPLE, tmp_path_factory.mktemp("films"), seconds=1)


def test_faces_move_inside_the_picture_with_sound(film: Film) -> None:
    boxes = np.stack(film.boxes)
    assert boxes.shape[0] == films.RATE
    assert boxes.shape[1] >= films.ACROSS * films.DOWN
    assert (boxes[:, :, :2] >= -1).all() and (boxes[:, :, 2:] <= [films.WIDTH + 1, films.HEIGHT + 1]).all()
    assert (boxes[:, :, 3] - boxes[:, :, 1]).min() >= films.LEAST_FACE - 1
    assert (np.ptp(boxes[:, :, 0], axis=0) > 3).all()
    shown, times, _ = read_frames(film.path)
    assert (len(shown), shown[0].shape) == (films.RATE, (films.HEIGHT, films.WIDTH, 3))
    assert times[-1] == pytest.approx(29 / 30, abs=1e-3)
    assert len(sound(film.path)) >= 46


def test_a_box_is_where_its_face_is(film: Film) -> None:
    """A face of a later frame, brought back to the size that it has in the first, is that of the first one."""
    shown, moved = list(frames(film.path)), 0
    for one, other in zip(film.boxes[0], film.boxes[20], strict=True):
        parts = []
        for image, (x1, y1, x2, y2) in ((shown[0], one), (shown[20], other)):
            matrix = np.array([[48 / (x2 - x1), 0, -x1 * 48 / (x2 - x1)], [0, 64 / (y2 - y1), -y1 * 64 / (y2 - y1)]])
            parts.append(cv2.warpAffine(image, matrix, (48, 64), flags=cv2.INTER_LINEAR).astype(float).ravel())
        moved += float(np.corrcoef(*parts)[0, 1]) > 0.9
    assert moved == len(film.boxes[0])


def test_a_blurred_face_is_covered_and_a_compressed_one_is_not(film: Film) -> None:
    image = next(frames(film.path))
    hidden = Gaussian().anonymize(image, film.boxes[0])
    coarse = cv2.cvtColor(cv2.imdecode(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [1, 60])[1], 1), cv2.COLOR_BGR2RGB)
    for box in film.boxes[0]:
        assert detail(image, image, box) == pytest.approx(1, abs=1e-4)
        assert detail(image, np.asarray(coarse, np.uint8), box) > 0.7 > SEEN
        assert detail(image, hidden, box) < 0.45 < SEEN
    assert detail(image, np.zeros_like(image), film.boxes[0][0]) == 0


def test_the_film_itself_is_uncovered_and_another_one_is_refused(film: Film, tmp_path: Path) -> None:
    seen = uncovered(film, film.path)
    assert (seen["frames"], seen["faces"], seen["detail_most"]) == (films.RATE, seen["of_faces"], 1.0)
    other = make_video(tmp_path / "other.mp4")
    with pytest.raises(DartblurError, match=r"other\.mp4: has other frames than the film"):
        uncovered(film, other)
