"""Where the time of a picture goes: the steps of ``dartblur anonymize`` one after the other, on one thread, through the functions that it calls."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path

from dartblur.anonymizer.picture import Work
from dartblur.anonymizer.search import hidden_boxes
from dartblur.anonymizer.shape import hide
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.codec import open_picture
from dartblur.media.places import Folder, Place

STEPS = ("decode", "detect", "blur", "encode", "rest")


def milliseconds(pictures: Path, out: Path, work: Work, given: Mapping[str, Boxes] | None) -> dict[str, float]:
    """Mean processor time that each of :data:`STEPS` takes for a picture of a folder; ``rest`` is reading, hashing and writing the file.

    ``work`` must have been made for one thread (:func:`dartblur.anonymizer.command.share_cores`): what other threads do is not counted.

    Args:
        given: the boxes of each picture; None: the detectors of ``work`` look for them.
    """
    source, target = Folder(pictures), Folder(out)
    names = list(source.names())

    def steps(name: str) -> dict[str, float]:
        return _steps(name, source, target, work, None if given is None else as_boxes(given[name]))

    steps(names[0])  # pays for what is loaded at the first picture
    taken = [steps(name) for name in names]
    return {step: 1e3 * sum(row[step] for row in taken) / len(taken) for step in STEPS}


def _steps(name: str, source: Place, target: Place, work: Work, given: Boxes | None) -> dict[str, float]:
    """Seconds of each step for one picture."""
    now = time.thread_time
    start = now()
    data = source.read(name)
    hashlib.sha256(data).hexdigest()
    read = now()
    picture = open_picture(data, name)
    image = picture.frame(0)
    decoded = now()
    faces = work.search.faces(image, given)
    detected = now()
    hidden, mask = hide(picture.frame(0), hidden_boxes(faces), work.method.anonymizer, work.shape)
    blurred = now()
    picture.replace(0, hidden, mask)
    made = picture.encode()
    encoded = now()
    target.write(name, made)
    hashlib.sha256(made).hexdigest()
    ends = (read, decoded, detected, blurred, encoded)
    spans = [after - before for before, after in zip((start, *ends), (*ends, now()), strict=True)]
    return dict(zip(STEPS, [*spans[1:5], spans[0] + spans[5]], strict=True))
