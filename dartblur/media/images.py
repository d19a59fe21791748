"""Decoding and encoding single pictures as RGB arrays.

Everywhere in this project a picture is a numpy array, uint8, H x W x 3, channels in the order R G B. Boxes are in the pixel grid of the stored
raster, so an EXIF orientation tag is *not* applied on reading: annotation trees (WIDER FACE, COCO) count pixels in the stored raster.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path

Image = npt.NDArray[np.uint8]
"""uint8, H x W x 3, R G B."""

_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_ENCODE = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
}


def decode_image(data: bytes, name: str) -> Image:
    """Decode ``data`` to RGB.

    Args:
        data: the bytes of a whole picture file.
        name: what to call it in an error.

    Raises:
        DartblurError: the bytes are not a picture, or are truncated.
    """
    if not data:
        raise DartblurError(f"{name}: the picture file is empty; replace it or remove its annotation")
    _refuse_truncated_jpeg(data, name)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    if bgr is None:
        raise DartblurError(f"{name}: not a readable picture; replace it or remove its annotation")
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _refuse_truncated_jpeg(data: bytes, name: str) -> None:
    """libjpeg fills the missing rest of a truncated file with grey and goes on; a data set must not.

    The end marker may lie anywhere behind the header: telephones append whole videos to a picture, and a thumbnail in the header has one too.
    """
    if data[:2] == b"\xff\xd8" and data.find(b"\xff\xd9", _end_of_jpeg_header(data)) < 0:
        raise DartblurError(f"{name}: the JPEG ends before its end marker (truncated); replace it or remove its annotation")


def _end_of_jpeg_header(data: bytes) -> int:
    """Where the first scan of a JPEG starts; the segments before it say how long they are."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        # A marker may be padded with any number of 0xFF before it.
        position += 1 if data[position + 1] == 0xFF else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position


def read_image(path: Path) -> Image:
    """Read one picture file as RGB; see :func:`decode_image` for errors."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    return decode_image(data, str(path))


def encode_image(image: Image, suffix: str) -> bytes:
    """Encode an RGB picture as ``.png`` (lossless) or ``.jpg`` (quality 95, no chroma subsampling)."""
    if suffix not in _ENCODE:
        raise DartblurError(f"{suffix}: pictures are written as {' or '.join(sorted(_ENCODE))}; choose one of them")
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]), _ENCODE[suffix])
    if not done:
        raise DartblurError(f"a picture of shape {image.shape} could not be encoded as {suffix}")
    return data.tobytes()


def write_image(path: Path, image: Image) -> None:
    """Write an RGB picture atomically; the suffix chooses the format."""
    data = encode_image(image, path.suffix)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
