"""AVIF of 8 bits, still and animated."""

import io
import struct
from typing import Any

import numpy as np
from PIL import AvifImagePlugin
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.exif import orientation_of, safe_exif
from dartblur.media.isomedia import QUALITY, IsoPicture, Samples, contents
from dartblur.media.orientation import turned
from dartblur.media.picture import REPLACE, Limits, why
from dartblur.media.profile import safe_profile

_HIGH, _MONOCHROME, _HALF_ACROSS, _HALF_DOWN = 0x40, 0x10, 0x08, 0x04  # of the third byte of av1C
_SPEED = 8
"""Of the encoder, 0 to 10: a picture takes a third of a second, slower ones gain little."""
_TAGGED = b"colrnclx"
_SRGB = (1, 13)
_EXIF_START = b"Exif\0\0"


class AvifPicture(IsoPicture):
    """An opened AVIF."""

    format = "avif"
    suffixes = (".avif", ".avifs")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        found = contents(data, name, "AVIF")
        codings = [content[2] for kind, content in found if kind == b"av1C" and len(content) >= 4]
        if any(coding & _HIGH for coding in codings):
            raise DartblurError(f"{name}: an AVIF of more than 8 bits cannot be kept; convert it first")
        # The alpha channel is a picture too, in grey.
        colour = next((coding for coding in codings if not coding & _MONOCHROME), _MONOCHROME | _HALF_ACROSS | _HALF_DOWN)
        self._subsampling = {0: "4:4:4", _HALF_ACROSS: "4:2:2", _HALF_ACROSS | _HALF_DOWN: "4:2:0"}.get(colour & 0x0C, "4:4:4")
        self._meaning = next((struct.unpack_from(">HH", box, 4) for kind, box in found if kind == b"colr" and box[:4] == b"nclx"), _SRGB)
        for width, height in (struct.unpack_from(">II", box, 4) for kind, box in found if kind == b"ispe" and len(box) >= 12):
            limits.check(name, width, height)
        self.name = name
        try:
            self._source = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
        except (OSError, SyntaxError, ValueError, RuntimeError, Warning) as error:
            raise DartblurError(f"{name}: the AVIF is damaged ({why(error)}); {REPLACE}") from error
        frames = int(self._source.n_frames)
        limits.check(name, *self._source.size, frames)
        exif = self._source.info.get("exif", b"").removeprefix(_EXIF_START)
        super().__init__(name, self._source.size, frames, orientation_of(exif))
        self._exif = safe_exif(exif) if keep_metadata else b""
        self._icc = safe_profile(self._source.info.get("icc_profile", b""))
        self._delays = [0] * frames
        for index in reversed(range(frames)):
            self._samples(index)

    def _decoded(self, index: int) -> Samples:
        try:
            self._source.seek(index)
            self._source.load()
        except (OSError, SyntaxError, ValueError, RuntimeError, EOFError) as error:
            raise DartblurError(f"{self.name}: frame {index} of the AVIF is damaged ({why(error)}); {REPLACE}") from error
        self._delays[index] = self._source.info.get("duration", 0)
        samples = np.asarray(self._source)
        return turned(samples if samples.ndim == 3 else samples[:, :, None], self.orientation)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        pictures = [PILImage.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples) for samples in map(self._samples, range(self.frames))]
        options: dict[str, Any] = {"quality": QUALITY, "speed": _SPEED, "icc_profile": self._icc, "exif": self._exif}
        if self._source.mode != "L":
            options["subsampling"] = self._subsampling
        if self.frames > 1:
            options |= {"save_all": True, "append_images": pictures[1:], "duration": self._delays}
        out = io.BytesIO()
        pictures[0].save(out, "AVIF", **options)
        # The encoder says sRGB; the numbers that say otherwise stand before those of the matrix that it used.
        return out.getvalue().replace(_TAGGED + struct.pack(">HH", *_SRGB), _TAGGED + struct.pack(">HH", *self._meaning))
