"""WebP, GIF, TIFF, BMP, AVIF: kinds of rasters, frames and pages, and hiding places."""

import importlib.util
import io
import struct
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow

from tests.anonymizer.corpus.case import IMAGE, SECRET, TOLD, Case, Entry, animated, directory, exif, failed, long, saved, short, xmp
from tests.anonymizer.corpus.jpegs import PREVIEW, stored_box
from tests.anonymizer.corpus.pngs import portrait_in_alpha
from tests.anonymizer.leaks import HEIGHT, WIDTH, marked, thumbnail

TURNED = Pillow.fromarray(IMAGE).transpose(Pillow.Transpose.ROTATE_90)
"""Stored as orientation 6 wants it."""
WEBP = saved(IMAGE, "WEBP", quality=90)
GIF = saved(IMAGE, "GIF")
BMP = saved(IMAGE, "BMP")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file of chunks."""
    body = b"".join(kind + long(len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + long(4 + len(body)) + b"WEBP" + body


def tiff(*extra: Entry, image: "np.typing.NDArray[np.uint8]" = IMAGE, gap: bytes = b"", sub: bool = False) -> bytes:
    """An uncompressed TIFF with more tags, something between directory and pixels, and a preview in a directory of its own."""
    height, width, channels = image.shape
    entries: list[Entry] = [
        *((0x0100, 4, long(width)), (0x0101, 4, long(height)), (0x0102, 3, short(8) * channels), (0x0103, 3, short(1)), (0x0106, 3, short(2))),
        *((0x0111, 4, long(0)), (0x0115, 3, short(channels)), (0x0116, 4, long(height)), (0x0117, 4, long(image.size)), *extra),
    ]
    if sub:
        entries.append((0x014A, 4, long(0)))
    below = len(directory(entries, 0))
    small = np.ascontiguousarray(thumbnail(image)) if sub else image[:0]
    inner = b""
    if sub:
        start = 8 + below
        at_small = start + 2 + 12 * 9 + 4 + 6
        inner = directory(
            [
                *((0x0100, 4, long(width // 2)), (0x0101, 4, long(height // 2)), (0x0102, 3, short(8) * 3), (0x0103, 3, short(1))),
                *((0x0106, 3, short(2)), (0x0111, 4, long(at_small)), (0x0115, 3, short(3)), (0x0116, 4, long(height // 2))),
                (0x0117, 4, long(small.size)),
            ],
            start,
        )
        inner += small.tobytes()
    where = {0x0111: long(8 + below + len(inner) + len(gap)), 0x014A: long(8 + below)}
    placed = [(tag, kind, where.get(tag, value)) for tag, kind, value in entries]
    return b"II*\0" + long(8) + directory(placed, 8) + inner + gap + image.tobytes()


def infrared() -> bytes:
    """Black all over: the face is to be seen in a fourth channel alone, which no viewer shows."""
    return tiff((0x0152, 3, short(0)), image=portrait_in_alpha())


def spare_byte() -> bytes:
    """A BMP of 32 bits a pixel whose fourth byte, which no viewer looks at, holds the face; its colours are black."""
    raster = portrait_in_alpha()[::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 32, 0, len(raster), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(raster), 0, 0, 54) + header + raster


def pages(kind: str = "TIFF", **options: Any) -> bytes:
    """A document of three pages, each of another size."""
    rasters = [Pillow.fromarray(marked(seed, WIDTH + 10 * seed)) for seed in range(3)]
    return saved(rasters[0], kind, save_all=True, append_images=rasters[1:], **options)


def _deep_tiff(channels: int) -> bytes:
    samples = IMAGE.astype(np.uint16) * 257
    done, data = cv2.imencode(".tiff", samples if channels == 3 else samples[:, :, 0])
    assert done
    return data.tobytes()


def _gif_extension(label: int, *blocks: bytes) -> bytes:
    return b"!" + bytes([label]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _gif_with(extra: bytes) -> bytes:
    """``GIF`` with an extension behind its palette."""
    at = 13 + 3 * (2 << (GIF[10] & 7))
    return GIF[:at] + extra + GIF[at:]


def _gif_blocks(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[start : start + 255] for start in range(0, len(data), 255))


def _webps() -> list[Case]:
    lossless: dict[str, Any] = {"lossless": True, "exact": True}
    alpha = np.concatenate([IMAGE, np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=2)
    alpha[:20] = (0, 0, 0, 0)
    inner = WEBP[12:]
    told = riff((b"VP8X", b"\x0c\0\0\0" + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")), (inner[:4], inner[8:]))
    hidden = told[12:] + b"EXIF" + long(len(exif(1))) + exif(1) + b"\0" * (len(exif(1)) % 2)
    hidden += b"XMP " + long(len(xmp())) + xmp() + b"\0" * (len(xmp()) % 2) + b"SECR" + long(len(PREVIEW)) + PREVIEW + b"\0" * (len(PREVIEW) % 2)
    return [
        Case("webp/plain.webp", WEBP),
        Case("webp/lossless.webp", saved(IMAGE, "WEBP", **lossless)),
        Case("webp/alpha.webp", saved(alpha, "WEBP", **lossless)),
        Case("webp/portrait-in-alpha.webp", saved(portrait_in_alpha(), "WEBP", **lossless)),
        Case("webp/animated.webp", animated("WEBP", lossless=True), hidden=3),
        Case("webp/turned.webp", saved(TURNED, "WEBP", exif=exif(6)), reason=TOLD, boxes=(stored_box(6),), secrets=(SECRET,)),
        Case("webp/metadata.webp", b"RIFF" + long(4 + len(hidden)) + b"WEBP" + hidden, secrets=(SECRET,)),
        Case("webp/trailing.webp", WEBP + SECRET + PREVIEW, secrets=(SECRET,)),
    ]


def _gifs() -> list[Case]:
    return [
        Case("gif/plain.gif", GIF),
        Case("gif/grey.gif", saved(IMAGE, "GIF", "L")),
        Case("gif/transparent.gif", saved(Pillow.fromarray(IMAGE).quantize(32), "GIF", transparency=0)),
        Case("gif/stencil.gif", saved(Pillow.fromarray(IMAGE).convert("1", dither=Pillow.Dither.NONE), "GIF", transparency=0)),
        Case("gif/animated.gif", animated("GIF", duration=50, loop=0), hidden=3),
        Case("gif/comment.gif", _gif_with(_gif_extension(0xFE, SECRET, *_gif_blocks(PREVIEW))), secrets=(SECRET,)),
        Case("gif/application.gif", _gif_with(_gif_extension(0xFF, b"XMP DataXMP", *_gif_blocks(xmp()))), secrets=(SECRET,)),
        Case("gif/trailing.gif", GIF + SECRET + PREVIEW, secrets=(SECRET,)),
    ]


def _tiffs() -> list[Case]:
    told: tuple[Entry, ...] = (
        *((0x010E, 2, SECRET + b"\0"), (0x013B, 2, SECRET + b"\0"), (0x02BC, 1, xmp()), (0x83BB, 7, SECRET + PREVIEW)),
        *((0x8649, 7, SECRET + PREVIEW), (0xC4A5, 7, SECRET), (0xEA1C, 7, SECRET), (0xC634, 7, SECRET + PREVIEW)),
    )
    turned = np.asarray(TURNED)
    return [
        Case("tiff/plain.tif", tiff()),
        Case("tiff/big-endian.tif", saved(IMAGE, "TIFF", big_endian=True)),
        Case("tiff/lzw.tiff", saved(IMAGE, "TIFF", compression="tiff_lzw")),
        Case("tiff/deflate.tiff", saved(IMAGE, "TIFF", compression="tiff_adobe_deflate")),
        Case("tiff/jpeg.tiff", saved(IMAGE, "TIFF", compression="jpeg")),
        Case("tiff/grey.tif", saved(IMAGE, "TIFF", "L")),
        Case("tiff/palette.tif", saved(Pillow.fromarray(IMAGE).quantize(64), "TIFF")),
        Case("tiff/cmyk.tif", saved(IMAGE, "TIFF", "CMYK")),
        Case("tiff/alpha.tif", saved(IMAGE, "TIFF", "RGBA")),
        Case("tiff/fax.tif", saved(Pillow.fromarray(IMAGE).convert("1", dither=Pillow.Dither.NONE), "TIFF", compression="group4")),
        Case("tiff/deep-grey.tif", _deep_tiff(1)),
        Case("tiff/deep-rgb.tif", _deep_tiff(3)),
        Case("tiff/pages.tif", pages(), hidden=3),
        Case("tiff/tags.tif", tiff(*told), secrets=(SECRET,)),
        Case("tiff/preview-directory.tif", tiff(sub=True)),
        Case("tiff/gap.tif", tiff(gap=SECRET + PREVIEW), secrets=(SECRET,)),
        Case("tiff/trailing.tif", tiff() + SECRET + PREVIEW, secrets=(SECRET,)),
        Case("tiff/infrared.tif", infrared()),
        Case("tiff/turned.tif", tiff((0x0112, 3, short(6)), image=turned), reason=TOLD, boxes=(stored_box(6),)),
    ]


def _bmps() -> list[Case]:
    at = struct.unpack_from("<I", BMP, 10)[0]
    gap = SECRET + PREVIEW
    return [
        Case("bmp/plain.bmp", BMP),
        Case("bmp/grey.bmp", saved(IMAGE, "BMP", "L")),
        Case("bmp/palette.bmp", saved(Pillow.fromarray(IMAGE).quantize(64), "BMP")),
        Case("bmp/one-bit.bmp", saved(Pillow.fromarray(IMAGE).convert("1", dither=Pillow.Dither.NONE), "BMP")),
        Case("bmp/spare-byte.bmp", spare_byte()),
        Case("bmp/gap.bmp", BMP[:10] + long(at + len(gap)) + BMP[14:at] + gap + BMP[at:], secrets=(SECRET,)),
        Case("bmp/trailing.bmp", BMP + gap, secrets=(SECRET,)),
    ]


def heif(**options: Any) -> bytes:
    """What telephones take."""
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.encode("RGB", (WIDTH, HEIGHT), IMAGE.tobytes(), out, quality=90, **options)
    return out.getvalue()


def _heifs() -> list[Case]:
    return [
        Case("heif/plain.heic", heif()),
        Case("heif/metadata.heic", heif(exif=exif(1), xmp=xmp()), secrets=(SECRET,)),
        Case("heif/previews.heif", heif(thumbnails=[80])),
        failed("heif/cut.heic", heif()[:-400], "damaged or truncated"),
    ]


def cases() -> list[Case]:
    """All cases of this module."""
    heifs = [] if importlib.util.find_spec("pillow_heif") is None else _heifs()
    avif = [
        Case("avif/plain.avif", saved(IMAGE, "AVIF", quality=90)),
        Case("avif/metadata.avif", saved(IMAGE, "AVIF", quality=90, exif=exif(1), xmp=xmp()), secrets=(SECRET,)),
        Case("avif/animated.avif", animated("AVIF", 2, quality=90), hidden=2),
        failed("avif/trailing.avif", saved(IMAGE, "AVIF", quality=90) + SECRET + PREVIEW, "damaged or truncated"),
    ]
    return [*_webps(), *_gifs(), *_tiffs(), *_bmps(), *avif, *heifs]
