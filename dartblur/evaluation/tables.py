"""The tables of the report: which figures of an arm stand where, how they are written, and why one is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dartblur.evaluation.counting import DEGREES

DASH = "—"


@dataclass(frozen=True)
class Column:
    """A column of a table of arms.

    Attributes:
        title: its heading.
        path: where its figure stands in an arm, dotted; ``{"mean", "std"}`` or a plain number.
        pattern: how a number is written; z keeps a small negative number from being written as -0.000.
        note: what the heading means, one line.
        interval: where its interval stands, a list of two numbers; without one the figure's own ``std`` is its spread.
    """

    title: str
    path: str
    pattern: str = "{:z.3f}"
    note: str = ""
    interval: str = ""


@dataclass(frozen=True)
class Section:
    """A table of arms: its heading, what it says, its columns."""

    title: str
    text: str
    columns: tuple[Column, ...]


SUPPRESSION = Section(
    "Artifact suppression",
    "What the anonymiser costs a fresh detector that is trained on the arm and tested on clean pictures.",
    (
        Column("AP, clean test", "ap.all", note="average precision, trained on the arm, tested on clean pictures, all faces"),
        Column("Gap", "gap", note="AP(train clean) − AP(train arm), both tested on clean pictures"),
        Column("Suppression", "suppression", "{:z.2f}", "1 − gap / gap(gaussian): 0 is a plain Gaussian blur, 1 is no loss at all"),
        Column("AP, same arm", "ap_self.all", note="trained and tested on the arm"),
        Column("Shortcut", "shortcut", note="AP on the same arm − AP on clean pictures: how much the detector leans on the blur itself"),
        Column("Frozen detector", "ap_frozen.retinaface", note="AP of a detector trained on clean pictures, run on the arm"),
    ),
)
COMPARED = Section(
    "Is one arm really better than another?",
    "Difference of the AP on clean pictures, paired by seed, with its 95 % interval (Student's t) and the two-sided p of a paired t-test.",
    tuple(
        column
        for title, other in (("clean", "clean"), ("Gaussian", "gaussian"))
        for column in (
            Column(f"Less {title}'s", f"paired.{other}.difference", interval=f"paired.{other}.ci"),
            Column(f"p, {title}", f"paired.{other}.p", "{:.2g}"),
        )
    ),
)
FROZEN = Section(
    "Detectors that are not trained on the arm",
    "AP on the arm of detectors that have never seen it: f of this training, trained on clean pictures, and ready ones as people use them today.",
    tuple(
        Column(title, f"ap_frozen.{name}")
        for title, name in (("RetinaFace", "retinaface"), ("YuNet", "yunet"), ("CenterFace", "centerface"), ("MTCNN", "mtcnn"), ("HOG", "hog"))
    ),
)
DIFFICULTY = Section(
    "By difficulty",
    "The same detectors tested on clean pictures, by the faces that count.",
    tuple(Column(name.capitalize(), f"ap.{name}") for name in ("easy", "medium", "hard", "all")),
)
SLICED = {
    attribute: Section(
        f"By {attribute}",
        f"The same, by the {attribute} that the annotations say, faces of every size.",
        tuple(Column(degree.capitalize(), f"slices.{attribute}_{degree}") for degree in degrees),
    )
    for attribute, degrees in DEGREES.items()
}
CONVENIENCE = Section(
    "Review convenience",
    "How close the faces are to an ordinary Gaussian blur at strength 1, which is what a reviewer expects to see.",
    (
        Column("L1", "convenience.l1", "{:z.1f}", "mean distance, grey levels of 255"),
        Column("PSNR", "convenience.psnr", "{:.1f} dB"),
        Column("SSIM", "convenience.ssim"),
        Column("Within budget", "convenience.within_budget", "{:.0%}", "share of faces within the review budget"),
        Column("Not replaced", "failures.share", "{:.0%}", "share of the faces for which no replacement was found; they are blurred"),
        Column("Changed outside", "convenience.outside_changed", "{:,.0f} px", "pixels outside the face boxes that differ from the clean picture"),
    ),
)
PARROT = Column("Parrot", "privacy.parrot.auc", "{:z.2f}", "has learned to read the arm", "privacy.parrot.ci")
PRIVACY = Section(
    "Privacy",
    "Re-identification by three attackers: AUC with its 95 % interval over people, 0.5 is chance. The recogniser as anybody can download it, the "
    "parrot who has learned to read the arm, and the recogniser on faces that a network has brought back.",
    (
        Column("Off-the-shelf", "privacy.off_the_shelf.auc", "{:z.2f}", interval="privacy.off_the_shelf.ci"),
        PARROT,
        Column("Restoration", "privacy.restoration.auc", "{:z.2f}", interval="privacy.restoration.ci"),
        Column("Parrot, hidden gallery", "privacy.parrot.auc_same_arm", "{:z.2f}", "hides his own pictures first", "privacy.parrot.ci_same_arm"),
        Column("Parrot, rank-1", "privacy.parrot.rank1", "{:.0%}", "the right person is the nearest of the gallery", "privacy.parrot.rank1_ci"),
        Column(
            "Parrot, less Gaussian's",
            "privacy.parrot.against_gaussian.difference",
            note="on the same people; below 0 is harder to recognise than an ordinary blur",
            interval="privacy.parrot.against_gaussian.ci",
        ),
    ),
)


def sections(metrics: Mapping[str, Any]) -> Iterator[Section]:
    """The sections of the page, in order; families of detectors, attributes and sizes of faces are those that were measured."""
    arms: Mapping[str, Any] = metrics.get("arms") or {}
    yield from (SUPPRESSION, COMPARED)
    for family in dict.fromkeys(name for arm in arms.values() for name in arm.get("transfer") or ()):
        yield _transfer(family)
    yield from (FROZEN, DIFFICULTY)
    counted: Mapping[str, int] = look_up(metrics, "protocol.faces_counted")[0] or {}
    # Annotations that do not know an attribute are no news; few faces of one degree are.
    yield from (SLICED[attribute] for attribute, degrees in DEGREES.items() if any(counted.get(f"{attribute}_{degree}") for degree in degrees))
    yield from (CONVENIENCE, PRIVACY)
    bands = dict.fromkeys(name for arm in arms.values() for name in look_up(arm, "privacy.parrot.by_height")[0] or ())
    if bands:
        yield Section(
            "Privacy by the size of the face",
            "AUC of the parrot by the face's height in pixels.",
            tuple(Column(name.replace("-up", " and more").replace("-", " to "), f"privacy.parrot.by_height.{name}.auc", "{:z.2f}") for name in bands),
        )


def _transfer(family: str) -> Section:
    where = f"transfer.{family}"
    return Section(
        f"Another family of detectors: {family}",
        "The same figures of detectors of an architecture that took no part in training U.",
        (
            Column("AP, clean test", f"{where}.ap.all"),
            Column("Gap", f"{where}.gap"),
            Column("Suppression", f"{where}.suppression", "{:z.2f}"),
            Column("AP, same arm", f"{where}.ap_self.all"),
            Column("Shortcut", f"{where}.shortcut"),
            Column("Ratio", f"{where}.transfer_ratio", "{:.2f}", "its suppression over RetinaFace's"),
        ),
    )


@dataclass
class Footnotes:
    """Reasons of missing figures, each numbered once, in order of appearance."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        """The number of a footnote, from 1."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


@dataclass(frozen=True)
class Cell:
    """A figure as written: ``text``, its spread or an empty string, and the footnote that says why it or its spread is missing, or None."""

    text: str
    spread: str = ""
    footnote: int | None = None


def cell(arm: Mapping[str, Any], column: Column, footnotes: Footnotes) -> Cell:
    """The figure of one arm in one column; a missing one is an em dash with a footnote."""
    found, reason = look_up(arm, column.path)
    figure: Mapping[str, Any] = found if isinstance(found, Mapping) else {"mean": found}
    value, spread = figure.get("mean"), figure.get("std")
    reason = figure.get("reason") or reason
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return Cell(DASH, "", footnotes.number(reason or "not measured"))
    bounds, _ = look_up(arm, column.interval) if column.interval else (None, None)
    if bounds:
        low, high = map(column.pattern.format, bounds)
        return Cell(column.pattern.format(value), f"{low} to {high}")
    return Cell(column.pattern.format(value), "" if spread is None else "± " + column.pattern.format(spread))


def look_up(tree: Mapping[str, Any], path: str) -> tuple[Any, str | None]:
    """The value at a dotted path, or None, and the nearest ``<key>_reason`` or ``reason`` written beside it or beside a parent."""
    here: Any = tree
    reason: str | None = None
    for key in path.split("."):
        if not isinstance(here, Mapping):
            return None, reason
        reason = here.get(f"{key}_reason") or here.get("reason") or reason
        here = here.get(key)
    return here, reason


def tables(metrics: Mapping[str, Any], footnotes: Footnotes) -> list[dict[str, Any]]:
    """The tables of the page. Where no arm has a single figure and all for one reason, one row says so instead of a page of dashes."""
    result = []
    for section in sections(metrics):
        rows = [(name, [cell(arm, column, footnotes) for column in section.columns]) for name, arm in metrics.get("arms", {}).items()]
        distinct = {figure for _, cells in rows for figure in cells}
        if len(distinct) == 1 and next(iter(distinct)).footnote is not None:
            rows = [("every arm", rows[0][1])]
        result.append({"section": section, "rows": rows})
    return result
