"""HEIF (HEIC) of 8, 10 and 12 bits, through pillow-heif, which not everybody installs."""

import io
from typing import Any

import numpy as np

from dartblur.errors import DartblurError
from dartblur.media.exif import safe_exif
from dartblur.media.isomedia import QUALITY, IsoPicture, Samples, contents
from dartblur.media.picture import REPLACE, Limits, why
from dartblur.media.profile import safe_profile
from dartblur.optional import optional_module

_EXIF_START = b"Exif\0\0"
_FAILURES = (ValueError, EOFError, SyntaxError, RuntimeError, OSError)
"""What pillow-heif raises."""
_COLOURS = ("nclx_profile", "content_light_level", "mastering_display_colour_volume", "pixel_aspect_ratio")
"""What pillow-heif calls that which says how a picture looks."""


class HeifPicture(IsoPicture):
    """An opened HEIF; libheif applies the orientation that the file's structure has, and EXIF's does not count."""

    format = "heif"
    suffixes = (".heic", ".heif", ".hif")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        self._library = optional_module("pillow_heif", f"{name} is a HEIF; install pillow-heif")
        if any(kind == b"moov" for kind, _ in contents(data, name, "HEIF")):
            raise DartblurError(f"{name}: a HEIF that holds a sequence cannot be kept; convert it first")
        self.name = name
        try:
            self._source = self._library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        except _FAILURES as error:
            raise DartblurError(f"{name}: the HEIF is damaged ({why(error)}); {REPLACE}") from error
        sizes = [picture.size for picture in self._source]
        if not sizes:
            raise DartblurError(f"{name}: the HEIF holds no picture; {REPLACE}")
        for width, height in sizes:
            limits.check(name, width, height, len(sizes))
        super().__init__(name, sizes[0], len(sizes))
        self._exif = safe_exif((self._source.info.get("exif") or b"").removeprefix(_EXIF_START)) if keep_metadata else b""
        for index in reversed(range(self.frames)):
            self._samples(index)

    def size(self, index: int) -> tuple[int, int]:
        """See :meth:`OpenPicture.size`."""
        super().size(index)
        width, height = self._source[index].size
        return height, width

    def _top(self, index: int) -> int:
        return (1 << self._depth(index)) - 1

    def _depth(self, index: int) -> int:
        """Bits a sample: the name of a mode such as RGB;10 ends with them."""
        return int([*self._source[index].mode.split(";"), "8"][1])

    def _decoded(self, index: int) -> Samples:
        try:
            samples = np.asarray(self._source[index])
        except _FAILURES as error:
            raise DartblurError(f"{self.name}: picture {index} of the HEIF is damaged ({why(error)}); {REPLACE}") from error
        return samples if samples.ndim == 3 else samples[:, :, None]

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        file = self._library.HeifFile()
        for index, source in enumerate(self._source):
            samples = self._samples(index)
            height, width = samples.shape[:2]
            picture = file.add_frombytes(source.mode, (width, height), samples.tobytes())
            picture.info |= {key: source.info[key] for key in _COLOURS if key in source.info}
            if profile := safe_profile(source.info.get("icc_profile") or b""):
                picture.info |= {"icc_profile": profile, "icc_profile_type": source.info["icc_profile_type"]}
        exif = _EXIF_START + self._exif if self._exif else None
        options: dict[str, Any] = {"quality": QUALITY, "primary_index": self._source.primary_index, "exif": exif}
        if "chroma" in self._source.info:
            options["chroma"] = self._source.info["chroma"]
        out = io.BytesIO()
        try:
            file.save(out, **options)
        except _FAILURES as error:
            raise DartblurError(f"{self.name}: the HEIF cannot be written ({why(error)}); convert it first") from error
        return out.getvalue()
