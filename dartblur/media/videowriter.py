"""Writing videos: the same container and codec as a source's, its time stamps and colours, sound and subtitles as they were, nothing else of it.

Of metadata only the language and the role of a stream go on, and chapters with their titles. Quality, not bit rate, is constant: one that an eye does
not tell from the source (x264's CRF 18 and its like in other codecs), so a file may become larger or smaller than it was; lossless codecs stay so.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av import Codec, FFmpegError, Packet, VideoFormat, VideoFrame, VideoStream
from av.codec.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Disposition, Stream
from av.video.frame import PictureType

from dartblur.errors import DartblurError
from dartblur.media.video import VideoSource
from dartblur.media.videoframes import side_data_of

if TYPE_CHECKING:
    from av.container.core import Chapter

_LAMBDA = 118  # FFmpeg's FF_QP2LAMBDA: what a quantiser of 1 is called in global_quality


@dataclass(frozen=True)
class Encoder:
    """FFmpeg's encoder for a codec.

    Attributes:
        quantiser: where quality is said by one. bit_rate: where there must be an upper bound, bits a second.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    quantiser: int | None = None
    bit_rate: int = 0


ENCODERS: Mapping[str, Encoder] = {
    "h264": Encoder("libx264", {"crf": "18", "preset": "veryfast"}),
    "hevc": Encoder("libx265", {"crf": "20", "preset": "veryfast", "x265-params": "log-level=none"}),
    "vp8": Encoder("libvpx", {"crf": "8", "deadline": "realtime", "cpu-used": "4"}, bit_rate=50_000_000),
    "vp9": Encoder("libvpx-vp9", {"crf": "24", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
    "av1": Encoder("libsvtav1", {"crf": "24", "preset": "9"}),
    "prores": Encoder("prores_ks"),
    **{name: Encoder(name, quantiser=3) for name in ("mpeg4", "mpeg2video", "mpeg1video", "h263", "wmv1", "wmv2", "msmpeg4v2")},
    "flv1": Encoder("flv", quantiser=3),
    "msmpeg4v3": Encoder("msmpeg4", quantiser=3),
    "mjpeg": Encoder("mjpeg", quantiser=2),
}
"""Codec -> what encodes it. Other codecs, lossless ones most of them, are encoded by the encoder of their own name at the source's bit rate."""
_FALLBACK = ("h264", "vp9", "vp8", "mpeg4", "mjpeg")
"""For a codec without an encoder (Theora, VC-1, RealVideo): the first of these that the container takes."""
_PRORES = {"apco": "proxy", "apcs": "lt", "apcn": "standard", "apch": "hq", "ap4h": "4444", "ap4x": "4444xq"}
_QUICKTIME = ("mov", "mp4", "ipod", "psp", "3gp", "3g2")
_COUNTABLE = 65535  # the greatest numerator of a frame rate that MPEG-4 part 2 can write
_POOLS = {"libx265": ("x265-params", "pools"), "libsvtav1": ("svtav1-params", "lp")}
_INTERLACED = ("libx264", "mpeg4", "mpeg2video")


class VideoWriter:
    """Writes one stream of pictures, and copies of the streams beside it.

    Attributes:
        notes: what could not be kept as it was, in words.
    """

    def __init__(
        self,
        container: OutputContainer,
        source: VideoSource,
        first: VideoFrame,
        times: Sequence[int],
        durations: Sequence[int],
        audio: bool,
        threads: int,
    ) -> None:
        """
        Args:
            first: the first frame, upright: of its size and colours all will be.
            times, durations: when and for how long each frame is shown, in units of the source's time base.
            audio: copy the streams of sound.
        """
        self.notes: list[str] = []
        self._container, self._source = container, source
        self._encoder, self._stream = self._chosen()
        self._times, self._durations, self._count = times, durations, 0
        self._set_up(first, threads)
        self._copies = {stream.index: copy for stream in source.beside if (audio or stream.type != "audio") and (copy := self._copy_of(stream))}
        container.set_chapters([_titled(chapter) for chapter in source.container.chapters()])
        self._start()

    @property
    def beside(self) -> list[Stream]:
        """The streams of the source whose packets :meth:`copy` takes."""
        return [stream for stream in self._source.beside if stream.index in self._copies]

    def _start(self) -> None:
        """Write the header, which opens the encoder."""
        try:
            self._container.start_encoding()
        except (FFmpegError, ValueError) as error:
            if isinstance(error, OSError):  # of the file, not of the encoder
                raise
            raise self._refusal(f"cannot be written as {self._encoder.name} ({error})") from error

    def write(self, frame: VideoFrame) -> None:
        """Encode the next upright frame."""
        # The encoder counts frames, whatever the times between them: some can only do that. The packets get their times afterwards.
        frame.pts, frame.time_base = self._count, self._stream.codec_context.time_base
        self._count += 1
        # Cuts fall where they fell in the source; everything else is the encoder's choice.
        frame.pict_type = PictureType.I if frame.key_frame else PictureType.NONE
        self._mux(self._stream.encode(frame))

    def copy(self, packet: "Packet[Stream]") -> None:
        """Write a packet of a stream beside the pictures as it is."""
        packet.stream = self._copies[packet.stream_index]
        self._container.mux_one(packet)

    def finish(self) -> None:
        """Encode what is still in the encoder. The trailer is written when the container is closed."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: "list[Packet[Stream]]") -> None:
        for packet in packets:
            if packet.pts is None or packet.dts is None:
                raise self._refusal(f"{self._encoder.name} gives no time stamps")
            packet.duration = self._durations[packet.pts]
            packet.pts, packet.dts = self._time(packet.pts), self._time(packet.dts)
            packet.time_base = self._source.time_base
            self._container.mux_one(packet)

    def _time(self, count: int) -> int:
        """When a frame is shown, in units of the source's time base; decoding begins before the first."""
        if count >= 0:
            return self._times[count]
        return self._times[0] + round(count / self._source.rate / self._source.time_base)

    def _chosen(self) -> tuple[Encoder, VideoStream]:
        """The encoder of the source's own codec, or the next best, and a stream for it."""
        codec = self._source.stream.codec_context.codec.canonical_name
        for name in (codec, *_FALLBACK):
            encoder = ENCODERS.get(name, Encoder(name))
            try:
                stream = self._container.add_stream(encoder.name, rate=_countable(self._source.rate), options=dict(encoder.options))
            except ValueError:  # there is no such encoder, or the container does not take what it makes
                continue
            if encoder.name == "libsvtav1":
                os.environ.setdefault("SVT_LOG", "-1")  # it would tell standard error about itself; it listens to nothing else
            if name != codec:
                self.notes.append(f"pictures written as {name}, because there is no encoder for {codec}")
            return encoder, cast(VideoStream, stream)
        raise self._refusal(f"there is no encoder for {codec}")

    def _set_up(self, first: VideoFrame, threads: int) -> None:
        """Make the stream of pictures like the source's."""
        source, stream, context = self._source.stream, self._stream, self._stream.codec_context
        if self._encoder.name == "prores_ks" and source.codec_context.codec_tag in _PRORES:
            context.options["profile"] = _PRORES[source.codec_context.codec_tag]
        context.width, context.height, context.pix_fmt = first.width, first.height, self._format()
        context.time_base = 1 / _countable(self._source.rate)
        stream.time_base = self._source.time_base
        context.thread_count = threads
        if threads and self._encoder.name in _POOLS:  # they look after their own threads
            option, pool = _POOLS[self._encoder.name]
            context.options[option] = ":".join([*filter(None, [context.options.get(option)]), f"{pool}={threads}"])
        context.color_range, context.colorspace = int(first.color_range), int(first.colorspace)
        context.color_primaries, context.color_trc = int(first.color_primaries), int(first.color_trc)
        if ratio := source.codec_context.sample_aspect_ratio or source.sample_aspect_ratio:
            context.sample_aspect_ratio = 1 / ratio if self._source.look.turn.transposed else ratio
        if not (self._source.reordered and self._source.timed):
            context.max_b_frames = 0
        if self._encoder.quantiser is not None:
            context.qscale, context.global_quality = True, self._encoder.quantiser * _LAMBDA
        rate = self._encoder.bit_rate if self._encoder in ENCODERS.values() else source.codec_context.bit_rate
        if rate:
            context.bit_rate = rate
        if first.interlaced_frame and self._encoder.name in _INTERLACED:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = source.codec_context.field_order
        if self._encoder.name == "libx265" and self._container.format.name in _QUICKTIME:
            context.codec_tag = "hvc1"  # Apple's players know no other
        _label(source, stream)
        self._note_lost(first)

    def _format(self) -> str:
        """The pixel format that is encoded: the source's own, or the nearest that the encoder takes."""
        own = self._source.look.format
        formats = Codec(self._encoder.name, "w").video_formats
        if not formats or own in [format.name for format in formats]:
            return own
        alpha = any(part.is_alpha for part in VideoFormat(own).components)
        best, loss = find_best_pix_fmt_of_list(formats, own, has_alpha=alpha)
        if best is None:
            raise self._refusal(f"no pixel format of {self._encoder.name} holds {own}")
        self.notes.append(f"pixel format {best.name} instead of {own}" + (f" ({loss.name.lower()} lost)" if loss and loss.name else ""))
        return best.name

    def _copy_of(self, stream: Stream) -> Stream | None:
        """A stream for copies of another's packets; None, with a note, where the container does not take it."""
        try:
            copy = self._container.add_stream_from_template(stream, opaque=True)
        except ValueError:
            codec = stream.codec_context.name if stream.codec_context else "of an unknown codec"
            self.notes.append(f"{stream.type} stream {stream.index} ({codec}) left out, because {self._container.format.name} does not take it")
            return None
        _label(stream, copy)
        return copy

    def _refusal(self, why: str) -> DartblurError:
        return DartblurError(f"{self._source.name}: {why} in the container {self._container.format.name}; convert it with ffmpeg first")

    def _note_lost(self, first: VideoFrame) -> None:
        """Say which properties of the pictures have no place in what is written."""
        kinds = {data.type.name for data in side_data_of(first)}
        if kinds & {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_METADATA", "DYNAMIC_HDR_PLUS"}:
            self.notes.append("the brightness figures of its HDR are not kept")
        if kinds & {"SPHERICAL", "STEREO3D"}:
            self.notes.append("the mark of a spherical or stereoscopic video is not kept")
        if self._source.stream.metadata.get("alpha_mode") == "1":
            self.notes.append("its transparency is not kept")


@contextmanager
def writing_video(
    path: Path, source: VideoSource, first: VideoFrame, times: Sequence[int], durations: Sequence[int], audio: bool = True, threads: int = 0
) -> Iterator[VideoWriter]:
    """A video that is being written to ``path``; whole when the block ends, of no use when it raises. See :class:`VideoWriter` for arguments.

    Raises:
        DartblurError: it cannot be written.
    """
    options = {"fflags": "+bitexact"}  # no random numbers: the same source gives the same file
    if source.muxer in _QUICKTIME:
        options["movflags"] = "+faststart"
        if source.time_base.numerator == 1:
            options["video_track_timescale"] = str(source.time_base.denominator)
    if source.muxer == "mpegts":
        options["mpegts_copyts"] = "1"
    try:
        container = av.open(f"file:{path}", "w", format=source.muxer, container_options=options)
        try:
            writer = VideoWriter(container, source, first, times, durations, audio, threads)
            yield writer
            writer.finish()
        except BaseException:
            with suppress(FFmpegError):  # it fails again for the same reason
                container.close()
            raise
        container.close()
    except FFmpegError as error:
        raise DartblurError(f"{source.name}: its copy could not be written ({error.strerror}); nothing was written") from error


def _countable(rate: Fraction) -> Fraction:
    """A frame rate with a numerator that every codec can write."""
    if rate.numerator <= _COUNTABLE:
        return rate
    return Fraction(max(round(rate * 1001), 1), 1001) if rate < 60 else Fraction(round(rate))


def _titled(chapter: "Chapter") -> "Chapter":
    """A chapter with nothing but its title."""
    return {**chapter, "metadata": {key: text for key, text in chapter["metadata"].items() if key == "title"}}


def _label(source: Stream, target: Stream) -> None:
    """The language and the role of a stream: all of its metadata that goes on."""
    if (language := source.language) and language != "und":
        target.metadata["language"] = language
    target.disposition = Disposition(int(source.disposition))
