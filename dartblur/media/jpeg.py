"""JPEG: grey, colour and CMYK, written with the quantisation tables and the chroma subsampling of the source."""

import io

import numpy as np
from PIL import Image as PILImage
from PIL import JpegImagePlugin

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Mask
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT, turned
from dartblur.media.picture import REPLACE, Limits, OpenPicture
from dartblur.media.samples import as_rgb, put

ORIENTATION = 0x0112


class JpegPicture(OpenPicture):
    """An opened JPEG."""

    format = "jpeg"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif")

    def __init__(self, data: bytes, name: str, keep_metadata: bool, limits: Limits) -> None:
        if data.find(b"\xff\xd9") < 0:
            raise DartblurError(f"{name}: the JPEG ends before its end marker (truncated); {REPLACE}")
        try:
            source = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
            limits.check(name, *source.size)
            source.load()
            orientation = int(source.getexif().get(ORIENTATION, UPRIGHT))
        except (OSError, SyntaxError, ValueError, IndexError) as error:
            raise DartblurError(f"{name}: the JPEG cannot be read ({error}); {REPLACE}") from error
        super().__init__(name, source.size, 1, orientation)
        self._source = source
        native = np.asarray(source)
        self._samples = turned(native if native.ndim == 3 else native[:, :, None], orientation).copy()
        self._cmyk = source.mode == "CMYK"

    def frame(self, index: int) -> Image:
        """See :meth:`OpenPicture.frame`."""
        self.size(index)
        return as_rgb(self._samples, cmyk=self._cmyk)

    def replace(self, index: int, hidden: Image, mask: Mask) -> None:
        """See :meth:`OpenPicture.replace`."""
        self._check(index, hidden, mask)
        put(self._samples, hidden, mask, cmyk=self._cmyk)

    def encode(self) -> bytes:
        """See :meth:`OpenPicture.encode`."""
        samples = self._samples
        out = io.BytesIO()
        again = PILImage.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples, self._source.mode)
        again.save(
            out,
            "JPEG",
            qtables=self._source.quantization,
            subsampling=JpegImagePlugin.get_sampling(self._source),
            progressive=bool(self._source.info.get("progressive")),
            icc_profile=self._source.info.get("icc_profile"),
        )
        return out.getvalue()
