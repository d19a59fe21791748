"""The blocks of a GIF: its images with their palettes and timing, and the compressed indices inside."""

import io
import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import GifImagePlugin
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.palette import Colours, Indices
from dartblur.media.picture import REPLACE, why

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS, _PROFILE = {b"NETSCAPE2.0", b"ANIMEXTS1.0"}, b"ICCRGBG1012"
"""Applications whose blocks say how often the animation runs, and what its colours are."""
_INTERLACED, _PALETTE = 0x40, 0x80
_GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1).tobytes()


@dataclass
class GifImage:
    """One image of a GIF.

    Attributes:
        x, y, width, height: where it is painted, in pixels.
        palette: its own, or None for that of the file.
        clear: the index that leaves what is below, or None.
        disposal: what becomes of it afterwards: 2 transparent again, 3 as before, else it stays.
        delay: how long it is shown, in hundredths of a second.
        waits: whether a viewer is asked to wait for its user.
        controlled: whether a block before it says the four above.
        interlaced: whether its rows are in four passes.
        packed: its indices as the file has them, the size of the first code and blocks.
    """

    x: int
    y: int
    width: int
    height: int
    palette: Colours | None = None
    clear: int | None = None
    disposal: int = 0
    delay: int = 0
    waits: bool = False
    controlled: bool = False
    interlaced: bool = False
    packed: bytes = b""

    def indices(self) -> Indices:
        """Its indices: H x W.

        Raises:
            ValueError, OSError, SyntaxError: they cannot be unpacked, or are too few.
        """
        sides = struct.pack("<HH", self.width, self.height)
        place = bytes([_IMAGE, 0, 0, 0, 0]) + sides + bytes([_INTERLACED if self.interlaced else 0])
        picture = GifImagePlugin.GifImageFile(io.BytesIO(b"GIF89a" + sides + b"\xf7\0\0" + _GREYS + place + self.packed + b";"))
        picture.load()
        return np.asarray(picture)


@dataclass
class GifFile:
    """What a GIF holds: the size of its screen, its palette, the blocks that are kept, its images."""

    width: int
    height: int
    version: bytes
    background: bytes
    palette: Colours | None = None
    applications: list[bytes] = field(default_factory=list)
    images: list[GifImage] = field(default_factory=list)


def read_gif(data: bytes, name: str) -> GifFile:
    """Read all blocks of a GIF up to its trailer; comments and unknown blocks are left out.

    Raises:
        DartblurError: it ends before its trailer, or holds what is no block.
    """
    try:
        return _read(data)
    except (IndexError, struct.error) as error:
        raise DartblurError(f"{name}: the GIF ends before its trailer (truncated); {REPLACE}") from error
    except ValueError as error:
        raise DartblurError(f"{name}: the GIF is damaged ({why(error)}); {REPLACE}") from error


def _read(data: bytes) -> GifFile:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    file = GifFile(width, height, data[:6], data[11:13])
    file.palette, position = _palette(data, flags, 13)
    control = b""
    while data[position] != _TRAILER:
        kind = data[position]
        if kind == _EXTENSION:
            label, start = data[position + 1], position + 2
            position = _end(data, start)
            content = data[start + 1 : start + 1 + data[start]]
            if label == _CONTROL and len(content) == 4:
                control = content
            elif label == _APPLICATION and content == _PROFILE:
                file.applications.append(data[start - 2 : position])
            elif label == _APPLICATION and content in _LOOPS and data[start + 12 : start + 14] == b"\3\1":
                file.applications.append(data[start - 2 : start + 16] + b"\0")
        elif kind == _IMAGE:
            image = GifImage(*struct.unpack_from("<HHHH", data, position + 1))
            flags = data[position + 9]
            image.palette, start = _palette(data, flags, position + 10)
            image.interlaced = bool(flags & _INTERLACED)
            position = _end(data, start + 1)
            image.packed = data[start:position]
            if control:
                image.controlled, image.disposal, image.waits = True, control[0] >> 2 & 7, bool(control[0] & 2)
                image.delay = int.from_bytes(control[1:3], "little")
                image.clear = control[3] if control[0] & 1 else None
            control = b""
            file.images.append(image)
        else:
            raise ValueError(f"block {kind:#04x}")
    return file


def _palette(data: bytes, flags: int, position: int) -> tuple[Colours | None, int]:
    """The palette that ``flags`` announces at ``position``, if any, and where it ends."""
    if not flags & _PALETTE:
        return None, position
    count = 2 << (flags & 7)
    return np.frombuffer(data, np.uint8, 3 * count, position).reshape(-1, 3), position + 3 * count


def _end(data: bytes, position: int) -> int:
    """Where a chain of blocks that starts at ``position`` ends."""
    while data[position]:
        position += 1 + data[position]
    return position + 1


def pack(indices: Indices) -> bytes:
    """Indices (H x W) as an image holds them, not interlaced."""
    out = io.BytesIO()
    PILImage.fromarray(indices).save(out, "GIF", optimize=False, interlace=0)
    return _read(out.getvalue()).images[0].packed


def write_gif(file: GifFile) -> bytes:
    """A GIF of these blocks."""
    version = b"GIF89a" if file.applications or any(image.controlled for image in file.images) else file.version
    flags, colours = _packed_palette(file.palette)
    out = [version, struct.pack("<HHB", file.width, file.height, flags | 0x70), file.background, colours, *file.applications]
    for image in file.images:
        if image.controlled:
            bits = image.disposal << 2 | image.waits << 1 | (image.clear is not None)
            out.append(bytes([_EXTENSION, _CONTROL, 4]) + struct.pack("<BHBB", bits, image.delay, image.clear or 0, 0))
        flags, colours = _packed_palette(image.palette)
        place = struct.pack("<BHHHH", _IMAGE, image.x, image.y, image.width, image.height)
        out += [place, bytes([flags | (_INTERLACED if image.interlaced else 0)]), colours, image.packed]
    return b"".join([*out, bytes([_TRAILER])])


def _packed_palette(palette: Colours | None) -> tuple[int, bytes]:
    """The flags of a palette and its bytes, filled up to a power of two."""
    if palette is None:
        return 0, b""
    bits = max(1, (len(palette) - 1).bit_length())
    return _PALETTE | (bits - 1), palette.tobytes().ljust(3 << bits, b"\0")
