"""Attacker 2, ``parrot``: a recogniser that has learned to read one anonymiser's faces (McPherson, Shokri, Shmatikov 2016, arXiv 1609.00408).

Whoever has the anonymiser can hide any faces he likes, and learn what is left of them. The parrot reads a hidden face (the recogniser's numbers and
the aligned pixels) by a ridge regression on the numbers of the same face clean, measures in the space where one person's faces lie closest together
(within-class covariance normalisation, Hatch et al. 2006), and compares directions (cosine). How much of each, and whether pixels help, is chosen by
cross-validation over people; where nothing learned beats the plain recogniser there, the parrot stays with it.

Two settings:

- *disjoint*: he has learned from other people. The people of the trial are split into two halves, and whom he asks of one half he has learned from
  the other one and from the teachers.
- *shared*: he has also hidden the pictures of his own gallery, of the very people that he looks for. Faces that are asked for are never learned from.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dartblur.evaluation.recognition import DIMENSIONS, verification_auc
from dartblur.evaluation.verification import Bools, Floats, Ints, Judgement, Trial, clean_threshold, interval, judge

NAME = "parrot"
FOLDS = 4
COMPONENTS = 64
"""Directions in which aligned pixels vary most, at most."""
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Candidates for the regression's penalty, in shares of the features' mean variance."""
SHRINKAGES = (1.0, 0.5, 0.2, 0.05)
"""Candidates for how much of the within-class covariance is taken for round; 1 measures as the recogniser does."""
ERRORS = 3.0
"""The AUC must rise from fold to fold by so many of its standard errors before the parrot trusts what he has learned."""
LEAST_PEOPLE = 2 * FOLDS
"""People that a cross-validation needs."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Faces that the parrot has both clean and hidden.

    Attributes:
        clean, hidden: N x LOOK.
        person: N.
    """

    clean: Floats
    hidden: Floats
    person: Ints

    def plus(self, clean: Floats, hidden: Floats, person: Ints) -> "Lesson":
        """With further faces, of other people."""
        beyond = int(self.person.max(initial=-1)) + 1
        return Lesson(np.concatenate([self.clean, clean]), np.concatenate([self.hidden, hidden]), np.concatenate([self.person, person + beyond]))

    def only(self, chosen: Bools) -> "Lesson":
        """The ``chosen`` faces (N,)."""
        return Lesson(self.clean[chosen], self.hidden[chosen], self.person[chosen])


@dataclass(frozen=True)
class Choice:
    """What cross-validation chooses: features, the regression's penalty, the metric."""

    pixels: bool
    ridge: float
    shrinkage: float


@dataclass(frozen=True, eq=False)
class _Reader:
    """A ridge regression from looks of hidden faces to numbers of clean ones."""

    middle: Floats  # (LOOK,)
    basis: Floats  # (LOOK, F)
    weights: Floats  # (F, 128)
    bias: Floats  # (128,)

    def __call__(self, hidden: Floats) -> Floats:
        """N x LOOK to N x 128."""
        return np.asarray((hidden - self.middle) @ self.basis @ self.weights + self.bias)


@dataclass(frozen=True, eq=False)
class _Regression:
    """What readers of one lesson share whatever their penalty is, found once: the features are its dear part."""

    middle: Floats  # (LOOK,)
    basis: Floats  # (LOOK, F)
    gram: Floats  # (F, F)
    products: Floats  # (F, 128), of the features and the clean numbers
    bias: Floats  # (128,)

    @classmethod
    def of(cls, lesson: Lesson, pixels: bool) -> "_Regression":
        middle = lesson.hidden.mean(axis=0)
        basis = _basis(lesson.hidden - middle, pixels)
        x = (lesson.hidden - middle) @ basis  # (N, F)
        bias = lesson.clean[:, :DIMENSIONS].mean(axis=0)
        return cls(middle, basis, x.T @ x, x.T @ (lesson.clean[:, :DIMENSIONS] - bias), bias)

    def reader(self, ridge: float) -> _Reader:
        size = len(self.gram)
        penalty = np.eye(size) * (ridge * np.trace(self.gram) / size + 1e-12)
        return _Reader(self.middle, self.basis, np.linalg.solve(self.gram + penalty, self.products), self.bias)


def _basis(looks: Floats, pixels: bool) -> Floats:
    """Centred looks to features of like size: the network's numbers, and the pixels along their principal directions; (LOOK, F)."""
    numbers, seen = looks[:, :DIMENSIONS], looks[:, DIMENSIONS:]
    basis = np.zeros((looks.shape[1], DIMENSIONS + (COMPONENTS if pixels else 0)))
    basis[:DIMENSIONS, :DIMENSIONS] = np.eye(DIMENSIONS) / max(float(np.sqrt(numbers.var(axis=0).mean())), 1e-9)
    if pixels:
        _, values, directions = np.linalg.svd(seen, full_matrices=False)
        kept = min(COMPONENTS, len(values))
        spread = float(np.sqrt((values[:kept] ** 2).sum() / max(len(seen), 1) / COMPONENTS))
        basis[DIMENSIONS:, DIMENSIONS : DIMENSIONS + kept] = directions[:kept].T / max(spread, 1e-9)
    return basis


@dataclass(frozen=True, eq=False)
class Parrot:
    """What has been learned; without a reader, the plain recogniser.

    Attributes:
        choice: what cross-validation chose; None where it found nothing better than the recogniser.
        gain: by how much its cross-validated AUC was above the recogniser's.
    """

    reader: _Reader | None = None
    middle: Floats | None = None
    metric: Floats | None = None
    choice: Choice | None = None
    gain: float = 0.0

    def known(self, clean: Floats) -> Floats:
        """Points of clean faces, N x LOOK to N x 128."""
        return self._point(clean[:, :DIMENSIONS])

    def asked(self, hidden: Floats) -> Floats:
        """Points of hidden faces, N x LOOK to N x 128."""
        return self._point(self.reader(hidden) if self.reader is not None else hidden[:, :DIMENSIONS])

    def describe(self) -> dict[str, Any]:
        """What was chosen, as in reports/metrics.json."""
        chosen = None if self.choice is None else asdict(self.choice)
        return {
            "learned": chosen,
            **({} if chosen else {"learned_reason": "nothing learned reads this arm better than the recogniser does"}),
            "gain": self.gain,
        }

    def _point(self, numbers: Floats) -> Floats:
        return numbers if self.middle is None or self.metric is None else _directions(numbers, self.middle, self.metric)


def _directions(numbers: Floats, middle: Floats, metric: Floats) -> Floats:
    """Unit vectors, N x 128: Euclidean distance between them orders pairs as the cosine does."""
    points = (numbers - middle) @ metric
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12))


def _metric(errors: Floats, shrinkage: float) -> Floats:
    """The map, 128 x 128, in which what parts one person's points (``errors``, N x 128) is round: C^(-1/2), C shrunk towards a multiple of one."""
    covariance = errors.T @ errors / len(errors)
    size = float(np.trace(covariance)) / len(covariance)
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * size * np.eye(len(covariance)))
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-12)) @ vectors.T)


def _within(numbers: Floats, person: Ints) -> Floats:
    """How far each face lies from the middle of its person's: N x 128."""
    sums = np.zeros((int(person.max()) + 1, numbers.shape[1]))
    np.add.at(sums, person, numbers)
    return np.asarray(numbers - (sums / np.maximum(np.bincount(person), 1)[:, None])[person])


def _auc(known: Floats, asked: Floats, person: Ints) -> float:
    """Of all pairs of a clean and a hidden face of two pictures; that of guessing where there is no pair of one person or none of two."""
    # Squared, and without their differences, N x N x 128: pairs come in the same order.
    distance = (known**2).sum(axis=1)[:, None] + (asked**2).sum(axis=1)[None] - 2 * known @ asked.T
    same = person[:, None] == person[None]
    other = ~np.eye(len(person), dtype=bool)
    near, far = distance[same & other], distance[~same]
    return verification_auc(near, far) if len(near) and len(far) else 0.5


def _folds(person: Ints, seed: int) -> Iterator[Bools]:
    """For each fold, which faces are held out; people are never split."""
    people = np.random.default_rng([seed, 7]).permutation(np.unique(person))
    for fold in range(FOLDS):
        yield np.isin(person, people[fold::FOLDS])


def learn(lesson: Lesson, seed: int) -> Parrot:
    """The best parrot that cross-validation over the people of ``lesson`` finds; the plain recogniser where they are too few or nothing helps."""
    if len(np.unique(lesson.person)) < LEAST_PEOPLE:
        return Parrot()
    folds = list(_folds(lesson.person, seed))
    clean = lesson.clean[:, :DIMENSIONS]
    plain = np.array([_auc(clean[held], lesson.hidden[held, :DIMENSIONS], lesson.person[held]) for held in folds])
    best, found = 0.0, None
    for pixels in (False, True):
        # Whoever measures a fold has learned nothing from it: neither to read, nor where one person's points lie apart.
        school = _School(lesson, pixels, folds)
        for ridge in RIDGES:
            read = [school.reader(ridge, fold)(lesson.hidden[held]) for fold, held in enumerate(folds)]
            apart = [school.apart(ridge, fold) for fold in range(FOLDS)]
            for shrinkage in SHRINKAGES:
                gains = np.empty(FOLDS)
                for fold, held in enumerate(folds):
                    middle, metric = clean[~held].mean(axis=0), _metric(apart[fold], shrinkage)
                    known, asked = (_directions(numbers, middle, metric) for numbers in (clean[held], read[fold]))
                    gains[fold] = _auc(known, asked, lesson.person[held]) - plain[fold]
                if gains.mean() > max(best, ERRORS * gains.std(ddof=1) / np.sqrt(FOLDS)):
                    best, found = float(gains.mean()), Choice(pixels, ridge, shrinkage)
    if found is None:
        return Parrot()
    school = _School(lesson, found.pixels, folds)
    return Parrot(school.reader(found.ridge), clean.mean(axis=0), _metric(school.apart(found.ridge), found.shrinkage), found, best)


class _School:
    """Readers of a lesson without some of its folds; each regression is made once, whichever way round its folds are named.

    Args:
        folds: of each, which faces are in it (N,).
    """

    def __init__(self, lesson: Lesson, pixels: bool, folds: Sequence[Bools]) -> None:
        self.lesson, self.pixels, self.folds = lesson, pixels, folds
        self._regressions: dict[frozenset[int], _Regression] = {}

    def reader(self, ridge: float, *without: int) -> _Reader:
        """Who has not learned from the folds ``without``."""
        key = frozenset(without)
        if key not in self._regressions:
            self._regressions[key] = _Regression.of(self.lesson.only(self._others(key)), self.pixels)
        return self._regressions[key].reader(ridge)

    def apart(self, ridge: float, *without: int) -> Floats:
        """What parts points of one person, outside the folds ``without``: a face as it is read, by who has not learned from it, from the clean one,
        and clean faces from each other."""
        clean = self.lesson.clean[:, :DIMENSIONS]
        read = np.empty_like(clean)
        for fold in {*range(FOLDS)} - {*without}:
            held = self.folds[fold]
            read[held] = self.reader(ridge, fold, *without)(self.lesson.hidden[held])
        kept = self._others(without)
        return np.concatenate([(read - clean)[kept], _within(clean[kept], self.lesson.person[kept])])

    def _others(self, folds: Iterable[int]) -> Bools:
        """Which faces are in none of ``folds``."""
        kept = np.ones(len(self.lesson.person), bool)
        for fold in folds:
            kept &= ~self.folds[fold]
        return kept


def _judged(trial: Trial, parrot: Parrot, clean: Floats, hidden: Floats) -> Judgement:
    known = parrot.known(clean)
    threshold, _ = clean_threshold(trial, known)
    return judge(trial, known, parrot.asked(hidden), threshold)


def shared(trial: Trial, clean: Floats, hidden: Floats, teachers: Lesson, seed: int) -> tuple[Judgement, Parrot]:
    """The parrot who knows the people: judged on the whole trial, taught by ``teachers`` and by the faces that nobody asks for.

    Args:
        clean, hidden: N x LOOK, of the trial's faces.
        teachers: other people.
    """
    free = np.ones(len(clean), bool)
    free[trial.hidden] = False
    free[trial.probes] = False
    parrot = learn(teachers.plus(clean[free], hidden[free], trial.person[free]), seed)
    return _judged(trial, parrot, clean, hidden), parrot


def disjoint(trial: Trial, clean: Floats, hidden: Floats, teachers: Lesson, seed: int) -> list[tuple[Judgement, Judgement]]:
    """The parrot who does not know the people: for each half of them that can be judged, his judgement and the plain recogniser's on the same pairs.

    Args as for :func:`shared`.
    """
    people = np.random.default_rng([seed, 8]).permutation(trial.draws.shape[1])
    result = []
    for half in (people[::2], people[1::2]):
        part = trial.among(half)
        if part is None:
            continue
        others = ~np.isin(trial.person, half)
        parrot = learn(teachers.plus(clean[others], hidden[others], trial.person[others]), seed)
        once = replace(part, draws=part.draws[:0])  # of the recogniser the figure alone is wanted
        result.append((_judged(part, parrot, clean, hidden), _judged(once, Parrot(), clean, hidden)))
    return result


def summary(halves: Sequence[tuple[Judgement, Judgement]]) -> dict[str, Any]:
    """What :func:`disjoint` returned as in reports/metrics.json: means over the halves, each compared within itself alone."""
    if not halves:
        return {"auc": None, "auc_reason": "neither half of the people has pairs of one person and of two"}
    found = interval(np.mean([ours.aucs for ours, _ in halves], axis=0), sum(ours.paired for ours, _ in halves))
    return {
        "auc": float(np.mean([ours.auc for ours, _ in halves])),
        "ci": None if found is None else list(found),
        "rank1": float(np.mean([ours.rank1 for ours, _ in halves])),
        "chance": float(np.mean([ours.chance for ours, _ in halves])),
        "off_the_shelf": float(np.mean([plain.auc for _, plain in halves])),
    }


@dataclass(frozen=True, eq=False)
class Aviary:
    """A parrot for one arm after the other; an object, so that every process of a pool gets the trial once.

    Args:
        clean: N x LOOK, of the trial's faces.
    """

    trial: Trial
    clean: Floats
    seed: int

    def __call__(self, lesson: tuple[Floats, Lesson]) -> tuple[Judgement, dict[str, Any]]:
        """What the parrot who knows the people makes of an arm (its faces N x LOOK, its teachers), and ``learned``, ``gain`` and ``disjoint``."""
        hidden, teachers = lesson
        judged, learned = shared(self.trial, self.clean, hidden, teachers, self.seed)
        return judged, {**learned.describe(), "disjoint": summary(disjoint(self.trial, self.clean, hidden, teachers, self.seed))}
