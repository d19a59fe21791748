"""The pixels of a video frame: turned upright, seen as RGB, and put back into the frame's own planes inside boxes alone.

A frame keeps its own pixel format (4:2:0, ten bits, ...): what no box touches is never converted to RGB and back.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from av import VideoFormat, VideoFrame
from av.codec.codec import find_best_pix_fmt_of_list
from av.sidedata.sidedata import SideData
from av.video.format import VideoFormatComponent
from av.video.reformatter import VideoReformatter

from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, pixel_bounds
from dartblur.media.images import Image

Bytes = npt.NDArray[np.uint8]

_ONE = 1 << 16  # 1 in a display matrix: fixed point with 16 bits behind it
_EDITABLE = (
    *("gray", "gray10le", "gray12le", "gray16le"),
    *("yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "yuva420p", "yuva422p", "yuva444p"),
    *("yuv420p10le", "yuv422p10le", "yuv444p10le", "yuva444p10le", "yuv420p12le", "yuv422p12le", "yuv444p12le", "yuv444p16le", "yuva444p16le"),
    *("gbrp", "gbrap", "gbrp10le", "gbrp12le", "gbrp16le", "gbrap16le"),
)
_SQUARE = tuple(name for name in _EDITABLE if not any(part in name for part in ("411", "422", "440")))
_local = threading.local()


@dataclass(frozen=True)
class Turn:
    """How a stored frame becomes upright: rows and columns exchanged, then mirrored left to right, then top to bottom."""

    transposed: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def apply(self, pixels: Bytes) -> Bytes:
        """``pixels`` (H x W x C) upright, as a view."""
        turned = pixels.swapaxes(0, 1) if self.transposed else pixels
        return turned[:: -1 if self.top_bottom else 1, :: -1 if self.left_right else 1]


UPRIGHT = Turn()


def turn_of(frame: VideoFrame, name: str) -> Turn:
    """How to turn a decoded frame, by its display matrix (a telephone held upright stores its frames lying).

    Args:
        name: what to call the video in an error.

    Raises:
        DartblurError: the matrix turns by something else than quarter turns.
    """
    for data in side_data_of(frame):
        if data.type.name == "DISPLAYMATRIX":
            # x' = a x + c y, y' = b x + d y
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
            if b == c == 0 and abs(a) == abs(d) == _ONE:
                return Turn(False, a < 0, d < 0)
            if a == d == 0 and abs(b) == abs(c) == _ONE:
                return Turn(True, c < 0, b < 0)
            raise DartblurError(f"{name}: its display matrix is no quarter turn ({a} {b} {c} {d}); turn it upright with ffmpeg first")
    return UPRIGHT


def side_data_of(frame: VideoFrame) -> list[SideData]:
    """What a decoder says of a frame beside its pixels; PyAV's types call it a mapping, but it lists the values."""
    return list(cast(Iterable[SideData], frame.side_data))


def upright(frame: VideoFrame, turn: Turn) -> VideoFrame:
    """``frame`` upright, in a pixel format that :func:`splice` can write to; the frame itself where nothing is to be done."""
    name = _work_format(frame, turn.transposed)
    if name != frame.format.name:
        frame = _reformatted(frame, name)
    if turn == UPRIGHT:
        return frame
    width, height = (frame.height, frame.width) if turn.transposed else (frame.width, frame.height)
    turned = VideoFrame(width, height, name)
    for index in range(len(frame.planes)):
        _plane(turned, index)[:] = turn.apply(_plane(frame, index))
    turned.pts, turned.dts, turned.time_base, turned.duration = frame.pts, frame.dts, frame.time_base, frame.duration
    turned.key_frame = frame.key_frame  # type: ignore[misc]  # PyAV's types lack its setter
    turned.colorspace, turned.color_range = frame.colorspace, frame.color_range
    turned.color_primaries, turned.color_trc = frame.color_primaries, frame.color_trc
    return turned


def rgb_of(frame: VideoFrame) -> Image:
    """An upright frame as a picture."""
    return np.ascontiguousarray(_plane(_reformatted(frame, "rgb24"), 0))


def splice(frame: VideoFrame, hidden: Image, boxes: Boxes) -> None:
    """Take the pixels inside ``boxes`` (N x 4, absolute pixels) from ``hidden``, in place.

    Where several pixels share a sample of colour, one that a box holds a part of is taken too.

    Args:
        frame: as :func:`upright` returned it.
        hidden: the frame as RGB, its boxes hidden.
    """
    frame.make_writable()
    across, down = _coarseness(frame.format)
    for x1, y1, x2, y2 in pixel_bounds(boxes, frame.width, frame.height).tolist():
        left, top = x1 // across * across, y1 // down * down
        right, bottom = min(-(-x2 // across) * across, frame.width), min(-(-y2 // down) * down, frame.height)
        part = VideoFrame.from_ndarray(np.ascontiguousarray(hidden[top:bottom, left:right]), "rgb24")
        part = _reformatted(part, frame.format.name, like=frame)
        for index, kept in enumerate(_components(frame.format)):
            if any(component.is_alpha for component in kept):
                continue
            wide, high = _share(frame.width, kept[0].width), _share(frame.height, kept[0].height)
            inside = slice(y1 // high, -(-y2 // high)), slice(x1 // wide, -(-x2 // wide))
            within = _shifted(inside[0], top // high), _shifted(inside[1], left // wide)
            _plane(frame, index)[inside] = _plane(part, index)[within]


def _shifted(span: slice, start: int) -> slice:
    return slice(span.start - start, span.stop - start)


def _reformatted(frame: VideoFrame, name: str, like: VideoFrame | None = None) -> VideoFrame:
    """``frame`` in another pixel format; with the colour matrix and range of ``like``."""
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()  # one a thread: making its tables anew for each frame takes longer than using them
    reformatter: VideoReformatter = _local.reformatter
    to = like or frame
    return reformatter.reformat(frame, format=name, dst_colorspace=to.colorspace, dst_color_range=to.color_range if like else None, threads=1)


def _components(format: VideoFormat) -> list[list[VideoFormatComponent]]:
    """The components of each plane."""
    planes: dict[int, list[VideoFormatComponent]] = {}
    for component in format.components:
        planes.setdefault(component.plane, []).append(component)
    return [planes[index] for index in sorted(planes)]


def _coarseness(format: VideoFormat) -> tuple[int, int]:
    """How many pixels share a sample of colour, across and down."""
    least_width = min(component.width for component in format.components)
    least_height = min(component.height for component in format.components)
    return _share(format.width, least_width), _share(format.height, least_height)


def _share(pixels: int, samples: int) -> int:
    """Pixels a sample, 1, 2 or 4, where the last sample may have fewer."""
    return int(1 << (-(-pixels // samples) - 1).bit_length())


def _plane(frame: VideoFrame, index: int) -> Bytes:
    """The samples of one plane as bytes, height x width x bytes a sample (or a group of samples that lie together), writable where the frame is."""
    plane, components = frame.planes[index], _components(frame.format)[index]
    width, height = components[0].width, components[0].height
    unit = _unit(frame.format, components)
    rows: Bytes = np.frombuffer(cast(bytes, plane), np.uint8)[: height * plane.line_size].reshape(height, plane.line_size)
    return rows[:, : width * unit].reshape(height, width, unit)


def _unit(format: VideoFormat, components: Sequence[VideoFormatComponent]) -> int:
    """Bytes of the samples that lie together in a plane."""
    if len(_components(format)) == 1:
        return format.padded_bits_per_pixel // 8
    return sum(-(-component.bits // 8) for component in components)


def _work_format(frame: VideoFrame, transposed: bool) -> str:
    """The frame's own pixel format, if its planes are simple grids of samples; else the nearest that is."""
    format = frame.format
    planes = _components(format)
    simple = not (format.has_palette or format.is_bit_stream or format.is_bayer) and all(plane.line_size > 0 for plane in frame.planes)
    simple &= all(len({(component.width, component.height) for component in plane}) == 1 for plane in planes)
    simple &= len(planes) > 1 or not (format.padded_bits_per_pixel % 8 or any(component.is_alpha for component in planes[0]))
    across, down = _coarseness(format)
    if simple and (not transposed or across == down):
        return format.name
    best, _ = find_best_pix_fmt_of_list(_SQUARE if transposed else _EDITABLE, format, has_alpha=any(part.is_alpha for part in format.components))
    return best.name if best else "gbrp"
