"""The stage ``report``: reports/index.html, one page that opens offline, and the summary that the pipeline prints last."""

import csv
import math
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError
from dartblur.evaluation.report import render, verdict
from dartblur.evaluation.tables import CONVENIENCE, PARROT, SUPPRESSION, Cell, Footnotes, cell
from dartblur.media.files import atomic_path, read_json
from dartblur.params import Params
from dartblur.stages import paths

REMEDY = "run the pipeline (`dvc repro`)"
HISTORY = paths.DARTBLUR / "history.csv"
SAMPLES = paths.DARTBLUR / "samples"
LOSSES = ("probe", "review", "restore", "features", "realism", "process", "posthoc", "cycle", "detector")
"""Columns of the training's history that are drawn, in this order, where they are there."""


def run(params: Params) -> None:
    """Write reports/index.html from reports/metrics.json, reports/validation.json, reports/figures/ and models/dartblur/.

    Raises:
        DartblurError: the metrics are missing, or a file is there and cannot be read.
    """
    del params  # the page shows what was measured, whatever params.yaml says by now
    metrics = read_json(paths.METRICS, REMEDY)
    validation = read_json(paths.VALIDATION, REMEDY) if paths.VALIDATION.is_file() else None
    html = render(metrics, validation, _pictures())
    with atomic_path(paths.INDEX) as temporary:
        temporary.write_text(html, encoding="utf-8")


def summary() -> None:
    """Print the table and the verdict of the last run.

    Raises:
        DartblurError: there is no run to speak of, its metrics cannot be read, or a ready detector could not be loaded: the rest of the run stands.
    """
    metrics = read_json(paths.METRICS, REMEDY)
    print_summary(metrics)
    for arm, figures in metrics.get("arms", {}).items():
        for name in figures.get("ap_frozen_broken", ()):
            raise DartblurError(f"the detector {name} could not look at the arm {arm}: {figures['ap_frozen'].get(f'{name}_reason')}")


def print_summary(metrics: Mapping[str, Any]) -> None:
    """Print what came out: a table of the arms, promoted or not and why, and where the report is.

    Args:
        metrics: reports/metrics.json.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # No more than fits into 80 characters; the report has the rest.
    columns = (*SUPPRESSION.columns[:3], CONVENIENCE.columns[0], replace(PARROT, interval=""))
    footnotes = Footnotes()
    table = Table(box=SIMPLE_HEAD)
    table.add_column("arm")
    for column in columns:
        table.add_column(column.title, justify="right")
    for name, arm in metrics.get("arms", {}).items():
        style = "bold" if name == "dartblur" else None
        table.add_row(escape(name), *(_written(cell(arm, column, footnotes)) for column in columns), style=style)
    console = Console()
    console.print(table)
    for number, text in enumerate(footnotes.texts, start=1):
        console.print(f"  {number}: {text}", style="dim", markup=False, highlight=False, soft_wrap=True)
    found = verdict(metrics)
    console.print(f"{found.title}.", style="bold red" if found.kind == "refused" else "bold green", end=" ")
    console.print(found.text, markup=False, highlight=False, soft_wrap=True)
    for reason in found.reasons:
        console.print(f"  - {reason}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Report: {paths.INDEX}", markup=False)


def _written(figure: Cell) -> str:
    note = f" ({figure.footnote})" if figure.footnote else ""
    return f"{figure.text} {figure.spread}".strip() + note


def _pictures() -> list[tuple[str, bytes]]:
    """Name and PNG bytes of what the page shows: the figures of the evaluation, the frontier if there is one, the training's
    losses, its last sample grid."""
    pictures = [(path.stem, path.read_bytes()) for path in sorted(paths.FIGURES.glob("*.png"))]
    frontier = paths.FRONTIER.with_suffix(".png")
    if frontier.is_file():
        pictures.append(("frontier", frontier.read_bytes()))
    history = _history_png()
    if history is not None:
        pictures.append(("history", history))
    samples = sorted(SAMPLES.glob("*.png"))
    if samples:
        pictures.append(("samples", samples[-1].read_bytes()))
    return pictures


def _history_png() -> bytes | None:
    """The training's losses as a PNG, or None where no training left a history."""
    if not HISTORY.is_file():
        return None
    columns = read_history(HISTORY)
    if len(columns) < 2 or not columns["step"]:
        return None
    from dartblur.evaluation.figures import draw_history

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.png"
        draw_history(columns, path)
        return path.read_bytes()


def read_history(path: Path) -> dict[str, list[float]]:
    """``step`` and the losses of :data:`LOSSES` that the file has; an empty field is NaN, a gap in the curve.

    Raises:
        DartblurError: a field is not a number.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    present = [name for name in LOSSES if rows and name in rows[0]]
    try:
        columns = {name: [float(row[name]) if row[name] else math.nan for row in rows] for name in present}
        steps = [float(row["step"]) if row.get("step") else float(number) for number, row in enumerate(rows, start=1)]
    except (TypeError, ValueError) as error:
        raise DartblurError(f"{path}: a field is not a number ({error}); train again, or restore the file with dvc checkout") from error
    return {"step": steps, **columns}
