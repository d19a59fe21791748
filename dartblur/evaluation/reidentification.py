"""Looking at faces as an attacker does, and attacker 1, ``off_the_shelf``: a recogniser as anybody can download it, which never saw a hidden face.

It knows where the faces are. By default it also knows how they lie: eyes and nose are looked for in the clean picture, because a privacy figure must
not depend on a predictor that the blur throws off (an attacker could mark five points by hand). ``alignment="hidden"`` is the weaker attacker, who
has to find them in the anonymised picture.

Every picture is opened and hidden once; all attackers (this one, :mod:`~dartblur.evaluation.parrot`, and this one on what a network has restored)
work on the same :class:`Looks`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dartblur.blur.base import Anonymizer
from dartblur.errors import DartblurError
from dartblur.evaluation.identities import Face, Identities
from dartblur.evaluation.recognition import DIMENSIONS, LOOK, Recogniser
from dartblur.evaluation.verification import Judgement, Trial, clean_threshold, judge
from dartblur.faces.boxes import Boxes
from dartblur.faces.parallel import map_in_processes
from dartblur.media.images import Image, read_image

NAME = "off_the_shelf"
RESTORATION = "restoration"
RECOGNISER = "dlib ResNet-34, 128 numbers a face"
Alignment = Literal["clean", "hidden"]
Floats = npt.NDArray[np.float64]


class Restorer(Protocol):
    """Brings faces back as well as it can."""

    def repaint(self, blurred: Image, boxes: Boxes) -> Image:
        """A copy of an anonymised picture with every box restored."""
        ...


Arms = Mapping[str, Callable[[], Anonymizer]]
"""Name -> what makes the anonymiser; picklable, because every process makes its own."""
Restorers = Mapping[str, Callable[[], Restorer]]
"""Name of an arm -> what makes the network that restores its faces; arms without one are not restored. Picklable too."""


@dataclass(frozen=True, eq=False)
class Looks:
    """The faces of a set as the recogniser sees them, N x :data:`~dartblur.evaluation.recognition.LOOK` each.

    Attributes:
        clean: in the clean pictures.
        hidden: by arm, in the anonymised ones.
        restored: by arm, in those that a network has restored from them.
    """

    clean: Floats
    hidden: Mapping[str, Floats]
    restored: Mapping[str, Floats]


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


class _Looker:
    """The looks of the faces of one picture: clean, in every arm, and restored where there is a network for it."""

    def __init__(self, arms: Arms, restorers: Restorers, alignment: Alignment) -> None:
        self.recogniser = Recogniser()
        self.anonymizers = {arm: make() for arm, make in arms.items()}
        self.restorers = {arm: make() for arm, make in restorers.items()}
        self.alignment = alignment

    def __call__(self, faces: Sequence[Face]) -> Floats:
        """(1 + arms + restorers, faces, LOOK); all ``faces`` are of one picture."""
        try:
            return self._looks(faces)
        except DartblurError as error:
            path = str(faces[0].path)
            raise error if str(error).startswith(path) else DartblurError(f"{path}: {error}") from error

    def _looks(self, faces: Sequence[Face]) -> Floats:
        image = read_image(faces[0].path)
        boxes = np.stack([face.box for face in faces])
        clean = self.recogniser.look(image, boxes)
        looks, restored = [clean], []
        for arm, anonymizer in self.anonymizers.items():
            hidden = anonymizer.anonymize(image, faces[0].boxes)
            # The arm clean, at no cost: the network is deterministic.
            looks.append(clean if np.array_equal(hidden, image) else self._look(hidden, boxes, image))
            if arm in self.restorers:
                restored.append(self._look(self.restorers[arm].repaint(hidden, faces[0].boxes), boxes, image))
        return np.stack([*looks, *restored])

    def _look(self, image: Image, boxes: Boxes, clean: Image) -> Floats:
        return self.recogniser.look(image, boxes, clean if self.alignment == "clean" else None)


def look(
    identities: Identities,
    arms: Arms,
    restorers: Restorers,
    workers: int,
    alignment: Alignment = "clean",
    show: Callable[[int], None] = lambda done: None,
) -> Looks:
    """Look at all faces: clean, in every arm, and restored.

    Args:
        restorers: of some of ``arms``.
        workers: processes; the result does not depend on it, because a picture is worked on as a whole.
        show: told how many pictures (:func:`pictures_of`) are done.

    Raises:
        DartblurError: a picture cannot be read, or a box cannot be hidden; it names the picture.
    """
    groups = pictures_of(identities)
    wanted = {arm: restorers[arm] for arm in arms if arm in restorers}
    found = map_in_processes(partial(_Looker, arms, wanted, alignment), groups, workers, show)
    looks = np.concatenate(found, axis=1) if found else np.zeros((1 + len(arms) + len(wanted), 0, LOOK))
    hidden, restored = looks[1 : 1 + len(arms)], looks[1 + len(arms) :]
    return Looks(looks[0], dict(zip(arms, hidden, strict=True)), dict(zip(wanted, restored, strict=True)))


def pictures_of(identities: Identities) -> list[list[Face]]:
    """The faces, picture by picture."""
    return [list(group) for _, group in groupby(identities.faces, key=lambda face: face.path)]


def attack(trial: Trial, clean: Floats, hidden: Mapping[str, Floats]) -> Attack:
    """Recognise the faces of every arm by the network's numbers alone.

    Args:
        clean: N x LOOK. hidden: by arm, N x LOOK, of :attr:`Looks.hidden` or :attr:`Looks.restored`.
    """
    known = clean[:, :DIMENSIONS]
    threshold, rate = clean_threshold(trial, known)
    return Attack({arm: judge(trial, known, looks[:, :DIMENSIONS], threshold) for arm, looks in hidden.items()}, threshold, rate)
