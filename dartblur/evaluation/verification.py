"""What every re-identification attacker is judged by: who is compared with whom, and how often the attacker is right.

An attacker turns faces into points, N x D: one set from the clean pictures, one from the pictures of each arm. The nearer a clean point lies to an
anonymised one, the likelier one person. From that:

- ``auc``: how often an anonymised face lies nearer to a clean face of its own person than one of another person does; 0.5 is guessing.
- ``accepted``: share of the pairs of one person within the threshold at which the *clean* faces have as many false accepts as false rejects, and
  ``falsely_accepted``: the same of pairs of two people, which is what ``accepted`` would be by guessing.
- ``rank1``: share of anonymised probes whose nearest clean gallery face is their own person's; ``chance`` is the share of the gallery that is,
  on average: what naming the person of a random gallery face gives.
- ``auc_same_arm`` and ``rank1_same_arm``: the same where the attacker hides his own clean faces with the same anonymiser first, which costs him
  nothing where he has it. A blur keeps much of what tells two people apart; it is only that a recogniser never learnt to read it.

**Intervals** are 95 % percentile intervals of a bootstrap over people, not pairs: pairs that share a person are no independent evidence. A resample
draws as many people as there are, with replacement; a pair of one person counts as often as the person was drawn (w_p), a pair of two w_p * w_q
times, a probe w_p times; the gallery stays. All arms are measured on the same resamples, so a difference between two arms is a paired one.

Source of the resampling: Bolle, Ratha, Pankanti, Error analysis of pattern recognition systems: the subsets bootstrap, CVIU 2004.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.evaluation.counting import LEAST_FACES
from dartblur.evaluation.identities import GALLERY, PROBE, Identities
from dartblur.evaluation.recognition import verification_auc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LEAST_PEOPLE = 5
"""People with a pair of their own that an interval over people needs."""
LEAST_IDENTITIES = 20
"""People below which a figure would be read as more than it is; faces: ``LEAST_FACES``."""
TAIL = 0.025
BANDS = (0, 48, 80, 112, 160)
"""Lower ends of the bands of height, in pixels."""
CHUNK = 32
"""Resamples at a time: bounds the memory of a bootstrap to a few ten MB."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Who is compared with whom; the same for every arm and every attacker.

    Attributes:
        person: N, number of each face's person.
        height: N, pixels.
        gallery, probes: faces that the attacker has clean, and faces to be named whose person is in the gallery.
        clean, hidden: P, the faces of each pair of the verification: the one that the attacker has clean, the anonymised one.
        same: P, whether they are one person's.
        draws: B x people, how often each person is drawn in each resample.
    """

    person: Ints
    height: Floats
    gallery: Ints
    probes: Ints
    clean: Ints
    hidden: Ints
    same: Bools
    draws: Ints

    @classmethod
    def of(cls, identities: Identities, pairs: int, resamples: int, seed: int) -> "Trial":
        """The trial of a set: its own pairs where it has a pairs.txt, otherwise gallery against probe.

        Args:
            pairs: largest number of pairs of two people; more are thinned at random. Pairs of one person are all taken.
            resamples: of the bootstrap.
            seed: of both draws.

        Raises:
            DartblurError: there is no pair of one person, or none of two.
        """
        names = sorted({face.person for face in identities.faces})
        number = {name: index for index, name in enumerate(names)}
        person = np.array([number[face.person] for face in identities.faces], np.int64)
        gallery, probes = (
            np.array([index for index, face in enumerate(identities.faces) if face.role == role], np.int64) for role in (GALLERY, PROBE)
        )
        if identities.pairs is None:
            clean, hidden = (side.reshape(-1) for side in np.meshgrid(gallery, probes, indexing="ij"))
        else:
            clean, hidden = np.array(identities.pairs, np.int64).reshape(-1, 2).T
        same = person[clean] == person[hidden]
        if not same.any() or same.all():
            lacking = "one person" if not same.any() else "two people"
            remedy = "take more people, with two and more pictures each, or lower privacy.min_height"
            raise DartblurError(f"{identities.folder}: no pair of {lacking} to compare among {len(names)} people and {len(person)} faces; {remedy}")
        kept = np.flatnonzero(same)
        different = np.flatnonzero(~same)
        if len(different) > pairs:
            different = np.random.default_rng([seed, 1]).choice(different, pairs, replace=False)
        kept = np.sort(np.concatenate([kept, different]))
        drawn = np.random.default_rng([seed, 2]).integers(0, len(names), (resamples, len(names)))
        draws = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
        return cls(
            person=person,
            height=np.array([face.height for face in identities.faces]),
            gallery=gallery,
            probes=probes[np.isin(person[probes], person[gallery])],
            clean=clean[kept],
            hidden=hidden[kept],
            same=same[kept],
            draws=draws,
        )

    def among(self, people: Ints) -> "Trial | None":
        """The comparisons of ``people`` with one another, on the same resamples; None where there is no pair of one of them, or none of two."""
        kept = np.isin(self.person[self.clean], people) & np.isin(self.person[self.hidden], people)
        same = self.same[kept]
        if not same.any() or same.all():
            return None
        gallery, probes = (faces[np.isin(self.person[faces], people)] for faces in (self.gallery, self.probes))
        return replace(self, gallery=gallery, probes=probes, clean=self.clean[kept], hidden=self.hidden[kept], same=same)

    def too_few(self) -> str | None:
        """Why no figure is given of a set this small; None where it is large enough."""
        people, faces = len(np.unique(self.person)), len(self.person)
        if people >= LEAST_IDENTITIES and faces >= LEAST_FACES:
            return None
        return f"too few: {people} people and {faces} faces, a figure needs {LEAST_IDENTITIES} and {LEAST_FACES}"

    def describe(self) -> dict[str, Any]:
        """How many comparisons there are."""
        return {"same_pairs": int(self.same.sum()), "different_pairs": int((~self.same).sum()), "bootstrap": len(self.draws)}


@dataclass(frozen=True, eq=False)
class Judgement:
    """How well one attacker did on one arm; see the module's docstring.

    Attributes:
        auc, accepted, falsely_accepted, rank1, auc_same_arm, rank1_same_arm, chance: 0 to 1.
        aucs, rank1s, aucs_same_arm: B, the same on each resample; NaN where a resample has nothing to compare.
        paired: people with a pair of their own; below :data:`LEAST_PEOPLE` there is no interval.
        by_height: band of the anonymised face's height in pixels -> ``auc``, ``same_pairs``, ``different_pairs``.
    """

    auc: float
    aucs: Floats
    accepted: float
    falsely_accepted: float
    rank1: float
    rank1s: Floats
    auc_same_arm: float
    aucs_same_arm: Floats
    rank1_same_arm: float
    chance: float
    paired: int
    by_height: Mapping[str, Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """As in reports/metrics.json: a missing interval is None with a reason."""
        return {
            "auc": self.auc,
            **_interval_or_reason("ci", interval(self.aucs, self.paired), self.paired),
            "rank1": self.rank1,
            **_interval_or_reason("rank1_ci", interval(self.rank1s, self.paired), self.paired),
            "chance": self.chance,
            "auc_same_arm": self.auc_same_arm,
            **_interval_or_reason("ci_same_arm", interval(self.aucs_same_arm, self.paired), self.paired),
            "rank1_same_arm": self.rank1_same_arm,
            "accepted": self.accepted,
            "falsely_accepted": self.falsely_accepted,
            "by_height": self.by_height,
        }


@dataclass(frozen=True)
class Difference:
    """AUC of one arm less that of another, paired by resample; ``interval`` is None where too few people have a pair."""

    value: float
    interval: tuple[float, float] | None
    paired: int

    def as_dict(self) -> dict[str, Any]:
        """``difference`` and ``ci``."""
        return {"difference": self.value, **_interval_or_reason("ci", self.interval, self.paired)}


def _interval_or_reason(name: str, found: tuple[float, float] | None, paired: int) -> dict[str, Any]:
    if found is not None:
        return {name: list(found)}
    return {name: None, f"{name}_reason": f"an interval over people needs {LEAST_PEOPLE} with two faces to compare, found {paired}"}


def interval(values: Floats, paired: int) -> tuple[float, float] | None:
    """The 95 % percentile interval of resampled ``values`` (B,), or None where it would rest on fewer than :data:`LEAST_PEOPLE` people."""
    valid = values[np.isfinite(values)]
    if paired < LEAST_PEOPLE or not len(valid):
        return None
    low, high = np.quantile(valid, [TAIL, 1 - TAIL])
    return float(low), float(high)


def compare(ours: Judgement, other: Judgement, same_arm: bool = False) -> Difference:
    """The AUC of ``ours`` less that of ``other``, of one trial; with ``same_arm`` those of the attacker who hides his own faces first."""
    if same_arm:
        return Difference(ours.auc_same_arm - other.auc_same_arm, interval(ours.aucs_same_arm - other.aucs_same_arm, ours.paired), ours.paired)
    return Difference(ours.auc - other.auc, interval(ours.aucs - other.aucs, ours.paired), ours.paired)


def equal_error(same: Floats, different: Floats) -> tuple[float, float]:
    """The distance at which false accepts and false rejects are as near to equal as can be, and the mean of both shares there.

    A pair is accepted at a distance no greater than the threshold. Every threshold between two neighbouring distances does the same: the middle of
    them is taken.
    """
    steps = np.unique(np.concatenate([same, different]))
    rejected = 1 - np.searchsorted(np.sort(same), steps, side="right") / len(same)
    accepted = np.searchsorted(np.sort(different), steps, side="right") / len(different)
    best = int(np.abs(accepted - rejected).argmin())
    return float(steps[best : best + 2].mean()), float((accepted[best] + rejected[best]) / 2)


def clean_threshold(trial: Trial, clean: Floats) -> tuple[float, float]:
    """:func:`equal_error` of the trial's pairs with both faces clean; ``clean`` is N x D."""
    distance = _distances(trial, clean, clean)
    return equal_error(distance[trial.same], distance[~trial.same])


def judge(trial: Trial, clean: Floats, hidden: Floats, threshold: float) -> Judgement:
    """What an attacker's points are worth.

    Args:
        clean: N x D, of the clean faces.
        hidden: N x D, of the same faces in one arm.
        threshold: of :func:`clean_threshold`.
    """
    distance, same_arm = _distances(trial, clean, hidden), _distances(trial, hidden, hidden)
    hits = _hits(trial, clean, hidden)
    own = trial.person[trial.probes]
    share = np.array([(trial.person[trial.gallery] == person).mean() for person in own])
    weights = trial.draws[:, own]  # (B, probes)
    return Judgement(
        auc=verification_auc(distance[trial.same], distance[~trial.same]),
        aucs=_resampled_auc(trial, distance),
        accepted=float((distance[trial.same] <= threshold).mean()),
        falsely_accepted=float((distance[~trial.same] <= threshold).mean()),
        rank1=float(hits.mean()),
        rank1s=_divided((weights * hits).sum(axis=1), weights.sum(axis=1)),
        auc_same_arm=verification_auc(same_arm[trial.same], same_arm[~trial.same]),
        aucs_same_arm=_resampled_auc(trial, same_arm),
        rank1_same_arm=float(_hits(trial, hidden, hidden).mean()),
        chance=float(share.mean()),
        paired=len(np.unique(trial.person[trial.clean[trial.same]])),
        by_height=_by_height(trial, distance),
    )


def _distances(trial: Trial, clean: Floats, hidden: Floats) -> Floats:
    return np.asarray(np.linalg.norm(clean[trial.clean] - hidden[trial.hidden], axis=1))


def _hits(trial: Trial, known: Floats, asked: Floats) -> Floats:
    """For each probe, the share of its nearest gallery faces that are its own person's: 0 or 1, a fraction where some are equally near."""
    hits = []
    for probe in trial.probes:
        distance = np.linalg.norm(known[trial.gallery] - asked[probe], axis=1)
        nearest = trial.gallery[distance == distance.min()]
        hits.append((trial.person[nearest] == trial.person[probe]).mean())
    return np.array(hits)


def _by_height(trial: Trial, distance: Floats) -> dict[str, dict[str, Any]]:
    """AUC by the height of the anonymised face; bands without a pair of one person are left out."""
    names = [*(f"{low}-{high}" for low, high in itertools.pairwise(BANDS)), f"{BANDS[-1]}-up"]
    band = np.searchsorted(BANDS, trial.height[trial.hidden], side="right") - 1
    result: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(names):
        near, far = distance[(band == index) & trial.same], distance[(band == index) & ~trial.same]
        if not len(near):
            continue
        auc: dict[str, Any] = {"auc": verification_auc(near, far)} if len(far) else {"auc": None, "reason": "no pair of two people"}
        result[name] = {**auc, "same_pairs": len(near), "different_pairs": len(far)}
    return result


def _resampled_auc(trial: Trial, distance: Floats) -> Floats:
    """The AUC of each resample, (B,): :func:`~dartblur.evaluation.recognition.verification_auc` with the weights of the module's docstring."""
    same, far = trial.same, distance[~trial.same]
    order = np.argsort(far, kind="stable")
    left, right = (np.searchsorted(far[order], distance[same], side=side) for side in ("left", "right"))  # (S,)
    own = trial.person[trial.clean[same]]
    one, two = (trial.person[faces[~same]][order] for faces in (trial.clean, trial.hidden))
    result = []
    for start in range(0, len(trial.draws), CHUNK):
        draws = trial.draws[start : start + CHUNK].astype(np.float64)
        nearer = np.concatenate([np.zeros((len(draws), 1)), np.cumsum(draws[:, one] * draws[:, two], axis=1)], axis=1)  # (C, D + 1)
        total = nearer[:, -1:]
        wins = total - (nearer[:, left] + nearer[:, right]) / 2  # (C, S); equal distances count half
        result.append(_divided((draws[:, own] * wins).sum(axis=1), draws[:, own].sum(axis=1) * total[:, 0]))
    return np.concatenate(result) if result else np.zeros(0)


def _divided(value: npt.NDArray[Any], by: npt.NDArray[Any]) -> Floats:
    """NaN where ``by`` is 0."""
    return np.asarray(np.divide(value, by, out=np.full(len(value), np.nan), where=by > 0))
