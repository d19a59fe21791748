"""One video: find the faces of every frame, follow them, hide them wherever they must be, and write the same video otherwise.

Twice through the file: first every frame is looked at, then, when it is known where each face comes from and goes to, every frame is written. So
what is held in memory is a few frames and a few numbers a frame, however long the video is, and nothing is written before all was seen to be sound.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from av import Packet, VideoFrame
from av.stream import Stream

from dartblur.detector.detections import Detections
from dartblur.detector.tracking import TrackSettings, track_faces
from dartblur.detector.trajectories import FaceBoxes, PathSettings, face_boxes
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.files import atomic_path
from dartblur.media.images import Image
from dartblur.media.video import REMEDY, Look, VideoSource, open_video
from dartblur.media.videoframes import rgb_of, splice, upright
from dartblur.media.videowriter import writing_video

Find = Callable[[Image], Detections]
Hide = Callable[[Image, Boxes], Image]
Tell = Callable[[int, int, int], None]
_Numbered = tuple[int, VideoFrame]
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

_THUMBNAIL = (32, 18)
_CUT = 35.0  # grey levels: mean difference of two frames' thumbnails from which they belong to different scenes
_AHEAD = 2  # frames in hand for each worker


@dataclass(frozen=True)
class VideoOptions:
    """How a video is anonymised.

    Attributes:
        audio: copy its sound.
        score: a detection of this score is a face; a weaker one only continues the track of one, so ``find`` should return detections down to about
            half of it. 0: every detection is a face.
        gap_seconds: the longest gap between sightings of a face that is filled.
        extend_seconds: how long a face is hidden before its first and after its last sighting.
        margin: of every box, on each side, in shares of its own sides.
        write_empty: write a video without a face, its metadata gone, rather than nothing.
        workers: threads that call ``find`` and ``hide``; with more than one, both are called from several at once.
        threads: of the decoder and of the encoder; 0 for one a core.
    """

    audio: bool = True
    score: float = 0.0
    gap_seconds: float = 1.0
    extend_seconds: float = 0.5
    margin: float = 0.0
    write_empty: bool = False
    workers: int = 1
    threads: int = 0


@dataclass(frozen=True)
class VideoOutcome:
    """What became of a video.

    Attributes:
        frames: how many it has. width, height: of the upright picture, pixels.
        faces: tracks; with 0 nothing was written, unless it was asked for.
        frames_with_faces: frames in which something was hidden.
        boxes: what was hidden where, and how each box came about.
        container: FFmpeg's name of the format.
        notes: what could not be kept as it was, in words.
    """

    frames: int
    width: int
    height: int
    faces: int
    frames_with_faces: int
    boxes: FaceBoxes
    container: str
    notes: tuple[str, ...] = ()


@dataclass
class _Seen:
    """What the first pass learns of a video.

    Attributes:
        first: its first frame, upright. look: what all frames share.
        found: detections in each frame. stamps: presentation and decoding time stamp of each. durations: of each, in units of the stream.
        cuts: frames that begin another scene.
    """

    first: VideoFrame
    look: Look
    found: list[Detections] = field(default_factory=list)
    stamps: list[tuple[int | None, int | None]] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)


def anonymize_video(source: Path, target: Path, find: Find, hide: Hide, options: VideoOptions, tell: Tell, name: str = "") -> VideoOutcome:
    """Write a video to ``target`` in which no face can be seen that its neighbouring frames hide.

    Args:
        source: any container of :data:`dartblur.media.video.CONTAINERS`; the same is written, with the same codec where it can be encoded.
        target: replaced when all is done; nothing is there if anything failed, or if there is no face.
        find: the faces of an upright frame.
        hide: a copy of an upright frame (uint8, H x W x 3, RGB) whose pixels inside the boxes are hidden; it may change others about them.
        tell: is told after each frame: frames done in both passes, frames to do in both passes as far as is known, faces so far (in the first pass
            the most in one frame, in the second the tracks).
        name: what to call the video in errors, if not by its path.

    Raises:
        DartblurError: it is no sound video, a part of it could not be anonymised, or the target cannot be written.
    """
    with open_video(source, name, options.threads) as reader:
        state = _state(source)
        seen = _look_at(reader, find, options, tell)
        times = _times(seen, reader)
    seconds = np.array([float((time - times[0]) * reader.time_base) for time in times])
    width, height = seen.look.size
    tracks = track_faces(seen.found, seconds, seen.cuts, TrackSettings(options.score, options.gap_seconds))
    boxes = face_boxes(tracks, seconds, width, height, PathSettings(options.extend_seconds, margin=options.margin))
    about = (len(times), width, height, len(tracks), len(np.unique(boxes.frame)), boxes, reader.muxer)
    if not tracks and not options.write_empty:
        return VideoOutcome(*about)
    with open_video(source, name, options.threads, seen.look) as reader, atomic_path(target) as temporary:
        notes = _write(reader, temporary, hide, options, seen, times, boxes, lambda done: tell(len(times) + done, 2 * len(times), len(tracks)))
        if _state(source) != state:
            raise _changed(reader.name)
    return VideoOutcome(*about, (*reader.left_out, *notes))


def _state(path: Path) -> tuple[int, ...] | None:
    """What tells one state of a file from another; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _changed(name: str) -> DartblurError:
    return DartblurError(f"{name}: changed while it was read; run this again when nobody writes to it")


def _look_at(reader: VideoSource, find: Find, options: VideoOptions, tell: Tell) -> _Seen:
    """The first pass: what is in each frame."""

    def looked(frame: VideoFrame) -> tuple[VideoFrame, Detections, npt.NDArray[np.float32]]:
        turned = upright(frame, reader.look.turn)
        image = rgb_of(turned)
        return turned, find(image), _thumbnail(image)

    seen: _Seen | None = None
    most, last = 0, np.zeros(0, np.float32)
    with closing(_ahead(looked, reader.frames(), options.workers)) as frames:
        for frame, found, thumbnail in frames:
            if seen is None:
                seen = _Seen(frame, reader.look)
            elif float(np.abs(thumbnail - last).mean()) > _CUT:
                seen.cuts.append(len(seen.found))
            last = thumbnail
            seen.found.append(found)
            seen.stamps.append((frame.pts, frame.dts))
            seen.durations.append(frame.duration)
            most = max(most, len(found.scores))
            tell(len(seen.found), 2 * max(reader.expected, len(seen.found)), most)
    if seen is None:
        raise DartblurError(f"{reader.name}: holds no frame; {REMEDY}")
    return seen


def _thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """A frame's colours in a few pixels, by which scenes are told apart."""
    step = max(1, image.shape[0] // (4 * _THUMBNAIL[1]))
    return np.asarray(cv2.resize(image[::step, ::step], _THUMBNAIL, interpolation=cv2.INTER_AREA), np.float32)


def _times(seen: _Seen, reader: VideoSource) -> list[int]:
    """When each frame is shown, in units of the stream, rising."""
    times = [presented for presented, _ in seen.stamps if presented is not None]
    rising = len(times) == len(seen.stamps) and all(a < b for a, b in pairwise(times))
    if not reader.timed and (reader.reordered or not rising):
        # One unit a frame, as players show such a file.
        return list(range(reader.start, reader.start + len(seen.stamps)))
    if not rising:
        raise DartblurError(f"{reader.name}: its time stamps are not in order; write it anew with ffmpeg first")
    return times


def _write(
    reader: VideoSource,
    path: Path,
    hide: Hide,
    options: VideoOptions,
    seen: _Seen,
    times: list[int],
    boxes: FaceBoxes,
    done: Callable[[int], None],
) -> list[str]:
    """The second pass: write every frame, those with faces with their boxes hidden. Returns notes."""
    def hidden(item: "Packet[Stream] | _Numbered") -> "Packet[Stream] | _Numbered":
        if isinstance(item, Packet):
            return item
        number, frame = item
        if number >= len(times) or (frame.pts, frame.dts) != seen.stamps[number]:
            raise _changed(reader.name)
        frame, inside = upright(frame, seen.look.turn), boxes.of(number)
        if len(inside):
            image = rgb_of(frame)
            made = hide(image, inside)
            splice(frame, made, _areas(image, made, inside))
        return number, frame

    written = 0
    with (
        writing_video(path, reader, seen.first, times, seen.durations, options.audio, options.threads) as writer,
        closing(_ahead(hidden, _numbered(reader.read(writer.beside)), options.workers)) as items,
    ):
        for item in items:
            if isinstance(item, Packet):
                writer.copy(item)
            else:
                writer.write(item[1])
                written += 1
                done(written)
        if written != len(times):
            raise _changed(reader.name)
        return writer.notes


def _areas(before: Image, after: Image, boxes: Boxes) -> Boxes:
    """``boxes`` (N x 4), and a box around whatever else was changed about them: a soft rim, say."""
    inside = mask_of(boxes, before.shape[1], before.shape[0])
    same = cv2.inRange(cv2.absdiff(before, after), (0, 0, 0), (0, 0, 0))  # 255 or 0, H x W; a tenth of the time that numpy takes
    same[inside] = 255
    if same.all():
        return boxes
    same[inside] = 0
    _, _, found, _ = cv2.connectedComponentsWithStats(cv2.bitwise_not(same))
    corners = as_boxes(found[1:, :4])  # x, y, width, height; the first is the rest of the frame
    corners[:, 2:] += corners[:, :2]
    return np.concatenate([boxes, corners])


def _numbered(items: "Iterable[VideoFrame | Packet[Stream]]") -> "Iterator[Packet[Stream] | _Numbered]":
    """Packets as they come, frames with their number."""
    number = 0
    for item in items:
        if isinstance(item, Packet):
            yield item
        else:
            yield number, item
            number += 1


def _ahead(function: Callable[[_Item], _Made], items: Iterable[_Item], workers: int) -> Generator[_Made, None, None]:
    """``function`` of each item, in order; with several workers, a few items ahead of the one that is asked for."""
    if workers <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[_Made]] = deque()
    with ThreadPoolExecutor(workers) as executor:
        try:
            for item in items:
                waiting.append(executor.submit(function, item))
                if len(waiting) > workers * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
