"""Pictures in and out: what is refused, and that a lossless round trip is one."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.images import Image, decode_image, encode_image, read_image, write_image
from tests.makedata import drawn_picture, texture

PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))
ORIENTATION = 0x0112


def picture(height: int = 40, width: int = 60, seed: int = 0) -> Image:
    return texture(np.random.default_rng(seed), height, width)


def with_thumbnail(jpeg: bytes) -> bytes:
    """``jpeg`` with an Exif segment that holds a whole small JPEG, end marker and all."""
    segment = b"Exif\0\0" + encode_image(picture(16, 16, 1), ".jpg")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


@given(PICTURES)
def test_png_round_trip_is_bit_identical(image: Image) -> None:
    again = decode_image(encode_image(image, ".png"), "x")
    assert again.dtype == np.uint8
    assert np.array_equal(again, image)


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:] = (200, 100, 50)
    for suffix in (".png", ".jpg"):
        write_image(tmp_path / f"a{suffix}", image)
        with PILImage.open(tmp_path / f"a{suffix}") as other:
            assert np.abs(np.asarray(other.convert("RGB"), int) - image).max() <= 2
        assert np.abs(read_image(tmp_path / f"a{suffix}").astype(int) - image).max() <= 2


def test_jpeg_is_close_and_keeps_colour_at_full_resolution() -> None:
    image, _ = drawn_picture(np.random.default_rng(0), 64, 1)
    data = encode_image(image, ".jpg")
    assert np.abs(decode_image(data, "x").astype(int) - image).mean() < 4
    with PILImage.open(io.BytesIO(data)) as other:
        assert [layer[1:3] for layer in getattr(other, "layer")] == [(1, 1)] * 3  # noqa: B009  PIL's stubs do not know it


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_tag_is_not_applied(tmp_path: Path, orientation: int) -> None:
    image = picture(20, 30)
    exif = PILImage.Exif()
    exif[ORIENTATION] = orientation
    PILImage.fromarray(image).save(tmp_path / "a.png", exif=exif)
    PILImage.fromarray(image).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert np.array_equal(read_image(tmp_path / "a.png"), image)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - image).mean() < 10


@pytest.mark.parametrize("shape", [(10, 12), (10, 12, 4)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_transparent_and_deep_pictures_become_rgb(shape: tuple[int, ...], depth: type[np.uint8] | type[np.uint16]) -> None:
    stored = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = cv2.imencode(".png", stored if depth is np.uint8 else stored.astype(np.uint16) * 257)[1].tobytes()
    expected = np.repeat(stored[:, :, None], 3, axis=2) if stored.ndim == 2 else stored[:, :, 2::-1]
    assert np.array_equal(decode_image(data, "x"), expected)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_truncated_picture_is_refused(suffix: str, share: float) -> None:
    data = encode_image(picture(), suffix)
    with pytest.raises(DartblurError, match=r"^some/name: .*(empty|truncated|not a readable picture).*replace it or remove its annotation$"):
        decode_image(data[: int(len(data) * share)], "some/name")


def test_a_jpeg_that_ends_early_says_so_whatever_its_thumbnail_says() -> None:
    data = with_thumbnail(encode_image(picture(), ".jpg"))
    assert decode_image(data, "x").shape == (40, 60, 3)
    for missing in (2, 100, 1500):
        with pytest.raises(DartblurError, match=r"the JPEG ends before its end marker \(truncated\)"):
            decode_image(data[:-missing], "x")
    # A download that was cut off and padded: libjpeg would fill the rest with grey.
    with pytest.raises(DartblurError, match="truncated"):
        decode_image(data[:-1500] + bytes(1500), "x")


def test_a_jpeg_with_something_behind_it_is_read() -> None:
    data = encode_image(picture(), ".jpg")
    assert np.array_equal(decode_image(data + bytes(10_000) + b"\xff\xda", "x"), decode_image(data, "x"))


def test_padded_markers_are_skipped() -> None:
    data = encode_image(picture(), ".jpg")
    assert np.array_equal(decode_image(data[:2] + b"\xff\xff" + data[2:], "x"), decode_image(data, "x"))


@pytest.mark.parametrize("data", [b"no picture at all", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", bytes(5000)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DartblurError, match=r"^some/name: "):
        decode_image(data, "some/name")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_a_picture_or_a_clear_error(data: bytes, jpeg: bool) -> None:
    try:
        image = decode_image((b"\xff\xd8\xff" if jpeg else b"") + data, "x")
    except DartblurError as error:
        assert "\n" not in str(error)
    else:
        assert image.ndim == 3


def test_a_flipped_byte_in_a_png_is_noticed() -> None:
    data = bytearray(encode_image(picture(), ".png"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(DartblurError, match="not a readable picture"):
        decode_image(bytes(data), "x")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"a\.png: cannot be read \(No such file or directory\)"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DartblurError, match=r"cannot be read \(Is a directory\)"):
        read_image(tmp_path)


def test_an_unknown_format_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"\.webp: pictures are written as \.jpg or \.png"):
        write_image(tmp_path / "a.webp", picture())
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.png"
    write_image(path, picture(seed=0))
    write_image(path, picture(seed=1))
    assert np.array_equal(read_image(path), picture(seed=1))
    assert [file.name for file in path.parent.iterdir()] == ["b.png"]
