"""Reading videos: which files are one, and the frames of their one stream of pictures, with whatever is to be copied beside them.

    >>> with open_video(Path("street.mp4")) as source:
    ...     number = sum(1 for _ in source.frames())

What cannot be trusted is refused rather than passed on: a second stream of pictures, an encrypted one, a frame that the decoder had to patch.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av import ArgumentError, FFmpegError, Packet, VideoFrame, VideoStream
from av.container import InputContainer
from av.stream import Disposition, Stream

from dartblur.errors import DartblurError
from dartblur.media.videoframes import Turn, turn_of

MATROSKA = "matroska,webm"
QUICKTIME = "mov,mp4,m4a,3gp,3g2,mj2"
CONTAINERS: Mapping[str, str] = {
    QUICKTIME: "mp4",
    MATROSKA: "matroska",
    "asf": "asf",
    "avi": "avi",
    "dv": "dv",
    "flv": "flv",
    "gxf": "gxf",
    "ivf": "ivf",
    "mpeg": "mpeg",
    "mpegts": "mpegts",
    "mxf": "mxf",
    "nut": "nut",
    "ogg": "ogg",
    "wtv": "wtv",
}
"""FFmpeg's reader of a container -> its writer. Nothing else is opened: no playlists (they name other files and hosts), no pictures, no text."""

_BRANDS = {"qt  ": "mov", "M4V ": "ipod", "M4VH": "ipod", "M4VP": "ipod", "MSNV": "psp"}
_PICTURE_BRANDS = ("avif", "avis", "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1", "mif2", "jpeg")
_SOUND_BRANDS = ("M4A ", "M4B ", "M4P ")
_HEADS = (
    b"\x1aE\xdf\xa3",  # Matroska
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x06\x0e\x2b\x34",  # MXF
    b"nut/multimedia container",
    b"OggS",
    b"DKIF",  # IVF
)
_NO_MOVING_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_OPTIONS = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
PIXELS = 1 << 27
"""The most that a frame may have."""
_SLACK = 0.5  # seconds that a stream may end before its header says
REMEDY = "replace it, or repair it with ffmpeg first; nothing was written"


@dataclass(frozen=True)
class Look:
    """What all frames of a stream share: stored size in pixels, pixel format, how they are turned to be upright."""

    width: int
    height: int
    format: str
    turn: Turn

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture in pixels."""
        return (self.height, self.width) if self.turn.transposed else (self.width, self.height)


def is_video(source: Path | bytes) -> bool:
    """Whether a file is a video by its content: a known container with a stream of moving pictures, not a cover or a thumbnail alone.

    Args:
        source: a file; or the first bytes of one, 200 or more, which only tell whether its container is one for videos.
    """
    if isinstance(source, bytes):
        return _is_container(source)
    try:
        with _opened(source) as container:
            return not _is_picture(container) and bool(_moving(container))
    except FFmpegError:
        return False


def _is_container(head: bytes) -> bool:
    """Whether a file begins as a container of videos does."""
    if head[4:8] == b"ftyp":
        return head[8:12].decode("latin-1") not in (*_PICTURE_BRANDS, *_SOUND_BRANDS)
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = any(head[start : start + 189 : 188] == b"GG" for start in (0, 4))  # packets of 188 bytes, in some files with 4 bytes before each
    return transport or head.startswith(_HEADS) or head[4:8] in (b"moov", b"mdat", b"wide")


class VideoSource:
    """An open video with one stream of pictures.

    Attributes:
        name: what the video is called in errors.
        stream: of the pictures.
        beside: streams of sound and subtitles, in the order of the file.
        muxer: FFmpeg's name of the container, to write the same.
        left_out: what a copy of the file would lack, in words.
        time_base: seconds in a unit of time stamps. start: the first time stamp.
        rate: frames a second, nominally, as the file says; 25 if it does not.
        timed: whether the container says when each frame is shown; AVI only counts them, in the order in which they are decoded.
        expected: about how many frames it holds; 0 if the file does not say.
        reordered: whether frames are stored in another order than they are shown in.
    """

    def __init__(self, path: Path, container: InputContainer, name: str, threads: int, look: Look | None) -> None:
        self.container, self.name = container, name
        moving = _moving(container)
        if not moving or _is_picture(container):
            raise DartblurError(f"{name}: holds no moving pictures; give a video")
        if len(moving) > 1:
            raise DartblurError(f"{name}: holds {len(moving)} streams of moving pictures; take one of them out with ffmpeg (-map 0:v:0) first")
        self.stream: VideoStream = moving[0]
        if not isinstance(self.stream, VideoStream) or self.stream.codec_context is None:
            raise DartblurError(f"{name}: the codec of its pictures is not known here; convert it with ffmpeg first")
        if self.stream.width * self.stream.height > PIXELS:
            size = f"{self.stream.width} x {self.stream.height}"
            raise DartblurError(f"{name}: says that its frames have {size} pixels; give a video with smaller ones")
        self.stream.codec_context.options["max_pixels"] = str(PIXELS)
        self.stream.thread_type = "AUTO"
        self.stream.thread_count = threads
        self.beside: list[Stream] = [stream for stream in container.streams if stream.type in ("audio", "subtitle")]
        self.muxer = _muxer(path, container)
        self.left_out = _left_out(container)
        # Plain values, because FFmpeg's own are gone when the file is closed.
        self.time_base = self.stream.time_base or Fraction(1, 1000)
        self.rate = self.stream.guessed_rate or self.stream.average_rate or Fraction(25)
        self.start = self.stream.start_time or 0
        self.timed = container.format.name != "avi"
        self.expected = self.stream.frames or round(float(self.rate) * (container.duration or 0) / av.time_base)
        self.reordered = self.stream.codec_context.has_b_frames
        self._look = look
        self._begun = False
        self._ends: dict[int, float] = {}  # by stream: the second at which its packets end, as far as they were read

    @property
    def look(self) -> Look:
        """What all of its frames share; known when the first was read, or from an earlier reading."""
        if self._look is None:
            raise DartblurError(f"{self.name}: holds no frame that can be decoded; {REMEDY}")
        return self._look

    def frames(self) -> Iterator[VideoFrame]:
        """Its frames alone; see :meth:`read`."""
        return (item for item in self.read(self.beside) if isinstance(item, VideoFrame))

    def read(self, beside: Sequence[Stream] = ()) -> "Iterator[VideoFrame | Packet[Stream]]":
        """Its frames as stored, in the order shown, and between them the packets of the streams ``beside``, in the order of the file.

        Raises:
            DartblurError: it is damaged, encrypted, ends before its header says, or changes its format on the way.
        """
        try:
            for packet in self.container.demux(self.stream, *beside):
                self._check(packet)
                if packet.stream.index != self.stream.index:  # the last, empty packet of a stream has no number of its own
                    if packet.size:
                        yield packet
                    continue
                yield from self._decoded(packet)
        except FFmpegError as error:
            raise DartblurError(f"{self.name}: is damaged after second {self._seen:.2f} ({error.strerror}); {REMEDY}") from error
        if not self._begun:
            raise DartblurError(f"{self.name}: holds no frame that can be decoded; {REMEDY}")
        if (announced := self._announced()) is not None and announced[0] < announced[1] - _SLACK:
            raise DartblurError(f"{self.name}: ends at second {announced[0]:.2f} of {announced[1]:.2f} (truncated); {REMEDY}")

    @property
    def _seen(self) -> float:
        """The second that was reached."""
        return max(self._ends.values(), default=0.0)

    def _check(self, packet: "Packet[Stream]") -> None:
        """Refuse a packet that is damaged or encrypted; remember how far the file has been read."""
        if packet.is_corrupt:
            raise DartblurError(f"{self.name}: is damaged after second {self._seen:.2f} (half a packet); {REMEDY}")
        if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
            raise DartblurError(f"{self.name}: is encrypted; give a video without protection")
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._ends[packet.stream.index] = max(self._ends.get(packet.stream.index, 0.0), end)

    def _decoded(self, packet: "Packet[Stream]") -> Iterator[VideoFrame]:
        """The frames that a packet completes, each checked."""
        try:
            frames = self.stream.decode(packet)
        except FFmpegError:
            # A recording that starts in the middle of a group of pictures: no player shows anything of it either.
            if not self._begun and not packet.is_keyframe and packet.size:
                return
            raise
        for frame in frames:
            if frame.is_corrupt:
                raise DartblurError(f"{self.name}: is damaged about second {_second(frame):.2f} (an incomplete frame); {REMEDY}")
            look = Look(frame.width, frame.height, frame.format.name, turn_of(frame, self.name))
            if look != (self._look or look):
                raise DartblurError(f"{self.name}: changes its size or format at second {_second(frame):.2f}; split it there with ffmpeg first")
            self._look, self._begun = look, True
            yield frame

    def _announced(self) -> tuple[float, float] | None:
        """The second at which packets end and that at which the header says so, where it says so rather than FFmpeg guessing it from the packets."""
        name = self.container.format.name
        own = self._ends.get(self.stream.index, 0.0)
        if name == QUICKTIME and self.stream.duration is not None:
            return own, float((self.stream.duration + (self.stream.start_time or 0)) * self.time_base)
        if name == "avi":
            return own, float(self.stream.frames / self.rate)
        if name == MATROSKA and self.container.duration is not None:
            return self._seen, self.container.duration / av.time_base  # the longest stream's
        return None


@contextmanager
def open_video(path: Path, name: str = "", threads: int = 0, look: Look | None = None) -> Iterator[VideoSource]:
    """An open video.

    Args:
        name: what to call it in errors, if not by its path.
        threads: that decode; 0 for one a core.
        look: of its frames, from an earlier reading; another one is refused.

    Raises:
        DartblurError: it cannot be read, is no video, or is one that cannot be anonymised as a whole.
    """
    try:
        container = _opened(path)
    except FFmpegError as error:
        why = "of no kind that is read here" if isinstance(error, ArgumentError) else error.strerror
        raise DartblurError(f"{name or path}: cannot be read as a video ({why}); {REMEDY}") from error
    with container:
        yield VideoSource(path, container, name or str(path), threads, look)


def _second(frame: VideoFrame) -> float:
    """When a frame is shown, as far as it says."""
    return float((frame.pts or frame.dts or 0) * (frame.time_base or 0))


def _opened(path: Path) -> InputContainer:
    # "file:" in front, or a name such as "a:b.mp4" would be taken for an address. Text in metadata may be of any encoding.
    return av.open(f"file:{path}", "r", container_options=_OPTIONS, metadata_errors="replace")


def _moving(container: InputContainer) -> list[VideoStream]:
    """Streams of moving pictures; those of which FFmpeg knows no codec too."""
    return [stream for stream in container.streams if stream.type == "video" and not stream.disposition & _NO_MOVING_PICTURE]  # type: ignore[misc]


def _is_picture(container: InputContainer) -> bool:
    return container.metadata.get("major_brand", "") in _PICTURE_BRANDS


def _muxer(path: Path, container: InputContainer) -> str:
    """FFmpeg's writer for the container that a file is in."""
    name = container.format.name
    if name == QUICKTIME:
        brand = container.metadata.get("major_brand", "qt  ")  # QuickTime files of old have none
        return _BRANDS.get(brand, brand[:3] if brand[:3] in ("3gp", "3g2") else CONTAINERS[name])
    if name == MATROSKA:
        with path.open("rb") as file:
            return "webm" if b"webm" in file.read(64) else CONTAINERS[name]
    if name == "mpeg" and path.suffix.lower() == ".vob":
        return "vob"
    return CONTAINERS[name]


def _left_out(container: InputContainer) -> tuple[str, ...]:
    """Streams that are never copied, because they can show a face or say where and when."""
    covers = sum(stream.type == "video" and bool(stream.disposition & _NO_MOVING_PICTURE) for stream in container.streams)
    data = sum(stream.type in ("data", "attachment", "unknown") for stream in container.streams)
    notes = [f"covers and thumbnails left out: {covers}"] * bool(covers) + [f"data streams and attachments left out: {data}"] * bool(data)
    return tuple(notes)
