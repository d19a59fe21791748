"""HEIF: size, depth, subsampling, alpha and colours are kept, the loss outside the mask is small, and nothing else comes out."""

import importlib
import io
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage
from PIL import UnidentifiedImageError

from dartblur.errors import DartblurError
from dartblur.media.codec import Limits, open_picture
from dartblur.media.heif import HeifPicture
from dartblur.media.orientation import turned
from tests.media.makepictures import PROFILE, SECRET, cuts, exif, hide, picture, reopened

pytest.importorskip("pillow_heif")
LIBRARY: Any = importlib.import_module("pillow_heif")


def heif(pictures: list[tuple[str, npt.NDArray[Any]]], info: dict[str, Any] | None = None, **options: Any) -> bytes:
    """A HEIF of pictures with their modes."""
    file = LIBRARY.HeifFile()
    for mode, samples in pictures:
        added = file.add_frombytes(mode, samples.shape[1::-1], samples.tobytes())
        added.info |= info or {}
    out = io.BytesIO()
    file.save(out, **{"quality": 85} | options)
    return out.getvalue()


def read(data: bytes) -> Any:
    return LIBRARY.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)


IMAGE = picture(64, 80)
KINDS: list[tuple[str, npt.NDArray[Any]]] = [
    ("L", IMAGE[:, :, 0]),
    ("RGB", IMAGE),
    ("RGBA", np.dstack([IMAGE, IMAGE[:, :, :1]])),
    ("RGB;10", IMAGE.astype(np.uint16) * 4),
    ("RGB;12", IMAGE.astype(np.uint16) * 16),
]
STILL = heif([KINDS[1]])


@pytest.mark.parametrize(("mode", "samples"), KINDS)
def test_the_look_is_kept(mode: str, samples: npt.NDArray[Any]) -> None:
    data = heif([(mode, samples)])
    opened = open_picture(data, "x")
    assert isinstance(opened, HeifPicture)
    assert (opened.width, opened.height, opened.frames) == (80, 64, 1)
    before, hidden, mask = hide(opened, colour=(90, 90, 90))
    encoded = opened.encode()
    again = open_picture(encoded, "x")
    assert read(encoded).mode == mode
    assert np.abs(again.frame(0).astype(int) - before)[~mask].mean() < 3
    assert np.abs(again.frame(0).astype(int) - hidden)[mask].mean() < 6


@pytest.mark.parametrize("chroma", [444, 422, 420])
def test_subsampling_and_colours_are_kept(chroma: int) -> None:
    tags: dict[str, Any] = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9, "full_range_flag": 1}
    data = heif([("RGB;10", IMAGE.astype(np.uint16) * 4)], chroma=chroma, **tags)
    encoded = open_picture(data, "x").encode()
    assert read(encoded).info["chroma"] == chroma
    assert {tag: int(read(encoded).info["nclx_profile"][tag]) for tag in tags} == tags


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(orientation: int) -> None:
    data = heif([("RGB", IMAGE)], exif=exif(orientation), quality=95, chroma=444)
    opened = open_picture(data, "x")
    expected = turned(IMAGE, orientation)
    assert opened.frame(0).shape == expected.shape
    assert np.abs(opened.frame(0).astype(int) - expected).mean() < 3
    assert np.abs(reopened(opened).frame(0).astype(int) - expected).mean() < 3


def test_only_the_pictures_and_their_colours_are_kept() -> None:
    data = heif([("RGB", IMAGE)], {"icc_profile": PROFILE, "icc_profile_type": "prof", "thumbnails": [32]}, exif=exif(1), xmp=SECRET)
    for keep in (False, True):
        opened = open_picture(data, "x", keep_metadata=keep)
        hide(opened)
        encoded = opened.encode()
        assert SECRET not in encoded
        assert read(encoded).info["icc_profile"] == PROFILE
        assert read(encoded).info["thumbnails"] == []
        assert (b"Model 5" in encoded) == keep


def test_all_pictures_of_a_file_are_shown() -> None:
    data = heif([("RGB", IMAGE), ("L", IMAGE[:20, :30, 0])], primary_index=1)
    opened = open_picture(data, "x")
    assert opened.frames == 2
    assert [opened.frame(index).shape for index in (0, 1)] == [(64, 80, 3), (20, 30, 3)]
    hide(opened, 1)
    again = reopened(opened)
    assert np.abs(again.frame(1).astype(int) - opened.frame(1)).mean() < 5
    assert read(opened.encode()).primary_index == 1


def test_a_cut_file_is_refused() -> None:
    for part in cuts(heif([("RGB", IMAGE)])):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 440), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    damaged = STILL[:place] + noise + STILL[place + len(noise) :]
    try:
        assert open_picture(damaged, "x", limits=Limits(pixels=1_000_000)).frames >= 1
    except DartblurError as error:
        assert str(error).startswith("x: ")
        assert "\n" not in str(error)


def test_sequences_and_bombs_are_refused() -> None:
    data = heif([("RGB", IMAGE)])
    with pytest.raises(DartblurError, match="a HEIF that holds a sequence cannot be kept"):
        open_picture(data + b"\0\0\0\x08moov", "x")
    with pytest.raises(DartblurError, match="80 x 64 pixels are more than the 1,000"):
        open_picture(data, "x", limits=Limits(pixels=1000))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heif([("RGB", IMAGE)])
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DartblurError, match="x is a HEIF; install pillow-heif"):
        open_picture(data, "x")


def test_it_is_not_registered_with_pillow() -> None:
    with pytest.raises(UnidentifiedImageError):
        PILImage.open(io.BytesIO(heif([("RGB", IMAGE)])))
