"""EXIF blocks: the orientation, and the few tags that may be kept. Everything else of them is left behind.

What may be kept, and only where it was asked for: make and model of the camera, resolution, exposure (time, f-number, programme, ISO, bias, metering,
flash, white balance), focal length, colour space and the time of the shot. Never: GPS, serial numbers, names of owners and artists, comments, maker
notes, unique ids, thumbnails, previews.
"""

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from dartblur.media.orientation import UPRIGHT

if TYPE_CHECKING:
    from fractions import Fraction

ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_SAFE = {0x010F, 0x0110, 0x011A, 0x011B, 0x0128}
_SAFE_EXPOSURE = {0x829A, 0x829D, 0x8822, 0x8827, 0x9003, 0x9204, 0x9207, 0x9209, 0x920A, 0xA001, 0xA403, 0xA405}
_LONGEST_TEXT = 64
_STRUCTS = {1: "B", 3: "H", 4: "I", 5: "II", 9: "i", 10: "ii"}
_TEXT = 2
_RATIONALS = {5, 10}

# Fractions and Pillow take half as long to import as a picture takes; few pictures need either.
Value: TypeAlias = "int | str | Fraction"
Tags: TypeAlias = dict[int, "Value"]


def orientation_of(block: bytes) -> int:
    """The orientation that an EXIF block (a TIFF header and what follows) asks for, 1 to 8; 1 where it does not say."""
    value = _tags(block, _first(block)).get(ORIENTATION, UPRIGHT)
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def safe_exif(block: bytes) -> bytes:
    """A new EXIF block (from its TIFF header on) with the safe tags of ``block`` alone; empty if it has none."""
    main = _tags(block, _first(block))
    pointer = main.get(_EXIF_IFD)
    exposure = _tags(block, pointer) if isinstance(pointer, int) else {}
    return exif_block({tag: main[tag] for tag in main if tag in _SAFE}, {tag: exposure[tag] for tag in exposure if tag in _SAFE_EXPOSURE})


def exif_block(main: Mapping[int, Value], exposure: Mapping[int, Value]) -> bytes:
    """An EXIF block (from its TIFF header on) of these tags of its two directories; empty without tags."""
    if not main and not exposure:
        return b""
    from fractions import Fraction

    from PIL import Image as PILImage
    from PIL.TiffImagePlugin import IFDRational

    exif = PILImage.Exif()
    for directory, tags in ((exif, main), (exif.get_ifd(_EXIF_IFD), exposure)):
        for tag, value in tags.items():
            directory[tag] = IFDRational(value.numerator, value.denominator) if isinstance(value, Fraction) else value
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _first(block: bytes) -> int:
    """Where the first directory lies; beyond the end if this is no TIFF header."""
    known = len(block) >= 8 and block[:4] in {b"II*\0", b"MM\0*"}
    return int(struct.unpack_from(_order(block) + "I", block, 4)[0]) if known else len(block)


def _order(block: bytes) -> str:
    return "<" if block[:2] == b"II" else ">"


def _tags(block: bytes, start: int) -> Tags:
    """The single numbers and short texts of the directory at ``start``; what is damaged is left out."""
    order, tags = _order(block), Tags()
    if start + 2 > len(block):
        return tags
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from(order + "H", block, start)[0], 12):
        if entry + 12 > len(block):
            break
        tag, kind, count = struct.unpack_from(order + "HHI", block, entry)
        value = _value(block, order, entry + 8, kind, count)
        if value is not None:
            tags[tag] = value
    return tags


def _value(block: bytes, order: str, position: int, kind: int, count: int) -> "Value | None":
    """The value of an entry whose last four bytes are at ``position``: they are it, or say where it is."""
    size = count if kind == _TEXT else struct.calcsize("=" + _STRUCTS.get(kind, ""))
    if size > 4:
        position = struct.unpack_from(order + "I", block, position)[0]
    if position + size > len(block) or size == 0:
        return None
    if kind == _TEXT:
        text = block[position : position + size].split(b"\0")[0].decode("ascii", "replace").strip()
        return text if text and len(text) <= _LONGEST_TEXT and text.isascii() and text.isprintable() else None
    if count != 1:
        return None
    numbers = struct.unpack_from(order + _STRUCTS[kind], block, position)
    if kind in _RATIONALS:
        from fractions import Fraction

        return Fraction(*numbers) if numbers[1] else None
    return int(numbers[0])
