"""Small videos for tests: drawn faces that move over a texture, with a tone. No real person, no file from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import cast

import av
import numpy as np
from av import AudioFrame, AudioStream, VideoFrame, VideoStream
from av.stream import Disposition

from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.images import Image, encode_image
from tests.makedata import draw_face, texture

RATE = 25
SAMPLES = 48000


@dataclass(frozen=True)
class Film:
    """What a test video shows: faces of 30 x 38 pixels, each on a straight line, over a still texture.

    Attributes:
        paths: of each face: x, y in the first frame, pixels a frame across, down.
    """

    width: int = 160
    height: int = 120
    frames: int = 30
    paths: Sequence[tuple[float, float, float, float]] = ((20, 30, 2, 0.5),)
    seed: int = 0

    def boxes(self, frame: int) -> Boxes:
        """The faces of a frame, N x 4, as far as they are inside."""
        corners = [(round(x + dx * frame), round(y + dy * frame)) for x, y, dx, dy in self.paths]
        return as_boxes([(x, y, x + 30, y + 38) for x, y in corners])

    def picture(self, frame: int) -> Image:
        """A frame as it is drawn."""
        image = _background(self.seed, self.height, self.width).copy()
        for number, (x1, y1, x2, y2) in enumerate(self.boxes(frame).astype(int).tolist()):
            draw_face(image, (x1, y1, x2 - x1, y2 - y1), np.random.default_rng(number))
        return image


@cache
def _background(seed: int, height: int, width: int) -> Image:
    return texture(np.random.default_rng(seed), height, width)


@dataclass(frozen=True)
class Packaging:
    """How a test video is written.

    Attributes:
        container: FFmpeg's name; the suffix decides if empty.
        times: when each frame is shown, in units of 1 / ``base``; at 25 frames a second if empty.
        turn: degrees of the display matrix, counterclockwise.
        metadata: of the file and of the stream of pictures.
        chapters: their titles, a second each.
        cover: add a drawn face as an attached picture.
        second: add a second stream of moving pictures.
        subtitle: codec of a stream of subtitles, one line long; none if empty.
        attachment: what a file attached to it holds; none if empty.
        sound_frames: how many frames the sound lasts for; as many as the pictures if 0.
    """

    container: str = ""
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=lambda: {"crf": "10", "preset": "ultrafast"})
    muxing: Mapping[str, str] = field(default_factory=dict)
    base: int = 12800
    times: Sequence[int] = ()
    sound: str = "aac"
    sound_frames: int = 0
    turn: float | None = None
    ratio: Fraction | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    chapters: Sequence[str] = ()
    cover: bool = False
    second: bool = False
    subtitle: str = ""
    attachment: bytes = b""


def make_video(path: Path, film: Film = Film(), packaging: Packaging = Packaging()) -> Path:
    """Write a video and return its path."""
    with av.open(str(path), "w", format=packaging.container or None, container_options=dict(packaging.muxing)) as container:
        container.metadata.update(packaging.metadata)
        pictures = _pictures(container, film, packaging)
        more = [pictures] + ([_pictures(container, film, packaging)] if packaging.second else [])
        sound = _sound(container, packaging.sound) if packaging.sound else None
        cover = _cover(container) if packaging.cover else None
        words = container.add_mux_stream(packaging.subtitle) if packaging.subtitle else None
        if packaging.attachment:
            container.add_attachment("font.ttf", "font/ttf", packaging.attachment)
        if packaging.chapters:
            second = Fraction(1, 1000)
            container.set_chapters(
                [
                    {"id": number, "start": start, "end": start + 400, "time_base": second, "metadata": {"title": title, "artist": "Ann"}}
                    for number, (start, title) in enumerate(zip(range(0, 10_000, 400), packaging.chapters, strict=False))
                ]
            )
        container.start_encoding()
        if cover is not None:
            container.mux(_cover_picture(cover))
        if words is not None:
            container.mux(_line(words))
        times = packaging.times or [packaging.base // RATE * number for number in range(film.frames)]
        for number, time in enumerate(times):
            for stream in more:
                frame = VideoFrame.from_ndarray(film.picture(number), "rgb24")
                frame.pts, frame.time_base = time, Fraction(1, packaging.base)
                container.mux(stream.encode(frame))
            if sound is not None:
                container.mux(sound.encode(_tone(number)))
        for number in range(len(times), packaging.sound_frames if sound is not None else 0):
            container.mux(cast(AudioStream, sound).encode(_tone(number)))
        for stream in more:
            container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def make_sound(path: Path, cover: bool = False) -> Path:
    """Write a file of sound alone, with or without a drawn face as its cover, and return its path."""
    with av.open(str(path), "w") as container:
        sound = _sound(container, "aac")
        picture = _cover(container) if cover else None
        container.start_encoding()
        if picture is not None:
            container.mux(_cover_picture(picture))
        for number in range(10):
            container.mux(sound.encode(_tone(number)))
        container.mux(sound.encode(None))
    return path


def read_frames(path: Path) -> tuple[list[Image], list[float], list[int]]:
    """The decoded frames of a video, as stored, when each is shown in seconds, and their rotation."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        pictures = [cast(Image, frame.to_ndarray(format="rgb24")) for frame in frames]
        return pictures, [float(frame.time) for frame in frames], [frame.rotation for frame in frames]


def read_packets(path: Path, kind: str) -> list[tuple[bytes, Fraction, Fraction]]:
    """The packets of the first stream of a kind ("audio", "subtitle"): bytes, when each is shown, how long, in seconds."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [(bytes(packet), (packet.pts or 0) * packet.time_base, (packet.duration or 0) * packet.time_base) for packet in packets]


def _pictures(container: av.container.OutputContainer, film: Film, packaging: Packaging) -> VideoStream:
    stream = cast(VideoStream, container.add_stream(packaging.codec, rate=RATE, options=dict(packaging.options)))
    stream.width, stream.height, stream.pix_fmt = film.width, film.height, packaging.pixels
    stream.codec_context.time_base = Fraction(1, packaging.base)
    stream.codec_context.thread_count = 1
    if packaging.ratio:
        stream.codec_context.sample_aspect_ratio = packaging.ratio
    if packaging.turn is not None:
        stream.set_display_rotation(packaging.turn)
    stream.metadata.update(packaging.metadata)
    return stream


def _sound(container: av.container.OutputContainer, codec: str) -> AudioStream:
    stream = cast(AudioStream, container.add_stream(codec, rate=SAMPLES))
    stream.metadata.update({"language": "fra", "title": "Ann speaks"})
    return stream


def _tone(number: int) -> AudioFrame:
    """One frame's share of a tone of 440 Hz, stereo."""
    count = SAMPLES // RATE
    wave = np.sin(2 * np.pi * 440 * (np.arange(count) + number * count) / SAMPLES).astype(np.float32) * 0.5
    frame = AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLES, number * count, Fraction(1, SAMPLES)
    return frame


def _cover(container: av.container.OutputContainer) -> av.stream.Stream:
    stream = container.add_mux_stream("mjpeg", width=160, height=120)
    stream.disposition = Disposition.attached_pic
    return stream


def _cover_picture(stream: av.stream.Stream) -> "av.Packet[av.stream.Stream]":
    packet = av.Packet(encode_image(Film().picture(0), ".jpg"))
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90000)
    return packet


def _line(stream: av.stream.Stream) -> "av.Packet[av.stream.Stream]":
    packet = av.Packet(b"Hello.")
    packet.stream, packet.pts, packet.dts, packet.duration, packet.time_base = stream, 100, 100, 400, Fraction(1, 1000)
    return packet
