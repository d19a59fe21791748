"""JPEG: every kind of raster, every orientation, and all the places where another picture or a secret may hide."""

import io
import struct

import numpy as np
from PIL import Image as Pillow

from tests.anonymizer.corpus.case import FACE, IMAGE, SECRET, TOLD, Case, Row, exif, failed, saved, xmp
from tests.anonymizer.leaks import BOX, HEIGHT, WIDTH, marked, thumbnail

PLAIN = saved(IMAGE, "JPEG", quality=92, subsampling=0)
PREVIEW = saved(thumbnail(IMAGE), "JPEG", quality=92)
_TURNS = {
    1: (),
    2: (Pillow.Transpose.FLIP_LEFT_RIGHT,),
    3: (Pillow.Transpose.ROTATE_180,),
    4: (Pillow.Transpose.FLIP_TOP_BOTTOM,),
    5: (Pillow.Transpose.TRANSPOSE,),
    6: (Pillow.Transpose.ROTATE_90,),
    7: (Pillow.Transpose.TRANSVERSE,),
    8: (Pillow.Transpose.ROTATE_270,),
}
"""How an upright picture is stored for each EXIF orientation."""


def segment(marker: int, body: bytes) -> bytes:
    """A marker segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(marker: int, body: bytes, jpeg: bytes = PLAIN) -> bytes:
    """``jpeg`` with one more segment, right behind its first marker."""
    return jpeg[:2] + segment(marker, body) + jpeg[2:]


def turned(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A JPEG whose pixels lie as a camera stores them for this orientation; shown upright it is always the same picture."""
    picture = Pillow.fromarray(marked(0, width, height))
    for turn in _TURNS[orientation]:
        picture = picture.transpose(turn)
    return with_segment(0xE1, b"Exif\0\0" + exif(orientation), saved(picture, "JPEG", quality=92))


def stored_box(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> Row:
    """Where the face lies in the stored raster of :func:`turned`."""
    where = np.zeros((height, width), np.uint8)
    where[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    picture = Pillow.fromarray(where)
    for turn in _TURNS[orientation]:
        picture = picture.transpose(turn)
    box = picture.getbbox()
    assert box is not None
    return box


def ycck() -> bytes:
    """CMYK as Adobe stores it: inverted, and its first three inks turned into brightness and colour differences."""
    ycc = Pillow.fromarray(255 - IMAGE).convert("YCbCr")
    planes = np.dstack([np.asarray(ycc), np.full(IMAGE.shape[:2], 255, np.uint8)])
    jpeg = saved(Pillow.fromarray(255 - planes, "CMYK"), "JPEG", quality=95)  # Pillow inverts on writing
    at = jpeg.index(b"Adobe") + 11
    return jpeg[:at] + b"\x02" + jpeg[at + 1 :]


def with_gallery() -> bytes:
    """Two pictures behind each other with an index, as telephones store a second view."""
    out = io.BytesIO()
    Pillow.fromarray(IMAGE).save(out, "MPO", save_all=True, append_images=[Pillow.fromarray(marked(1))], quality=92)
    return out.getvalue()


def _resource(number: int, body: bytes) -> bytes:
    """An image resource of Photoshop."""
    return b"8BIM" + struct.pack(">HH", number, 0) + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2)


def _header(marker: int, depth: int = 8) -> bytes:
    """``PLAIN`` with another kind of frame header."""
    at = PLAIN.index(b"\xff\xc0")
    return PLAIN[: at + 1] + bytes([marker]) + PLAIN[at + 2 : at + 4] + bytes([depth]) + PLAIN[at + 5 :]


def cases() -> list[Case]:
    """All cases of this module."""
    found = [
        Case("jpeg/plain.jpg", PLAIN),
        Case("jpeg/subsampled.jpg", saved(IMAGE, "JPEG", quality=90, subsampling=2)),
        Case("jpeg/wide-subsampled.jpg", saved(IMAGE, "JPEG", quality=90, subsampling=1)),
        Case("jpeg/progressive.jpg", saved(IMAGE, "JPEG", quality=90, progressive=True)),
        Case("jpeg/grey.jpg", saved(IMAGE, "JPEG", "L", quality=90)),
        Case("jpeg/grey-progressive.jpeg", saved(IMAGE, "JPEG", "L", quality=90, progressive=True)),
        Case("jpeg/rgb-stored.jpg", saved(IMAGE, "JPEG", quality=90, keep_rgb=True)),
        Case("jpeg/cmyk.jpg", saved(IMAGE, "JPEG", "CMYK", quality=92)),
        Case("jpeg/ycck.jpg", ycck()),
        Case("jpeg/restarts.jpg", saved(IMAGE, "JPEG", quality=90, restart_marker_blocks=2)),
        Case("jpeg/coarse.jpg", saved(IMAGE, "JPEG", quality=30)),
        Case("jpeg/odd-size.jpg", saved(marked(0, 163, 117), "JPEG", quality=90, subsampling=2)),
        Case("jpeg/padded-markers.jpg", PLAIN[:2] + b"\xff\xff\xff" + PLAIN[2:]),
        Case("jpeg/preview.jpg", with_segment(0xE1, b"Exif\0\0" + exif(1)), secrets=(SECRET,)),
        Case("jpeg/big-preview.jpg", with_segment(0xE1, b"Exif\0\0" + exif(1, PLAIN)), secrets=(SECRET,)),
        Case("jpeg/two-exif.jpg", with_segment(0xE1, b"Exif\0\0" + exif(1), with_segment(0xE1, b"Exif\0\0" + exif(1))), secrets=(SECRET,)),
        Case("jpeg/damaged-exif.jpg", with_segment(0xE1, b"Exif\0\0" + exif(1)[:40] + SECRET + PREVIEW), secrets=(SECRET,)),
        Case("jpeg/xmp.jpg", with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()), secrets=(SECRET,)),
        Case("jpeg/photoshop.jpg", with_segment(0xED, _photoshop()), secrets=(SECRET,)),
        Case("jpeg/comment.jpg", with_segment(0xFE, SECRET + PREVIEW), secrets=(SECRET,)),
        Case("jpeg/jfif-preview.jpg", _jfif_preview()),
        Case("jpeg/jfxx-preview.jpg", with_segment(0xE0, b"JFXX\0\x10" + PREVIEW)),
        Case("jpeg/flashpix.jpg", with_segment(0xE2, b"FPXR\0\0" + SECRET + PREVIEW), secrets=(SECRET,)),
        Case("jpeg/provenance.jpg", with_segment(0xEB, b"JP\0\0" + SECRET + PREVIEW), secrets=(SECRET,)),
        Case("jpeg/profile-that-is-none.jpg", with_segment(0xE2, b"ICC_PROFILE\0\x01\x01" + SECRET + PREVIEW), secrets=(SECRET,)),
        Case("jpeg/profile-of-a-monitor.jpg", saved(IMAGE, "JPEG", quality=92, icc_profile=_monitor()), secrets=(SECRET,)),
        Case("jpeg/between-scans.jpg", _between_scans(), secrets=(SECRET,)),
        Case("jpeg/second-picture.jpg", with_gallery()),
        Case("jpeg/trailing-picture.jpg", PLAIN + PLAIN),
        Case("jpeg/trailing-video.jpg", PLAIN + b"\0\0\0\x18ftypmp42" + SECRET * 20 + PREVIEW, secrets=(SECRET,)),
        Case("jpeg/trailing-archive.jpg", PLAIN + b"PK\x03\x04" + SECRET + PREVIEW, secrets=(SECRET,)),
        failed("jpeg/lossless.jpg", _header(0xC3), "cannot be kept; convert it first"),
        failed("jpeg/twelve-bits.jpg", _header(0xC1, 12), "cannot be kept; convert it first"),
        failed("jpeg/no-picture.jpg", b"\xff\xd8\xff\xd9", "holds no picture|truncated"),
    ]
    for orientation in range(1, 9):
        box, said = stored_box(orientation), "^$" if orientation == 1 else TOLD
        found.append(Case(f"jpeg/turned-{orientation}.jpg", turned(orientation), reason=said, boxes=(box,), secrets=(SECRET,)))
    odd = 163, 117  # blocks at the border are cut: such a picture cannot be turned block by block
    found += [
        Case(f"jpeg/turned-odd-{orientation}.jpg", turned(orientation, *odd), reason=TOLD, boxes=(stored_box(orientation, *odd),), secrets=(SECRET,))
        for orientation in (2, 3, 6, 7)
    ]
    wrong = with_segment(0xE1, b"Exif\0\0" + exif(9))
    return [*found, Case("jpeg/turned-9.jpg", wrong, boxes=FACE, secrets=(SECRET,))]


def _monitor() -> bytes:
    """A colour profile with a private tag."""
    from tests.media.makepictures import PROFILE, profile_of

    return profile_of({b"mmod": SECRET, b"wtpt": PROFILE[-20:]})


def _photoshop() -> bytes:
    preview = struct.pack(">7I", 1, WIDTH // 2, HEIGHT // 2, WIDTH * 3 // 2, 0, len(PREVIEW), 24 | 1 << 16) + PREVIEW
    caption = b"\x1c\x02\x78" + struct.pack(">H", len(SECRET)) + SECRET
    return b"Photoshop 3.0\0" + _resource(0x0404, caption) + _resource(0x040C, preview)


def _jfif_preview() -> bytes:
    """A JFIF header whose thumbnail is uncompressed."""
    small = thumbnail(IMAGE)[10:50, 20:60]
    at = PLAIN.index(b"JFIF\0")
    length = int.from_bytes(PLAIN[at - 2 : at], "big")
    body = PLAIN[at : at + 12] + bytes([small.shape[1], small.shape[0]]) + small.tobytes()
    return PLAIN[: at - 4] + segment(0xE0, body) + PLAIN[at - 2 + length :]


def _between_scans() -> bytes:
    """A progressive picture with a comment between two of its scans."""
    jpeg = saved(IMAGE, "JPEG", quality=90, progressive=True)
    at = jpeg.index(b"\xff\xc4", jpeg.index(b"\xff\xda"))  # tables of the second scan
    return jpeg[:at] + segment(0xFE, SECRET + PREVIEW) + jpeg[at:]
