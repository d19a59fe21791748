"""Which detections in the frames of a video are the same face: ByteTrack (Zhang et al. 2022), and a second look at where its tracks begin and end.

ByteTrack works forwards and forgets: a face's first sighting, and one that comes back after a while, are no part of its track. A video is known to
its end, so tracks whose ends meet are joined afterwards. No detection that is strong enough to hide a face in a still picture is ever dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dartblur.detector.detections import Detections, Floats
from dartblur.faces.boxes import Boxes, area, iou
from dartblur.optional import optional_module

TRACKING_EXTRA = "install the extra dartblur[video], and requirements-weights.lock without dependencies"
_LEAST_OVERLAP = 0.1  # IoU of a track's predicted box and a detection: ByteTrack's own default
_JOINED = 0.15  # IoU of where one track leads and where the next begins
_LARGER = 4.0  # times the area, from which two boxes are not taken for the same face
_MEMORY = 0.3  # seconds of a track that tell where it leads


@dataclass(frozen=True)
class TrackSettings:
    """What counts as a face, and for how long one that is not seen is believed to be there.

    Attributes:
        score: a detection of this score begins a track, and is hidden even if it stays alone; a weaker one only continues a track.
        gap_seconds: the longest time without a sighting inside a track.
    """

    score: float = 0.0
    gap_seconds: float = 1.0


@dataclass(frozen=True)
class Track:
    """The sightings of one face, in the order of time.

    Attributes:
        frames: N int64, rising, none twice.
        boxes: N x 4, absolute pixels.
        scores: N float64.
    """

    frames: npt.NDArray[np.int64]
    boxes: Boxes
    scores: Floats


def track_faces(found: Sequence[Detections], seconds: Floats, cuts: Iterable[int] = (), settings: TrackSettings = TrackSettings()) -> list[Track]:
    """The tracks of all faces of a video, in the order of their first sightings.

    Args:
        found: of each frame.
        seconds: when each frame is shown, rising.
        cuts: frames that begin another scene; no track goes on over one.

    Raises:
        DartblurError: the tracker is not installed.
    """
    starts = [0, *sorted({cut for cut in cuts if 0 < cut < len(found)}), len(found)]
    tracks = [track for a, b in pairwise(starts) for track in _scene(found[a:b], seconds[a:b], a, settings)]
    return sorted(tracks, key=lambda track: (track.frames[0], *track.boxes[0]))


def _scene(found: Sequence[Detections], seconds: Floats, first: int, settings: TrackSettings) -> list[Track]:
    """The tracks of one scene, whose first frame has the number ``first``."""
    if not any(len(one.scores) for one in found):
        return []
    trackers, supervision = (optional_module(name, TRACKING_EXTRA) for name in ("trackers", "supervision"))
    rate = (len(seconds) - 1) / (seconds[-1] - seconds[0]) if len(seconds) > 1 else 25.0
    tracker = trackers.ByteTrackTracker(
        lost_track_buffer=max(1, round(settings.gap_seconds * 30)),  # counted in frames at 30 a second, whatever the rate
        frame_rate=float(rate),
        track_activation_threshold=settings.score,
        high_conf_det_threshold=settings.score,
        minimum_consecutive_frames=1,
        minimum_iou_threshold=_LEAST_OVERLAP,
    )
    sightings: dict[int, list[tuple[int, int]]] = {}  # of each track: frame, row
    alone: list[tuple[int, int]] = []
    for index, one in enumerate(found):
        rows = np.arange(len(one.scores))
        given = supervision.Detections(xyxy=one.boxes.astype(np.float32), confidence=one.scores.astype(np.float32), data={"row": rows})
        answer = tracker.update(given, timestamp=float(seconds[index]))
        for row, number in zip(answer.data.get("row", ()), answer.tracker_id, strict=True):
            if number >= 0:
                sightings.setdefault(int(number), []).append((index, int(row)))
            elif one.scores[row] >= settings.score:
                alone.append((index, int(row)))
    pieces = [_track(found, piece, first) for piece in [*sightings.values(), *([single] for single in alone)]]
    return _joined(pieces, seconds, first, settings.gap_seconds)


def _track(found: Sequence[Detections], sightings: Sequence[tuple[int, int]], first: int) -> Track:
    frames = np.array([index for index, _ in sightings], np.int64)
    boxes = np.stack([found[index].boxes[row] for index, row in sightings])
    return Track(frames + first, boxes, np.array([found[index].scores[row] for index, row in sightings]))


def _joined(pieces: list[Track], seconds: Floats, first: int, gap: float) -> list[Track]:
    """Pieces whose ends meet as one track, shortest gap first, then best fit; each end meets one other at most."""
    begins = np.array([seconds[piece.frames[0] - first] for piece in pieces])
    order = np.argsort(begins, kind="stable")
    fits = []
    for a, before in enumerate(pieces):
        end = seconds[before.frames[-1] - first]
        near = order[np.searchsorted(begins[order], end, side="right") : np.searchsorted(begins[order], end + gap, side="right")]
        for b in near.tolist():
            if (fit := _fit(before, pieces[b], seconds, first)) >= _JOINED:
                fits.append((begins[b] - end, -fit, a, b))
    following: dict[int, int] = {}
    preceded: set[int] = set()
    for _, _, a, b in sorted(fits):
        if a not in following and b not in preceded:
            following[a] = b
            preceded.add(b)
    return [_chained(pieces, start, following) for start in range(len(pieces)) if start not in preceded]


def _chained(pieces: list[Track], start: int, following: dict[int, int]) -> Track:
    chain = [start]
    while chain[-1] in following:
        chain.append(following[chain[-1]])
    parts = [pieces[index] for index in chain]
    return Track(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", "boxes", "scores")))


def _fit(before: Track, after: Track, seconds: Floats, first: int) -> float:
    """How well one track goes on in another, as IoU: of where both were half way if they moved on, or of their ends if they did not.

    0 for faces of very different sizes.
    """
    small, large = sorted((float(area(before.boxes[-1:])[0]), float(area(after.boxes[:1])[0])))
    if small * _LARGER < large:
        return 0.0
    leading = velocity(seconds[before.frames - first], before.boxes, -1)
    coming = velocity(seconds[after.frames - first], after.boxes, 0)
    # One sighting tells no direction: then the other track's counts.
    leading, coming = (coming if len(before.frames) == 1 else leading), (leading if len(after.frames) == 1 else coming)
    half = (seconds[after.frames[0] - first] - seconds[before.frames[-1] - first]) / 2
    end, begin = before.boxes[-1:], after.boxes[:1]
    return float(max(iou(end + np.tile(leading, 2) * half, begin - np.tile(coming, 2) * half)[0, 0], iou(end, begin)[0, 0]))


def velocity(seconds: Floats, boxes: Boxes, end: int) -> Floats:
    """How fast a face moves at one end of its track: (2,), pixels a second across and down, of a straight line through its last (or first) sightings.

    A face that was seen once does not move.

    Args:
        seconds: of each sighting (N). boxes: N x 4.
        end: 0 for the beginning, -1 for the end.
    """
    next_one = min(1, len(seconds) - 1) if end == 0 else max(-2, -len(seconds))
    near = np.abs(seconds - seconds[end]) <= max(_MEMORY, abs(seconds[next_one] - seconds[end]))
    times, centres = seconds[near], (boxes[near, :2] + boxes[near, 2:]) / 2
    offsets = times - times.mean()
    if not offsets.any():
        return np.zeros(2)
    return np.asarray(offsets @ (centres - centres.mean(axis=0)) / (offsets @ offsets))
