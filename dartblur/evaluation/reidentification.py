"""Attacker 1, ``off_the_shelf``: a recogniser as anybody can download it, which has never seen an anonymised face.

It knows where the faces are. By default it also knows how they lie: eyes and nose are looked for in the clean picture, because a privacy figure must
not depend on a predictor that the blur throws off (an attacker could mark five points by hand). ``alignment="hidden"`` is the weaker attacker, who
has to find them in the anonymised picture.

A further attacker is a module like this one: a ``NAME``, and an ``attack`` of the same shape that returns a judgement an arm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from dartblur.blur.base import Anonymizer
from dartblur.errors import DartblurError
from dartblur.evaluation.identities import Face, Identities
from dartblur.evaluation.recognition import DIMENSIONS, Recogniser
from dartblur.evaluation.verification import Judgement, Trial, clean_threshold, judge
from dartblur.faces.parallel import map_in_processes
from dartblur.media.images import read_image

NAME = "off_the_shelf"
RECOGNISER = "dlib ResNet-34, 128 numbers a face"
Alignment = Literal["clean", "hidden"]
Floats = npt.NDArray[np.float64]
Arms = Mapping[str, Callable[[], Anonymizer]]
"""Name -> what makes the anonymiser; picklable, because every process makes its own."""


@dataclass(frozen=True, eq=False)
class Attack:
    """What came of it.

    Attributes:
        arms: arm -> judgement.
        threshold, equal_error: of clean faces; the distance at which false accepts and false rejects are as near to equal as can be, and their share.
    """

    arms: Mapping[str, Judgement]
    threshold: float
    equal_error: float


class _Embedder:
    """The points of the faces of one picture: clean, and in every arm."""

    def __init__(self, arms: Arms, alignment: Alignment) -> None:
        self.recogniser = Recogniser()
        self.anonymizers = [make() for make in arms.values()]
        self.alignment = alignment

    def __call__(self, faces: Sequence[Face]) -> Floats:
        """(1 + arms, faces, 128); all ``faces`` are of one picture."""
        try:
            return self._points(faces)
        except DartblurError as error:
            path = str(faces[0].path)
            raise error if str(error).startswith(path) else DartblurError(f"{path}: {error}") from error

    def _points(self, faces: Sequence[Face]) -> Floats:
        image = read_image(faces[0].path)
        boxes = np.stack([face.box for face in faces])
        clean = self.recogniser.embed(image, boxes)
        points = [clean]
        for anonymizer in self.anonymizers:
            hidden = anonymizer.anonymize(image, faces[0].boxes)
            # The arm clean, at no cost: the network is deterministic.
            same = np.array_equal(hidden, image)
            points.append(clean if same else self.recogniser.embed(hidden, boxes, image if self.alignment == "clean" else None))
        return np.stack(points)


def embed(
    identities: Identities, arms: Arms, workers: int, alignment: Alignment = "clean", show: Callable[[int], None] = lambda done: None
) -> tuple[Floats, dict[str, Floats]]:
    """The points of all faces: clean, N x 128, and by arm.

    Args:
        workers: processes; the result does not depend on it, because a picture is worked on as a whole.
        show: told how many pictures (:func:`pictures_of`) are done.

    Raises:
        DartblurError: a picture cannot be read, or a box cannot be hidden; it names the picture.
    """
    groups = pictures_of(identities)
    found = map_in_processes(partial(_Embedder, arms, alignment), groups, workers, show)
    points = np.concatenate(found, axis=1) if found else np.zeros((1 + len(arms), 0, DIMENSIONS))
    return points[0], dict(zip(arms, points[1:], strict=True))


def pictures_of(identities: Identities) -> list[list[Face]]:
    """The faces, picture by picture."""
    return [list(group) for _, group in groupby(identities.faces, key=lambda face: face.path)]


def attack(
    identities: Identities, trial: Trial, arms: Arms, workers: int, alignment: Alignment = "clean", show: Callable[[int], None] = lambda done: None
) -> Attack:
    """Recognise the faces of every arm; see :func:`embed` for the arguments and errors."""
    clean, hidden = embed(identities, arms, workers, alignment, show)
    threshold, rate = clean_threshold(trial, clean)
    return Attack({arm: judge(trial, clean, points, threshold) for arm, points in hidden.items()}, threshold, rate)
