"""What is each term of the recipe worth? The training with everything, and again with each objective and each addition at weight 0.

    .venv/bin/python benchmarks/ablation.py work/ablation                        # hours; the same command goes on where it was stopped
    .venv/bin/python benchmarks/ablation.py work/ablation --only all realism cycle --jobs 1
    .venv/bin/python benchmarks/ablation.py work/ablation --set train.warm.steps=300 --set evaluate.seeds=[0]

The pipeline's own stages on data/sample with params.yaml, on three seeds of fresh detectors, one training of U a row; privacy on the people of
data/strangers, whom no row has seen. Every row has the same pre-blur, so the column of the recogniser says whether its suppression was paid for in
privacy. Adds `results.json` and `table.md` to the folder. What is finished there is taken as it is: after a change of the code take another folder.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import atomic_path, write_json
from dartblur.params import PARAMS_FILE, AdditionWeights, ObjectiveWeights, Params, parse_params, read_yaml
from dartblur.stages import paths
from dartblur.stages.variation import downstream, open_folder, share, stage

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = str(ROOT / paths.SAMPLE)
DEFAULTS: dict[str, Any] = {
    "data.source": SAMPLE,
    "privacy.identities": str(ROOT / "data/strangers"),
    "privacy.teachers": SAMPLE,
    "evaluate.frozen": [],
    "evaluate.arms": ["clean", "gaussian", "dartblur"],
    "evaluate.seeds": [0, 1, 2],
    "compute.train_threads": 1,
    "compute.workers": 1,
}
TERMS = {
    **{name: f"train.weights.{name}" for name in ObjectiveWeights.model_fields},
    **{name: f"train.additions.{name}" for name in AdditionWeights.model_fields},
}
"""Rows of the table besides ``all``, and the weight that is 0 in each."""
SHARED = (paths.CANONICAL, paths.PREBLUR, paths.DETECTOR, paths.ARMS / "clean", paths.ARMS / "gaussian")
"""Made once, for all rows."""


def settings(changes: Mapping[str, Any]) -> Params:
    """params.yaml of the repository with ``section.key`` changed."""
    data = read_yaml(ROOT / PARAMS_FILE)
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = data
        for section in sections:
            place = place.get(section, {})
        if last not in place:
            raise UsageError(f"--set {key}: no such key in params.yaml")
        place[last] = value
    return parse_params(data)


def overrides(words: Sequence[str]) -> dict[str, Any]:
    """``key=value`` with values in JSON, as a mapping.

    Raises:
        UsageError: another form.
    """
    found = {}
    for word in words:
        key, _, value = word.partition("=")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise UsageError(f"--set {word}: not of the form key=value with a value in JSON, such as train.warm.steps=300") from error
    return found


def prepare(folder: Path, params: Params) -> None:
    """The data set, its blurs, f, and the fresh detectors that every row is compared with."""
    open_folder(folder, params)
    steps = [("ingest",), ("preblur",), ("train-detector",), ("arm", "clean"), ("arm", "gaussian")]
    for out, command in zip(SHARED, steps, strict=True):
        stage(folder, out, *command)
    for arm in ("clean", "gaussian"):
        downstream(folder, arm, params.evaluate.seeds)
        stage(folder, paths.FROZEN / f"{arm}.json", "frozen", arm)


def row(base: Path, folder: Path, params: Params) -> dict[str, Any]:
    """Train U as ``params`` say, judge it, and return its figures."""
    open_folder(folder, params)
    seeds = params.evaluate.seeds
    compared = [where / f"{name}.json" for where, names in _compared(seeds) for name in names]
    share(base, folder, [*SHARED, *compared])
    stage(folder, paths.MODEL, "train")
    stage(folder, paths.ARMS / "dartblur", "arm", "dartblur")
    downstream(folder, "dartblur", seeds)
    stage(folder, paths.FROZEN / "dartblur.json", "frozen", "dartblur")
    stage(folder, paths.PRIVACY, "privacy")
    stage(folder, paths.EVALUATION, "evaluate")
    found = json.loads((folder / paths.EVALUATION).read_text(encoding="utf-8"))["arms"]
    privacy = json.loads((folder / paths.PRIVACY).read_text(encoding="utf-8"))["matched"]
    ours = found["dartblur"]
    return {
        "ap": ours["ap"]["all"],
        "ap_easy": ours["ap"]["easy"],
        "suppression": ours["suppression"],
        "shortcut": ours["shortcut"],
        "l1": ours["convenience"]["l1"],
        "auc": privacy["auc"],
        "difference": privacy["difference"],
        "ci": privacy["ci"],
        "auc_same_arm": privacy["same_arm"]["auc"],
        "matched": privacy["matched"],
        "clean_ap": found["clean"]["ap"]["all"],
        "gaussian_ap": found["gaussian"]["ap"]["all"],
    }


def _compared(seeds: Sequence[int]) -> list[tuple[Path, list[str]]]:
    """What is known of the arms that every row is compared with."""
    arms = ("clean", "gaussian")
    return [(paths.DOWNSTREAM, [f"{arm}-{seed}" for arm in arms for seed in seeds]), (paths.FROZEN, list(arms))]


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures in markdown; ± is the sample standard deviation over seeds."""

    def spread(figure: Mapping[str, Any]) -> str:
        return "—" if figure["mean"] is None else f"{figure['mean']:.3f}" + ("" if figure["std"] is None else f" ± {figure['std']:.3f}")

    lines = ["| without | suppression | AP, clean test | of faces of 50 px and more | shortcut | L1 | AUC, from the ordinary blur's | AUC* |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, found in rows.items():
        ci = "" if found["ci"] is None else " ({:+.3f} to {:+.3f})".format(*found["ci"])
        cells = [spread(found[key]) for key in ("suppression", "ap", "ap_easy", "shortcut")]
        privacy = [f"{found['l1']:.1f}", f"{found['auc']:.3f}, {found['difference']:+.3f}{ci}", f"{found['auc_same_arm']:.3f}"]
        lines.append(f"| {'(nothing)' if name == 'all' else name} | {' | '.join(cells + privacy)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for everything; about 1 GB")
    parser.add_argument("--only", nargs="+", choices=["all", *TERMS], default=["all", *TERMS], help="rows of the table")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of params.yaml, may repeat")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side, one core each")
    arguments = parser.parse_args()
    base = arguments.work / "base"
    rows: dict[str, dict[str, Any]] = {}
    changes = dict(DEFAULTS)

    def run(name: str) -> None:
        off = {} if name == "all" else {TERMS[name]: 0.0}
        rows[name] = row(base, arguments.work / name, settings({**changes, **off}))
        print(f"{name}: suppression {rows[name]['suppression']['mean']}", flush=True)

    try:
        changes |= overrides(arguments.set)
        prepare(base, settings(changes))
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(run, arguments.only))
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    ordered = {name: rows[name] for name in arguments.only}
    write_json(arguments.work / "results.json", ordered)
    with atomic_path(arguments.work / "table.md") as temporary:
        temporary.write_text(table(ordered), encoding="utf-8")
    print(table(ordered))


if __name__ == "__main__":
    main()
