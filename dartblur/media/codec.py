"""Opening any picture file so that its faces can be hidden: content decides the format, whatever is not whole and sound is refused.

    >>> picture = open_picture(path.read_bytes(), str(path))
    >>> for index in range(picture.frames):
    ...     shown = picture.frame(index)
    ...     picture.replace(index, hide(shown), mask)
    >>> path.write_bytes(picture.encode())

A new format is a module with a class of :class:`OpenPicture`, and a line in :data:`_SIGNATURES`.
"""

from collections.abc import Callable
from importlib import import_module

from dartblur.errors import DartblurError
from dartblur.media.picture import REPLACE, Limits, OpenPicture

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
    kind = _format(data)
    if kind is None:
        raise DartblurError(f"{name}: not a picture of a format that is read (JPEG, PNG, WebP, AVIF, HEIF, TIFF, BMP, GIF); {REPLACE}")
    # All formats together take as long to import as a picture to be anonymised, and most folders hold one of them.
    opener: _Opener = getattr(import_module(f"dartblur.media.{kind}"), f"{kind.capitalize()}Picture")
    return opener(data, name, keep_metadata, limits)


def is_picture(data: bytes) -> bool:
    """Whether a file starts like a picture, sound or not; its first 256 bytes will do."""
    return _format(data) is not None


def _format(data: bytes) -> str | None:
    """The module that reads a file that starts so."""
    for start, kind in _SIGNATURES.items():
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[start : start + 4] for start in range(16, min(int.from_bytes(data[:4], "big"), 256), 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return "heif"
    return None


_SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
}
