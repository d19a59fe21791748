from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.detector.views import Views, crop_window, faces_in, letterbox_window, random_window
from dartblur.faces.boxes import as_boxes
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.media.windows import Window
from dartblur.params import ViewParams
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from tests.makedata import make_wider
from tests.settings import settings

VIEW = settings().view.model_copy(update={"size": 64, "face_min": 20, "face_max": 40})


def picture(*boxes: list[float], width: int = 300, height: int = 200) -> Picture:
    return Picture("p", "p", width, height, as_boxes(boxes), np.zeros(len(boxes), np.bool_), {}, {})


@given(st.integers(0, 250), st.integers(0, 150), st.integers(6, 50), st.integers(6, 50), st.integers(0, 1000))
def test_a_crop_holds_its_face_at_the_wanted_height(x: int, y: int, width: int, height: int, seed: int) -> None:
    subject = picture([x, y, x + width, y + height])
    window = random_window(subject, VIEW, np.random.default_rng(seed))
    boxes, ignored, places = faces_in(subject, window, VIEW.size, 0)
    assert len(boxes) == 1
    assert places.tolist() == [0]
    assert not ignored[0]
    full = (boxes[0, 2] - boxes[0, 0]) * (boxes[0, 3] - boxes[0, 1]) / (VIEW.size / window.side) ** 2
    assert full == pytest.approx(width * height, rel=0.02)  # nothing of it is cut off
    if width <= height:
        assert VIEW.face_min * 0.8 - 1 <= boxes[0, 3] - boxes[0, 1] <= VIEW.face_max * 1.2 + 1


def test_a_crop_stays_inside_the_picture_where_it_fits() -> None:
    subject = picture([4, 4, 34, 44])
    for offset in (0.0, 0.5, 1.0):
        window = crop_window(subject, 0, 20, (offset, offset), 64)
        assert window.left >= 0
        assert window.top >= 0
        assert window.left + window.side <= subject.width


def test_letterbox_keeps_the_aspect_ratio_and_the_whole_picture() -> None:
    subject = picture([100, 50, 130, 90])
    window = letterbox_window(subject, 1.0, (0.5, 0.5))
    assert window == Window(0, -50, 300)
    boxes, _, _ = faces_in(subject, window, 150, 0)
    np.testing.assert_allclose(boxes, [[50, 50, 65, 70]])


def test_faces_that_do_not_count() -> None:
    subject = picture([200, 150, 210, 160], [0, 0, 40, 40], [90, 90, 130, 130], [62, 62, 66, 66])
    boxes, ignored, places = faces_in(subject, Window(0, 0, 100), 100, 8)
    assert len(boxes) == 3
    assert places.tolist() == [1, 2, 3]  # the first lies outside
    assert ignored.tolist() == [False, True, True]  # whole; a sixteenth visible; too low


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FaceDataset]:
    monkeypatch.chdir(tmp_path)
    make_wider(tmp_path / "source", 12)
    ingest.run(settings(data={"source": "source"}))
    clean = FaceDataset(CANONICAL)
    anonymize_dataset(clean, tmp_path / "blurred", Gaussian(1.0), 1)
    return [clean, FaceDataset(tmp_path / "blurred")]


def test_a_batch_is_a_function_of_seed_and_step(copies: list[FaceDataset]) -> None:
    first, again = Views(copies, "train", VIEW), Views(copies, "train", VIEW, cache_bytes=1)
    for step in (7, 0, 3):
        a, b = first.batch(5, step, 4), again.batch(5, step, 4)
        assert torch.equal(a.images[0], b.images[0])
        assert torch.equal(a.mask, b.mask)
        assert all(torch.equal(x, y) for x, y in zip(a.boxes, b.boxes, strict=True))
    assert not torch.equal(first.batch(5, 0, 4).images[0], first.batch(6, 0, 4).images[0])
    assert not torch.equal(first.batch(5, 0, 4).images[0], first.batch(5, 1, 4).images[0])


def test_copies_differ_inside_the_mask_alone(copies: list[FaceDataset]) -> None:
    batch = Views(copies, "train", VIEW).batch(0, 0, 6)
    difference = (batch.images[0] - batch.images[1]).abs().amax(dim=1, keepdim=True)  # (B, 1, S, S)
    assert difference[batch.mask == 1].mean() > 3
    # Resizing mixes a pixel at the mask's edge with its neighbour; beyond that nothing may differ.
    near = torch.nn.functional.max_pool2d(batch.mask, 5, 1, 2)
    assert difference[near == 0].max() == 0


def test_every_picture_is_seen_in_a_pass(copies: list[FaceDataset]) -> None:
    views = Views(copies, "train", VIEW)
    seen: set[str] = set()
    original = views.read
    views.read = lambda copy, name: (seen.add(name), original(copy, name))[1]  # type: ignore[method-assign, func-returns-value]
    for step in range(3):
        views.batch(0, step, 2)
    assert seen == {p.name for p in copies[0].pictures("train")}


def test_letterbox_tests_every_picture_once(copies: list[FaceDataset]) -> None:
    views = Views(copies, "val", VIEW.model_copy(update={"mode": "letterbox"}))
    windows = views.test_windows(0, 100)
    assert [picture.name for picture, _ in windows] == [p.name for p in copies[0].pictures("val")]


def test_test_windows_are_the_same_on_every_copy(copies: list[FaceDataset]) -> None:
    a, b = (Views([copy], "val", VIEW).test_windows(0, 20) for copy in copies)
    assert [window for _, window in a] == [window for _, window in b]
    assert len({window for _, window in a}) > 6


def test_view_params_of_every_mode(copies: list[FaceDataset]) -> None:
    for mode in ("crop", "letterbox"):
        params = ViewParams.model_validate({**VIEW.model_dump(), "mode": mode})
        batch = Views(copies, "train", params).batch(0, 0, 3)
        assert batch.images[0].shape == (3, 3, 64, 64)
        assert all(len(boxes) > 0 for boxes in batch.boxes)
