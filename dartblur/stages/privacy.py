"""Stage privacy: who is still recognised in each arm, by attackers who know some faces; and the same for any folder of people.

A further attacker is a module of dartblur/evaluation and a key beside ``off_the_shelf`` in what :func:`measure` returns.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dartblur.errors import UsageError
from dartblur.media.files import write_json
from dartblur.params import Params, PreblurParams
from dartblur.progress import progress_bar
from dartblur.stages import paths
from dartblur.stages.arm import anonymizer, trained
from dartblur.stages.evaluate import rounded

if TYPE_CHECKING:
    from dartblur.evaluation.identities import Identities
    from dartblur.evaluation.reidentification import Alignment, Arms, Attack

OURS, BLURRED = "dartblur", "gaussian"
MISSING = {
    "parrot": "the parrot attack (a recogniser trained on this arm's own pictures) is not part of this version",
    "restoration": "the restoration attack (a network that brings faces back, then the recogniser) is not part of this version",
}
"""Attackers of the protocol that are not there yet -> why."""


def run(params: Params) -> None:
    """Attack the arms of the evaluation on the faces of ``privacy.identities``, write reports/privacy.json.

    Raises:
        UsageError: no such set, or no trained model. DartblurError: nobody to recognise in the set, or an unreadable picture.
    """
    from dartblur.evaluation.matched import matched
    from dartblur.evaluation.reidentification import NAME

    strength = trained(params, paths.MODEL).config.strength  # what the model was trained for, whatever params.yaml says by now
    identities = _load(Path(params.privacy.identities), params).thinned(params.privacy.max_faces, params.seed)
    arms: Arms = {arm: partial(anonymizer, params, arm) for arm in params.evaluate.arms}
    protocol, attack = _attack(identities, arms, params, "clean")
    figures = _by_arm(attack, BLURRED)
    found = matched(strength, NAME, attack.arms[OURS], attack.arms[BLURRED], params.privacy.tolerance)
    write_json(paths.PRIVACY, rounded({"protocol": protocol, "arms": figures, "matched": found}))


def measure(
    params: Params, folder: Path, strengths: Sequence[float], models: Sequence[Path], max_people: int | None, alignment: "Alignment"
) -> dict[str, Any]:
    """Attack the plain arms, the Gaussian at ``strengths`` and the ``models`` on any set of identities.

    Args:
        folder: a data set with identities or a folder of people, taken whole but for ``max_people`` and ``privacy.min_height``.
        models: U-Nets, each at the strength that it was trained for.

    Returns:
        ``protocol`` and ``arms`` as in reports/privacy.json; arms are called ``gaussian 2``, and ``dartblur 2`` by their strength.

    Raises:
        UsageError: no such set or model. DartblurError: nobody to recognise in the set, or an unreadable picture.
    """
    from dartblur.blur.gaussian import Gaussian

    identities = _load(folder, params)
    if max_people is not None:
        identities = identities.of_people(max_people, params.seed)
    arms: dict[str, Any] = {arm: partial(anonymizer, params, arm) for arm in ("clean", "block", "pixelate")}
    arms |= {f"{BLURRED} {strength:g}": partial(Gaussian, strength) for strength in strengths}
    for path in models:
        name = f"{OURS} {trained(params, path).config.strength:g}"
        # Two models of one strength are told apart by where they lie.
        arms[name if name not in arms else f"{name} ({path})"] = partial(trained, params, path)
    protocol, attack = _attack(identities, arms, params, alignment)
    reference = f"{BLURRED} 1"
    result: dict[str, Any] = rounded({"protocol": protocol, "arms": _by_arm(attack, reference if reference in arms else None)})
    return result


def parse_strengths(text: str) -> list[float]:
    """``1,2,3`` as numbers, each within what ``preblur.strength`` may be.

    Raises:
        UsageError: anything else, or nothing.
    """
    try:
        values = [PreblurParams(strength=float(word), context=0.0).strength for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--strengths {text}: give numbers from 0.1 to 20 with commas between, such as 1,2,3") from error
    return list(dict.fromkeys(values))


def _load(folder: Path, params: Params) -> "Identities":
    from dartblur.evaluation.identities import load_identities

    with progress_bar("privacy: finding faces, %", 100) as show:
        return load_identities(folder, params.privacy.min_height, params.privacy.split, lambda done, total: show(100 * done // total, ""))


def _attack(identities: "Identities", arms: "Arms", params: Params, alignment: "Alignment") -> "tuple[dict[str, Any], Attack]":
    """The attack, and how it came about: enough to repeat it."""
    from dartblur.evaluation.reidentification import RECOGNISER, attack, pictures_of
    from dartblur.evaluation.verification import Trial

    trial = Trial.of(identities, params.privacy.pairs, params.privacy.bootstrap, params.seed)
    with progress_bar("privacy: pictures", len(pictures_of(identities))) as show:
        found = attack(identities, trial, arms, params.compute.workers, alignment, lambda done: show(done, ""))
    protocol = {
        **identities.describe(),
        **trial.describe(),
        "recogniser": RECOGNISER,
        "box": "known to the attacker",
        "alignment": {"clean": "known to the attacker: from the clean picture", "hidden": "from the anonymised picture"}[alignment],
        "threshold": found.threshold,
        "equal_error": found.equal_error,
        "interval": "95 %, percentile bootstrap over people, the same resamples for every arm",
        "auc_chance": 0.5,
        "seed": params.seed,
    }
    return protocol, found


def _by_arm(attack: "Attack", reference: str | None) -> dict[str, dict[str, Any]]:
    """The block ``privacy`` of every arm, with the difference from ``reference`` where there is one."""
    from dartblur.evaluation.reidentification import NAME
    from dartblur.evaluation.verification import compare

    result: dict[str, dict[str, Any]] = {}
    for arm, judgement in attack.arms.items():
        against: dict[str, Any] = {}
        if reference is not None:
            other = attack.arms[reference]
            against = {"against_gaussian": {**compare(judgement, other).as_dict(), "same_arm": compare(judgement, other, same_arm=True).as_dict()}}
        missing = {key: value for name, reason in MISSING.items() for key, value in ((name, None), (f"{name}_reason", reason))}
        result[arm] = {NAME: {**judgement.as_dict(), **against}, **missing}
    return result


def show(measured: Mapping[str, Any], as_json: bool) -> None:
    """Print what :func:`measure` returned: one JSON object, or a table."""
    if as_json:
        typer.echo(json.dumps(measured))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    protocol = measured["protocol"]
    heights = protocol["face_height"]
    table = Table(box=SIMPLE_HEAD)
    table.add_column("arm", overflow="fold")
    for heading in ("AUC", "95 %", "rank-1", "AUC*", "rank-1*", "chance"):
        table.add_column(heading, justify="right", no_wrap=True)
    for arm, attackers in measured["arms"].items():
        found = attackers["off_the_shelf"]
        ci = "—" if found["ci"] is None else "{:.3f}-{:.3f}".format(*found["ci"])
        shares = (f"{found[key]:.3f}" for key in ("rank1", "auc_same_arm", "rank1_same_arm", "chance"))
        table.add_row(escape(arm), f"{found['auc']:.3f}", ci, *shares)
    console = Console()
    lines = (
        f"{protocol['people']} people, {protocol['faces']} faces of {heights['min']:.0f} to {heights['max']:.0f} pixels (median "
        f"{heights['median']:.0f}), {protocol['same_pairs']} pairs of one person, {protocol['different_pairs']} of two.",
        f"No face was found in {protocol['central_boxes']} pictures: the box is their centre." if protocol["central_boxes"] else "",
    )
    for line in filter(None, lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    console.print(
        "Of the AUC 0.5 is chance. Clean gallery, anonymised probe; * the attacker hides his gallery in the same way first.",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
