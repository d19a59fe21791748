"""EXIF: the orientation is found whatever surrounds it, and only the safe tags come out."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur.media.exif import Value, exif_block, orientation_of, safe_exif
from tests.media.makepictures import SECRET, exif

START = b"Exif\0\0"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_is_read(order: str, orientation: int) -> None:
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHIHH", 8, 1, 0x0112, 3, 1, orientation, 0) + bytes(4)
    assert orientation_of(block) == (orientation if 1 <= orientation <= 8 else 1)


@pytest.mark.parametrize("block", [b"", b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff", b"noise and more noise"])
def test_damaged_blocks_say_nothing(block: bytes) -> None:
    assert orientation_of(block) == 1
    assert safe_exif(block) == b""


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_read_without_an_error(noise: bytes, little: bool) -> None:
    block = (b"II*\0" if little else b"MM\0*") + noise
    assert 1 <= orientation_of(block) <= 8
    safe_exif(block)


def test_only_safe_tags_come_out() -> None:
    block = safe_exif(exif(6).removeprefix(START))
    assert SECRET not in block
    again = PILImage.Exif()
    again.load(START + block)
    assert dict(again) | {0x8769: 0} == {0x010F: "Maker", 0x0110: "Model 5", 0x8769: 0}
    assert dict(again.get_ifd(0x8769)) == {0x829A: 0.01, 0x9003: "2024:05:06 07:08:09"}
    assert orientation_of(block) == 1
    assert not again.get_ifd(0x8825)


def test_numbers_and_texts_survive_and_odd_texts_do_not() -> None:
    main: dict[int, Value] = {0x010F: "Maker", 0x0110: "x" * 65, 0x011A: Fraction(301, 2), 0x0128: 2}
    shot: dict[int, Value] = {0x829D: Fraction(28, 10), 0x8827: 400, 0x9204: Fraction(-1, 3), 0x9003: "line\nbreak"}
    block = safe_exif(exif_block(main, shot))
    again = PILImage.Exif()
    again.load(START + block)
    assert {tag: again[tag] for tag in again if tag != 0x8769} == {0x010F: "Maker", 0x011A: 150.5, 0x0128: 2}
    assert again.get_ifd(0x8769) == {0x829D: 2.8, 0x8827: 400, 0x9204: pytest.approx(-1 / 3)}
