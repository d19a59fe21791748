"""The directories of a TIFF, classic or big: its pages as tags and compressed segments, read and written; nothing is decoded here."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dartblur.errors import DartblurError
from dartblur.media.picture import REPLACE, Limits, why
from dartblur.media.profile import safe_profile

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, ORIENTATION, CHANNELS, STRIP_ROWS, PLANES, PREDICTOR = 266, 274, 277, 278, 284, 317
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, INK_SET, FORMAT, JPEG_TABLES = 320, 322, 323, 332, 339, 347
FAX_3_OPTIONS, FAX_4_OPTIONS, SUBSAMPLING = 292, 293, 530
_KIND, _OLD_KIND, _RAW, _PROFILE = 254, 255, 50706, 34675
_STRIPS, _TILES = (273, 279), (324, 325)  # offsets and lengths
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _MAKE, _MODEL = 282, 283, 296, 271, 272
_STRUCTURE = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, CHANNELS, STRIP_ROWS, PLANES, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT),
    *(INK_SET, FORMAT, JPEG_TABLES, FAX_3_OPTIONS, FAX_4_OPTIONS, SUBSAMPLING),
    *(_KIND, 297, 301, 318, 319, 334, 338, 529, 531, 532, _PROFILE),  # page number, colours, extra samples, chroma, colour profile
}
_SAFE = {_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _MAKE, _MODEL}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_SHORT, _LONG, _RATIONAL, _LONG_8 = 3, 4, 5, 16


class Tag(NamedTuple):
    """A tag's value: its type, how many there are, and its bytes as they lie in the file."""

    kind: int
    values: int
    data: bytes


@dataclass
class TiffPage:
    """One directory: its tags, and where its segments (strips or tiles) lie."""

    order: str
    tags: dict[int, Tag] = field(default_factory=dict)

    def numbers(self, code: int) -> tuple[int, ...]:
        """The whole numbers of a tag; none if it is missing or of another type."""
        tag = self.tags.get(code)
        if tag is None or tag.kind not in _NUMBERS:
            return ()
        return struct.unpack(f"{self.order}{tag.values}{_NUMBERS[tag.kind]}", tag.data)

    def number(self, code: int, default: int = 0) -> int:
        """The first number of a tag."""
        return next(iter(self.numbers(code)), default)

    def put(self, code: int, *values: int, kind: int = _SHORT) -> None:
        """Set a tag to whole numbers."""
        self.tags[code] = Tag(kind, len(values), struct.pack(f"{self.order}{len(values)}{_NUMBERS[kind]}", *values))

    @property
    def tiled(self) -> bool:
        """Whether its segments are tiles."""
        return TILE_WIDTH in self.tags

    @property
    def places(self) -> list[tuple[int, int]]:
        """Offset and length of each segment."""
        offsets, lengths = (self.numbers(code) for code in (_TILES if self.tiled else _STRIPS))
        return list(zip(offsets, lengths, strict=True))

    @property
    def main(self) -> bool:
        """Whether it is a picture of its own: not a preview or a mask of another."""
        return self.number(_KIND) & 5 == 0 and self.number(_OLD_KIND, 1) != 2

    def stripped(self, keep_metadata: bool) -> "TiffPage":
        """A copy with the tags that decoding needs, and where asked for with resolution, make and model."""
        page = TiffPage(self.order, {code: tag for code, tag in self.tags.items() if code in _STRUCTURE or (keep_metadata and code in _SAFE)})
        if _PROFILE in page.tags:
            profile = safe_profile(page.tags[_PROFILE].data)
            page.tags[_PROFILE] = Tag(7, len(profile), profile)
            if not profile:
                del page.tags[_PROFILE]
        if _X_RESOLUTION not in page.tags or _Y_RESOLUTION not in page.tags:  # readers expect one
            page.put(_RESOLUTION_UNIT, 1)
            one = struct.pack(self.order + "II", 1, 1)
            page.tags |= {_X_RESOLUTION: Tag(_RATIONAL, 1, one), _Y_RESOLUTION: Tag(_RATIONAL, 1, one)}
        return page


class TiffFile(NamedTuple):
    """A TIFF: byte order ("<" or ">"), whether its offsets have 64 bits, and its pages."""

    order: str
    big: bool
    pages: list[TiffPage]


def read_tiff(data: bytes, name: str, limits: Limits) -> TiffFile:
    """Read the directories of the main chain; what other directories hold (previews, EXIF, GPS) is left alone.

    Raises:
        DartblurError: the chain or a segment leads out of the file, there are too many pages, or it is a camera's raw file.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        big = struct.unpack_from(order + "H", data, 2)[0] == 43
        offset = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
        pages, seen = list[TiffPage](), set[int]()
        while offset:
            if offset in seen:
                raise ValueError("its directories run in a circle")
            seen.add(offset)
            limits.check(name, 1, 1, len(seen))
            if offset >= len(data):
                raise ValueError("a directory lies outside the file")
            page, offset = _directory(data, order, big, offset)
            pages.append(page)
        for page in pages:
            if any(start + length > len(data) or not start or not length for start, length in page.places if page.main):
                raise ValueError("a segment lies outside the file")
    except (struct.error, ValueError) as error:
        raise DartblurError(f"{name}: the TIFF is damaged or truncated ({why(error)}); {REPLACE}") from error
    if any(_RAW in page.tags for page in pages) or data[8:10] == b"CR":
        raise DartblurError(f"{name}: a camera's raw file cannot be kept; develop it to a picture first")
    return TiffFile(order, big, pages)


def _directory(data: bytes, order: str, big: bool, offset: int) -> tuple[TiffPage, int]:
    """The directory at ``offset`` and where the next one lies, 0 for none."""
    count, pointer, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    number = struct.unpack_from(order + count, data, offset)[0]
    if number * entry > len(data):
        raise ValueError("a directory is longer than the file")
    start, wide = offset + struct.calcsize("=" + count), struct.calcsize("=" + pointer)
    following = struct.unpack_from(order + pointer, data, start + number * entry)[0]
    page = TiffPage(order)
    for position in range(start, start + number * entry, entry):
        code, kind, values = struct.unpack_from(order + "HH" + pointer, data, position)
        size, place = _SIZES.get(kind, 0) * values, position + 4 + wide
        if size > wide:
            place = struct.unpack_from(order + pointer, data, place)[0]
        if size and place + size <= len(data):
            page.tags[code] = Tag(kind, values, data[place : place + size])
        elif code in _STRUCTURE or code in _STRIPS or code in _TILES:
            raise ValueError(f"tag {code} lies outside the file")
    return page, following


def write_tiff(order: str, big: bool, pages: Sequence[tuple[TiffPage, Sequence[bytes]]]) -> bytes:
    """A TIFF of these pages, each with its segments."""
    pointer, wide = ("Q", 8) if big else ("I", 4)
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)
    link = len(out) - wide
    for page, segments in pages:
        offsets = []
        for segment in segments:
            out += bytes(len(out) % 2)
            offsets.append(len(out))
            out += segment
        codes = _TILES if page.tiled else _STRIPS
        kind = _LONG_8 if big else _LONG
        page.put(codes[0], *offsets, kind=kind)
        page.put(codes[1], *(len(segment) for segment in segments), kind=kind)
        out += bytes(len(out) % 2)
        struct.pack_into(order + pointer, out, link, len(out))
        link = _append_directory(out, page.tags, order, big)
    return bytes(out)


def _append_directory(out: bytearray, tags: Mapping[int, Tag], order: str, big: bool) -> int:
    """Append a directory and its values; where the pointer to the next one lies, 0 so far."""
    count, pointer, wide, entry = ("Q", "Q", 8, 20) if big else ("H", "I", 4, 12)
    out += struct.pack(order + count, len(tags))
    link = len(out) + len(tags) * entry
    values, behind = bytearray(), link + wide
    for code in sorted(tags):
        kind, number, data = tags[code]
        out += struct.pack(order + "HH" + pointer, code, kind, number)
        if len(data) <= wide:
            out += data.ljust(wide, b"\0")
        else:
            values += bytes(len(values) % 2)
            out += struct.pack(order + pointer, behind + len(values))
            values += data
    out += bytes(wide) + values
    return link
