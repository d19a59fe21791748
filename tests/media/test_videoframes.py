"""The pixels of a frame: upright, as RGB, and put back into its planes inside boxes alone."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.video import open_video
from dartblur.media.videoframes import UPRIGHT, Turn, rgb_of, splice, upright
from tests.makedata import texture
from tests.makevideo import Film, make_video

OWN = ["gray", "gray10le", "yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuvj420p", "yuv420p10le", "yuv422p10le"]
OWN += ["gbrp", "gbrp10le", "gbrap", "yuva420p", "nv12", "nv21", "p010le", "rgb24", "bgr24", "bgr0"]
OTHERS = ["yuyv422", "uyvy422", "rgba", "ya8", "monow", "y210le"]
TURNS = [UPRIGHT, Turn(True, False, True), Turn(True, True, False), Turn(False, True, True), Turn(False, True, False)]


def frame_of(image: Image, format: str) -> VideoFrame:
    frame = VideoFrame.from_ndarray(image, "rgb24").reformat(format=format)
    frame.pts, frame.dts, frame.duration, frame.time_base = 5, 4, 2, Fraction(1, 25)
    return frame


def smooth(height: int, width: int) -> Image:
    return np.asarray(cv2.GaussianBlur(texture(np.random.default_rng(0), height, width), (9, 9), 3), np.uint8)


def samples(frame: VideoFrame) -> list[bytes]:
    return [bytes(plane) for plane in frame.planes]


@pytest.mark.parametrize("format", OWN)
def test_a_frame_keeps_its_own_pixel_format(format: str) -> None:
    frame = frame_of(smooth(48, 64), format)
    assert upright(frame, UPRIGHT) is frame


@pytest.mark.parametrize("format", OTHERS)
def test_what_cannot_be_written_to_is_converted_to_what_can(format: str) -> None:
    frame = frame_of(smooth(48, 64), format)
    turned = upright(frame, UPRIGHT)
    assert turned is not frame
    assert np.abs(rgb_of(turned).astype(int) - rgb_of(frame)).mean() < 3


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("format", [*OWN, *OTHERS])
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_a_turned_frame_shows_the_same_turned(format: str, turn: Turn, size: tuple[int, int]) -> None:
    frame = frame_of(smooth(*size), format)
    turned = upright(frame, turn)
    expected = turn.apply(rgb_of(frame))
    assert rgb_of(turned).shape == expected.shape
    # Coarse colour is read from the other side in a picture of odd size.
    assert np.abs(rgb_of(turned).astype(int) - expected).mean() < 3
    assert (turned.pts, turned.dts, turned.duration, turned.time_base) == (5, 4, 2, Fraction(1, 25))


def test_turns_exchange_then_mirror() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert np.array_equal(Turn(True, False, True).apply(image)[:, :, 0], np.rot90(image[:, :, 0], 1))
    assert np.array_equal(Turn(True, True, False).apply(image)[:, :, 0], np.rot90(image[:, :, 0], -1))
    assert np.array_equal(Turn(False, True, True).apply(image)[:, :, 0], np.rot90(image[:, :, 0], 2))
    assert np.array_equal(Turn(False, True, False).apply(image)[:, :, 0], image[:, ::-1, 0])


@pytest.mark.parametrize("format", OWN)
@given(st.data())
def test_only_what_a_box_touches_changes(format: str, data: st.DataObject) -> None:
    """Samples outside stay as they are, bit for bit; a sample of colour that several pixels share belongs to a box that holds one of them."""
    height, width = data.draw(st.integers(8, 40)), data.draw(st.integers(8, 40))
    left, top = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    box = as_boxes([left, top, left + data.draw(st.integers(1, width - left)), top + data.draw(st.integers(1, height - top))])
    frame = upright(frame_of(smooth(height, width), format), UPRIGHT)
    before, hidden, inside = samples(frame), rgb_of(frame), mask_of(box, width, height)
    hidden[inside] = (10, 240, 60)
    splice(frame, hidden, box)
    for index, (was, now) in enumerate(zip(before, samples(frame), strict=True)):
        parts = [part for part in frame.format.components if part.plane == index]
        rows, columns = parts[0].height, parts[0].width
        unit = 4 if format == "bgr0" else len(parts) * (1 if parts[0].bits == 8 else 2)
        # Which samples of this plane stand for a pixel inside the box.
        across, down = shared(width, columns), shared(height, rows)
        padded = np.zeros((rows * down, columns * across), np.bool_)
        padded[:height, :width] = inside
        may = padded.reshape(rows, down, columns, across).any(axis=(1, 3)).repeat(unit, axis=1)
        changed = (np.frombuffer(was, np.uint8) != np.frombuffer(now, np.uint8))[: rows * frame.planes[index].line_size].reshape(rows, -1)
        assert not (changed[:, : columns * unit] & ~may).any()
        assert not changed[:, columns * unit :].any()


def shared(pixels: int, samples: int) -> int:
    """How many pixels share a sample: 1, 2 or 4."""
    return next(share for share in (1, 2, 4) if samples * share >= pixels)


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "gbrp", "rgb24", "yuv444p12le"])
def test_inside_a_box_stands_what_was_hidden(format: str) -> None:
    frame = frame_of(smooth(48, 64), format)
    hidden = rgb_of(frame)
    hidden[10:30, 8:40] = (200, 30, 60)
    splice(frame, hidden, as_boxes([8, 10, 40, 30]))
    # One pixel in: at the border the colour of neighbours outside has its share in a common sample.
    assert np.abs(rgb_of(frame)[11:29, 9:39].astype(int) - (200, 30, 60)).max() <= 4


def test_the_decoders_own_frames_are_not_written_to(tmp_path: Path) -> None:
    """A frame is what the next ones are predicted from; hiding something in it must not show in them."""
    path = make_video(tmp_path / "a.mp4", Film(frames=6))
    with open_video(path, threads=1) as source:
        clean = [rgb_of(frame) for frame in source.frames()]
    with open_video(path, threads=1) as source:
        for frame, expected in zip(source.frames(), clean, strict=True):
            assert np.array_equal(rgb_of(frame), expected)
            splice(frame, np.zeros_like(expected), as_boxes([0, 0, 160, 120]))
            assert rgb_of(frame).max() <= 1


def test_transparency_is_left_alone() -> None:
    frame = frame_of(smooth(48, 64), "gbrap")
    alpha = np.frombuffer(cast(bytes, frame.planes[3]), np.uint8)
    alpha[:] = 77
    splice(frame, np.zeros((48, 64, 3), np.uint8), as_boxes([0, 0, 64, 48]))
    assert set(bytes(frame.planes[3])[:64]) == {77}
