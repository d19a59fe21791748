"""AVIF: size, subsampling, alpha, colours and timing are kept, the loss outside the mask is small, and nothing else comes out."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.avif import AvifPicture
from dartblur.media.codec import Limits, open_picture
from dartblur.media.isomedia import boxes
from dartblur.media.orientation import turned
from tests.media.makepictures import PROFILE, SECRET, cuts, differs, exif, hide, picture, reopened, saved


def content(data: bytes, kind: bytes) -> bytes:
    """The content of the first box of a kind."""
    return next(data[start:stop] for box, start, stop in boxes(data) if box == kind)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_look_is_kept(channels: int, sampling: str) -> None:
    image = picture(60, 80)
    drawn = image[:, :, 0] if channels == 1 else np.dstack([image, image[:, :, :1]]) if channels == 4 else image
    options = {} if channels == 1 else {"subsampling": sampling}
    data = saved(drawn, "AVIF", quality=85, **options)
    opened = open_picture(data, "x")
    with PILImage.open(io.BytesIO(data)) as other:
        assert np.array_equal(opened.frame(0), np.asarray(other.convert("RGB")))
        mode = other.mode
    before, hidden, mask = hide(opened, colour=(90, 90, 90))
    encoded = opened.encode()
    again = open_picture(encoded, "x")
    assert np.abs(again.frame(0).astype(int) - before)[~mask].mean() < 4
    assert np.abs(again.frame(0).astype(int) - hidden)[mask].mean() < 6
    assert content(encoded, b"av1C")[2] & 0x1C == content(data, b"av1C")[2] & 0x1C
    with PILImage.open(io.BytesIO(encoded)) as other:
        assert other.mode == mode
        if channels == 4:
            assert np.abs(np.asarray(other)[:, :, 3].astype(int) - image[:, :, 0]).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int) -> None:
    data = saved(picture(20, 30), "AVIF", quality=95, exif=exif(orientation))
    with PILImage.open(io.BytesIO(data)) as other:
        stored = np.asarray(other.convert("RGB"))
    opened = open_picture(data, "x")
    assert np.array_equal(opened.frame(0), turned(stored, orientation))
    again = reopened(opened)
    assert again.orientation == 1
    assert np.abs(again.frame(0).astype(int) - opened.frame(0)).mean() < 4


def test_only_the_picture_and_its_colours_are_kept() -> None:
    data = saved(picture(), "AVIF", exif=exif(1), xmp=SECRET, icc_profile=PROFILE)
    for keep in (False, True):
        opened = open_picture(data, "x", keep_metadata=keep)
        hide(opened)
        encoded = opened.encode()
        assert SECRET not in encoded
        assert PROFILE in encoded
        assert (b"Model 5" in encoded) == keep


def test_other_primaries_are_kept() -> None:
    data = saved(picture(), "AVIF").replace(b"colrnclx" + struct.pack(">HH", 1, 13), b"colrnclx" + struct.pack(">HH", 12, 16))
    encoded = open_picture(data, "x").encode()
    assert struct.unpack_from(">HH", content(encoded, b"colr"), 4) == (12, 16)


def animation() -> bytes:
    frames = [PILImage.fromarray(picture(24, 32, seed=number // 2)) for number in range(5)]
    return saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80], quality=90)


def test_animations_keep_their_frames_and_timing() -> None:
    opened = open_picture(animation(), "x")
    assert isinstance(opened, AvifPicture)
    assert (opened.frames, opened._delays) == (5, [40, 50, 60, 70, 80])
    _, hidden, mask = hide(opened, 3)
    again = reopened(opened)
    assert isinstance(again, AvifPicture)
    assert (again.frames, again._delays) == (5, [40, 50, 60, 70, 80])
    for index in (4, 0, 3, 1, 2):
        assert np.abs(again.frame(index).astype(int) - opened.frame(index)).mean() < 5
    assert np.abs(again.frame(3).astype(int) - hidden)[mask].mean() < 20
    assert differs(opened.frame(3)[mask][None], hidden[mask][None]) == 0


def test_more_than_eight_bits_are_refused() -> None:
    data = bytearray(saved(picture(), "AVIF"))
    data[data.index(b"av1C") + 6] |= 0x40
    with pytest.raises(DartblurError, match="an AVIF of more than 8 bits cannot be kept"):
        open_picture(bytes(data), "x")


@pytest.mark.parametrize("kind", ["still", "animated"])
def test_a_cut_file_is_refused(kind: str) -> None:
    for part in cuts(saved(picture(), "AVIF") if kind == "still" else animation(), 30):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")


def test_bombs_are_refused_by_their_header() -> None:
    data = bytearray(saved(picture(), "AVIF"))
    struct.pack_into(">II", data, data.index(b"ispe") + 8, 60000, 60000)
    with pytest.raises(DartblurError, match="60000 x 60000 pixels are more than"):
        open_picture(bytes(data), "x")
    with pytest.raises(DartblurError, match="5 frames are more than the 4"):
        open_picture(animation(), "x", limits=Limits(frames=4))


@settings(max_examples=60, deadline=None)
@given(st.integers(12, 330), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    damaged = STILL[:place] + noise + STILL[place + len(noise) :]
    try:
        opened: Any = open_picture(damaged, "x", limits=Limits(pixels=1_000_000))
        hide(opened)
        assert open_picture(opened.encode(), "x").frames == opened.frames
    except DartblurError as error:
        assert str(error).startswith("x: ")
        assert "\n" not in str(error)


STILL = saved(picture(), "AVIF", exif=exif(1))
