"""Stage privacy: who is still recognised in each arm, by attackers who know some faces; and the same for any folder of people.

Three attackers, weakest first: the recogniser off the shelf, the parrot who has learned to read an arm, and the recogniser on faces that a network
has restored. A further one is a module of dartblur/evaluation and a block of :class:`Findings`.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer

from dartblur.errors import UsageError
from dartblur.media.files import read_json, write_json
from dartblur.params import BLURRED, CLEAN, OURS, Arm, Params, PreblurParams
from dartblur.progress import progress_bar
from dartblur.stages import paths
from dartblur.stages.arm import anonymizer, trained
from dartblur.stages.evaluate import rounded
from dartblur.stages.external import Remembered, show_people

if TYPE_CHECKING:
    from dartblur.evaluation.identities import Identities, Split
    from dartblur.evaluation.parrot import Lesson
    from dartblur.evaluation.reidentification import Alignment, Arms, Looks, Restorers
    from dartblur.evaluation.verification import Judgement, Trial

UNTRAINED = "no network was trained to restore it; `dartblur restorer ARM` trains one on the arms of a data set"

FOREIGN = "another tool's pictures are there, the tool is not: give its command in evaluate.commands, so that it can hide the people looked for"


@dataclass
class Findings:
    """What all attackers made of all arms.

    Attributes:
        judged: attacker -> arm -> judgement.
        more: attacker -> arm -> further keys of that figure.
        missing: attacker -> arm -> why there is no figure.
    """

    judged: dict[str, dict[str, "Judgement"]] = field(default_factory=dict)
    more: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)


def run(params: Params) -> None:
    """Attack the arms of the evaluation on the faces of ``privacy.identities``, write reports/privacy.json.

    Raises:
        UsageError: no such set, or no trained model. DartblurError: nobody to recognise in the set, or an unreadable picture.
    """
    strength = trained(params, paths.MODEL).config.strength  # what the model was trained for, whatever params.yaml says by now
    identities = _load(Path(params.privacy.identities), params, params.privacy.split).thinned(params.privacy.max_faces, params.seed)
    own = [arm for arm in params.evaluate.arms if arm in get_args(Arm)]
    arms: Arms = {arm: partial(anonymizer, params, arm) for arm in own}
    with _tools(identities, params) as tools:
        arms = {**arms, **tools}
        found, trial, protocol = _attacked(identities, arms, {arm: arm for arm in arms}, params, "clean")
    figures = _by_arm(found, trial, arms, BLURRED)
    unknown = {key: value for attacker in found.judged for key, value in ((attacker, None), (f"{attacker}_reason", FOREIGN))}
    by_arm = {arm: figures.get(arm, unknown) for arm in params.evaluate.arms}
    write_json(paths.PRIVACY, rounded({"protocol": protocol, "arms": by_arm, "matched": _matched(found, trial, strength, params)}))


@contextmanager
def _tools(identities: "Identities", params: Params) -> "Iterator[Arms]":
    """The arms of other tools that have a command: it works on the people of the set, and on those of whom the parrot learns."""
    commands = {arm: params.evaluate.commands[arm] for arm in params.evaluate.arms if arm in params.evaluate.commands}
    folders = {arm: paths.WORK / f"people-{arm}" for arm in commands}
    teachers = _load(Path(params.privacy.teachers), params, "all") if commands else identities
    pictures = sorted({face.path for one in (identities, teachers) for face in one.faces})
    try:
        for arm, command in commands.items():
            with progress_bar(f"privacy: {arm} at work", 1):
                show_people(command, arm, pictures, folders[arm])
        yield {arm: partial(Remembered, arm, folder) for arm, folder in folders.items()}
    finally:
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def _matched(found: Findings, trial: "Trial", strength: float, params: Params) -> dict[str, Any]:
    """Whether dartblur is at matched privacy; never where the people are too few for a figure."""
    from dartblur.evaluation.matched import Compared, matched

    small = trial.too_few()
    if small is not None:
        return {"matched": False, "reason": small, "strength": strength}
    able = {name: arms for name, arms in found.judged.items() if OURS in arms and BLURRED in arms}
    return matched(strength, {name: Compared(arms[OURS], arms[BLURRED]) for name, arms in able.items()}, params.privacy.tolerance)


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

    identities = _load(folder, params, params.privacy.split)
    if max_people is not None:
        identities = identities.of_people(max_people, params.seed)
    arms: dict[str, Any] = {arm: partial(anonymizer, params, arm) for arm in (CLEAN, "block", "pixelate", "swap")}
    # The arms of the pipeline that they are, whose restoring networks therefore fit.
    same = {arm: arm for arm in arms}
    for strength in strengths:
        arms[name := f"{BLURRED} {strength:g}"] = partial(Gaussian, strength)
        same |= {name: BLURRED} if strength == 1 else {}
    for path in models:
        name = f"{OURS} {trained(params, path).config.strength:g}"
        name = name if name not in arms else f"{name} ({path})"  # two models of one strength are told apart by where they lie
        arms[name] = partial(trained, params, path)
        same |= {name: OURS} if path == paths.MODEL else {}
    found, trial, protocol = _attacked(identities, arms, same, params, alignment)
    reference = f"{BLURRED} 1"
    result: dict[str, Any] = rounded({"protocol": protocol, "arms": _by_arm(found, trial, arms, reference if reference in arms else None)})
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


def _load(folder: Path, params: Params, split: "Split") -> "Identities":
    from dartblur.evaluation.identities import load_identities

    with progress_bar(f"privacy: faces of {folder.name}, %", 100) as show:
        return load_identities(folder, params.privacy.min_height, split, lambda done, total: show(100 * done // total, ""))


def _attacked(
    identities: "Identities", arms: "Arms", same: Mapping[str, str], params: Params, alignment: "Alignment"
) -> "tuple[Findings, Trial, dict[str, Any]]":
    """What all attackers make of the arms, the trial, and how it came about: enough to repeat it.

    Args:
        same: arm -> the arm of the pipeline that it is, for those that are one.
    """
    from dartblur.evaluation import parrot, reidentification
    from dartblur.evaluation.verification import Trial

    trial = Trial.of(identities, params.privacy.pairs, params.privacy.bootstrap, params.seed)
    restorers, missing = _restorers(same, arms, params)
    looks = _looks(identities, arms, restorers, params, alignment)
    plain = reidentification.attack(trial, looks.clean, looks.hidden)
    restored = {arm: looks.restored.get(arm, looks.hidden[arm]) for arm in arms if arm not in missing}
    found = Findings()
    found.judged[reidentification.NAME] = dict(plain.arms)
    teachers = _teachers(identities, arms, params, alignment)
    _ask_parrots(found, trial, looks, teachers, params)
    found.judged[reidentification.RESTORATION] = dict(reidentification.attack(trial, looks.clean, restored).arms)
    found.missing[reidentification.RESTORATION] = missing
    protocol = {
        **identities.describe(),
        **trial.describe(),
        "recogniser": reidentification.RECOGNISER,
        "box": "known to the attacker",
        "alignment": {"clean": "known to the attacker: from the clean picture", "hidden": "from the anonymised picture"}[alignment],
        "threshold": plain.threshold,
        "equal_error": plain.equal_error,
        "interval": "95 %, percentile bootstrap over people, the same resamples for every arm",
        "auc_chance": 0.5,
        "seed": params.seed,
        parrot.NAME: {"teachers": params.privacy.teachers, "faces": len(next(iter(teachers.values())).person)},
        reidentification.RESTORATION: {"steps": params.privacy.restorer_steps, "trained_on": "the training pictures of the arm"},
    }
    return found, trial, protocol


def _looks(identities: "Identities", arms: "Arms", restorers: "Restorers", params: Params, alignment: "Alignment") -> "Looks":
    from dartblur.evaluation.reidentification import look, pictures_of

    with progress_bar(f"privacy: pictures of {identities.folder.name}", len(pictures_of(identities))) as show:
        return look(identities, arms, restorers, params.compute.workers, alignment, lambda done: show(done, ""))


def _restorers(same: Mapping[str, str], arms: "Arms", params: Params) -> "tuple[Restorers, dict[str, str]]":
    """The networks that restore some of ``arms``, and why there is none for others; a clean face is restored as it is."""
    from dartblur.blur.dartblur import UNET_FILE
    from dartblur.stages.restorer import ABOUT

    restorers: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for arm in arms:
        folder = paths.RESTORERS / same.get(arm, "none")
        if (folder / UNET_FILE).is_file():
            restorers[arm] = partial(trained, params, folder / UNET_FILE)
        elif arm != CLEAN:
            missing[arm] = str(read_json(folder / ABOUT, "").get("reason", UNTRAINED)) if (folder / ABOUT).is_file() else UNTRAINED
    return restorers, missing


def _teachers(identities: "Identities", arms: "Arms", params: Params, alignment: "Alignment") -> "dict[str, Lesson]":
    """By arm, the faces of ``privacy.teachers`` that the parrot learns from; none where they are the very people whom he is asked for."""
    import numpy as np

    from dartblur.evaluation.parrot import Lesson
    from dartblur.evaluation.recognition import LOOK

    folder = Path(params.privacy.teachers)
    if folder.resolve() == identities.folder.resolve():
        none = np.zeros((0, LOOK))
        return dict.fromkeys(arms, Lesson(none, none, np.zeros(0, np.int64)))
    faces = _load(folder, params, "all")
    looks = _looks(faces, arms, {}, params, alignment)
    _, person = np.unique([face.person for face in faces.faces], return_inverse=True)
    return {arm: Lesson(looks.clean, looks.hidden[arm], person) for arm in arms}


def _ask_parrots(found: Findings, trial: "Trial", looks: "Looks", teachers: "Mapping[str, Lesson]", params: Params) -> None:
    """A parrot for every arm, in both settings; the figure is that of the one who knows the people."""
    from dartblur.evaluation import parrot
    from dartblur.faces.parallel import map_in_processes

    lessons = [(hidden, teachers[arm]) for arm, hidden in looks.hidden.items()]
    with progress_bar("privacy: parrots", len(lessons)) as show:
        answers = map_in_processes(
            partial(parrot.Aviary, trial, looks.clean, params.seed), lessons, params.compute.workers, lambda done: show(done, "")
        )
    for arm, (judgement, more) in zip(looks.hidden, answers, strict=True):
        found.judged.setdefault(parrot.NAME, {})[arm] = judgement
        found.more.setdefault(parrot.NAME, {})[arm] = more


def _by_arm(found: Findings, trial: "Trial", arms: "Arms", reference: str | None) -> dict[str, dict[str, Any]]:
    """The block ``privacy`` of every arm, with the difference from ``reference`` where there is one."""
    return {arm: {key: value for attacker in found.judged for key, value in _figure(found, trial, attacker, arm, reference).items()} for arm in arms}


def _figure(found: Findings, trial: "Trial", attacker: str, arm: str, reference: str | None) -> dict[str, Any]:
    """One attacker's figure of one arm, or None and why."""
    from dartblur.evaluation.verification import compare

    reason = trial.too_few() or found.missing.get(attacker, {}).get(arm)
    if reason is not None:
        return {attacker: None, f"{attacker}_reason": reason}
    judgements = found.judged[attacker]
    against: dict[str, Any] = {}
    if reference in judgements:
        ours, other = judgements[arm], judgements[reference]
        against = {"against_gaussian": {**compare(ours, other).as_dict(), "same_arm": compare(ours, other, same_arm=True).as_dict()}}
    return {attacker: {**judgements[arm].as_dict(), **against, **found.more.get(attacker, {}).get(arm, {})}}


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
    for heading in ("AUC", "95 %", "rank-1", "AUC*", "parrot", "parrot*", "restored"):
        table.add_column(heading, justify="right", no_wrap=True)
    for arm, attackers in measured["arms"].items():
        found = attackers["off_the_shelf"] or {}
        ci = "—" if not found.get("ci") else "{:.3f}-{:.3f}".format(*found["ci"])
        parrot, restored = attackers["parrot"] or {}, attackers["restoration"] or {}
        auc, rank1, own, learned, learned_own, back = (
            "—" if value is None else f"{value:.3f}"
            for value in (
                *(found.get(key) for key in ("auc", "rank1", "auc_same_arm")),
                *map(parrot.get, ("auc", "auc_same_arm")),
                restored.get("auc"),
            )
        )
        table.add_row(escape(arm), auc, ci, rank1, own, learned, learned_own, back)
    console = Console()
    reasons = {value for attackers in measured["arms"].values() for key, value in attackers.items() if key.endswith("_reason")}
    lines = (
        f"{protocol['people']} people, {protocol['faces']} faces of {heights['min']:.0f} to {heights['max']:.0f} pixels (median "
        f"{heights['median']:.0f}), {protocol['same_pairs']} pairs of one person, {protocol['different_pairs']} of two.",
        f"No face was found in {protocol['central_boxes']} pictures: the box is their centre." if protocol["central_boxes"] else "",
    )
    for line in filter(None, lines):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    notes = (
        "Of the AUC 0.5 is chance. Clean gallery, anonymised probe; * the attacker hides his gallery in the same way first. parrot: he has "
        "learned to read this arm, on other people and on his gallery; restored: a network has brought the faces back first.",
        *(f"—: {reason}" for reason in sorted(reasons)),
    )
    for line in notes:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
