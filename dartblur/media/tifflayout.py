"""What a TIFF page is: its size, how it is cut into segments, how its samples are coded and what they mean; what cannot be kept is refused."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dartblur.errors import DartblurError
from dartblur.media import tiffpages as tags
from dartblur.media.orientation import UPRIGHT, swaps_sides
from dartblur.media.picture import REPLACE, Limits
from dartblur.media.tiffpages import TiffPage
from dartblur.media.tiffsegments import BYTES, DIFFERENCES, FAX, FLOAT_DIFFERENCES, JPEG, PLAIN, Coding

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, INKS: 4, YCBCR: 3}
_MOST_CHANNELS = 8
CANNOT = "cannot be kept; convert it first"
"""The end of an error's sentence about a file that is sound but could not be written as it was."""


@dataclass(frozen=True)
class Layout:
    """How a page is cut into segments: its size, the size of one segment, samples a pixel, and whether each has segments of its own."""

    height: int
    width: int
    high: int
    wide: int
    channels: int
    planar: bool
    tiled: bool

    @property
    def count(self) -> int:
        """How many segments there are."""
        return -(-self.height // self.high) * -(-self.width // self.wide) * (self.channels if self.planar else 1)

    def segments(self) -> Iterator[tuple[slice, slice, slice]]:
        """Rows, columns and channels of each segment, in the order of the file; those of a tile may reach beyond the page."""
        for plane in [slice(channel, channel + 1) for channel in range(self.channels)] if self.planar else [slice(0, self.channels)]:
            for top in range(0, self.height, self.high):
                bottom = top + self.high if self.tiled else min(top + self.high, self.height)
                for left in range(0, self.width, self.wide):
                    yield slice(top, bottom), slice(left, left + self.wide), plane


class Page:
    """A page that is shown: its tags, layout and coding."""

    def __init__(self, page: TiffPage, name: str, limits: Limits) -> None:
        self.tags = page
        height, width = page.number(tags.HEIGHT), page.number(tags.WIDTH)
        limits.check(name, width, height)
        channels, bits, formats = page.number(tags.CHANNELS, 1), page.numbers(tags.BITS) or (1,), page.numbers(tags.FORMAT) or (1,)
        self.meaning = page.number(tags.PHOTOMETRIC, -1)
        kind = {1: "u", 3: "f"}.get(formats[0], "")
        self.coding = Coding(
            page.order,
            bits[0],
            kind,
            page.number(tags.COMPRESSION, PLAIN),
            page.number(tags.PREDICTOR, 1),
            page.number(tags.FILL_ORDER, 1) == 2,
            page.number(tags.FAX_3_OPTIONS),
        )
        high = page.number(tags.TILE_HEIGHT) if page.tiled else min(page.number(tags.STRIP_ROWS, height), height)
        wide = page.number(tags.TILE_WIDTH) if page.tiled else width
        self.layout = Layout(height, width, high, wide, channels, page.number(tags.PLANES, 1) == 2 and channels > 1, page.tiled)
        self._refuse_odd(name, set(bits), set(formats))
        if not high or not wide or high * wide > limits.pixels or len(page.places) != self.layout.count:
            raise DartblurError(f"{name}: the TIFF is damaged (its segments do not make a page); {REPLACE}")
        self.colours = _COLOURS[self.meaning]
        colours = np.array(page.numbers(tags.COLOUR_MAP), np.uint16).reshape(3, -1).T
        self.palette = np.asarray(colours[: 1 << bits[0]] >> 8, np.uint8)
        if self.meaning == PALETTE and len(self.palette) != 1 << bits[0]:
            raise DartblurError(f"{name}: the palette of the TIFF is damaged; {REPLACE}")

    def _refuse_odd(self, name: str, bits: set[int], formats: set[int]) -> None:
        """Refuse what could not be shown, or not be written as it was.

        Raises:
            DartblurError: so it is.
        """
        coding, layout = self.coding, self.layout
        if self.meaning not in _COLOURS or (self.meaning == INKS and self.tags.number(tags.INK_SET, 1) != 1):
            raise DartblurError(f"{name}: a TIFF of colour space {self.meaning} {CANNOT}")
        if not _COLOURS[self.meaning] <= layout.channels <= _MOST_CHANNELS:
            raise DartblurError(f"{name}: a TIFF of {layout.channels} channels {CANNOT}")
        depths = {"u": {*range(1, 17), 32, 64}, "f": {16, 32, 64}}.get(coding.kind, set())
        if len(bits) != 1 or len(formats) != 1 or coding.bits not in depths:
            raise DartblurError(f"{name}: a TIFF of {coding.bits} bits a sample and sample format {min(formats)} {CANNOT}")
        if self.meaning == PALETTE and coding.bits > 8:
            raise DartblurError(f"{name}: a TIFF with a palette of {coding.bits} bits {CANNOT}")
        jpeg = coding.compression == JPEG and coding.bits == 8 and not layout.planar and self.meaning in {BLACK_IS_ZERO, RGB, YCBCR}
        fax = coding.compression in FAX and coding.bits == layout.channels == 1
        known = coding.compression == PLAIN or coding.compression in BYTES or fax or (jpeg and layout.channels == self.jpeg_channels)
        if not known or (self.meaning == YCBCR and not jpeg):
            raise DartblurError(f"{name}: a TIFF of compression {coding.compression} and colour space {self.meaning} {CANNOT}")
        whole = coding.predictor == DIFFERENCES and coding.bits in {8, 16, 32, 64}
        if coding.predictor != 1 and not whole and not (coding.predictor == FLOAT_DIFFERENCES and coding.kind == "f"):
            raise DartblurError(f"{name}: a TIFF of predictor {coding.predictor} {CANNOT}")

    @property
    def jpeg_channels(self) -> int:
        """Samples a pixel of its JPEG segments."""
        return 1 if self.meaning == BLACK_IS_ZERO else 3

    @property
    def orientation(self) -> int:
        """Of its raster."""
        value = self.tags.number(tags.ORIENTATION, UPRIGHT)
        return value if 1 <= value <= 8 else UPRIGHT

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        sides = self.layout.height, self.layout.width
        return sides[::-1] if swaps_sides(self.orientation) else sides
