"""The formats as Pillow reads and writes them: 8 bits a channel, frames one after the other."""

import io
from typing import Any, ClassVar

import numpy as np
from PIL import AvifImagePlugin
from PIL import Image as PILImage
from PIL.ImageFile import ImageFile

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT, turned
from dartblur.media.picture import REPLACE, Limits, OpenPicture
from dartblur.media.samples import as_rgb, put

ORIENTATION = 0x0112
_KEPT = {"L", "LA", "RGB", "RGBA", "CMYK"}


class PlainPicture(OpenPicture):
    """A picture of a format that Pillow knows; the formats differ in how they are saved."""

    _plugin: ClassVar[type[ImageFile]]

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        try:
            source = self._plugin(io.BytesIO(data))
            frames = int(getattr(source, "n_frames", 1))
            limits.check(name, *source.size, frames)
            pages = self._read(source, frames)
            orientation = int(source.getexif().get(ORIENTATION, UPRIGHT))
        except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
            raise DartblurError(f"{name}: the {self.format.upper()} cannot be read ({error}); {REPLACE}") from error
        super().__init__(name, source.size, frames, orientation)
        self._pages = [turned(page, orientation).copy() for page in pages]

    def _read(self, source: ImageFile, frames: int) -> list[Any]:
        pages: list[Any] = []
        self._info: list[dict[Any, Any]] = []
        for index in range(frames):
            source.seek(index)
            source.load()
            mode = source.mode
            if mode in {"1", "P"}:
                mode = "RGBA" if "transparency" in source.info else "RGB"
            if mode not in _KEPT:
                raise ValueError(f"mode {mode}")
            page = np.asarray(source.convert(mode))
            pages.append(page if page.ndim == 3 else page[:, :, None])
            self._info.append(dict(source.info))
            self._mode = mode
        return pages

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        return as_rgb(self._pages[index], cmyk=self._mode == "CMYK")

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        put(self._pages[index], hidden[mask], mask, cmyk=self._mode == "CMYK")

    def size(self, index: int) -> tuple[int, int]:
        """See :meth:`OpenPicture.size`."""
        super().size(index)
        height, width = self._pages[index].shape[:2]
        return height, width

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        images = [PILImage.fromarray(page[:, :, 0] if page.shape[2] == 1 else page) for page in self._pages]
        options: dict[str, Any] = {"icc_profile": self._info[0].get("icc_profile")} | self._options()
        if len(images) > 1:
            options |= {"save_all": True, "append_images": images[1:]}
            if "duration" in self._info[-1]:
                options |= {"duration": [info.get("duration", 0) for info in self._info], "loop": self._info[0].get("loop", 1)}
        out = io.BytesIO()
        images[0].save(out, self.format.upper(), **options)
        return out.getvalue()

    def _options(self) -> dict[str, Any]:
        return {}


class AvifPicture(PlainPicture):
    """An opened AVIF."""

    format = "avif"
    suffixes = (".avif", ".avifs")
    _plugin = AvifImagePlugin.AvifImageFile

    def _options(self) -> dict[str, Any]:
        return {"quality": 90}
