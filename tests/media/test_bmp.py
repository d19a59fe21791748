"""BMP: every depth and layout keeps its stored values outside the mask."""

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
from dartblur.media.bmp import BmpPicture
from dartblur.media.codec import open_picture
from tests.media.makepictures import PROFILE, SECRET, box_mask, cuts, hide, picture, reopened, saved


def bmp(
    raster: npt.NDArray[Any],
    depth: int,
    header: int = 40,
    palette: bytes = b"",
    compression: int = 0,
    masks: tuple[int, ...] = (),
    downwards: bool = False,
    profile: tuple[int, bytes] | None = None,
) -> bytes:
    """A BMP of stored values (H x W or H x W x 3) in any layout."""
    height, width = raster.shape[:2]
    if compression in {1, 2}:
        rows = raster.tobytes()
    else:
        packed = np.packbits(np.unpackbits(raster[:, :, None], axis=2)[:, :, 8 - depth :].reshape(height, -1), axis=1) if depth < 8 else raster
        lines = np.ascontiguousarray(packed).view(np.uint8).reshape(height, -1)
        lines = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 4)))
        rows = (lines if downwards else lines[::-1]).tobytes()
    if header == 12:
        dib = bytearray(struct.pack("<IHHHH", 12, width, height, 1, depth))
    else:
        entries = len(palette) // 4
        sides = (width, -height if downwards else height)
        dib = bytearray(struct.pack("<IiiHHIIiiII", header, *sides, 1, depth, compression, len(rows), 2835, 2835, entries, 0))
        dib = (dib + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    offset = 14 + len(dib) + len(palette)
    if profile:
        struct.pack_into("<I", dib, 56, profile[0])
        struct.pack_into("<II", dib, 112, offset - 14 + len(rows), len(profile[1]))
    body = bytes(dib) + palette + rows + (profile[1] if profile else b"")
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, offset) + body


def grey_palette(count: int) -> bytes:
    return b"".join(bytes([255 * index // max(count - 1, 1)] * 3 + [0]) for index in range(count))


def stored(data: bytes) -> npt.NDArray[Any]:
    """The values of a BMP as they are stored."""
    opened = open_picture(data, "x")
    assert isinstance(opened, BmpPicture)
    return opened._raster


LAYOUTS: list[tuple[int, dict[str, Any]]] = [
    (1, {"palette": grey_palette(2)}),
    (2, {"palette": grey_palette(4)}),
    (4, {"palette": grey_palette(16)}),
    (8, {"palette": grey_palette(200), "downwards": True}),
    (8, {"palette": bytes(range(256)) * 3, "header": 12}),
    (16, {}),
    (16, {"compression": 3, "masks": (0xF800, 0x7E0, 0x1F)}),
    (24, {}),
    (24, {"header": 12}),
    (24, {"header": 124, "profile": (0x4D424544, PROFILE)}),
    (32, {"downwards": True}),
    (32, {"compression": 3, "header": 108, "masks": (0xFF, 0xFF00, 0xFF0000, 0xFF000000)}),
    (32, {"compression": 3, "masks": (0x3FF, 0xFFC00, 0x3FF00000)}),
    (32, {"compression": 6, "masks": (0xFF0000, 0xFF00, 0xFF, 0xFF000000)}),
]


@pytest.mark.parametrize(("depth", "options"), LAYOUTS)
@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_stored_values_outside_the_mask_stay(depth: int, options: dict[str, Any], height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    top = min(1 << depth, 200) if depth <= 8 else 1 << min(depth, 32)
    dtype = {16: "<u2", 32: "<u4"}.get(depth, "u1")
    raster = rng.integers(0, 256 if depth == 24 else top, (height, width, 3) if depth == 24 else (height, width)).astype(dtype)
    source = bmp(raster, depth, **options)
    opened = open_picture(source, "x")
    before, hidden, mask = opened.frame(0), rng.integers(0, 256, (height, width, 3), dtype=np.uint8), rng.random((height, width)) < 0.4
    opened.replace(0, hidden, mask)
    encoded = opened.encode()
    assert np.array_equal(stored(encoded)[~mask], raster[~mask])
    again = open_picture(encoded, "x").frame(0)
    assert np.array_equal(again[~mask], before[~mask])
    if depth >= 24:
        assert np.abs(again[mask].astype(int) - hidden[mask]).max(initial=0) <= (0 if depth == 24 else 1)
    assert encoded[14:18] == source[14:18]
    assert (PROFILE in encoded) == ("profile" in options)
    assert int.from_bytes(encoded[2:6], "little") == len(encoded)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_frames_are_what_pillow_shows(mode: str) -> None:
    data = saved(PILImage.fromarray(picture()).convert(mode), "BMP")
    for file in (data, open_picture(data, "x").encode()):
        with PILImage.open(io.BytesIO(file)) as image:
            assert np.array_equal(open_picture(data, "x").frame(0), np.asarray(image.convert("RGB")))


def test_run_lengths_are_read_and_written_plain() -> None:
    runs = np.frombuffer(bytes([3, 1, 2, 2, 0, 0, 0, 5, 1, 0, 2, 0, 1, 0, 0, 1]), np.uint8)
    source = bytearray(bmp(runs[None], 8, palette=grey_palette(4), compression=1))
    struct.pack_into("<ii", source, 18, 5, 2)
    opened = open_picture(bytes(source), "x")
    before = opened.frame(0)
    assert (before[:, :, 0] // 85).tolist() == [[1, 0, 2, 0, 1], [1, 1, 1, 2, 2]]
    opened.replace(0, np.full_like(before, 255), box_mask(2, 5, 0, 0, 1, 1))
    again = reopened(opened)
    assert (again.frame(0)[:, :, 0] // 85).tolist() == [[3, 0, 2, 0, 1], [1, 1, 1, 2, 2]]


def test_nothing_else_of_the_file_is_kept() -> None:
    source = bytearray(bmp(picture(), 24, header=124, profile=(0x4C494E4B, b"/home/" + SECRET)))
    opened = open_picture(bytes(source) + SECRET, "x")
    hide(opened)
    encoded = opened.encode()
    assert SECRET not in encoded
    assert encoded[38:46] == bytes(8)  # resolution
    assert open_picture(bytes(source), "x", keep_metadata=True).encode()[38:46] == struct.pack("<ii", 2835, 2835)


@pytest.mark.parametrize(("depth", "options"), LAYOUTS)
def test_a_cut_file_is_refused(depth: int, options: dict[str, Any]) -> None:
    shape = (9, 11, 3) if depth == 24 else (9, 11)
    data = bmp(np.zeros(shape, {16: "<u2", 32: "<u4"}.get(depth, "u1")), depth, **options | {"profile": None})
    for part in cuts(data):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")


def test_what_cannot_be_read_is_refused() -> None:
    image = picture()
    for change, message in (
        ((14, "<I", 41), "header of 41 bytes"),
        ((28, "<H", 23), "23 bits a pixel"),
        ((30, "<I", 4), "compression 4"),
        ((18, "<i", -5), "the picture is -5 x 40 pixels"),
        ((18, "<ii", 2**31 - 1, 2**31 - 1), "pixels are more than the 250,000,000"),
    ):
        data = bytearray(bmp(image, 24))
        struct.pack_into(change[1], data, change[0], *change[2:])
        with pytest.raises(DartblurError, match=message):
            open_picture(bytes(data), "x")
    with pytest.raises(DartblurError, match="a colour without bits"):
        open_picture(bmp(image[:, :, 0].astype("<u2"), 16, compression=3, masks=(0, 0, 0)), "x")
