"""JPEG: grey, colour and CMYK. DCT blocks that no mask touches stay exactly as they were; the others are quantised with the steps of the source.

The picture is cut into MCUs (8 to 16 pixels wide and high, at most 32). One that holds a pixel of a mask is made anew from the changed picture in all
components, so nothing of what it held is left. Where blocks cannot be kept (an orientation that needs a multiple of the MCU, odd sampling factors, no
TurboJPEG) the whole picture is encoded again with the same quantisation and subsampling.
"""

import io

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media import jpegblocks
from dartblur.media.exif import orientation_of, safe_exif
from dartblur.media.images import Image
from dartblur.media.jpegmarkers import Component, JpegHeader, read_header, sound_scans, with_segments, without_padding
from dartblur.media.orientation import swaps_sides, turned
from dartblur.media.picture import REPLACE, Limits, OpenPicture, why
from dartblur.media.samples import as_rgb, cover
from dartblur.media.turbo import TurboError, turbo

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_SUBSAMPLING = {(1, 1): 0, (2, 1): 1, (2, 2): 2}
"""Of Pillow, by the sampling factors of the first component beside 1 x 1 of the others."""
_EXTRANEOUS = "extraneous bytes before marker 0xd9"
"""What TurboJPEG says of bytes that are left when the picture is complete: padding, or a sign of damage before."""


class JpegPicture(OpenPicture):
    """An opened JPEG."""

    format = "jpeg"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        header = read_header(data, name)
        limits.check(name, header.width, header.height)
        if not header.supported or header.depth != 8 or len(header.components) not in _MODES:
            raise DartblurError(
                f"{name}: a JPEG of {header.depth} bits and {len(header.components)} components, or a lossless one, cannot be kept; convert it first"
            )
        orientation = orientation_of(header.exif)
        super().__init__(name, (header.width, header.height), 1, orientation)
        self._header = header
        data = sound_scans(data[: header.end], header)  # telephones append videos and further pictures
        self._exif = safe_exif(header.exif) if keep_metadata else b""
        self._data, stored, self._colours = _decoded(data, name, header)
        self._samples = np.ascontiguousarray(turned(stored, orientation))
        self._changed = np.zeros((self.height, self.width), np.bool_)

    @property
    def _components(self) -> list[Component]:
        """Of the upright raster: turning by a quarter swaps the sampling factors."""
        swaps = swaps_sides(self.orientation)
        return [Component(part.down, part.across, part.table) if swaps else part for part in self._header.components]

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        cmyk = self._samples.shape[2] == 4
        return as_rgb(255 - self._samples if cmyk and self._header.adobe else self._samples, cmyk=cmyk)

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        self._changed |= mask
        cmyk = self._samples.shape[2] == 4
        if cmyk and self._header.adobe:
            inks = 255 - self._samples
            cover(inks, hidden, mask, cmyk=True)
            self._samples = 255 - inks
        else:
            cover(self._samples, hidden, mask, cmyk=cmyk)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        return with_segments(self._spliced() or self._encoded(), self._exif, self._header.icc)

    def _tables(self) -> list[npt.NDArray[np.uint16]] | None:
        """The quantisation table of each component of the upright raster; None if one is missing."""
        header = self._header
        if not all(part.table in header.tables for part in header.components):
            return None
        tables = [header.tables[part.table] for part in header.components]
        return [table.T for table in tables] if swaps_sides(self.orientation) else tables

    def _spliced(self) -> bytes | None:
        """The source with new blocks where the mask touches; None if that is impossible."""
        library, tables, components = turbo(), self._tables(), self._components
        if library is None or tables is None or not jpegblocks.divides(components):
            return None
        chosen = jpegblocks.touched(self._changed, components)
        blocks = jpegblocks.new_blocks(self._samples, chosen, self._colours, components, tables)
        try:
            return library.transcode(self._data, self.orientation, blocks, self._header.progressive)
        except TurboError:  # the orientation does not fit the size, tables change between scans
            return None

    def _encoded(self) -> bytes:
        """The whole picture encoded again."""
        from PIL import Image as PILImage  # as long to import as half a picture, and rarely needed

        samples = self._samples
        cmyk, tables, components = samples.shape[2] == 4, self._tables(), self._components
        # Pillow turns CMYK around, as Adobe does.
        picture = PILImage.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else 255 - samples if cmyk else samples, _MODES[samples.shape[2]])
        plain = all((part.across, part.down) == (1, 1) for part in components[1:])
        sampling = _SUBSAMPLING.get((components[0].across, components[0].down), 0) if plain else 0
        out = io.BytesIO()
        if tables is None:
            raise DartblurError(f"{self.name}: the JPEG lacks a quantisation table, it cannot be kept; convert it first")
        picture.save(
            out,
            "JPEG",
            qtables=[[int(step) for step in table.reshape(-1)] for table in tables],
            subsampling=sampling,
            progressive=self._header.progressive,
            keep_rgb=self._colours == "rgb",
        )
        return out.getvalue()


def _decoded(data: bytes, name: str, header: JpegHeader) -> tuple[bytes, npt.NDArray[np.uint8], str]:
    """The data that could be decoded, the raster as stored (uint8 H x W x C), and what its components mean.

    Raises:
        DartblurError: it is damaged.
    """
    channels, size, library = len(header.components), (header.width, header.height), turbo()
    try:
        if library is None:
            from PIL import JpegImagePlugin

            source = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
            source.load()
            raster = np.array(source).reshape(header.height, header.width, channels)
            # Pillow turns CMYK around as Adobe does, whether or not the file says so.
            return data, 255 - raster if channels == 4 else raster, {1: "grey", 3: "ycc", 4: "cmyk"}[channels]
        try:
            return data, *library.decode(data, size, channels)
        except TurboError as error:
            unpadded = without_padding(data)
            if _EXTRANEOUS not in str(error) or unpadded == data:
                raise
            return unpadded, *library.decode(unpadded, size, channels)
    except (TurboError, OSError, SyntaxError, ValueError) as error:
        raise DartblurError(f"{name}: the JPEG is damaged ({why(error)}); {REPLACE}") from error
