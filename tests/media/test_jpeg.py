"""JPEG: blocks that no mask touches come back as they were, whatever the subsampling, colours and orientation, and nothing of the rest."""

import importlib
import io
import struct
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media import jpeg, jpegblocks
from dartblur.media.codec import Limits, open_picture
from dartblur.media.images import Image
from dartblur.media.jpeg import JpegPicture
from dartblur.media.jpegmarkers import read_header, with_segments
from dartblur.media.orientation import turned
from dartblur.media.turbo import Turbo, TurboError, turbo
from tests.media.makepictures import SECRET, box_mask, cuts, differs, exif, hide, picture, profile_of, saved

SAMPLINGS = ["411", "420", "422", "440", "444"]


def sampled(image: Image, sampling: str, **flags: int) -> bytes:
    """A JPEG with this chroma subsampling; ``flags`` are names of OpenCV's JPEG flags."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 88, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")]
    for flag, value in flags.items():
        options += [getattr(cv2, f"IMWRITE_JPEG_{flag}"), value]
    return bytes(cv2.imencode(".jpg", image[:, :, ::-1], options)[1].tobytes())


def opened_jpeg(data: bytes, **options: Any) -> JpegPicture:
    opened = open_picture(data, "x", **options)
    assert isinstance(opened, JpegPicture)
    return opened


def kept_pixels(opened: JpegPicture, masks: Mask, border: int) -> Mask:
    """Pixels outside the MCUs that ``masks`` touches, and ``border`` pixels away from them."""
    components = opened._components
    redone = np.kron(jpegblocks.touched(masks, components), np.ones(jpegblocks.unit(components), bool))[: opened.height, : opened.width]
    return ~np.asarray(cv2.dilate(redone.astype(np.uint8), np.ones((2 * border + 1,) * 2, np.uint8)), np.bool_)


def sources() -> dict[str, bytes]:
    """A JPEG of every kind."""
    turbojpeg = importlib.import_module("turbojpeg")
    image = picture(97, 131)
    inks = np.dstack([image, image[::-1, :, 0]])
    kinds = {sampling: sampled(image, sampling) for sampling in SAMPLINGS}
    kinds |= {f"{sampling} progressive": sampled(image, sampling, PROGRESSIVE=1) for sampling in SAMPLINGS}
    kinds |= {f"{sampling} restarts": sampled(image, sampling, RST_INTERVAL=2) for sampling in SAMPLINGS}
    kinds["grey"] = saved(image[:, :, 0], "JPEG")
    kinds["rgb"] = saved(image, "JPEG", keep_rgb=True, subsampling=0)
    kinds["cmyk"] = saved(PILImage.fromarray(inks, "CMYK"), "JPEG")
    adobe = kinds["cmyk"].index(b"Adobe")
    kinds["ycck"] = kinds["cmyk"][: adobe + 11] + b"\2" + kinds["cmyk"][adobe + 12 :]  # no encoder at hand: other colours, but sound
    kinds["arithmetic"] = turbojpeg.compress(image, 85, turbojpeg.SAMP.Y420, arithmetic=True)
    return kinds


SOURCES = sources()


@pytest.mark.parametrize("kind", SOURCES)
def test_blocks_that_no_mask_touches_stay(kind: str) -> None:
    opened = opened_jpeg(SOURCES[kind])
    before = opened.frame(0)
    mask = box_mask(97, 131, 33, 17, 61, 40) | box_mask(97, 131, 128, 92, 131, 97)
    hidden = np.full_like(before, 90)
    opened.replace(0, hidden, mask)
    assert np.array_equal(opened.frame(0)[mask], hidden[mask])
    again = opened_jpeg(opened.encode())
    after = again.frame(0)
    border = int(kind[:3] in {"420", "422", "440", "ari"})  # smooth upsampling looks at one chroma sample beyond
    kept = kept_pixels(opened, mask, border)
    assert kept.mean() > 0.6
    assert np.array_equal(after[kept], before[kept])
    assert np.abs(after[mask].astype(int) - 90).mean() < 6
    assert again._header.components == opened._header.components
    assert again._header.progressive == opened._header.progressive
    for number, table in opened._header.tables.items():
        assert np.array_equal(again._header.tables[number], table)


@pytest.mark.parametrize("kind", SOURCES)
def test_frames_are_what_pillow_shows(kind: str) -> None:
    with PILImage.open(io.BytesIO(SOURCES[kind])) as image:
        assert differs(opened_jpeg(SOURCES[kind]).frame(0), np.asarray(image.convert("RGB"))) <= 1


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SAMPLINGS), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.data())
def test_any_size_and_any_mask(sampling: str, height: int, width: int, progressive: bool, data: st.DataObject) -> None:
    image = picture(height, width)
    opened = opened_jpeg(sampled(image, sampling, PROGRESSIVE=int(progressive)))
    mask = data.draw(hnp.arrays(np.bool_, (height, width), elements=st.booleans(), fill=st.just(False)))
    before = opened.frame(0)
    opened.replace(0, 255 - before, mask)
    after = open_picture(opened.encode(), "x").frame(0)
    far = kept_pixels(opened, mask, 1)
    assert np.array_equal(after[far], before[far])
    assert after.shape == before.shape


def test_blocks_in_the_mask_are_what_the_encoder_makes_of_the_changed_picture() -> None:
    image = picture(64, 64)
    for sampling in SAMPLINGS:
        opened = opened_jpeg(sampled(image, sampling))
        hidden = picture(64, 64, seed=5)
        opened.replace(0, hidden, np.ones((64, 64), np.bool_))
        reference = np.asarray(cv2.imdecode(np.frombuffer(sampled(hidden, sampling), np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1].astype(int)
        error = np.abs(open_picture(opened.encode(), "x").frame(0).astype(int) - hidden).mean()
        assert error == pytest.approx(np.abs(reference - hidden).mean(), rel=0.02)


def test_two_faces_behind_one_mask_give_one_file() -> None:
    """Nothing of what the mask covers is left: files that differ there alone come out the same."""
    flat = np.full((96, 96, 3), 128, np.uint8)
    mask = box_mask(96, 96, 30, 35, 60, 70)
    files = set()
    for seed in (1, 2):
        image = flat.copy()
        image[40:64, 40:56] = picture(24, 16, seed)
        opened = opened_jpeg(sampled(image, "444"))
        before = opened.frame(0)
        around = opened.frame(0)
        around[mask] = 0
        opened.replace(0, np.full_like(before, 60), mask)
        files.add(opened.encode())
    assert len(files) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_a_turned_picture_keeps_its_blocks(orientation: int, sampling: int) -> None:
    data = saved(picture(96, 128), "JPEG", exif=exif(orientation), subsampling=sampling)
    with PILImage.open(io.BytesIO(data)) as image:
        stored = np.asarray(image.convert("RGB"))
    opened = opened_jpeg(data)
    before, hidden, mask = hide(opened)
    assert np.array_equal(before, turned(stored, orientation))
    assert opened._spliced() is not None
    again = opened_jpeg(opened.encode())
    assert again.orientation == 1
    assert (again.width, again.height) == (opened.width, opened.height)
    kept = kept_pixels(opened, mask, 1)
    assert np.abs(again.frame(0).astype(int) - before)[kept].max() <= 3  # the decoder rounds a turned block a little differently
    assert np.abs(again.frame(0).astype(int) - hidden)[mask].mean() < 30
    box = opened.upright(np.array([[10.0, 20.0, 90.0, 30.0]]))[0].astype(int)
    assert np.array_equal(np.sort(before[box[1] : box[3], box[0] : box[2]].reshape(-1)), np.sort(stored[20:30, 10:90].reshape(-1)))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_of_any_size_keeps_quality(orientation: int) -> None:
    opened = opened_jpeg(saved(picture(97, 131), "JPEG", exif=exif(orientation), subsampling=2, quality=91))
    before, _, mask = hide(opened)
    again = opened_jpeg(opened.encode())
    assert np.abs(again.frame(0).astype(int) - before)[kept_pixels(opened, mask, 1)].mean() < 4
    assert again.orientation == 1
    assert [(part.across, part.down) for part in again._components] == [(part.across, part.down) for part in opened._components]
    expected = opened._tables()
    assert expected is not None
    assert all(np.array_equal(table, other) for table, other in zip(again._tables() or [], expected, strict=True))


@pytest.mark.parametrize("kind", SOURCES)
def test_without_turbojpeg_the_whole_is_encoded_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "turbo", lambda: None)
    opened = opened_jpeg(SOURCES[kind])
    before, hidden, mask = hide(opened, colour=(80, 80, 80))
    again = opened_jpeg(opened.encode())
    assert np.abs(again.frame(0).astype(int) - before)[~mask].mean() < 6
    assert np.abs(again.frame(0).astype(int) - hidden)[mask].mean() < 25
    assert len(again._header.components) == len(opened._header.components)
    assert np.array_equal(again._header.tables[0], opened._header.tables[0])


def test_a_block_that_was_not_put_in_is_an_error() -> None:
    library = turbo()
    assert library is not None
    block = {99: (np.array([0]), np.zeros((1, 64), np.int16))}
    with pytest.raises(TurboError, match="not put in"):
        library.transcode(sampled(picture(), "444"), 1, [block, {}, {}], False)


def test_only_the_picture_and_its_colour_profile_are_kept() -> None:
    icc = profile_of({b"A2B0": bytes(range(256)) * 600})  # more than one segment
    tags = saved(picture(), "JPEG", exif=exif(1), icc_profile=icc, comment=SECRET, dpi=(301, 301), xmp=b"<x>" + SECRET)
    tail = saved(picture(seed=3), "JPEG")
    source = tags[:2] + b"\xff\xed" + struct.pack(">H", len(SECRET) + 2) + SECRET + tags[2:] + tail + SECRET
    for keep in (False, True):
        opened = opened_jpeg(source, keep_metadata=keep)
        hide(opened)
        for encoded in (opened.encode(), with_segments(opened._encoded(), opened._exif, opened._header.icc)):
            assert SECRET not in encoded
            assert tail[-300:-2] not in encoded
            assert b"\x01\x2d" not in encoded[:20]  # 301 dots an inch
            header = read_header(encoded, "x")
            assert header.icc == icc
            assert header.end == len(encoded)
            assert (b"Model 5" in encoded) == (b"2024:05:06" in encoded) == keep
            with PILImage.open(io.BytesIO(encoded)) as again:
                assert again.info.get("icc_profile") == icc
                assert 0x8825 not in again.getexif()
                assert set(again.getexif()) <= ({0x010F, 0x0110, 0x8769} if keep else set())


def test_an_untouched_picture_is_decoded_the_same() -> None:
    for kind, data in SOURCES.items():
        assert np.array_equal(open_picture(opened_jpeg(data).encode(), "x").frame(0), opened_jpeg(data).frame(0)), kind


@pytest.mark.parametrize("kind", ["420", "444 progressive", "grey", "420 restarts"])
def test_a_cut_file_is_refused(kind: str) -> None:
    for part in cuts(SOURCES[kind], 30):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")
        if len(part) > len(SOURCES[kind]) - 2:  # the end marker alone was cut
            continue
        with pytest.raises(DartblurError, match=r"^some/name: "):
            open_picture(part + b"\xff\xd9", "some/name")


@pytest.mark.parametrize("kind", ["420", "444 progressive", "grey"])
def test_harmless_oddities_of_cameras_are_read(kind: str) -> None:
    data = SOURCES[kind]
    expected = open_picture(data, "x").frame(0)
    padded = data[:-2] + bytes(30) + data[-2:]
    scan = data.index(b"\xff\xda")
    start = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    odd = data[: start - 3] + bytes(3) + data[start:]
    for file in (padded, padded + SECRET, *([] if "progressive" in kind else [odd])):
        opened = opened_jpeg(file)
        assert np.array_equal(opened.frame(0), expected)
        hide(opened)
        assert opened._spliced() is not None
        assert np.array_equal(open_picture(opened.encode(), "x").frame(0)[-16:], expected[-16:])


def test_damage_before_padding_is_refused() -> None:
    data = bytearray(SOURCES["444"])
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    with pytest.raises(DartblurError, match="the JPEG is damaged"):
        open_picture(bytes(data[:-2]) + bytes(30) + bytes(data[-2:]), "x")


def test_damaged_data_is_refused() -> None:
    data = bytearray(SOURCES["444"])
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    with pytest.raises(DartblurError, match=r"x: the JPEG is damaged \(Corrupt JPEG data"):
        open_picture(bytes(data), "x")


@settings(max_examples=60, deadline=None)
@given(st.integers(2, len(SOURCES["grey"]) - 1), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    data = SOURCES["grey"][:place] + noise + SOURCES["grey"][place + len(noise) :]
    try:
        opened = open_picture(data, "x", limits=Limits(pixels=1_000_000))
        hide(opened)
        assert open_picture(opened.encode(), "x").frame(0).shape == opened.frame(0).shape
    except DartblurError as error:
        assert str(error).startswith("x: ")
        assert "\n" not in str(error)


def test_what_cannot_be_kept_is_refused() -> None:
    header = SOURCES["grey"]
    frame = header.index(b"\xff\xc0")
    for depth, marker, message in ((12, 0xC1, "a JPEG of 12 bits"), (8, 0xC3, "or a lossless one"), (8, 0xC5, "cannot be kept")):
        changed = header[: frame + 1] + bytes([marker]) + header[frame + 2 : frame + 4] + bytes([depth]) + header[frame + 5 :]
        with pytest.raises(DartblurError, match=message):
            open_picture(changed, "x")


def test_a_bomb_is_refused_by_its_header() -> None:
    data = SOURCES["grey"]
    frame = data.index(b"\xff\xc0")
    bomb = data[: frame + 5] + b"\xff\xff\xff\xff" + data[frame + 9 :]
    with pytest.raises(DartblurError, match="65535 x 65535 pixels are more than the 250,000,000 that are read"):
        open_picture(bomb, "x")
    empty = data[: frame + 5] + bytes(4) + data[frame + 9 :]
    with pytest.raises(DartblurError, match="the picture is 0 x 0 pixels"):
        open_picture(empty, "x")


def test_a_hundred_thousand_scans_are_refused() -> None:
    data = SOURCES["420 progressive"]
    scan = data.rindex(b"\xff\xda")
    bomb = data[:scan] + data[scan:-2] * 1000 + data[-2:]
    with pytest.raises(DartblurError, match="the JPEG is damaged"):
        open_picture(bomb, "x")


def test_the_library_is_found_without_importing_anything_of_it() -> None:
    code = "import sys; from dartblur.media.turbo import turbo; assert turbo() is not None; assert 'turbojpeg' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_older_library_is_not_taken() -> None:
    class Old:
        """Has none of the functions."""

    with pytest.raises(AttributeError):
        Turbo(Old())  # type: ignore[arg-type]


