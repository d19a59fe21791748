"""TIFF, classic or big, of many pages: grey, RGB, CMYK and palettes of 1 to 64 bits, floating point too, every usual compression.

Segments (strips or tiles) that no mask touches are copied as they are; the others are written anew in the same coding, samples outside the mask
as they were. JPEG segments keep their DCT blocks as :mod:`dartblur.media.jpeg` does. Previews, masks and all directories but the main chain go.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media import tiffpages as tags
from dartblur.media.images import Image
from dartblur.media.jpeg import JpegPicture
from dartblur.media.jpegmarkers import without_applications
from dartblur.media.orientation import UPRIGHT, turned
from dartblur.media.palette import fit
from dartblur.media.picture import REPLACE, Changes, Limits, OpenPicture, why
from dartblur.media.samples import as_rgb, level, put
from dartblur.media.tifflayout import CANNOT, INKS, PALETTE, WHITE_IS_ZERO, YCBCR, Layout, Page
from dartblur.media.tiffpages import TiffPage, read_tiff, write_tiff
from dartblur.media.tiffsegments import JPEG

Samples = npt.NDArray[Any]


class TiffPicture(OpenPicture):
    """An opened TIFF."""

    format = "tiff"
    suffixes = (".tif", ".tiff", ".btf", ".tf8")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        self._file = read_tiff(data, name, limits)
        try:
            self._pages = [Page(page, name, limits) for page in self._file.pages if page.main]
        except ValueError as error:
            raise DartblurError(f"{name}: the TIFF is damaged ({why(error)}); {REPLACE}") from error
        if not self._pages:
            raise DartblurError(f"{name}: the TIFF holds no picture; {REPLACE}")
        first = self._pages[0]
        if sum(page.layout.width * page.layout.height for page in self._pages) > limits.total:
            raise DartblurError(f"{name}: its pages have more than the {limits.total:,} pixels that are read; raise the limit or split it")
        super().__init__(name, (first.layout.width, first.layout.height), len(self._pages), first.orientation)
        self._data, self._keep, self._limits = data, keep_metadata, limits
        self._changes = Changes()
        self._last: tuple[int, Samples] | None = None  # a page as stored, turned upright
        for index in reversed(range(self.frames)):
            self._top(index, self._stored(index))

    def size(self, index: int) -> tuple[int, int]:
        """See :meth:`OpenPicture.size`."""
        super().size(index)
        return self._pages[index].size

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        page = self._pages[index]
        samples, palette = self._changed(index)
        if page.meaning == PALETTE:
            return np.asarray(palette[samples[:, :, 0]])
        inks = page.meaning == INKS
        top = self._top(index, samples)
        colours = samples[:, :, : page.colours]
        if page.meaning == WHITE_IS_ZERO:
            colours = samples.dtype.type(top) - colours
        return as_rgb(colours, top, cmyk=inks)

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        self._changes.add(index, hidden, mask)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        return write_tiff(self._file.order, self._file.big, [self._written(index) for index in range(self.frames)])

    def _stored(self, index: int) -> Samples:
        """The samples of a page, upright: H x W x C; not to be written to.

        Raises:
            DartblurError: a segment is damaged.
        """
        if self._last is None or self._last[0] != index:
            page, layout = self._pages[index], self._pages[index].layout
            samples = np.empty((layout.height, layout.width, layout.channels), page.coding.dtype)
            for (rows, columns, plane), segment in zip(layout.segments(), self._segments(page), strict=True):
                part = samples[rows, columns, plane]
                try:
                    unpacked = self._unpacked(page, segment, rows.stop - rows.start, columns.stop - columns.start, plane.stop - plane.start)
                except (ValueError, OSError, SyntaxError, zlib.error) as error:
                    raise DartblurError(f"{self.name}: a segment of page {index} of the TIFF is damaged ({why(error)}); {REPLACE}") from error
                part[:] = unpacked[: part.shape[0], : part.shape[1]]
            self._last = index, turned(samples, page.orientation)
        return self._last[1]

    def _segments(self, page: Page) -> Iterator[bytes]:
        for start, length in page.tags.places:
            yield self._data[start : start + length]

    def _unpacked(self, page: Page, segment: bytes, height: int, width: int, channels: int) -> Samples:
        if page.coding.compression != JPEG:
            return page.coding.unpack(segment, height, width, channels)
        shown = self._jpeg(page, segment).frame(0)
        if shown.shape[0] < height or shown.shape[1] != width:
            raise ValueError("a JPEG of another size")
        return shown[:height, :, :channels]

    def _jpeg(self, page: Page, segment: bytes) -> JpegPicture:
        """A JPEG segment as a picture of its own, with the tables that all segments share and what says how its colours are meant."""
        meant = b"\xff\xee\0\x0eAdobe" + struct.pack(">HHHB", 100, 0, 0, page.meaning == YCBCR)
        shared = page.tags.tags[tags.JPEG_TABLES].data[2:-2] if tags.JPEG_TABLES in page.tags.tags else b""
        start = meant if page.jpeg_channels == 3 else b""
        return JpegPicture(segment[:2] + start + shared + segment[2:], self.name, False, self._limits)

    def _top(self, index: int, samples: Samples) -> float:
        """The sample that is white (or full ink).

        Raises:
            DartblurError: floating point samples are negative or of no usual range.
        """
        coding = self._pages[index].coding
        if coding.kind == "u":
            return float((1 << coding.bits) - 1)
        stored = self._stored(index)[:, :, : self._pages[index].colours]
        finite = stored[np.isfinite(stored)]
        low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
        for top in (1.0, 255.0, 65535.0):
            if low >= 0 and high <= top:
                return top
        raise DartblurError(f"{self.name}: floating point samples from {low:g} to {high:g} are no colours; scale them to 0 to 1 first")

    def _changed(self, index: int) -> tuple[Samples, npt.NDArray[np.uint8]]:
        """The samples of a page with what hides its faces, and its palette."""
        page, stored = self._pages[index], self._stored(index)
        changes = self._changes.of(index)
        if not changes:
            return stored, page.palette
        samples, palette = stored.copy(), page.palette
        for place, mask, hidden in changes:
            part, top = samples[place], self._top(index, samples)
            if page.meaning == PALETTE:
                kept = np.ones(samples.shape[:2], np.bool_)
                kept[place][mask] = False
                free = np.flatnonzero(np.bincount(samples[:, :, 0][kept], minlength=len(palette)) == 0)
                part[mask, 0], palette = fit(hidden, palette, np.ones(len(palette), np.bool_), free, mask)
            elif page.meaning == WHITE_IS_ZERO:
                put(part[:, :, : page.colours], 255 - hidden, mask, top)
            else:
                put(part[:, :, : page.colours], hidden, mask, top, cmyk=page.meaning == INKS)
            level(part[:, :, page.colours :], mask)
        return samples, palette

    def _written(self, index: int) -> tuple[TiffPage, list[bytes]]:
        """The tags and segments of a page as they are written.

        Raises:
            DartblurError: its JPEG segments would have to be turned.
        """
        page = self._pages[index]
        fresh, turn = page.tags.stripped(self._keep), page.orientation != UPRIGHT
        if tags.JPEG_TABLES in fresh.tags:
            shared = without_applications(fresh.tags[tags.JPEG_TABLES].data)
            fresh.tags[tags.JPEG_TABLES] = fresh.tags[tags.JPEG_TABLES]._replace(values=len(shared), data=shared)
        if turn and page.coding.compression == JPEG:
            raise DartblurError(f"{self.name}: a turned TIFF of JPEG segments {CANNOT}")
        samples, palette = self._changed(index) if turn or self._changes.of(index) else (self._stored(index)[:0], page.palette)
        if (palette != page.palette).any():
            shades = np.array(page.tags.numbers(tags.COLOUR_MAP), np.uint16).reshape(3, -1)
            changed = palette != page.palette
            shades.T[changed] = palette[changed].astype(np.uint16) * 257
            fresh.put(tags.COLOUR_MAP, *shades.reshape(-1).tolist())
        layout = page.layout
        if turn:
            height, width = page.size
            high, wide = (layout.high, layout.wide) if layout.tiled else (min(layout.high, height), width)
            layout = Layout(height, width, high, wide, layout.channels, layout.planar, layout.tiled)
            fresh.put(tags.HEIGHT, height, kind=4)
            fresh.put(tags.WIDTH, width, kind=4)
            if not layout.tiled:
                fresh.put(tags.STRIP_ROWS, high, kind=4)
            return fresh, [page.coding.pack(_filled(samples, *place)) for place in layout.segments()]
        segments = []
        for place, segment in zip(layout.segments(), self._segments(page), strict=True):
            segments.append(self._segment(page, index, segment, samples, place))
        return fresh, segments

    def _segment(self, page: Page, index: int, segment: bytes, samples: Samples, place: tuple[slice, slice, slice]) -> bytes:
        """A segment of a page that is not turned: as it is if no mask touches it."""
        rows, columns, _ = place
        touching = self._changes.within(index, rows, columns)
        if touching is None:
            return without_applications(segment) if page.coding.compression == JPEG else segment
        if page.coding.compression != JPEG:
            return page.coding.pack(_filled(samples, *place))
        picture = self._jpeg(page, segment)
        mask, hidden = np.zeros((picture.height, picture.width), np.bool_), np.zeros((picture.height, picture.width, 3), np.uint8)
        mask[: touching.shape[0], : touching.shape[1]] = touching
        changed = samples[rows, columns]
        hidden[: changed.shape[0], : changed.shape[1]] = changed[:, :, :3]
        picture.replace(0, hidden, mask)
        return without_applications(picture.encode())


def _filled(samples: Samples, rows: slice, columns: slice, plane: slice) -> Samples:
    """A part of samples (H x W x C), the last row and column repeated where a tile reaches beyond the page."""
    part = samples[rows, columns, plane]
    missing = (rows.stop - rows.start - part.shape[0], columns.stop - columns.start - part.shape[1])
    return np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else part
