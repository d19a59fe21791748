"""PNG: every depth and colour type, animations, and the chunks in which something may hide."""

import struct
import zlib

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from tests.anonymizer.corpus.case import IMAGE, SECRET, TOLD, Case, animated, exif, failed, saved, xmp
from tests.anonymizer.corpus.jpegs import PREVIEW, stored_box
from tests.anonymizer.leaks import BOX, HEIGHT, WIDTH

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PLAIN = saved(IMAGE, "PNG")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """The first chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def with_chunks(*extra: bytes, png: bytes = PLAIN) -> bytes:
    """``png`` with more chunks before its image data."""
    at = png.index(b"IDAT") - 4
    return png[:at] + b"".join(extra) + png[at:]


def deep(channels: int) -> bytes:
    """Samples of 16 bits whose lower bytes are not the higher ones."""
    rng = np.random.default_rng(3)
    samples = IMAGE.astype(np.uint16) * 240 + rng.integers(0, 4000, IMAGE.shape, dtype=np.uint16)
    alpha = np.full((*IMAGE.shape[:2], 1), 65535, np.uint16)
    raster = {1: samples[:, :, 0], 3: samples, 4: np.concatenate([samples, alpha], axis=2)}[channels]
    done, data = cv2.imencode(".png", raster)
    assert done
    return data.tobytes()


def portrait_in_alpha() -> npt.NDArray[np.uint8]:
    """Black all over: what is to be seen, the face too, is in its transparency alone."""
    return np.concatenate([np.zeros_like(IMAGE), IMAGE[:, :, :1]], axis=2)


def _with_alpha(low: int) -> npt.NDArray[np.uint8]:
    alpha = np.linspace(low, 255, WIDTH).astype(np.uint8)
    return np.concatenate([IMAGE, np.broadcast_to(alpha, (HEIGHT, WIDTH))[:, :, None]], axis=2)


def _interlaced() -> bytes:
    """Adam7: seven small pictures behind each other, all without a filter."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for left, top, across, down in passes for row in IMAGE[top::down, left::across])
    return SIGNATURE + header(WIDTH, HEIGHT, interlace=1) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _with_key() -> bytes:
    """One colour counts as transparent."""
    return with_chunks(chunk(b"tRNS", struct.pack(">3H", *(int(value) for value in IMAGE[0, 0]))))


def _stuffed() -> bytes:
    """An animation with something behind the compressed data of each frame."""
    out = SIGNATURE
    position = len(SIGNATURE)
    png = animated("PNG", 2)
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        kind, body = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        out += chunk(kind, body + SECRET + PREVIEW if kind in (b"IDAT", b"fdAT") else body)
        position += 12 + length
    return out


def _broken_sum() -> bytes:
    at = PLAIN.index(b"IDAT") + 20
    return PLAIN[:at] + bytes([PLAIN[at] ^ 0xFF]) + PLAIN[at + 1 :]


def cases() -> list[Case]:
    """All cases of this module."""
    texts = (
        chunk(b"tEXt", b"Comment\0" + SECRET),
        chunk(b"zTXt", b"Author\0\0" + zlib.compress(SECRET * 9)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp()),
        chunk(b"tIME", struct.pack(">HBBBBB", 2024, 5, 6, 7, 8, 9)),
    )
    turned = Pillow.fromarray(IMAGE).transpose(Pillow.Transpose.ROTATE_90)
    box = stored_box(6)
    palette = Pillow.fromarray(IMAGE).quantize(64)
    return [
        Case("png/plain.png", PLAIN),
        Case("png/grey.png", saved(IMAGE, "PNG", "L")),
        Case("png/grey-alpha.png", saved(np.dstack([IMAGE[:, :, 0], _with_alpha(90)[:, :, 3]]), "PNG")),
        Case("png/alpha.png", saved(_with_alpha(0), "PNG")),
        Case("png/portrait-in-alpha.png", saved(portrait_in_alpha(), "PNG")),
        Case("png/palette.png", saved(palette, "PNG")),
        Case("png/palette-of-four.png", saved(Pillow.fromarray(IMAGE).quantize(4), "PNG", bits=2)),
        Case("png/palette-transparent.png", saved(palette, "PNG", transparency=3)),
        Case("png/palette-half-transparent.png", saved(palette, "PNG", transparency=bytes(range(100, 164)))),
        Case("png/one-bit.png", saved(Pillow.fromarray(IMAGE).convert("1", dither=Pillow.Dither.NONE), "PNG")),
        Case("png/deep-grey.png", deep(1)),
        Case("png/deep-rgb.png", deep(3)),
        Case("png/deep-alpha.png", deep(4)),
        Case("png/interlaced.png", _interlaced()),
        Case("png/colour-key.png", _with_key()),
        Case("png/texts.png", with_chunks(*texts), secrets=(SECRET,)),
        Case("png/preview.png", with_chunks(chunk(b"eXIf", exif(1))), secrets=(SECRET,)),
        Case("png/turned.png", with_chunks(chunk(b"eXIf", exif(6)), png=saved(turned, "PNG")), reason=TOLD, boxes=(box,), secrets=(SECRET,)),
        Case("png/private-chunk.png", with_chunks(chunk(b"prVt", SECRET + PREVIEW)), secrets=(SECRET,)),
        Case("png/profile-that-is-none.png", with_chunks(chunk(b"iCCP", b"x\0\0" + zlib.compress(SECRET + PREVIEW))), secrets=(SECRET,)),
        Case("png/behind-the-end.png", PLAIN + SECRET + PREVIEW + PLAIN, secrets=(SECRET,)),
        Case("png/animated.png", animated("PNG"), hidden=3),
        Case("png/animated.apng", animated("PNG", 2), hidden=2),
        Case("png/animation-over-another.png", animated("PNG", 3, default_image=True), hidden=3),
        Case("png/stuffed-transparency.png", with_chunks(chunk(b"tRNS", bytes([0, 1] * 3) + SECRET + PREVIEW)), secrets=(SECRET,)),
        Case("png/stuffed-image-data.png", _stuffed(), hidden=2, secrets=(SECRET,)),
        failed("png/broken-sum.png", _broken_sum(), "checksum"),
        failed("png/no-image-data.png", SIGNATURE + header(WIDTH, HEIGHT) + chunk(b"IEND", b""), "damaged|cannot be read"),
        failed("png/too-little-data.png", _data(zlib.compress(bytes(1000))), "wrong length|damaged"),
        failed("png/too-much-data.png", _data(zlib.compress(bytes(20_000_000))), "wrong length|damaged"),
        failed("png/unknown-filter.png", _data(zlib.compress((b"\x07" + bytes(3 * WIDTH)) * HEIGHT)), "filter|damaged"),
        failed("png/box-outside.png", PLAIN, "lies outside the picture", ((BOX[0] + WIDTH, BOX[1], BOX[2] + WIDTH, BOX[3]),)),
    ]


def _data(packed: bytes) -> bytes:
    return SIGNATURE + header(WIDTH, HEIGHT) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
