"""Files that are not what they claim to be: cut off, empty, of another kind, or announcing more than any memory holds."""

import struct
import zlib

from tests.anonymizer.corpus.case import IMAGE, SECRET, Case, animated, directory, failed, long, saved, short
from tests.anonymizer.corpus.jpegs import PLAIN as JPEG
from tests.anonymizer.corpus.others import BMP, GIF, WEBP, riff, tiff
from tests.anonymizer.corpus.pngs import PLAIN as PNG
from tests.anonymizer.corpus.pngs import SIGNATURE, chunk, header

HUGE = 60_000
AVIF = saved(IMAGE, "AVIF", quality=90)


def cut(data: bytes, share: float = 0.6) -> bytes:
    """The first part of a file, as a broken download leaves it."""
    return data[: int(len(data) * share)]


def _truncated() -> list[Case]:
    progressive = saved(IMAGE, "JPEG", progressive=True)
    reason = "truncated|cannot be read|damaged|end chunk"
    whole = {
        **{"a.jpg": JPEG, "progressive.jpg": progressive, "a.png": PNG, "a.gif": GIF, "a.webp": WEBP, "a.bmp": BMP, "a.avif": AVIF},
        **{"raw.tif": tiff(), "lzw.tif": saved(IMAGE, "TIFF", compression="tiff_lzw"), "pages.tif": animated("TIFF")},
        **{"animated.gif": animated("GIF"), "animated.png": animated("PNG"), "animated.webp": animated("WEBP", lossless=True)},
    }
    found = [failed(f"truncated/{name}", cut(data), reason) for name, data in whole.items()]
    return [
        *found,
        failed("truncated/head-only.jpg", JPEG[:20], reason),
        failed("truncated/two-bytes.jpg", JPEG[:2], "not a picture"),
        failed("truncated/signature.png", SIGNATURE, reason),
        failed("truncated/padded.jpg", cut(JPEG) + bytes(len(JPEG)), reason),
        failed("truncated/padded.png", cut(PNG) + bytes(len(PNG)), reason + "|checksum"),
    ]


def _misnamed() -> list[Case]:
    picture = b'<svg xmlns="http://www.w3.org/2000/svg"><text>' + SECRET + b"</text></svg>"
    return [
        Case("names/png-called.jpg", PNG),
        Case("names/jpeg-called.png", JPEG),
        Case("names/webp-called.gif", WEBP),
        Case("names/gif-called.webp", GIF),
        Case("names/jpeg-called.txt", JPEG),
        Case("names/jpeg-without-suffix", JPEG),
        Case("names/png-called.pdf", PNG),
        failed("names/jpeg-called.mp4", JPEG, "video"),
        failed("names/text-called.mp4", b"no film\n", "video"),
        failed("names/text.jpg", b"no picture\n" + SECRET, "not a picture"),
        failed("names/page.png", b"<!doctype html><title>404</title>", "not a picture"),
        failed("names/archive.webp", b"PK\x03\x04" + JPEG, "not a picture"),
        failed("names/zeros.tif", bytes(4096), "not a picture"),
        failed("names/noise.gif", bytes(range(256)) * 20, "not a picture"),
        Case("names/notes.txt", b"Meeting at noon.\n" + SECRET, "other", "not copied", (), 0, (SECRET,), shows=False),
        Case("names/drawing.svg", picture, "other", "not copied", (), 0, (SECRET,), shows=False),
        Case("names/paper.pdf", b"%PDF-1.7\n" + SECRET + JPEG, "other", "not copied", (), 0, (SECRET,), shows=False),
        Case("names/archive.zip", b"PK\x03\x04" + SECRET + JPEG, "other", "not copied", (), 0, (SECRET,), shows=False),
        Case("names/empty.txt", b"", "other", "not copied", (), 0, shows=False),
        *(failed(f"names/empty.{suffix}", b"", "empty") for suffix in ("jpg", "png", "gif", "webp", "tif", "bmp", "avif")),
    ]


def _bombs() -> list[Case]:
    reason = f"{HUGE} x {HUGE} pixels|cannot be read|damaged"
    packed = zlib.compress(bytes(3 * HUGE + 1) * 20)
    png = SIGNATURE + header(HUGE, HUGE) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    gif = b"GIF89a" + struct.pack("<HHBBB", HUGE, HUGE, 0, 0, 0) + GIF[13:]
    at = JPEG.index(b"\xff\xc0") + 5
    jpeg = JPEG[:at] + struct.pack(">HH", HUGE, HUGE) + JPEG[at + 4 :]
    bmp = BMP[:18] + struct.pack("<ii", HUGE, HUGE) + BMP[26:]
    lossless = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14)
    canvas = b"\x02\0\0\0" + (HUGE - 1).to_bytes(3, "little") * 2
    webp = riff((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", bytes(6) + (9).to_bytes(3, "little") * 2 + bytes(4) + b"VP8L" + long(5) + lossless))
    entries = [(256, 4, long(HUGE)), (257, 4, long(HUGE)), (258, 3, short(8) * 3), (259, 3, short(1)), (262, 3, short(2)), (273, 4, long(8))]
    large = b"II*\0" + long(8) + directory([*entries, (277, 3, short(3)), (278, 4, long(HUGE)), (279, 4, long(HUGE * HUGE * 3 % 2**32))], 8)
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(20_000_000)))
    at_data = PNG.index(b"IDAT") - 4
    return [
        failed("bombs/a.png", png, reason),
        failed("bombs/a.gif", gif, reason),
        failed("bombs/a.jpg", jpeg, reason),
        failed("bombs/a.bmp", bmp, reason),
        failed("bombs/a.webp", webp, reason),
        failed("bombs/a.tif", large, reason),
        failed("bombs/one-row.png", SIGNATURE + header(2**31 - 1, 1) + chunk(b"IDAT", packed) + chunk(b"IEND", b""), "pixels|cannot be read|damaged"),
        failed("bombs/no-pixels.png", SIGNATURE + header(0, 120) + chunk(b"IDAT", packed) + chunk(b"IEND", b""), "0 x 120 pixels|damaged"),
        failed("bombs/frames.gif", many_frames(6_000, 16), "frames are more than"),
        failed("bombs/large-frames.gif", many_frames(2_000, 8_000), "are more than|memory"),
        Case("bombs/profile.png", PNG[:at_data] + profile + PNG[at_data:]),
    ]


def many_frames(count: int, side: int) -> bytes:
    """An animation of tiny frames on a canvas of side x side pixels."""
    frame = b",\0\0\0\0\x01\0\x01\0\0" + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * count + b";"


def cases() -> list[Case]:
    """All cases of this module."""
    return [*_truncated(), *_misnamed(), *_bombs()]
