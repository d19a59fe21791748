"""The report: one HTML page that opens without a network, made from plain data by a template.

Nothing here reads a file of the pipeline; the stage hands in what the page shows. Same input, same bytes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DASH = "—"
TEMPLATE = "report.html"
CAPTIONS = {  # in the order of the page; figures of about the same height beside each other
    "average_precision": "Average precision of fresh detectors trained on each arm. The gap to “clean” on the teal bars is the artifact gap.",
    "history": "Training losses, a round of the training a point.",
    "faces_worst": "The faces furthest from an ordinary blur (L1 in grey levels).",
    "faces_best": "The faces closest to an ordinary blur.",
    "samples": "The last sample grid of the training: clean, pre-blur, DartBlur.",
}


@dataclass(frozen=True)
class Column:
    """A column of a table of arms.

    Attributes:
        title: its heading.
        path: where its figure stands in an arm, dotted; ``{"mean", "std"}`` or a plain number.
        pattern: how a number is written; z keeps a small negative number from being written as -0.000.
        note: what the heading means, one line.
    """

    title: str
    path: str
    pattern: str = "{:z.3f}"
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A table of arms: its heading, what it says, its columns."""

    title: str
    text: str
    columns: tuple[Column, ...]


SECTIONS = (
    Section(
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
    ),
    Section(
        "Detectors that are not trained on the arm",
        "AP on the arm of detectors that have never seen it: f of this training, trained on clean pictures, and ready ones as people use them today.",
        tuple(
            Column(title, f"ap_frozen.{name}")
            for title, name in (("RetinaFace", "retinaface"), ("YuNet", "yunet"), ("CenterFace", "centerface"), ("MTCNN", "mtcnn"), ("HOG", "hog"))
        ),
    ),
    Section(
        "By difficulty",
        "The same detectors tested on clean pictures, by the faces that count.",
        tuple(Column(name.capitalize(), f"ap.{name}") for name in ("easy", "medium", "hard", "all")),
    ),
    Section(
        "Review convenience",
        "How close the faces are to an ordinary Gaussian blur at strength 1, which is what a reviewer expects to see.",
        (
            Column("L1", "convenience.l1", "{:z.1f}", "mean distance, grey levels of 255"),
            Column("PSNR", "convenience.psnr", "{:.1f} dB"),
            Column("SSIM", "convenience.ssim"),
            Column("Within budget", "convenience.within_budget", "{:.0%}", "share of faces within the review budget"),
            Column("Not replaced", "failures.share", "{:.0%}", "share of the faces for which no replacement was found; they are blurred"),
            Column(
                "Changed outside", "convenience.outside_changed", "{:,.0f} px", "pixels outside the face boxes that differ from the clean picture"
            ),
        ),
    ),
    Section(
        "Privacy",
        "Re-identification by three attackers, AUC, 0.5 is chance: the parrot has learned to read the arm, restoration brings faces back first.",
        tuple(
            Column(title, f"privacy.{name}.auc", "{:z.2f}")
            for title, name in (("Off-the-shelf", "off_the_shelf"), ("Parrot", "parrot"), ("Restoration", "restoration"))
        ),
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


@dataclass(frozen=True)
class Verdict:
    """What became of the model, in words: ``kind`` is promoted, passed or refused."""

    kind: str
    title: str
    text: str
    reasons: tuple[str, ...]


def verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Promoted or not, and why, from the blocks ``gate`` and ``model`` of reports/metrics.json."""
    gate: Mapping[str, Any] = metrics.get("gate") or {}
    model: Mapping[str, Any] = metrics.get("model") or {}
    name = f"{model.get('name', 'the model')} version {model.get('version', '?')}"
    reasons = _reasons(metrics, gate)
    if not gate.get("passed"):
        text = f"{name} is registered as a challenger and is not in use. It misses {len(reasons)} of the bounds that it is held to:"
        return Verdict("refused", "Not promoted", text if reasons else f"{name} is not in use: the gate gave no reason.", reasons)
    if "champion" in (model.get("aliases") or ()):
        return Verdict("promoted", "Promoted", f"{name} met every bound that it is held to and is the champion from now on.", reasons)
    text = f"{name} met every bound, but is not the champion: it was rolled back earlier, or another version was put in its place by hand."
    return Verdict("passed", "Passed, not promoted", text, reasons)


def _reasons(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> tuple[str, ...]:
    """The gate's reasons, each figure that is missing with the reason that stands beside it in the metrics."""
    missing = {floor.get("reason"): look_up(metrics, floor["metric"])[1] for floor in gate.get("floors") or () if floor.get("value") is None}
    result = []
    for reason in gate.get("reasons") or ():
        why = missing.get(reason)
        result.append(f"{reason} ({why})" if why and why not in reason else str(reason))
    return tuple(result)


def headline(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures that a reader looks for first: label, figure, what to hold it against."""
    arms = metrics.get("arms", {})
    unused = Footnotes()
    wanted = (
        ("Suppression", "dartblur", Column("", "suppression", "{:z.2f}"), "0 is a plain Gaussian blur, 1 is no loss"),
        ("AP, trained on DartBlur", "dartblur", Column("", "ap.all"), ""),
        ("Distance from an ordinary blur", "dartblur", Column("", "convenience.l1", "{:z.1f}"), "grey levels of 255"),
        ("Pixels changed outside faces", "dartblur", Column("", "convenience.outside_changed", "{:,.0f}"), "0 is as it must be"),
    )
    result = []
    for label, arm, column, note in wanted:
        found = cell(arms.get(arm, {}), column, unused)
        result.append((label, f"{found.text} {found.spread}".strip(), note))
    clean, blurred = (cell(arms.get(arm, {}), Column("", "ap.all"), unused).text for arm in ("clean", "gaussian"))
    result[1] = (*result[1][:2], f"clean {clean}, Gaussian {blurred}")
    return result


def tables(metrics: Mapping[str, Any], footnotes: Footnotes) -> list[dict[str, Any]]:
    """The tables of the page. Where no arm has a single figure and all for one reason, one row says so instead of a page of dashes."""
    result = []
    for section in SECTIONS:
        rows = [(name, [cell(arm, column, footnotes) for column in section.columns]) for name, arm in metrics.get("arms", {}).items()]
        distinct = {figure for _, cells in rows for figure in cells}
        if len(distinct) == 1 and next(iter(distinct)).footnote is not None:
            rows = [("every arm", rows[0][1])]
        result.append({"section": section, "rows": rows})
    return result


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as dotted names and written values."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
            rows.append((f"{prefix}{key}", DASH if value is None else text))
    return rows


def checks_of(validation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checks of reports/validation.json, failed ones first, critical before warnings."""
    rows = []
    for check in validation.get("checks") or ():
        examples = [str(example) for example in check.get("examples") or ()]
        rows.append(
            {
                "name": str(check.get("name", "unnamed check")),
                "severity": str(check.get("severity", "warning")),
                "success": bool(check.get("success")),
                "count": check.get("count"),
                "examples": examples[:3],
            }
        )
    return sorted(rows, key=lambda row: (row["success"], row["severity"] != "critical"))


def render(
    metrics: Mapping[str, Any],
    validation: Mapping[str, Any] | None,
    pictures: Sequence[tuple[str, bytes]],
) -> str:
    """The whole page.

    Args:
        metrics: reports/metrics.json.
        validation: reports/validation.json, or None where there is none.
        pictures: name (a key of :data:`CAPTIONS`, or any other, which is then its caption) and PNG bytes.

    Returns:
        HTML that refers to nothing outside itself; every text from outside is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dartblur.evaluation", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    footnotes = Footnotes()
    places = {name: place for place, name in enumerate(CAPTIONS)}
    ordered = sorted(pictures, key=lambda picture: (places.get(picture[0], len(places)), picture[0]))
    figures = [(CAPTIONS.get(name, name), "data:image/png;base64," + base64.b64encode(data).decode()) for name, data in ordered]
    facts = flat((validation or {}).get("facts") or {})
    return environment.get_template(TEMPLATE).render(
        protocol=flat(metrics.get("protocol", {})),
        dataset=metrics.get("protocol", {}).get("dataset", "unnamed data set"),
        seeds=metrics.get("protocol", {}).get("seeds", []),
        verdict=verdict(metrics),
        model={"name": None, "version": None, "aliases": [], **(metrics.get("model") or {})},
        floors=(metrics.get("gate") or {}).get("floors") or [],
        headline=headline(metrics),
        tables=tables(metrics, footnotes),
        footnotes=footnotes.texts,
        figures=figures,
        checks=None if validation is None else checks_of(validation),
        facts=facts,
    )
