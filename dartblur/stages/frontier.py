"""The frontier: suppression against re-identification over strengths of the pre-blur, and the choice of a strength by it.

The main run is one point. Every other strength is a run of the pipeline's own stages in .work/frontier/<strength>, on the data set, the detector f
and the comparisons of the main run: a training of U, its arm, fresh detectors on it, and all attackers. Hours; the same command goes on where it was
stopped. It is no part of `dvc repro`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import read_json, write_json
from dartblur.params import BLURRED, CLEAN, OURS, Params
from dartblur.progress import progress_bar
from dartblur.stages import paths
from dartblur.stages.variation import COMPARED, judge, judging, open_folder, share_compared, stage

ATTACKERS = ("off_the_shelf", "parrot", "restoration")
REMEDY = "make it with `dartblur frontier`"


def run(params: Params, strengths: Sequence[float]) -> None:
    """Run what is missing of every strength, write reports/frontier.json and the picture beside it.

    Raises:
        UsageError: the main run is not there, or a strength was begun with other settings. DartblurError: a stage failed; its log is named.
    """
    from dartblur.evaluation.figures import draw_frontier

    for out in (paths.EVALUATION, *COMPARED[:4]):
        if not out.exists():
            raise UsageError(f"{out}: missing; the frontier compares with a run of the pipeline, make one with `dvc repro` first")
    points = _main(params.preblur.strength)
    with progress_bar("frontier: strengths", len(strengths)) as show:
        for done, strength in enumerate(strengths, start=1):
            if strength != params.preblur.strength:
                points.append(_at(params, strength))
            show(done, f"{strength:g}")
    write_json(paths.FRONTIER, {"points": points})
    draw_frontier(points, paths.FRONTIER.with_suffix(".png"))


def _main(strength: float) -> list[dict[str, Any]]:
    """The arms of the main run: those that have no strength, the ordinary blur, and dartblur at its own."""
    arms = read_json(paths.EVALUATION, "measure it with `dvc repro`")["arms"]
    strengths = {BLURRED: 1.0, OURS: strength}
    return [_point(arm, strengths.get(arm), figures) for arm, figures in arms.items() if arm != CLEAN]


def _at(params: Params, strength: float) -> dict[str, Any]:
    """The point of another strength."""
    settings = judging(params).model_copy(update={"preblur": params.preblur.model_copy(update={"strength": strength})})
    folder = paths.WORK / "frontier" / f"{strength:g}"
    open_folder(folder, settings)
    share_compared(Path.cwd(), folder, settings)
    stage(folder, paths.PREBLUR, "preblur")
    stage(folder, paths.MODEL, "train")
    return _point(OURS, strength, judge(folder, settings)[OURS])


def _point(arm: str, strength: float | None, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What the frontier keeps of an arm: who pays what."""
    attackers = {name: figures["privacy"].get(name) for name in ATTACKERS}
    return {
        "arm": arm,
        "strength": strength,
        "suppression": figures["suppression"],
        "l1": figures["convenience"]["l1"],
        "privacy": {
            name: None if found is None else {key: found[key] for key in ("auc", "ci", "rank1", "rank1_ci", "chance")}
            for name, found in attackers.items()
        },
        "matched": bool(figures.get("matched")),
    }


@dataclass(frozen=True)
class Candidate:
    """A strength of dartblur, and the attacker who names the most people there.

    Attributes:
        named: share of the probes whose nearest gallery face is their own person's (rank-1).
        interval: its 95 % interval.
        chance: what a random gallery face gives.
        suppression: mean, or None.
    """

    strength: float
    attacker: str
    named: float
    interval: tuple[float, float]
    chance: float
    suppression: float | None

    @classmethod
    def of(cls, point: Mapping[str, Any]) -> "Candidate | None":
        """None where no attacker has a figure with an interval."""
        known = {name: found for name, found in point["privacy"].items() if found and found["rank1"] is not None and found["rank1_ci"]}
        if not known:
            return None
        attacker = max(known, key=lambda name: float(known[name]["rank1"]))
        found = known[attacker]
        low, high = found["rank1_ci"]
        return cls(point["strength"], attacker, found["rank1"], (low, high), found["chance"], point["suppression"]["mean"])

    def __str__(self) -> str:
        low, high = self.interval
        text = f"{self.strength:g}, where {self.attacker} names {self.named:.3f} of the people ({low:.3f} to {high:.3f}, chance {self.chance:.3f})"
        return text if self.suppression is None else f"{text}; suppression {self.suppression:.2f}"


def choose(max_reid: float) -> str:
    """The smallest strength of dartblur at which nobody names more than ``max_reid`` of the people, in a sentence.

    The bound is held to the upper end of the 95 % interval of rank-1 identification by the strongest attacker, because a figure of few people that
    happens to be low is no protection.

    Raises:
        DartblurError: there is no frontier, or no strength meets the bound; the sentence says which comes nearest.
    """
    points = [point for point in read_json(paths.FRONTIER, REMEDY).get("points", ()) if point["arm"] == OURS]
    able = [found for found in map(Candidate.of, points) if found is not None]
    if not able:
        raise DartblurError(f"{paths.FRONTIER}: no strength of dartblur has a re-identification with an interval; measure more people")
    meeting = [found for found in able if found.interval[1] <= max_reid]
    if not meeting:
        listed = ", ".join(f"{found.strength:g}" for found in able)
        nearest = min(able, key=lambda found: found.interval[1])
        raise DartblurError(f"no strength of {listed} holds re-identification to {max_reid:g}; nearest is {nearest}")
    return f"preblur.strength: {min(meeting, key=lambda found: found.strength)}"
