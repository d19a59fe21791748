"""What a case of the corpus is, and what the builders of all formats share."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from PIL import Image as Pillow

from dartblur.anonymizer.records import Status
from tests.anonymizer.leaks import BOX, marked, thumbnail

SECRET = b"GEHEIM-7f3a-49.0066N"
"""Stands in every piece of metadata that must not survive."""
IMAGE = marked()
"""The picture of most cases."""
TOLD = "^turned upright"
"""What the record says of a picture that was stored turned."""
Row = tuple[float, float, float, float]
FACE: tuple[Row, ...] = (BOX,)


@dataclass(frozen=True)
class Case:
    """One file of the corpus.

    Attributes:
        name: of the file, relative to the source.
        data: its bytes.
        status: what must become of it.
        reason: a regular expression that the record's reason must match.
        boxes: its annotations, x1 y1 x2 y2; none: it stands in no annotation.
        hidden: number of boxes that are hidden in it, over all frames.
        secrets: must be in no file that is written.
        shows: whether the face is to be seen in ``data`` by :mod:`tests.anonymizer.leaks`; where it is not, that instrument proves nothing.
    """

    name: str
    data: bytes
    status: Status = "anonymised"
    reason: str = "^$"
    boxes: tuple[Row, ...] = FACE
    hidden: int = 1
    secrets: tuple[bytes, ...] = ()
    shows: bool = True

    def __str__(self) -> str:
        """For the name of a test."""
        return self.name.encode(errors="backslashreplace").decode("ascii", "replace").replace("\n", "|")


def failed(name: str, data: bytes, reason: str, boxes: tuple[Row, ...] = FACE) -> Case:
    """A file that must not be written, for a reason that matches ``reason``."""
    return Case(name, data, "failed", reason, boxes, hidden=0, shows=False)


def saved(raster: npt.NDArray[Any] | Pillow.Image, kind: str, mode: str | None = None, **options: Any) -> bytes:
    """A raster as a file of Pillow's format ``kind``, brought to ``mode`` first."""
    picture = raster if isinstance(raster, Pillow.Image) else Pillow.fromarray(raster)
    out = io.BytesIO()
    (picture if mode is None else picture.convert(mode)).save(out, kind, **options)
    return out.getvalue()


def animated(kind: str, count: int = 3, mode: str | None = None, **options: Any) -> bytes:
    """Frames with the same face on different backgrounds."""
    frames = [Pillow.fromarray(marked(seed)) for seed in range(count)]
    if mode is not None:
        frames = [frame.convert(mode) for frame in frames]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


Entry = tuple[int, int, bytes]
"""Tag, type (2 text, 3 short, 4 long, 5 rational, 7 bytes) and value, little-endian."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}


def short(value: int) -> bytes:
    """A value of type 3."""
    return struct.pack("<H", value)


def long(value: int) -> bytes:
    """A value of type 4."""
    return struct.pack("<I", value)


def directory(entries: Sequence[Entry], start: int, following: int = 0) -> bytes:
    """A TIFF directory to stand at ``start`` with its values behind it; ``following`` is where the next one stands."""
    table, values = b"", b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in sorted(entries):
        table += struct.pack("<HHI", tag, kind, len(value) // _SIZES[kind])
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += long(behind + len(values))
            values += value + b"\0" * (len(value) % 2)
    return short(len(entries)) + table + long(following) + values


def exif(orientation: int | None = None, preview: bytes | None = None) -> bytes:
    """An EXIF block (from its TIFF header on) with a place, a serial number, a comment, and a thumbnail that shows the face."""
    preview = saved(thumbnail(IMAGE), "JPEG", quality=92) if preview is None else preview
    place: list[Entry] = [(1, 2, b"N\0"), (2, 5, struct.pack("<6I", 49, 1, 0, 1, 24, 1)), (28, 7, SECRET)]
    exposure: list[Entry] = [(0xA431, 2, SECRET + b"\0"), (0x9286, 7, b"ASCII\0\0\0" + SECRET), (0x927C, 7, SECRET + preview)]
    main: list[Entry] = [(0x010E, 2, SECRET + b"\0"), (0x013B, 2, SECRET + b"\0"), (0x8825, 4, long(0)), (0x8769, 4, long(0))]
    if orientation is not None:
        main.append((0x0112, 3, short(orientation)))
    at_place = 8 + len(directory(main, 8))
    at_exposure = at_place + len(directory(place, 0))
    at_second = at_exposure + len(directory(exposure, 0))
    second: list[Entry] = [(0x0103, 3, short(6)), (0x0201, 4, long(0)), (0x0202, 4, long(len(preview)))]
    at_preview = at_second + len(directory(second, 0))
    main = [(tag, kind, {0x8825: long(at_place), 0x8769: long(at_exposure)}.get(tag, value)) for tag, kind, value in main]
    second[1] = (0x0201, 4, long(at_preview))
    blocks = directory(main, 8, at_second) + directory(place, at_place) + directory(exposure, at_exposure) + directory(second, at_second)
    return b"II*\0" + long(8) + blocks + preview


def xmp() -> bytes:
    """An XMP packet with a place and a thumbnail."""
    import base64

    picture = base64.b64encode(saved(thumbnail(IMAGE), "JPEG")).decode()
    return (
        "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        f"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description>{SECRET.decode()}<xmpGImg:image>{picture}"
        "</xmpGImg:image></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()
