"""Picture files for the codec's tests: rasters of every kind, drawn here, and the bytes of a thumbnail that must never come out again."""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import ImageCms
from PIL.TiffImagePlugin import IFDRational

from dartblur.faces.boxes import Mask
from dartblur.media.codec import OpenPicture, open_picture
from dartblur.media.images import Image
from tests.makedata import texture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
"""A colour profile."""
SECRET = b"THE-THUMBNAIL-THAT-SHOWS-THE-FACE"
"""Stands for a face in metadata: no output may hold it."""


def picture(height: int = 40, width: int = 60, seed: int = 0) -> Image:
    """A coloured texture: uint8 height x width x 3."""
    return texture(np.random.default_rng(seed), height, width)


def saved(image: npt.NDArray[Any] | PILImage.Image, kind: str, **options: Any) -> bytes:
    """``image`` as a file of Pillow's format ``kind``."""
    out = io.BytesIO()
    (image if isinstance(image, PILImage.Image) else PILImage.fromarray(image)).save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int = 1) -> bytes:
    """An EXIF block with what must go (GPS, a serial number, an artist, a comment, a maker note, a thumbnail) and what may stay, ready for Pillow."""
    tags = PILImage.Exif()
    tags[0x0112] = orientation
    tags[0x010F], tags[0x0110] = "Maker", "Model 5"
    tags[0x013B] = SECRET.decode() + " artist"
    tags[0x010E] = SECRET.decode() + " description"
    shot = tags.get_ifd(0x8769)
    shot[0x829A] = IFDRational(1, 100)
    shot[0x9003] = "2024:05:06 07:08:09"
    shot[0xA431] = SECRET.decode() + " serial"
    shot[0x927C] = SECRET + b" maker note"
    shot[0x9286] = b"ASCII\0\0\0" + SECRET
    shot[0xA420] = SECRET.decode() + " id"
    gps = tags.get_ifd(0x8825)
    gps[1], gps[2] = "N", (48.0, 51.0, 24.0)
    gps[29] = SECRET.decode() + " GPS date"
    block = tags.tobytes()
    return block + SECRET + b"\xff\xd8" + SECRET + b"\xff\xd9"


def profile_of(tags: Mapping[bytes, bytes], gap: bytes = b"") -> bytes:
    """A colour profile of these tags, with ``gap`` between its table and their values."""
    start, table = 132 + 12 * len(tags) + len(gap), b""
    for kind, value in tags.items():
        table += kind + struct.pack(">II", start, len(value))
        start += len(value)
    body = PROFILE[4:128] + struct.pack(">I", len(tags)) + table + gap + b"".join(tags.values())
    return struct.pack(">I", len(body) + 4) + body


def leveled(after: npt.NDArray[Any], before: npt.NDArray[Any], mask: Mask) -> bool:
    """Whether a channel stayed outside of a mask, and has inside, on each of its patches, a value between its least and its largest."""
    count, patches = cv2.connectedComponents(mask.astype(np.uint8))
    inside = [patches == number for number in range(1, count)]
    even = all(np.all(after[patch] == after[patch][0]) and before[patch].min() <= after[patch][0] <= before[patch].max() for patch in inside)
    return bool(np.array_equal(after[~mask], before[~mask]) and even)


def box_mask(height: int, width: int, x1: int, y1: int, x2: int, y2: int) -> Mask:
    """True inside a box."""
    mask = np.zeros((height, width), np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask


def hide(opened: OpenPicture, index: int = 0, colour: Sequence[int] = (10, 200, 90)) -> tuple[Image, Image, Mask]:
    """Hide a box of a frame: the frame before, what was put there, and the mask."""
    before = opened.frame(index)
    height, width = before.shape[:2]
    mask = box_mask(height, width, width // 4, height // 4, width // 4 + width // 3 + 1, height // 4 + height // 3 + 1)
    hidden = np.full_like(before, np.array(colour, np.uint8))
    opened.replace(index, hidden, mask)
    return before, hidden, mask


def reopened(opened: OpenPicture) -> OpenPicture:
    """What was encoded, opened again."""
    return open_picture(opened.encode(), "again")


def differs(a: Image, b: Image) -> int:
    """The largest difference of two pictures of one shape, in grey levels."""
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max(initial=0))


def riff(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def cuts(data: bytes, count: int = 12) -> Iterator[bytes]:
    """``data`` cut off at places all over it."""
    for length in np.linspace(0, len(data) - 1, count).astype(int):
        yield data[:length]
