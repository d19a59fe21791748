"""Where to hide a face in every frame of a video: its sightings, the gaps between them, the time before and after, all on a smooth way.

A blur flickers where its box does: the box's place decides where tiles lie, its size how wide a kernel is. So a box moves along a smoothed line, its
size changes slowly and in steps, and it is never smaller than what the detector saw: smoothing only ever makes it larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from dartblur.detector.detections import Floats
from dartblur.detector.tracking import Track, velocity
from dartblur.faces.boxes import Boxes, area, as_boxes, clip

Integers = npt.NDArray[np.int64]
HOW = ("detected", "interpolated", "extended")
"""How a box came about, by its number in :class:`FaceBoxes`."""
_FURTHEST = 2.0  # sides that a face is believed to have moved, at most, while nobody saw it
_ROUNDING = 1e-6  # seconds
_STEPS = 32  # a side of so many pixels and more grows in steps of a 32nd to a 16th


@dataclass(frozen=True)
class PathSettings:
    """How a face is followed where it is not seen.

    Attributes:
        extend_seconds: how long before the first and after the last sighting a face is hidden.
        growth: how much larger the box becomes a second away from the nearest sighting, on each side, in shares of its own sides.
        margin: of every box, on each side, in shares of its own sides.
        smooth_seconds: how far before and after a frame its box is smoothed.
    """

    extend_seconds: float = 0.5
    growth: float = 0.5
    margin: float = 0.0
    smooth_seconds: float = 0.2


@dataclass(frozen=True)
class FaceBoxes:
    """The boxes of all faces in all frames, by frame and then by track.

    Attributes:
        frame: N int64, from 0, rising. track: N int64, from 0.
        boxes: N x 4, absolute pixels of the upright picture, inside of it, in whole pixels.
        score: N float64, of the sighting; NaN where there is none.
        how: N int64, see :data:`HOW`.
    """

    frame: Integers
    track: Integers
    boxes: Boxes
    score: Floats
    how: Integers

    def of(self, frame: int) -> Boxes:
        """The boxes to hide in one frame: N x 4."""
        start, end = np.searchsorted(self.frame, [frame, frame + 1])
        return self.boxes[start:end]


def face_boxes(tracks: Sequence[Track], seconds: Floats, width: int, height: int, settings: PathSettings = PathSettings()) -> FaceBoxes:
    """Where to hide the faces of a video.

    Args:
        tracks: the sightings of each face.
        seconds: when each frame is shown, rising.
        width, height: of the upright picture in pixels.
    """
    parts = [_followed(track, number, seconds, settings) for number, track in enumerate(tracks)]
    if not parts:
        return FaceBoxes(np.zeros(0, np.int64), np.zeros(0, np.int64), as_boxes([]), np.zeros(0), np.zeros(0, np.int64))
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(FaceBoxes)}
    columns["boxes"] = clip(columns["boxes"], width, height)
    order = np.lexsort((columns["track"], columns["frame"]))
    order = order[area(columns["boxes"][order]) > 0]
    return FaceBoxes(**{name: values[order] for name, values in columns.items()})


def _followed(track: Track, number: int, seconds: Floats, settings: PathSettings) -> FaceBoxes:
    """The boxes of one face from before its first to after its last sighting, not yet cut at the picture's borders."""
    time = settings.extend_seconds + _ROUNDING
    begin, end = seconds[track.frames[0]] - time, seconds[track.frames[-1]] + time
    # A frame further at both ends: a face is hidden in the neighbours of a frame that shows it, however short the time.
    first = max(0, min(int(np.searchsorted(seconds, begin)), int(track.frames[0]) - 1))
    last = min(len(seconds) - 1, max(int(np.searchsorted(seconds, end, side="right")) - 1, int(track.frames[-1]) + 1))
    frames = np.arange(first, last + 1)
    seen = np.isin(frames, track.frames)
    wanted = _unseen(track, frames, seconds, settings)
    wanted = _grown(wanted, np.full(len(frames), settings.margin))
    step = (seconds[last] - seconds[first]) / max(len(frames) - 1, 1)
    reach = round(settings.smooth_seconds / step) if step > 0 else 0
    scores = np.full(len(frames), np.nan)
    scores[seen] = track.scores
    inside = (frames >= track.frames[0]) & (frames <= track.frames[-1])
    how = np.where(seen, HOW.index("detected"), np.where(inside, HOW.index("interpolated"), HOW.index("extended")))
    return FaceBoxes(frames, np.full(len(frames), number), smoothed(wanted, reach), scores, how)


def _unseen(track: Track, frames: Integers, seconds: Floats, settings: PathSettings) -> Boxes:
    """Boxes (N x 4) of a face in ``frames``: as seen; on a straight line between sightings; around where it was and where it went outside of them."""
    times, sightings = seconds[frames], seconds[track.frames]
    boxes = np.stack([np.interp(times, sightings, track.boxes[:, side]) for side in range(4)], axis=1)
    for end, beyond in ((0, times < sightings[0]), (-1, times > sightings[-1])):
        size = track.boxes[end, 2:] - track.boxes[end, :2]
        moved = velocity(sightings, track.boxes, end) * (times[beyond] - sightings[end])[:, None]
        moved = np.clip(moved, -_FURTHEST * size, _FURTHEST * size)
        # It may have gone on, or stopped: both are covered.
        boxes[beyond, :2] += np.minimum(moved, 0)
        boxes[beyond, 2:] += np.maximum(moved, 0)
    after = np.searchsorted(sightings, times).clip(0, len(sightings) - 1)
    away = np.minimum(np.abs(times - sightings[after]), np.abs(times - sightings[np.maximum(after - 1, 0)]))
    return _grown(boxes, settings.growth * away)


def _grown(boxes: Boxes, shares: Floats) -> Boxes:
    """Boxes (N x 4) with ``shares`` (N) of their sides more on each side."""
    more = (boxes[:, 2:] - boxes[:, :2]) * shares[:, None]
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def smoothed(boxes: Boxes, reach: int) -> Boxes:
    """Boxes (N x 4) of consecutive frames on a smooth way, in whole pixels, each around the one that it stands for.

    Args:
        reach: how many frames before and after one count.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d
    from scipy.signal import savgol_filter  # a second to import

    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    window = 2 * min(reach, (len(boxes) - 1) // 2) + 1
    if window > 1:
        centres = savgol_filter(centres, window, polyorder=min(2, window - 1), axis=0)
    needed = np.maximum(boxes[:, 2:] - centres, centres - boxes[:, :2])  # half a side, around the smoothed centre
    # The greatest nearby, then its mean: no value falls below what it has to hold, because each of the means' terms has seen it.
    widest = maximum_filter1d(needed, window, axis=0, mode="nearest")
    sides = _stepped(np.ceil(2 * uniform_filter1d(widest, window, axis=0, mode="nearest")) + 1)
    corners = np.floor(centres - sides / 2)
    return np.concatenate([np.minimum(corners, np.floor(boxes[:, :2])), np.maximum(corners + sides, np.ceil(boxes[:, 2:]))], axis=1)


def _stepped(sides: Floats) -> Floats:
    """Sides in whole pixels, rounded up to a step that grows with them: fewer changes of size from frame to frame."""
    step = np.maximum(2.0, 2.0 ** np.floor(np.log2(np.maximum(sides, 1.0) / _STEPS) + 1))
    return np.asarray(np.ceil(sides / step) * step)
