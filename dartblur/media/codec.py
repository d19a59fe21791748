"""Opening any picture file so that its faces can be hidden: content decides the format, whatever is not whole and sound is refused.

    >>> picture = open_picture(path.read_bytes(), str(path))
    >>> for index in range(picture.frames):
    ...     shown = picture.frame(index)
    ...     picture.replace(index, hide(shown), mask)
    >>> path.write_bytes(picture.encode())

A new format is a class of :class:`OpenPicture` and a line in :data:`_SIGNATURES`.
"""

from collections.abc import Callable

from dartblur.errors import DartblurError
from dartblur.media.avif import AvifPicture
from dartblur.media.bmp import BmpPicture
from dartblur.media.gif import GifPicture
from dartblur.media.heif import HeifPicture
from dartblur.media.jpeg import JpegPicture
from dartblur.media.picture import REPLACE, Limits, OpenPicture
from dartblur.media.png import PngPicture
from dartblur.media.tiff import TiffPicture
from dartblur.media.webp import WebpPicture

__all__ = ["Limits", "OpenPicture", "is_picture", "open_picture"]

_Opener = Callable[[bytes, str, bool, Limits], OpenPicture]


def open_picture(data: bytes, name: str, *, keep_metadata: bool = False, limits: Limits = Limits()) -> OpenPicture:  # noqa: B008  frozen
    """Read a picture file whole.

    Args:
        data: the bytes of the file.
        name: what to call it in an error.
        keep_metadata: keep the safe list of :mod:`dartblur.media.exif`; else the colour profile alone is kept.
        limits: what is too large to be read.

    Raises:
        DartblurError: the bytes are no picture of a known format, are truncated or corrupt, are too large, or of a kind that could not be written
            back faithfully.
    """
    if not data:
        raise DartblurError(f"{name}: the picture file is empty; {REPLACE}")
    opener = _opener(data)
    if opener is None:
        raise DartblurError(f"{name}: not a picture of a format that is read (JPEG, PNG, WebP, AVIF, HEIF, TIFF, BMP, GIF); {REPLACE}")
    return opener(data, name, keep_metadata, limits)


def is_picture(data: bytes) -> bool:
    """Whether a file starts like a picture, sound or not; its first 256 bytes will do."""
    return _opener(data) is not None


def _opener(data: bytes) -> _Opener | None:
    for start, opener in _SIGNATURES.items():
        if data.startswith(start):
            return opener
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WebpPicture
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, min(int.from_bytes(data[:4], "big"), 256), 4))}
        if brands & {b"avif", b"avis"}:
            return AvifPicture
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return HeifPicture
    return None


_SIGNATURES: dict[bytes, _Opener] = {
    b"\xff\xd8\xff": JpegPicture,
    b"\x89PNG\r\n\x1a\n": PngPicture,
    b"GIF87a": GifPicture,
    b"GIF89a": GifPicture,
    b"BM": BmpPicture,
    b"II*\0": TiffPicture,
    b"MM\0*": TiffPicture,
    b"II+\0": TiffPicture,
    b"MM\0+": TiffPicture,
}
