"""What flows tell people, as text: reports/metrics.json, a promotion, a failure."""

from pathlib import Path
from typing import Any

from dartblur.media.files import read_json
from dartblur.registry.aliases import Move

_COLUMNS = {
    "AP": "ap.all.mean",
    "AP on itself": "ap_self.all.mean",
    "gap": "gap.mean",
    "suppression": "suppression.mean",
    "L1": "convenience.l1",
    "outside": "convenience.outside_changed",
}


def read_metrics(path: Path) -> dict[str, Any]:
    """The content of reports/metrics.json.

    Raises:
        DartblurError: the file is missing or no JSON object.
    """
    return read_json(path, "run `dvc repro --force register`")


def verdict(metrics: dict[str, Any]) -> str:
    """One line: the gate's answer and the registered version."""
    gate, model = metrics.get("gate") or {}, metrics.get("model") or {}
    answer = "gate passed" if gate.get("passed") is True else "gate not passed"
    return f"{answer}: {model.get('name', 'model')} version {model.get('version', '?')} is {', '.join(model.get('aliases') or ['without an alias'])}"


def markdown(metrics: dict[str, Any]) -> str:
    """The whole page."""
    gate = metrics.get("gate") or {}
    lines = ["# Pipeline", "", f"**{verdict(metrics)}**", "", *(f"- {reason}" for reason in gate.get("reasons") or []), "", "## Gate", ""]
    lines += ["| metric | axis | bound | value | met |", "|---|---|---|---|---|"]
    for floor in gate.get("floors") or []:
        sign = "≥" if floor.get("direction") == "min" else "≤"
        met = "yes" if floor.get("ok") is True else "**no**"
        cells = [floor.get("metric"), floor.get("axis"), f"{sign} {_number(floor.get('bound'))}", _number(floor.get("value")), met]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    if gate.get("margins"):
        lines += [
            "",
            f"## Against champion {gate.get('champion')}",
            "",
            "| metric | axis | gain | value | champion | met |",
            "|---|---|---|---|---|---|",
        ]
    for margin in gate.get("margins") or []:
        met = "yes" if margin.get("ok") is True else "**no**"
        cells = [margin.get("metric"), margin.get("axis"), *(_number(margin.get(key)) for key in ("gain", "value", "champion")), met]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "## Arms", "", "| arm | " + " | ".join(_COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for arm, values in (metrics.get("arms") or {}).items():
        lines.append(f"| {arm} | " + " | ".join(_number(_at(values, path)) for path in _COLUMNS.values()) + " |")
    return "\n".join(lines) + "\n"


def rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each arm, for a table."""
    arms = metrics.get("arms") or {}
    return [{"arm": arm, **{name: _number(_at(values, path)) for name, path in _COLUMNS.items()}} for arm, values in arms.items()]


def failure(flow: str, name: str, run: str, state: str, message: str | None, deployed: bool) -> str:
    """The page of a run that did not come to its end.

    Args:
        flow: its name. name, run: the run's name and id. state: how it ended. message: why.
        deployed: whether a worker can start it again.
    """
    again = f"`prefect flow-run retry {run}`" if deployed else "the same command again"
    page = f"# {flow}: {name} ended as {state}\n\n**{message or 'it said nothing'}**\n\n"
    return page + f"Mend that, then run {again}. What is complete is not done again, and an interrupted training goes on from its last checkpoint.\n"


def intention(move: Move) -> str:
    """One line: what a promotion would do."""
    version = move.version.version
    if move.former == version:
        return f"version {version} is the champion already; nothing moves"
    return f"version {version} would become champion in place of {move.former or 'none'}"


def promotion(move: Move) -> str:
    """The page on which an operator decides: what would move, and what the version carries."""
    rows = "\n".join(f"| {key} | {str(value).replace('|', '/')} |" for key, value in sorted(move.version.tags.items()))
    return f"# Promotion\n\n**{intention(move)}**\n\n| of version {move.version.version} | |\n|---|---|\n{rows}\n"


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–"
    return f"{value:.4g}"
