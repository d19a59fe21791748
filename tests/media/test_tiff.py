"""TIFF: samples of every depth, layout and compression stay outside the mask; untouched segments keep their bytes; previews and metadata go."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media import tiffpages as tags
from dartblur.media.codec import Limits, open_picture
from dartblur.media.orientation import turned
from dartblur.media.tiff import TiffPicture
from dartblur.media.tifflayout import Layout
from dartblur.media.tiffpages import Tag, TiffPage, read_tiff, write_tiff
from dartblur.media.tiffsegments import (
    BYTES,
    DEFLATE,
    DIFFERENCES,
    FAX,
    FAX_3,
    FAX_4,
    FLOAT_DIFFERENCES,
    LZW,
    PACKBITS,
    PLAIN,
    Coding,
)
from tests.media.makepictures import PROFILE, SECRET, box_mask, cuts, hide, leveled, picture, reopened, saved

GREY, RGB, PALETTE, INKS = 1, 2, 3, 5


def page_of(
    samples: npt.NDArray[Any], coding: Coding, meaning: int, planar: bool = False, tile: tuple[int, int] | None = None, rows: int = 5
) -> tuple[TiffPage, list[bytes]]:
    """A page of samples (H x W x C) and its segments."""
    height, width, channels = samples.shape
    high, wide = tile or (rows, width)
    layout = Layout(height, width, high, wide, channels, planar, tile is not None)
    page = TiffPage(coding.order)
    for code, value in ((tags.WIDTH, width), (tags.HEIGHT, height), (tags.TILE_HEIGHT, high), (tags.TILE_WIDTH, wide), (tags.STRIP_ROWS, high)):
        if code in {tags.WIDTH, tags.HEIGHT} or (code == tags.STRIP_ROWS) == (tile is None):
            page.put(code, value, kind=4)
    page.put(tags.BITS, *[coding.bits] * channels)
    page.put(tags.FORMAT, *[3 if coding.kind == "f" else 1] * channels)
    for code, value in (
        (tags.COMPRESSION, coding.compression),
        (tags.PHOTOMETRIC, meaning),
        (tags.CHANNELS, channels),
        (tags.PLANES, 2 if planar else 1),
        (tags.PREDICTOR, coding.predictor),
        (tags.FILL_ORDER, 2 if coding.reversed else 1),
        (tags.FAX_3_OPTIONS, coding.fax_options),
    ):
        page.put(code, value)
    if meaning == PALETTE:
        shades = np.random.default_rng(0).integers(0, 65536, 3 << coding.bits)
        page.put(tags.COLOUR_MAP, *shades.tolist())
    segments = []
    for down, across, plane in layout.segments():
        part = samples[down, across, plane]
        part = np.pad(part, ((0, down.stop - down.start - part.shape[0]), (0, across.stop - across.start - part.shape[1]), (0, 0)))
        segments.append(coding.pack(part))
    return page, segments


def samples_of(data: bytes, index: int = 0) -> npt.NDArray[Any]:
    """The samples of a page as stored, turned upright."""
    opened = open_picture(data, "x")
    assert isinstance(opened, TiffPicture)
    return opened._stored(index)


@st.composite
def codings(draw: st.DrawFn) -> tuple[Coding, int, int]:
    """A coding, what the samples mean and how many channels they have."""
    order, reversed_bits = draw(st.sampled_from("<>")), draw(st.booleans())
    if draw(st.integers(0, 5)) == 0:
        compression = draw(st.sampled_from(list(FAX)))
        return Coding(order, 1, "u", compression, 1, reversed_bits, draw(st.sampled_from([0, 1, 4])) if compression == FAX_3 else 0), GREY, 1
    compression = draw(st.sampled_from([PLAIN, *BYTES]))
    meaning, channels = draw(st.sampled_from([(0, 1), (GREY, 1), (GREY, 2), (RGB, 3), (RGB, 4), (PALETTE, 1), (INKS, 4), (INKS, 5)]))
    kind = draw(st.sampled_from("uuf")) if meaning != PALETTE else "u"
    bits = draw(st.sampled_from([16, 32, 64] if kind == "f" else [1, 2, 4, 8] if meaning == PALETTE else [1, 4, 8, 12, 16, 32]))
    predictors = [1]
    if bits in {8, 16, 32} and kind == "u":
        predictors.append(DIFFERENCES)
    if kind == "f":
        predictors.append(FLOAT_DIFFERENCES)
    return Coding(order, bits, kind, compression, draw(st.sampled_from(predictors)), reversed_bits), meaning, channels


@settings(max_examples=80, deadline=None)
@given(codings(), st.integers(1, 20), st.integers(1, 20), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_samples_outside_the_mask_stay(
    kind: tuple[Coding, int, int], height: int, width: int, planar: bool, tiled: bool, big: bool, seed: int
) -> None:
    coding, meaning, channels = kind
    rng = np.random.default_rng(seed)
    if coding.kind == "f":
        samples = rng.random((height, width, channels)).astype(coding.dtype)
    else:
        samples = rng.integers(0, 1 << coding.bits, (height, width, channels), dtype=np.uint64).astype(coding.dtype)
    source = write_tiff(coding.order, big, [page_of(samples, coding, meaning, planar and channels > 1, (16, 16) if tiled else None)])
    opened = open_picture(source, "x")
    before, mask = opened.frame(0), rng.random((height, width)) < rng.choice([0.0, 0.02, 0.5])
    hidden = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    opened.replace(0, hidden, mask)
    encoded = opened.encode()
    again = open_picture(encoded, "x")
    assert np.array_equal(samples_of(encoded)[~mask], samples[~mask])
    assert np.array_equal(again.frame(0), opened.frame(0))
    assert np.array_equal(again.frame(0)[~mask], before[~mask])
    if meaning == RGB and coding.bits >= 8:
        assert np.abs(again.frame(0)[mask].astype(int) - hidden[mask]).max(initial=0) <= (1 if coding.kind == "f" else 0)
    if channels in {2, 5} or (meaning == RGB and channels == 4):
        assert leveled(samples_of(encoded)[:, :, -1], samples[:, :, -1], mask)
    page = read_tiff(encoded, "x", Limits()).pages[0]
    for code in (tags.BITS, tags.COMPRESSION, tags.PHOTOMETRIC, tags.PLANES, tags.PREDICTOR, tags.FORMAT, tags.TILE_WIDTH):
        assert page.numbers(code) == read_tiff(source, "x", Limits()).pages[0].numbers(code)
    assert encoded[:4] == source[:4]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_frames_are_what_pillow_shows(mode: str, compression: str) -> None:
    image = PILImage.fromarray(picture()).convert(mode)
    data = saved(image, "TIFF", compression=compression)
    opened = open_picture(data, "x")
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(opened.frame(0) - expected).max() <= (1 if mode == "CMYK" else 0)
    _, hidden, mask = hide(opened)
    with PILImage.open(io.BytesIO(opened.encode())) as again:
        assert again.mode == mode
        assert again.info["compression"] == compression
        found = np.asarray(again.convert("RGB")).astype(int)
    assert np.abs(found - expected)[~mask].max() <= (1 if mode == "CMYK" else 0)
    if mode in {"RGB", "RGBA", "CMYK"}:
        assert np.abs(found - hidden)[mask].max() <= 1


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_pages(compression: str) -> None:
    image = PILImage.fromarray(picture()).convert("1")
    opened = open_picture(saved(image, "TIFF", compression=compression), "x")
    before, _, mask = hide(opened, colour=(255, 255, 255))
    assert np.array_equal(before[:, :, 0] > 0, np.asarray(image))
    with PILImage.open(io.BytesIO(opened.encode())) as again:
        assert np.array_equal(np.asarray(again), np.asarray(image) | mask)


def jpeg_page(image: npt.NDArray[np.uint8], **options: Any) -> bytes:
    return saved(image, "TIFF", compression="jpeg", quality=90, **options)


@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_segments_keep_their_blocks(grey: bool) -> None:
    image = picture(80, 96)
    data = jpeg_page(image[:, :, 0] if grey else image, strip_size=96 * 16 * (1 if grey else 3))
    opened = open_picture(data, "x")
    with PILImage.open(io.BytesIO(data)) as other:
        before = np.asarray(other.convert("RGB"))
    assert np.array_equal(opened.frame(0), before)
    mask = box_mask(80, 96, 20, 35, 40, 45)
    opened.replace(0, np.full_like(before, 60), mask)
    encoded = opened.encode()
    with PILImage.open(io.BytesIO(encoded)) as again:
        after = np.asarray(again.convert("RGB"))
    assert np.array_equal(after, open_picture(encoded, "x").frame(0))
    away = ~box_mask(80, 96, 15, 31, 49, 49)
    assert np.array_equal(after[away], before[away])
    assert np.abs(after[mask].astype(int) - 60).mean() < 8
    old, new = (read_tiff(file, "x", Limits()).pages[0].places for file in (data, encoded))
    assert len(old) == len(new) > 1
    for number, ((start, length), (where, size)) in enumerate(zip(old, new, strict=True)):
        if number not in {35 * len(old) // 80, 44 * len(old) // 80}:
            assert data[start : start + length] == encoded[where : where + size]


def test_comments_inside_jpeg_segments_are_dropped() -> None:
    data = jpeg_page(picture(80, 96), strip_size=96 * 16 * 3)
    page = read_tiff(data, "x", Limits()).pages[0]
    comment = b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET
    segments = [data[start : start + 2] + comment + data[start + 2 : start + length] for start, length in page.places]
    tables = page.tags[tags.JPEG_TABLES].data
    page.tags[tags.JPEG_TABLES] = Tag(7, len(tables) + len(comment), tables[:2] + comment + tables[2:])
    opened = open_picture(write_tiff("<", False, [(page, segments)]), "x")
    assert np.array_equal(opened.frame(0), open_picture(data, "x").frame(0))
    opened.replace(0, np.zeros((80, 96, 3), np.uint8), box_mask(80, 96, 20, 35, 40, 45))
    encoded = opened.encode()
    assert SECRET not in encoded
    assert np.array_equal(open_picture(encoded, "x").frame(0)[:16], opened.frame(0)[:16])


def test_segments_that_no_mask_touches_keep_their_bytes() -> None:
    samples = picture(64, 64).astype(np.uint16) * 257
    page, segments = page_of(samples, Coding("<", 16, "u", LZW, 2, False), RGB, tile=(16, 16))
    data = write_tiff("<", False, [(page, segments)])
    opened = open_picture(data, "x")
    opened.replace(0, np.full((64, 64, 3), 9, np.uint8), box_mask(64, 64, 17, 17, 30, 30))
    encoded = opened.encode()
    kept = [encoded[start : start + length] for start, length in read_tiff(encoded, "x", Limits()).pages[0].places]
    assert [number for number, segment in enumerate(kept) if segment != segments[number]] == [5]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("planar", [False, True])
def test_the_orientation_is_applied_once(orientation: int, tile: tuple[int, int] | None, planar: bool) -> None:
    image = picture(20, 30)
    page, segments = page_of(image, Coding(">", 8, "u", DEFLATE, 1, False), RGB, planar, tile)
    page.put(tags.ORIENTATION, orientation)
    opened = open_picture(write_tiff(">", False, [(page, segments)]), "x")
    assert np.array_equal(opened.frame(0), turned(image, orientation))
    before, hidden, mask = hide(opened)
    again = reopened(opened)
    assert (again.width, again.height) == (opened.width, opened.height)
    assert np.array_equal(again.frame(0), np.where(mask[:, :, None], hidden, before))
    with PILImage.open(io.BytesIO(opened.encode())) as other:
        assert other.size == (opened.width, opened.height)
        assert tags.ORIENTATION not in other.getexif()


def test_pages_of_any_size_and_kind() -> None:
    pages = [
        page_of(picture(20, 30), Coding("<", 8, "u", LZW, 1, False), RGB),
        page_of(np.random.default_rng(0).random((7, 9, 1)).astype(np.float32), Coding("<", 32, "f", DEFLATE, 3, False), GREY),
        page_of(picture(9, 8)[:, :, :1] > 120, Coding("<", 1, "u", FAX_4, 1, False), GREY),
    ]
    opened = open_picture(write_tiff("<", False, pages), "x")
    assert opened.frames == 3
    assert [opened.frame(index).shape[:2] for index in (2, 0, 1)] == [(9, 8), (20, 30), (7, 9)]
    hidden, mask = np.full((7, 9, 3), 51, np.uint8), box_mask(7, 9, 2, 2, 5, 5)
    opened.replace(1, hidden, mask)
    with pytest.raises(DartblurError, match="frame 1 is 7 x 9"):
        opened.replace(1, np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.bool_))
    with pytest.raises(DartblurError, match="there is no frame 3, it has 3"):
        opened.frame(3)
    again = reopened(opened)
    assert isinstance(again, TiffPicture)
    assert np.array_equal(again.frame(1)[mask], hidden[mask])
    for index in (0, 2):
        assert np.array_equal(again.frame(index), opened.frame(index))
    assert again._stored(1)[0, 0, 0] == np.random.default_rng(0).random((7, 9, 1)).astype(np.float32)[0, 0, 0]


def test_previews_masks_and_metadata_are_dropped() -> None:
    image, small = picture(40, 60), picture(10, 15, seed=3)
    kinds = ((0, image), (1, small), (4, small), (2, image))
    pages = []
    for kind, samples in kinds:
        page, segments = page_of(samples, Coding("<", 8, "u", PLAIN, 1, False), RGB)
        page.put(254, kind, kind=4)
        page.tags[305] = page.tags[315] = page.tags[270] = page.tags[700] = Tag(2, len(SECRET), SECRET)
        page.tags[271] = Tag(2, 6, b"Maker\0")
        page.tags[282] = page.tags[283] = Tag(5, 1, struct.pack("<II", 301, 1))
        page.tags[34675] = Tag(7, len(PROFILE), PROFILE)
        page.put(330, 8, kind=4)
        pages.append((page, segments))
    for keep in (False, True):
        opened = open_picture(write_tiff("<", False, pages) + SECRET, "x", keep_metadata=keep)
        assert opened.frames == 2
        hide(opened, 1)
        encoded = opened.encode()
        assert SECRET not in encoded
        assert small.tobytes()[:60] not in encoded
        assert encoded.count(PROFILE) == 2
        assert (b"Maker" in encoded) == (struct.pack("<II", 301, 1) in encoded) == keep


@pytest.mark.parametrize("compression", [PLAIN, LZW, PACKBITS, DEFLATE])
@pytest.mark.parametrize("big", [False, True])
def test_a_cut_file_is_refused(compression: int, big: bool, capfd: pytest.CaptureFixture[str]) -> None:
    data = write_tiff("<", big, [page_of(picture(), Coding("<", 8, "u", compression, 1, False), RGB)] * 2)
    for part in cuts(data):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")
    capfd.readouterr()


@pytest.mark.parametrize("compression", [PLAIN, LZW, PACKBITS, DEFLATE])
def test_segments_that_are_too_short_are_refused(compression: int, capfd: pytest.CaptureFixture[str]) -> None:
    page, segments = page_of(picture()[:, :, :1], Coding("<", 8, "u", compression, 1, False), GREY, rows=40)
    for length in (1, len(segments[0]) // 2):
        with pytest.raises(DartblurError, match="a segment of page 0 of the TIFF is damaged"):
            open_picture(write_tiff("<", False, [(page, [segments[0][:length]])]), "x")
    capfd.readouterr()


def test_what_cannot_be_kept_is_refused() -> None:
    for code, values, message in (
        (tags.PHOTOMETRIC, (8,), "a TIFF of colour space 8 cannot be kept"),
        (tags.PHOTOMETRIC, (32803,), "a TIFF of colour space 32803 cannot be kept"),
        (tags.COMPRESSION, (33003,), "a TIFF of compression 33003"),
        (tags.BITS, (8, 8, 16), "a TIFF of 8 bits"),
        (tags.FORMAT, (2, 2, 2), "sample format 2"),
        (tags.PREDICTOR, (3,), "a TIFF of predictor 3"),
        (tags.CHANNELS, (2,), "a TIFF of 2 channels"),
        (tags.STRIP_ROWS, (7,), "its segments do not make a page"),
        (tags.HEIGHT, (0,), "the picture is 60 x 0 pixels"),
        (tags.HEIGHT, (60000,), "pixels are more than"),
        (254, (1,), "the TIFF holds no picture"),
        (50706, (1,), "a camera's raw file"),
    ):
        page, segments = page_of(picture(), Coding("<", 8, "u", PLAIN, 1, False), RGB)
        if code == tags.HEIGHT:
            page.put(tags.WIDTH, 60)
        page.put(code, *values)
        with pytest.raises(DartblurError, match=message):
            open_picture(write_tiff("<", False, [(page, segments)]), "x", limits=Limits(pixels=100_000))
    floats = np.full((4, 4, 1), -3, np.float32)
    with pytest.raises(DartblurError, match="floating point samples from -3 to 0 are no colours"):
        open_picture(write_tiff("<", False, [page_of(floats, Coding("<", 32, "f", PLAIN, 1, False), GREY)]), "x")


def test_directories_in_a_circle_or_too_many_are_refused() -> None:
    page = page_of(picture(4, 4), Coding("<", 8, "u", PLAIN, 1, False), RGB)
    data = bytearray(write_tiff("<", False, [page]))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    with pytest.raises(DartblurError, match="its directories run in a circle"):
        open_picture(bytes(data), "x")
    with pytest.raises(DartblurError, match="6 frames are more than the 5"):
        open_picture(write_tiff("<", False, [page] * 6), "x", limits=Limits(frames=5))
    with pytest.raises(DartblurError, match="its pages have more than the 95 pixels that are read"):
        open_picture(write_tiff("<", False, [page] * 6), "x", limits=Limits(total=95))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 600), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    damaged = STILL[:place] + noise + STILL[place + len(noise) :]
    try:
        opened = open_picture(damaged, "x", limits=Limits(pixels=1_000_000))
        hide(opened)
        assert open_picture(opened.encode(), "x").frames == opened.frames
    except DartblurError as error:
        assert str(error).startswith("x: ")
        assert "\n" not in str(error)


STILL = write_tiff("<", False, [page_of(picture(6, 7), Coding("<", 8, "u", PLAIN, 1, False), RGB)])
