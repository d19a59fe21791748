"""The marker segments of a JPEG: what its header says, where the picture ends, and putting segments into a new one."""

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.media.picture import REPLACE
from dartblur.media.profile import safe_profile

_START, _END, _SCAN, _TABLES = 0xD8, 0xD9, 0xDA, 0xDB
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_BASE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, Huffman and arithmetic
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_ICC, _EXIF = b"ICC_PROFILE\0", b"Exif\0\0"
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Ends the data of a scan: neither a stuffed zero nor a restart."""
_ZIGZAG = np.array(
    [
        *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28),
        *(35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
    ]
)

Table = npt.NDArray[np.uint16]
"""Quantisation steps, 8 x 8, rows are vertical frequencies."""


@dataclass(frozen=True)
class Component:
    """One component of the raster: its sampling factors, horizontal and vertical, and the number of its quantisation table."""

    across: int
    down: int
    table: int


@dataclass
class JpegHeader:
    """What the segments of a JPEG say.

    Attributes:
        width, height: in pixels, as stored.
        depth: bits a sample.
        progressive: whether it has progressive scans.
        supported: whether it is sequential or progressive; the others are lossless or hierarchical.
        components: in their order.
        tables: quantisation tables by number, as the first scan has them.
        adobe: whether Adobe's marker is there, which turns CMYK around.
        exif: the EXIF block from its TIFF header on, or empty.
        icc: the safe part of the colour profile, or empty.
        scans: where the data of each scan starts.
        end: where the picture ends, right behind its end marker.
    """

    width: int = 0
    height: int = 0
    depth: int = 0
    progressive: bool = False
    supported: bool = False
    components: tuple[Component, ...] = ()
    tables: dict[int, Table] = field(default_factory=dict)
    adobe: bool = False
    exif: bytes = b""
    icc: bytes = b""
    scans: list[int] = field(default_factory=list)
    end: int = 0


def read_header(data: bytes, name: str) -> JpegHeader:
    """Read all segments of a JPEG.

    Raises:
        DartblurError: it ends before its end marker, or its segments make no sense.
    """
    header, profile = JpegHeader(), dict[int, bytes]()
    position, scanned = 2, False
    while True:
        marker, position = _marker(data, position, name)
        if marker == _END:
            break
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise _truncated(name)
        position += length
        try:
            _note(header, marker, body, profile, scanned)
        except (IndexError, ValueError) as error:
            raise DartblurError(f"{name}: the header of the JPEG is damaged; {REPLACE}") from error
        if marker == _SCAN:
            scanned = True
            header.scans.append(position)
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                raise _truncated(name)
            position = found.start()
    if not header.components or not scanned:
        raise DartblurError(f"{name}: the JPEG holds no picture; {REPLACE}")
    header.end = position
    if profile and sorted(profile) == list(range(1, len(profile) + 1)):
        header.icc = safe_profile(b"".join(profile[number] for number in sorted(profile)))
    return header


def sound_scans(data: bytes, header: JpegHeader) -> bytes:
    """A sequential JPEG whose scans say so: some cameras write three wrong bytes there that every decoder passes over, with a warning."""
    right = b"\0\x3f\0"
    if header.progressive or all(data[start - 3 : start] == right for start in header.scans):
        return data
    changed = bytearray(data)
    for start in header.scans:
        changed[start - 3 : start] = right
    return bytes(changed)


def without_padding(data: bytes) -> bytes:
    """A JPEG without the zeros that some cameras put before the end marker: they look like damage to a decoder."""
    return data[:-2].rstrip(b"\0") + data[-2:]


def _truncated(name: str) -> DartblurError:
    return DartblurError(f"{name}: the JPEG ends before its end marker (truncated); {REPLACE}")


def _marker(data: bytes, position: int, name: str) -> tuple[int, int]:
    """The marker at ``position`` and where its segment starts; any number of 0xFF may stand before it."""
    if position >= len(data):
        raise _truncated(name)
    if data[position] != 0xFF:
        raise DartblurError(f"{name}: the header of the JPEG is damaged; {REPLACE}")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise _truncated(name)
    return data[position], position + 1


def _note(header: JpegHeader, marker: int, body: bytes, profile: dict[int, bytes], scanned: bool) -> None:
    """Take what a segment says into ``header``, and a part of the colour profile into ``profile``."""
    if marker in _FRAMES and not header.components:
        header.depth, header.height, header.width = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        header.progressive, header.supported = marker in _PROGRESSIVE, marker in _BASE
        header.components = tuple(Component(body[at + 1] >> 4, body[at + 1] & 15, body[at + 2]) for at in range(6, 6 + 3 * body[5], 3))
    elif marker == _TABLES and not scanned:
        header.tables.update(_tables(body))
    elif marker == _APP14 and body.startswith(b"Adobe"):
        header.adobe = True
    elif marker == _APP1 and body.startswith(_EXIF) and not header.exif:
        header.exif = body[len(_EXIF) :]
    elif marker == _APP2 and body.startswith(_ICC):
        profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]


def _tables(body: bytes) -> dict[int, Table]:
    tables, position = {}, 0
    while position < len(body):
        wide = body[position] >> 4
        values = np.frombuffer(body, ">u2" if wide else "u1", 64, position + 1)
        if not values.all():
            raise ValueError("a quantisation step of 0")
        table = np.zeros(64, np.uint16)
        table[_ZIGZAG] = values
        tables[body[position] & 15] = table.reshape(8, 8)
        position += 65 + 64 * bool(wide)
    return tables


def with_segments(jpeg: bytes, exif: bytes, icc: bytes) -> bytes:
    """A JPEG with nothing but the structure, with an EXIF block and a colour profile put in where they belong.

    The resolution of a JFIF header is neutral, for it is metadata as well; comments and other applications' segments are dropped.
    """
    kept, position = bytearray(jpeg[:2]), 2
    if exif:
        kept += _segment(_APP1, _EXIF + exif)
    while jpeg[position + 1] >= _APP0:  # APP0 to COM
        length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
        body = jpeg[position + 4 : position + 2 + length]
        if jpeg[position + 1] == _APP0 and body.startswith(b"JFIF\0"):
            kept += _segment(_APP0, body[:7] + b"\0\0\1\0\1\0\0")
        elif jpeg[position + 1] == _APP14:
            kept += _segment(_APP14, body)
        position += 2 + length
    step = 65535 - 2 - len(_ICC) - 2
    parts = [icc[start : start + step] for start in range(0, len(icc), step)]
    for number, part in enumerate(parts, 1):
        kept += _segment(_APP2, _ICC + bytes([number, len(parts)]) + part)
    return bytes(kept) + jpeg[position:]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def without_applications(jpeg: bytes) -> bytes:
    """A JPEG that is part of another file, without applications' segments and comments: the file around it says what they would."""
    kept, position = bytearray(jpeg[:2]), 2
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF and jpeg[position + 1] not in {_SCAN, _END}:
        length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
        if jpeg[position + 1] < _APP0:
            kept += jpeg[position : position + 2 + length]
        position += 2 + length
    return bytes(kept) + jpeg[position:]
