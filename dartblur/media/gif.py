"""GIF: frames keep their images, palettes and timing; pixels that no mask covers show what they showed.

An image of an animation may paint a part of the screen, with a palette of its own. Where hiding needs a pixel that an image does not paint, or shows
again what an earlier mask had covered, the image grows. New colours take the places of the palette that the image does not use; where it is full, the
nearest colour serves. A hidden pixel is never transparent: its holes would show a face as colours do.
"""

from dataclasses import replace

import numpy as np

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.gifblocks import GifFile, GifImage, pack, read_gif, write_gif
from dartblur.media.images import Image
from dartblur.media.palette import Colours, Indices, fit
from dartblur.media.picture import REPLACE, Changes, Limits, OpenPicture, why

_BACKGROUND, _PREVIOUS = 2, 3
_ENTRIES = 256


class _Screen:
    """What a viewer sees while images are painted one after the other: colours (H x W x 3), and which pixels are opaque (H x W)."""

    def __init__(self, height: int, width: int) -> None:
        self.colours = np.zeros((height, width, 3), np.uint8)
        self.opaque = np.zeros((height, width), np.bool_)

    def copy(self) -> "_Screen":
        """A screen that may be painted on; the arrays are shared, they are never changed in place."""
        other = _Screen(0, 0)
        other.colours, other.opaque = self.colours, self.opaque
        return other

    def painted(self, image: GifImage, indices: Indices, palette: Colours) -> tuple[Image, Mask]:
        """Copies of the screen with ``image`` on it; the screen itself becomes what the next image is painted on."""
        colours, opaque = self.colours.copy(), self.opaque.copy()
        place = (slice(image.y, image.y + image.height), slice(image.x, image.x + image.width))
        seen = np.ones(indices.shape, np.bool_) if image.clear is None else indices != image.clear
        colours[place][seen] = palette[indices[seen]]
        opaque[place][seen] = True
        if image.disposal == _BACKGROUND:
            self.colours, self.opaque = colours.copy(), opaque.copy()
            self.colours[place], self.opaque[place] = 0, False
        elif image.disposal != _PREVIOUS:
            self.colours, self.opaque = colours, opaque
        return colours, opaque


class GifPicture(OpenPicture):
    """An opened GIF."""

    format = "gif"
    suffixes = (".gif",)

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        file = read_gif(data, name)
        limits.check(name, file.width, file.height, len(file.images))
        if not file.images:
            raise DartblurError(f"{name}: the GIF holds no picture; {REPLACE}")
        super().__init__(name, (file.width, file.height), len(file.images))
        self._file = file
        self._changes = Changes()
        self._shown: tuple[Image, Mask]  # the screen with the last image that was painted
        self._rewind()
        for number, image in enumerate(file.images):
            inside = image.width and image.height and image.x + image.width <= file.width and image.y + image.height <= file.height
            if not inside or (image.palette is None and file.palette is None):
                raise DartblurError(f"{name}: image {number} of the GIF lies outside its screen or has no palette; {REPLACE}")
            self._indices(image)

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        if index < self._done:
            self._rewind()
        while self._done < index:
            self._done += 1
            image = self._file.images[self._done]
            self._shown = self._screen.painted(image, self._indices(image), _padded(self._palette(image)))
        return self._wanted(index, self._shown[0])[0]

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        self._changes.add(index, hidden, mask)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        if not self._changes:
            return write_gif(self._file)
        images, used = [], np.zeros(_ENTRIES, np.bool_)
        source, screen = _Screen(self.height, self.width), _Screen(self.height, self.width)
        for index, image in enumerate(self._file.images):
            indices, palette = self._indices(image), _padded(self._palette(image))
            shown, opaque = source.painted(image, indices, palette)
            wanted, masked = self._wanted(index, shown)
            found, there = screen.copy().painted(image, indices, palette)
            wrong = (opaque | masked) & (~there | (found != wanted).any(axis=2))
            fitted = self._fitted(image, indices, wrong, masked, wanted) if wrong.any() else (image, indices, palette)
            screen.painted(*fitted)
            images.append(fitted[0])
            if fitted[0].palette is None:
                used[fitted[1]] = True
        file = self._file
        common = file.palette
        if common is not None:  # colours that only a face had do not stay behind
            common = np.where(used[: len(common), None], common, 0).astype(np.uint8)
        return write_gif(GifFile(file.width, file.height, file.version, file.background, common, file.applications, images))

    def _wanted(self, index: int, shown: Image) -> tuple[Image, Mask]:
        """What frame ``index`` is to show, and where that is something hidden."""
        wanted, masked = shown.copy(), np.zeros(shown.shape[:2], np.bool_)
        for place, mask, colours in self._changes.of(index):
            wanted[place][mask] = colours
            masked[place] |= mask
        return wanted, masked

    def _fitted(
        self, image: GifImage, indices: Indices, wrong: Mask, masked: Mask, wanted: Image
    ) -> tuple[GifImage, Indices, Colours]:
        """``image`` changed so that the pixels of ``wrong`` (H x W of the screen) come out as ``wanted``, its indices and its padded palette.

        Raises:
            DartblurError: it has to grow, but its palette has no place for a transparent entry.
        """
        palette = self._palette(image)
        rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
        top, bottom = min(image.y, int(rows[0])), max(image.y + image.height, int(rows[-1]) + 1)
        left, right = min(image.x, int(columns[0])), max(image.x + image.width, int(columns[-1]) + 1)
        place = (slice(top, bottom), slice(left, right))
        wrong, masked, wanted = wrong[place], masked[place], wanted[place]
        inside = np.zeros(wrong.shape, np.bool_)
        inside[image.y - top : image.y - top + image.height, image.x - left : image.x - left + image.width] = True
        grown = np.zeros(wrong.shape, np.uint8)
        grown[inside] = indices.reshape(-1)
        kept = np.bincount(grown[inside & ~wrong], minlength=_ENTRIES) > 0
        clear = image.clear
        if clear is None and not (inside | wrong).all():
            unused = np.flatnonzero(~kept)
            if len(unused) == 0:
                raise DartblurError(f"{self.name}: an image of the GIF has a full palette and would have to grow; convert it first")
            clear = int(unused[-1])
        if clear is not None:
            kept[clear] = True
            grown[~inside] = clear
        for pixels in (wrong & ~masked, wrong & masked):  # first what was there before, exactly if there is room
            usable = np.arange(len(palette)) != (-1 if clear is None else clear)
            grown[pixels], palette = fit(wanted[pixels], palette, usable, np.flatnonzero(~kept))
            kept |= np.bincount(grown[pixels], minlength=_ENTRIES) > 0
        last = int(np.flatnonzero(kept)[-1])
        palette = _padded(palette)[: max(last + 1, 2)]
        changed = replace(image, x=left, y=top, width=right - left, height=bottom - top, palette=palette, clear=clear, interlaced=False)
        changed.controlled, changed.packed = image.controlled or clear is not None, pack(grown)
        return changed, grown, _padded(palette)

    def _indices(self, image: GifImage) -> Indices:
        try:
            return image.indices()
        except (ValueError, OSError, SyntaxError, EOFError) as error:
            raise DartblurError(f"{self.name}: an image of the GIF is damaged ({why(error)}); {REPLACE}") from error

    def _palette(self, image: GifImage) -> Colours:
        """The palette of an image, its own or the file's."""
        palette = self._file.palette if image.palette is None else image.palette
        return np.zeros((0, 3), np.uint8) if palette is None else palette

    def _rewind(self) -> None:
        self._done = -1  # the last image that was painted
        self._screen = _Screen(self.height, self.width)


def _padded(palette: Colours) -> Colours:
    """A palette with 256 entries: indices beyond the end are black."""
    return np.concatenate([palette, np.zeros((_ENTRIES - len(palette), 3), np.uint8)])
