"""The report: one HTML page that opens without a network, made from plain data by a template.

Nothing here reads a file of the pipeline; the stage hands in what the page shows. Same input, same bytes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dartblur.evaluation.tables import DASH, Column, Footnotes, cell, look_up, tables

TEMPLATE = "report.html"
AP = Column("", "ap.all")
CAPTIONS = {  # in the order of the page; figures of about the same height beside each other
    "frontier": "Suppression against re-identification, by strength of the pre-blur.",
    "average_precision": "Average precision of fresh detectors trained on each arm. The gap to “clean” on the teal bars is the artifact gap.",
    "history": "Training losses, a round of the training a point.",
    "faces_worst": "The faces furthest from an ordinary blur (L1 in grey levels).",
    "faces_best": "The faces closest to an ordinary blur.",
    "samples": "The last sample grid of the training: clean, pre-blur, DartBlur.",
}


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
    text = f"{name} met every bound, but is not the champion: it waits for somebody to promote it, or it was rolled back earlier."
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
    """The figures that a reader looks for first: label, figure, what to hold it against. A suppression counts at matched privacy only."""
    arms: Mapping[str, Any] = metrics.get("arms") or {}
    ours: Mapping[str, Any] = arms.get("dartblur") or {}

    def written(arm: Mapping[str, Any], column: Column) -> str:
        found = cell(arm, column, Footnotes())
        return f"{found.text} {found.spread}".strip()

    clean, blurred = (cell(arms.get(arm) or {}, AP, Footnotes()).text for arm in ("clean", "gaussian"))
    matched = look_up(ours, "matched")[0] or {}
    note = "at matched privacy; 0 is a plain Gaussian blur, 1 is no loss" if matched else "not at matched privacy, where alone a suppression counts"
    gaussian = cell(matched, Column("", "gaussian_auc", "{:.2f}"), Footnotes()).text
    return [
        ("Suppression", written(ours, Column("", "matched.suppression", "{:z.2f}")), note),
        ("AP, trained on DartBlur", written(ours, AP), f"clean {clean}, Gaussian {blurred}"),
        ("Recognised by the strongest attacker", written(matched, Column("", "auc", "{:.2f}")), f"AUC, Gaussian {gaussian}, 0.5 is guessing"),
        ("Distance from an ordinary blur", written(ours, Column("", "convenience.l1", "{:z.1f}")), "grey levels of 255"),
        ("Pixels changed outside faces", written(ours, Column("", "convenience.outside_changed", "{:,.0f}")), "0 is as it must be"),
    ]


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
        champion=(metrics.get("gate") or {}).get("champion"),
        margins=(metrics.get("gate") or {}).get("margins") or [],
        headline=headline(metrics),
        tables=tables(metrics, footnotes),
        footnotes=footnotes.texts,
        figures=figures,
        checks=None if validation is None else checks_of(validation),
        facts=facts,
    )
