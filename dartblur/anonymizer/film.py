"""A video as a file of a job: the settings of pictures brought to :mod:`dartblur.anonymizer.video`, and its outcome as that of a picture."""

import importlib.util
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dartblur.anonymizer.job import Film
from dartblur.anonymizer.picture import NO_FACE, Outcome, Work
from dartblur.anonymizer.records import Face
from dartblur.anonymizer.search import hidden_boxes
from dartblur.anonymizer.settings import Settings, make_search
from dartblur.anonymizer.shape import hide
from dartblur.detector.detections import Detections
from dartblur.detector.finder import DETECTED_MARGIN, load_finder
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image

_WEAK = 0.5
"""Share of a detector's usual score from which a detection may go on with the track of a face; a face of its own it is from the usual score on."""


def make_film(settings: Settings, work: Work, keep: Callable[[str], Boxes | None], workers: int, tell: Callable[[str], None]) -> Film | None:
    """What anonymises the videos of a job, loaded when the first comes, which takes seconds; None where PyAV, which reads them, is not installed.

    Args:
        keep: regions to leave alone in the video of a name, in every frame.
        workers: threads for one video.
        tell: told how a video goes, in words.
    """
    if any(importlib.util.find_spec(module) is None for module in ("av", "scipy")):
        return None
    loading, loaded = threading.Lock(), list[Film]()

    def film(source: Path, target: Path, name: str) -> Outcome:
        with loading:
            if not loaded:
                loaded.append(_load(settings, work, keep, workers, tell))
        return loaded[0](source, target, name)

    return film


def _load(settings: Settings, work: Work, keep: Callable[[str], Boxes | None], workers: int, tell: Callable[[str], None]) -> Film:
    from dartblur.anonymizer.video import VideoOptions, VideoOutcome, anonymize_video

    usual = {name: load_finder(name, settings.score).score for name in settings.detectors}
    search = replace(make_search(replace(settings, margin=0.0), {name: score * _WEAK for name, score in usual.items()}), margin=0.0)
    margin = DETECTED_MARGIN if settings.margin is None else settings.margin
    options = VideoOptions(audio=settings.audio, score=0.5, margin=margin, write_empty=settings.write_empty, workers=workers)

    def hidden(image: Image, boxes: Boxes) -> Image:
        return hide(image, boxes, work.method.anonymizer, work.shape)[0]

    def film(source: Path, target: Path, name: str) -> Outcome:
        if not settings.detectors:
            raise DartblurError(f"{name}: a video, for which annotations are not read; give a detector with --detector")
        region = keep(name)

        def find(image: Image) -> Detections:
            faces = [face for face in search.faces(image, keep=region) if not face.kept]
            return Detections.of(hidden_boxes(faces), [_common(face.score or 0.0, usual[face.origin]) for face in faces], image)

        made = anonymize_video(source, target, find, hidden, options, lambda done, total, faces: tell(f"{name}: {done * 100 // total} %"), name)
        return _outcome(made)

    def _outcome(made: VideoOutcome) -> Outcome:
        reason = NO_FACE if not made.faces and not settings.write_empty else ""
        return Outcome(None, reason, _faces(made), made.container, made.width, made.height, made.frames, "; ".join(made.notes))

    def _faces(made: VideoOutcome) -> tuple[Face, ...]:
        from dartblur.detector.trajectories import HOW

        rows = zip(made.boxes.frame.tolist(), made.boxes.boxes.tolist(), made.boxes.score.tolist(), made.boxes.how.tolist(), strict=True)
        return tuple(Face((x1, y1, x2, y2), HOW[how], None if math.isnan(score) else score, frame) for frame, (x1, y1, x2, y2), score, how in rows)

    return film


def _common(score: float, usual: float) -> float:
    """A detector's score on a scale on which its usual one is 1/2, because several may look at one frame."""
    return score / usual / 2 if score < usual else 1 - (1 - score) / (1 - usual) / 2
