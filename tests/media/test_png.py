"""PNG: every colour type and depth comes back as it was outside the mask, animations with their timing, and nothing but the picture."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.codec import Limits, open_picture
from dartblur.media.images import Image
from dartblur.media.orientation import turned
from dartblur.media.png import PngPicture
from dartblur.media.pngchunks import GREY, GREY_ALPHA, PALETTE, RGB, RGB_ALPHA, SIGNATURE, Raster, chunk, chunks, deflate, inflate
from tests.media.makepictures import PROFILE, SECRET, box_mask, cuts, exif, hide, leveled, picture, reopened, saved

KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (RGB, GREY_ALPHA, RGB_ALPHA) for depth in (8, 16)),
]
COLOUR = {b"gAMA": struct.pack(">I", 45455), b"cHRM": bytes(32), b"iCCP": b"icc\0\0" + zlib.compress(PROFILE)}


def png(samples: npt.NDArray[Any], raster: Raster, between: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG of these samples with chunks put before and after the image data."""
    height, width = samples.shape[:2]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, raster.depth, raster.colour, 0, 0, 0))
    return SIGNATURE + header + between + chunk(b"IDAT", deflate(samples, raster)) + after + chunk(b"IEND", b"")


def samples_of(data: bytes) -> npt.NDArray[Any]:
    """The stored samples of a PNG that is not animated."""
    parts = dict(chunks(data, "x"))
    width, height, depth, colour = struct.unpack_from(">IIBB", parts[b"IHDR"])
    return inflate(parts[b"IDAT"], width, height, Raster(colour, depth))


@pytest.mark.parametrize(("colour", "depth"), KINDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_stored_samples_outside_the_mask_stay(colour: int, depth: int, data: st.DataObject) -> None:
    raster = Raster(colour, depth)
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    top = min(raster.top, 9) if colour == PALETTE else raster.top
    samples = data.draw(hnp.arrays(np.uint16 if depth == 16 else np.uint8, (*shape, raster.channels), elements=st.integers(0, top)))
    palette = np.random.default_rng(0).integers(0, 256, (top + 1, 3), dtype=np.uint8)
    source = png(samples, raster, chunk(b"PLTE", palette.tobytes()) if colour == PALETTE else b"")
    mask = data.draw(hnp.arrays(np.bool_, shape))
    opened = open_picture(source, "x")
    shown = opened.frame(0)
    hidden = data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    opened.replace(0, hidden, mask)
    encoded = opened.encode()
    assert np.array_equal(samples_of(encoded)[~mask], samples[~mask])
    again = open_picture(encoded, "x")
    assert np.array_equal(again.frame(0)[~mask], shown[~mask])
    if colour in {RGB, RGB_ALPHA} or (colour == PALETTE and depth == 8):
        assert np.array_equal(again.frame(0)[mask], hidden[mask])
    if colour in {GREY_ALPHA, RGB_ALPHA}:
        assert leveled(samples_of(encoded)[:, :, -1], samples[:, :, -1], mask)
    assert (again.width, again.height, again.frames, again.format) == (shape[1], shape[0], 1, "png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_frames_are_what_pillow_shows(mode: str) -> None:
    image = PILImage.fromarray(picture()).convert(mode)
    assert np.array_equal(open_picture(saved(image, "PNG"), "x").frame(0), np.asarray(image.convert("RGB")))


def test_sixteen_bits_are_as_opencv_reads_them() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    opened = open_picture(cv2.imencode(".png", deep)[1].tobytes(), "x")
    _, hidden, mask = hide(opened)
    again = np.asarray(cv2.imdecode(np.frombuffer(opened.encode(), np.uint8), cv2.IMREAD_UNCHANGED))
    assert again.dtype == np.uint16
    assert np.array_equal(again[~mask], deep[~mask])
    assert np.array_equal(again[mask][:, :3], hidden[mask][:, ::-1].astype(np.uint16) * 257)
    assert leveled(again[:, :, 3], deep[:, :, 3], mask)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int) -> None:
    image = picture(20, 30)
    opened = open_picture(saved(image, "PNG", exif=exif(orientation)), "x")
    assert np.array_equal(opened.frame(0), turned(image, orientation))
    box = opened.upright(np.array([[3.0, 4.0, 9.0, 8.0]]))[0].astype(int)
    assert np.array_equal(opened.frame(0)[box[1] : box[3], box[0] : box[2]].sum(), image[4:8, 3:9].sum())
    again = reopened(opened)
    assert np.array_equal(again.frame(0), turned(image, orientation))
    assert (again.width, again.height) == (opened.width, opened.height)


def test_only_what_says_how_colours_look_is_kept() -> None:
    raster = Raster(RGB, 8)
    kept = b"".join(chunk(kind, content) for kind, content in COLOUR.items())
    odd = chunk(b"prVt", SECRET) + chunk(b"sRGB", SECRET)
    private = chunk(b"tEXt", b"Comment\0" + SECRET) + chunk(b"eXIf", exif(1)[6:]) + chunk(b"tIME", bytes(7)) + odd
    source = png(picture(), raster, kept + private, chunk(b"zTXt", SECRET)) + SECRET
    for keep in (False, True):
        opened = open_picture(source, "x", keep_metadata=keep)
        hide(opened)
        encoded = opened.encode()
        parts = dict(chunks(encoded, "x"))
        assert {kind: parts[kind] for kind in COLOUR} == COLOUR
        assert set(parts) == {b"IHDR", b"IDAT", b"IEND", *COLOUR, *([b"eXIf"] if keep else [])}
        assert SECRET not in encoded
        assert (b"Model 5" in encoded) == keep


def animation(kind: str = "RGBA", **options: Any) -> tuple[bytes, list[Image]]:
    """An animated PNG whose frames are parts of the canvas, and what Pillow shows."""
    frames = []
    for number in range(6):
        frame = PILImage.fromarray(picture(24, 32)).convert("RGBA")
        frame.paste((40 * number, 250 - 40 * number, 0, 255), (3 * number, 2, 3 * number + 8, 12))
        frames.append(frame.convert(kind))
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80, 90], loop=3, **options)
    with PILImage.open(io.BytesIO(data)) as opened:
        shown = []
        for index in range(getattr(opened, "n_frames", 1)):
            opened.seek(index)
            shown.append(np.asarray(opened.convert("RGB")))
    return data, shown


@pytest.mark.parametrize("kind", ["RGBA", "RGB", "P"])
@pytest.mark.parametrize("options", [{}, {"blend": 1}, {"disposal": 1, "blend": 0}, {"disposal": [0, 2, 0, 2, 0, 0]}, {"default_image": True}])
def test_animations_keep_their_frames_and_timing(kind: str, options: dict[str, Any]) -> None:
    data, shown = animation(kind, **options)
    opened = open_picture(data, "x")
    assert opened.frames == len(shown)
    for index in (4, 1, 0, 5, 3, 2):  # in any order
        assert np.array_equal(opened.frame(index), shown[index]), index
    for index in (1, 4):
        _, hidden, mask = hide(opened, index)
        shown[index] = np.where(mask[:, :, None], hidden, shown[index])
    encoded = opened.encode()
    with PILImage.open(io.BytesIO(encoded)) as again:
        assert again.info["loop"] == 3
        for index, expected in enumerate(shown):
            again.seek(index)
            assert np.array_equal(np.asarray(again.convert("RGB")), expected), index
    with PILImage.open(io.BytesIO(data)) as source, PILImage.open(io.BytesIO(encoded)) as again:
        for index in range(opened.frames):
            source.seek(index)
            again.seek(index)
            assert source.info.get("duration") == again.info.get("duration")


def test_a_frame_that_nothing_changes_keeps_its_bytes() -> None:
    data, _ = animation()
    packed = [content for kind, content in chunks(data, "x") if kind in {b"IDAT", b"fdAT"}]
    assert [content for kind, content in chunks(open_picture(data, "x").encode(), "x") if kind in {b"IDAT", b"fdAT"}] == packed
    opened = open_picture(data, "x")
    hide(opened, 3)
    again = [content for kind, content in chunks(opened.encode(), "x") if kind in {b"IDAT", b"fdAT"}]
    assert again[:3] == packed[:3]
    assert again[3] != packed[3]


def test_a_full_palette_takes_the_nearest_colours() -> None:
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    source = png(np.concatenate([indices, indices])[:, :, None], Raster(PALETTE, 8), chunk(b"PLTE", palette.tobytes()))
    opened = open_picture(source, "x")
    mask = box_mask(32, 16, 0, 0, 16, 16)
    opened.replace(0, np.full((32, 16, 3), (90, 100, 110), np.uint8), mask)
    again = reopened(opened)
    assert np.array_equal(again.frame(0)[~mask], np.repeat(indices.reshape(-1, 1), 3, 1))
    assert np.array_equal(again.frame(0)[mask], np.full((256, 3), 100))


def test_what_was_transparent_is_hidden_and_new_colours_are_opaque() -> None:
    indices = np.array([[0, 1, 2, 3]] * 3, np.uint8)[:, :, None]
    palette = bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    source = png(indices, Raster(PALETTE, 2), chunk(b"PLTE", palette) + chunk(b"tRNS", bytes([0, 128])))
    opened = open_picture(source, "x")
    opened.replace(0, np.full((3, 4, 3), 77, np.uint8), box_mask(3, 4, 0, 0, 2, 3))
    with PILImage.open(io.BytesIO(opened.encode())) as again:
        colours = np.asarray(again.convert("RGBA"))
    assert np.array_equal(colours[0], [[77, 77, 77, 255], [77, 77, 77, 255], [0, 255, 0, 255], [0, 0, 255, 255]])


def test_an_interlaced_png_is_read() -> None:
    # Adam7 of 1 x 1 and 3 x 2 pixels, row by row with filter 0, made by hand.
    for raster, rows, expected in (
        (Raster(GREY, 8, True), b"\0\x0a", [[10]]),
        (Raster(GREY, 8, True), b"\0\x0a" + b"\0\x1e" + b"\0\x14" + b"\0\x28\x32\x3c", [[10, 20, 30], [40, 50, 60]]),
    ):
        height, width = np.shape(expected)
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, raster.depth, raster.colour, 0, 0, 1))
        source = SIGNATURE + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        opened = open_picture(source, "x")
        assert opened.frame(0)[:, :, 0].tolist() == expected
        assert reopened(opened).frame(0)[:, :, 0].tolist() == expected
        opened.replace(0, np.full((height, width, 3), 9, np.uint8), box_mask(height, width, 0, 0, 1, 1))
        assert reopened(opened).frame(0)[0, 0].tolist() == [9, 9, 9]
        assert reopened(opened).frame(0)[1:, :, 0].tolist() == expected[1:]


@pytest.mark.parametrize("kind", ["still", "animated"])
def test_a_cut_file_is_refused(kind: str) -> None:
    for part in cuts(saved(picture(), "PNG") if kind == "still" else animation()[0]):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; (replace|convert)"):
            open_picture(part, "some/name")


def test_a_cut_or_damaged_raster_in_sound_chunks_is_refused() -> None:
    samples = picture()
    packed = deflate(samples, Raster(RGB, 8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, 0))
    for bad in (packed[:-1], packed[:-4], packed[:-100], packed[:50], b"", packed[:-4] + b"abcd", deflate(samples[:-1], Raster(RGB, 8)), b"noise"):
        with pytest.raises(DartblurError, match=r"^x: the PNG is damaged \(image data"):
            open_picture(SIGNATURE + header + chunk(b"IDAT", bad) + chunk(b"IEND", b""), "x")


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(saved(picture(), "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(DartblurError, match="a checksum of the PNG is wrong"):
        open_picture(bytes(data), "x")


def test_a_missing_frame_is_refused() -> None:
    data, _ = animation()
    parts = list(chunks(data, "x"))
    last = max(number for number, (kind, _) in enumerate(parts) if kind == b"fcTL")
    less = SIGNATURE + b"".join(chunk(*part) for number, part in enumerate(parts) if number < last or part[0] == b"IEND")
    with pytest.raises(DartblurError, match=r"the PNG is damaged \(number of frames\)"):
        open_picture(less, "x")


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    with pytest.raises(DartblurError, match="60000 x 60000 pixels are more than the 250,000,000 that are read"):
        open_picture(SIGNATURE + header + chunk(b"IDAT", b"x") + chunk(b"IEND", b""), "x")
    with pytest.raises(DartblurError, match="6 frames are more than the 5 that are read"):
        open_picture(animation()[0], "x", limits=Limits(frames=5))


def test_parts_that_were_never_painted_are_refused() -> None:
    raster = Raster(GREY, 8)
    grey = np.full((4, 4, 1), 9, np.uint8)

    def control(number: int, side: int, disposal: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 10, disposal, 0))

    second = control(1, 2, 0) + chunk(b"fdAT", struct.pack(">I", 2) + deflate(grey[:2, :2], raster))
    source = png(grey, raster, chunk(b"acTL", struct.pack(">II", 2, 0)) + control(0, 4, 1), second)
    opened = open_picture(source, "x")
    assert opened.frame(0)[0, 0, 0] == 9
    with pytest.raises(DartblurError, match="frame 1 has parts that were never painted"):
        opened.frame(1)


def test_it_is_a_png_picture_whatever_it_is_called() -> None:
    opened = open_picture(saved(picture(), "PNG"), "photo.jpg")
    assert isinstance(opened, PngPicture)
    assert opened.suffixes == (".png", ".apng")
