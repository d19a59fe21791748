"""WebP: lossless, lossy, transparent and animated ones come back as they were, with their timing and without metadata."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.codec import Limits, open_picture
from dartblur.media.images import Image
from dartblur.media.orientation import turned
from dartblur.media.vp8 import quality_of
from dartblur.media.webp import _chunks
from tests.media.makepictures import PROFILE, SECRET, cuts, differs, exif, hide, leveled, picture, reopened, riff, saved


def with_alpha(image: Image) -> Image:
    """``image`` with an alpha channel that falls to 0, colours staying below it."""
    alpha = np.linspace(0, 255, image.shape[1]).astype(np.uint8)
    return np.dstack([image, np.tile(alpha, (image.shape[0], 1))])


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    return _chunks(data[12:], "x")


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([3, 4]), st.data())
def test_lossless_pictures_stay_outside_the_mask(channels: int, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    samples = data.draw(hnp.arrays(np.uint8, (*shape, channels)))
    opened = open_picture(saved(samples, "WEBP", lossless=True, exact=True), "x")
    assert np.array_equal(opened.frame(0), samples[:, :, :3])  # the colour of a transparent pixel too
    mask, hidden = data.draw(hnp.arrays(np.bool_, shape)), data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    opened.replace(0, hidden, mask)
    with PILImage.open(io.BytesIO(opened.encode())) as again:
        found = np.asarray(again.convert("RGBA"))
    assert np.array_equal(found[:, :, :3], np.where(mask[:, :, None], hidden, samples[:, :, :3]))
    assert leveled(found[:, :, 3], samples[:, :, 3] if channels == 4 else np.full(shape, 255), mask)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("quality", [30, 80, 95])
def test_lossy_pictures_keep_quality_and_alpha(channels: int, quality: int) -> None:
    image = with_alpha(picture()) if channels == 4 else picture()
    data = saved(image, "WEBP", quality=quality)
    opened = open_picture(data, "x")
    before, hidden, mask = hide(opened)
    again = reopened(opened)
    assert np.abs(again.frame(0).astype(int) - before)[~mask].mean() < 5
    assert np.abs(again.frame(0).astype(int) - hidden)[mask].mean() < 15
    assert len(opened.encode()) < 2 * len(data)
    if channels == 4:
        with PILImage.open(io.BytesIO(opened.encode())) as other:
            assert leveled(np.asarray(other)[:, :, 3], image[:, :, 3], mask)


def test_the_quality_is_read_from_the_quantiser() -> None:
    found = [quality_of(dict(chunks(saved(picture(80, 80), "WEBP", quality=quality)))[b"VP8 "]) for quality in (1, 30, 60, 80, 90, 100)]
    assert found == sorted(found)
    assert found[-1] == 100
    assert 80 <= found[3] <= 92
    assert quality_of(b"no key frame") == 100


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}])
def test_an_untouched_picture_keeps_its_bytes(options: dict[str, Any]) -> None:
    for image in (picture(), with_alpha(picture())):
        data = saved(image, "WEBP", **options)
        assert open_picture(data, "x").encode() == data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int) -> None:
    image = picture(20, 30)
    opened = open_picture(saved(image, "WEBP", lossless=True, exif=exif(orientation)), "x")
    assert np.array_equal(opened.frame(0), turned(image, orientation))
    again = reopened(opened)
    assert np.array_equal(again.frame(0), turned(image, orientation))


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}])
@pytest.mark.parametrize("channels", [3, 4])
def test_only_the_picture_and_its_colour_profile_are_kept(channels: int, options: dict[str, Any]) -> None:
    image = with_alpha(picture()) if channels == 4 else picture()
    data = saved(image, "WEBP", exif=exif(1), xmp=b"<x>" + SECRET, icc_profile=PROFILE, **options) + SECRET
    for keep in (False, True):
        for change in (False, True):
            opened = open_picture(data, "x", keep_metadata=keep)
            if change:
                hide(opened)
            encoded = opened.encode()
            assert SECRET not in encoded
            assert (b"Model 5" in encoded) == keep
            assert b"XMP " not in encoded
            with PILImage.open(io.BytesIO(encoded)) as again:
                assert again.info["icc_profile"] == PROFILE
                assert again.mode == ("RGBA" if channels == 4 else "RGB")


def animation(**options: Any) -> tuple[bytes, list[Image]]:
    """An animated WebP whose frames are parts of the canvas, and what Pillow shows."""
    frames = []
    for number in range(6):
        frame = PILImage.fromarray(picture(24, 32)).convert("RGBA")
        frame.paste((40 * number, 250 - 40 * number, 0, 255), (4 * number, 2, 4 * number + 8, 12))
        frames.append(frame)
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80, 90], loop=3, **options)
    return data, shown(data)[0]


def shown(data: bytes) -> tuple[list[Image], list[int], int]:
    """The frames, durations and loops of an animated WebP, as Pillow shows them."""
    with PILImage.open(io.BytesIO(data)) as opened:
        frames, durations = [], []
        for index in range(getattr(opened, "n_frames", 1)):
            opened.seek(index)
            frames.append(np.asarray(opened.convert("RGB")))
            durations.append(opened.info["duration"])
        return frames, durations, opened.info["loop"]


@pytest.mark.parametrize(
    "options", [{"lossless": True, "exact": True}, {"quality": 90}, {"allow_mixed": True, "quality": 90}, {"lossless": True, "kmax": 1}]
)
def test_animations_keep_their_frames_and_timing(options: dict[str, Any]) -> None:
    data, frames = animation(**options)
    opened = open_picture(data, "x")
    assert opened.frames == 6
    for index in (4, 1, 0, 5, 3, 2):  # in any order
        assert differs(opened.frame(index), frames[index]) <= 1, index
    _, hidden, mask = hide(opened, 3)
    frames[3] = np.where(mask[:, :, None], hidden, frames[3])
    again, durations, loops = shown(opened.encode())
    assert (durations, loops, len(again)) == ([40, 50, 60, 70, 80, 90], 3, 6)
    for index, frame in enumerate(again):
        if "lossless" in options or index < 3:
            assert np.array_equal(frame, frames[index]), index
        else:
            assert np.abs(frame.astype(int) - frames[index]).mean() < 8, index


def test_cut_files_are_refused() -> None:
    for data in (saved(picture(), "WEBP"), saved(with_alpha(picture()), "WEBP", lossless=True), animation(quality=80)[0]):
        for part in cuts(data):
            with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
                open_picture(part, "some/name")


def test_cut_rasters_in_sound_parts_are_refused() -> None:
    for data in (saved(picture(), "WEBP", quality=90), saved(picture(), "WEBP", lossless=True)):
        kind, content = chunks(data)[0]
        for share in (0.05, 0.3, 0.9):
            with pytest.raises(DartblurError, match="the WebP is damaged"):
                open_picture(riff([(kind, content[: int(len(content) * share)])]), "x")


def test_a_damaged_frame_in_the_middle_is_refused() -> None:
    data, _ = animation(quality=90)
    parts = chunks(data)
    number = [index for index, part in enumerate(parts) if part[0] == b"ANMF"][3]
    parts[number] = (b"ANMF", parts[number][1][:24] + bytes(len(parts[number][1]) - 24))
    with pytest.raises(DartblurError, match="the WebP is damaged"):
        open_picture(riff(parts), "x")
    parts[number] = (b"ANMF", parts[number][1][:10])
    with pytest.raises(DartblurError, match="the WebP is damaged"):
        open_picture(riff(parts), "x")
    outside = (100).to_bytes(3, "little") + chunks(data)[number][1][3:]
    with pytest.raises(DartblurError, match="the WebP is damaged"):
        open_picture(riff([*parts[:number], (b"ANMF", outside)]), "x")


def test_bombs_are_refused() -> None:
    head = b"\x02\0\0\0" + (16_000_000).to_bytes(3, "little") * 2
    with pytest.raises(DartblurError, match="16000001 x 16000001 pixels are more than"):
        open_picture(riff([(b"VP8X", head), (b"ANIM", bytes(6))]), "x")
    with pytest.raises(DartblurError, match="6 frames are more than the 5 that are read"):
        open_picture(animation()[0], "x", limits=Limits(frames=5))
    with pytest.raises(DartblurError, match="holds no picture"):
        open_picture(riff([(b"VP8X", b"\0\0\0\0" + bytes(6))]), "x")


@settings(max_examples=60, deadline=None)
@given(st.integers(12, 400), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    for data in (STILL, ANIMATED):
        damaged = data[:place] + noise + data[place + len(noise) :]
        try:
            opened = open_picture(damaged, "x", limits=Limits(pixels=1_000_000))
            hide(opened)
            assert open_picture(opened.encode(), "x").frames == opened.frames
        except DartblurError as error:
            assert str(error).startswith("x: ")
            assert "\n" not in str(error)


STILL, ANIMATED = saved(picture(), "WEBP", exif=exif(1)), animation(quality=80)[0]
