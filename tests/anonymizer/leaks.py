"""Is a face still in these bytes? Looks at every picture that can be decoded from them, wherever it begins, however it is turned or scaled.

The face of these tests is a board of squares, each of its own contrast: any blur takes it away, no codec does. What is measured is its *gain*: how
much of the board's contrast is left, 1 where it is as it was drawn, wherever it is. So a test need not know where a preview or a thumbnail hides.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageFile

from dartblur.media.images import Image
from tests.makedata import texture

WIDTH, HEIGHT = 160, 120
BOX = (58, 34, 106, 82)
"""Where the face is, x1 y1 x2 y2: on no block's border."""
SIDE = BOX[2] - BOX[0]
SHOWN = 0.3
"""Gain from which the face shows."""
_SQUARE = 6
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"ftyp")
_DEEP = (b"\x89PNG", b"II*\0", b"MM\0*")
"""Formats that hold 16 bits a sample."""
_BEFORE = {b"ftyp": 4}
"""How far a file begins before its signature."""
_PACKED = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_DAMAGE = (OSError, SyntaxError, ValueError, LookupError, TypeError, OverflowError, MemoryError, struct.error, Pillow.DecompressionBombError)

Plane = npt.NDArray[np.float32]


def board(side: int = SIDE) -> npt.NDArray[Any]:
    """The face: side x side, grey levels about 128."""
    count = -(-side // _SQUARE)
    contrast = np.random.default_rng(7).uniform(60, 110, (count, count)) * np.where(np.indices((count, count)).sum(axis=0) % 2, 1, -1)
    return 128 + np.kron(contrast, np.ones((_SQUARE, _SQUARE)))[:side, :side]


def marked(seed: int = 0, width: int = WIDTH, height: int = HEIGHT, box: tuple[int, int, int, int] = BOX) -> Image:
    """A picture, uint8 height x width x 3, with the face in ``box``."""
    image = cv2.blur(texture(np.random.default_rng(seed), height, width), (9, 9))
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = np.rint(board(x2 - x1))[: y2 - y1, :, None]
    return np.asarray(image, np.uint8)


def thumbnail(image: Image) -> Image:
    """The picture at half its size, as cameras put it into the header."""
    return np.asarray(cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA), np.uint8)


def gain(data: bytes) -> float:
    """How much of the face's contrast is left in the picture of ``data`` where there is most, 0 where nothing can be decoded."""
    found = [_gain(plane) for start in starts(data) for plane in planes(data[start:])]
    if data[:4] in _DEEP:  # Pillow reads 16 bits of colour as 8, or not at all
        deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        found += [] if deep is None else [_gain(plane) for plane in _channels(deep)]
    return max(found, default=0.0)


def starts(data: bytes) -> list[int]:
    """Where a picture may begin: at the front, and at every signature of a picture format."""
    found = {0}
    for signature in _SIGNATURES:
        position = data.find(signature)
        while position >= 0:
            found.add(max(position - _BEFORE.get(signature, 0), 0))
            position = data.find(signature, position + 1)
    return sorted(found)


def planes(data: bytes) -> Iterator[Plane]:
    """Every channel of every frame of the picture at the front of ``data``, damaged ones as far as they go; 0 to 255."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            yield from _planes(data)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def opened(data: bytes) -> Pillow.Image:
    """A picture of any format, by Pillow; HEIF by pillow-heif, without making it a format of Pillow's for everything else in this process."""
    if data[4:12] in (b"ftypheic", b"ftypmif1"):
        from pillow_heif import HeifImageFile

        picture: Pillow.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
        return picture
    return Pillow.open(io.BytesIO(data))


def _planes(data: bytes) -> Iterator[Plane]:
    frames: list[npt.NDArray[Any]] = []
    with suppress(*_DAMAGE):
        picture = opened(data)
        for index in range(min(getattr(picture, "n_frames", 1), 50)):
            picture.seek(index)
            shown = picture.convert("RGBA" if "transparency" in picture.info else "RGB") if picture.mode in ("1", "P") else picture
            frames.append(np.asarray(shown))
    for frame in frames:
        yield from _channels(frame)


def _channels(frame: npt.NDArray[Any]) -> list[Plane]:
    """Each channel of a raster, 0 to 255."""
    top = {"u": np.iinfo(frame.dtype).max if frame.dtype.kind == "u" else 0, "i": 65535, "b": 1, "f": max(float(np.max(frame, initial=0)), 1e-9)}
    scaled = np.atleast_3d(frame.astype(np.float32) * np.float32(255 / top[frame.dtype.kind]))
    return [np.ascontiguousarray(scaled[:, :, number]) for number in range(scaled.shape[2])]


def _gain(plane: Plane) -> float:
    best = 0.0
    for template in _TEMPLATES:
        if plane.shape[0] >= template.shape[0] and plane.shape[1] >= template.shape[1]:
            match = cv2.matchTemplate(plane, template, cv2.TM_CCORR) / float((template**2).sum())
            best = max(best, float(np.abs(match).max()))
    return best


def _templates() -> list[Plane]:
    """The face without its mean, at full and at half size, turned and mirrored in every way."""
    found = []
    for side in (SIDE, SIDE // 2):
        face = cv2.resize(board().astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        face = face - face.mean()
        found += [np.ascontiguousarray(np.rot90(one, turns)) for one in (face, face[:, ::-1]) for turns in range(4)]
    return found


_TEMPLATES = _templates()


def verbatim(data: bytes) -> bool:
    """Whether a row of the face stands in ``data`` as uncompressed samples, at full or half size: grey, RGB, or four channels."""
    rows = (np.rint(board()).astype(np.uint8)[SIDE // 2], thumbnail(marked())[BOX[1] // 2 + SIDE // 4, BOX[0] // 2 : BOX[2] // 2, 0])
    for row in rows:
        colour = np.repeat(row[:, None], 3, axis=1)
        opaque = np.concatenate([colour, np.full((len(row), 1), 255, np.uint8)], axis=1)
        fourth = np.concatenate([np.zeros_like(colour), row[:, None]], axis=1)
        if any(raw.tobytes() in data for raw in (row, colour, opaque, fourth)):
            return True
    return False


def unpacked(data: bytes) -> bytes:
    """``data``, and behind it all that zlib can unpack anywhere in it: compressed texts, profiles, image data."""
    parts = [data]
    for start in _PACKED:
        position = data.find(start)
        while position >= 0:
            with suppress(zlib.error):
                parts.append(zlib.decompressobj().decompress(data[position:], 1 << 24))
            position = data.find(start, position + 1)
    return b"".join(parts)


def leak(data: bytes, secrets: tuple[bytes, ...] = ()) -> str:
    """What of the face, or of ``secrets`` (as they are, or as UTF-16), is in ``data``, in words; empty if nothing is."""
    whole = unpacked(data)
    for secret in secrets:
        wide = secret.decode("latin-1").encode("utf-16-le")
        if secret in whole or wide in whole or wide[:-1] in whole:
            return f"{secret!r} is in it"
    if verbatim(whole):
        return "a row of the face is in it"
    most = gain(data)
    return f"the face shows, gain {most:.2f}" if most >= SHOWN else ""


def files_below(*folders: Path) -> list[Path]:
    """All regular files below folders, hidden and half-written ones too."""
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
