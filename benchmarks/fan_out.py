"""Evaluation arms fanned out over processes of Dask: two workers of one thread each beside one, in turn, on the same stages.

    .venv/bin/python benchmarks/fan_out.py --json

Fresh detectors on the arms clean, block, pixelate and gaussian of data/sample, one each, through the flow's own tasks: a Dask worker runs `dvc
repro`, which runs the stage on one thread. `ratio` is the time of one worker over that of two; the start of workers and server is in neither. The
figures must be the same, byte for byte, or there is no ratio. Two cores that nothing else uses should give nearly 2.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.errors import DartblurError
from dartblur.params import PARAMS_FILE, Params, parse_params, read_yaml
from dartblur.stages import arm, ingest
from dartblur.stages.paths import DOWNSTREAM
from flows import cluster
from flows.programs import tool
from flows.stage import run_stage

ROOT = Path(__file__).resolve().parents[1]
ARMS = ("clean", "block", "pixelate", "gaussian")
WORKERS = (1, 2)


def settings(steps: int) -> Params:
    """params.yaml of the repository, on the CPU, shortened."""
    data = read_yaml(ROOT / PARAMS_FILE)
    changes: dict[str, dict[str, Any]] = {
        "compute": {"device": "cpu", "threads": 1},
        "data": {"source": str(ROOT / "data" / "sample")},
        "detector": {"steps": steps},
    }
    return parse_params({**data, **{name: {**data[name], **keys} for name, keys in changes.items()}, "seed": 0})


def prepare(folder: Path, params: Params) -> None:
    """A project whose arms are there."""
    with chdir(folder):
        PARAMS_FILE.write_text(params.model_dump_json(), encoding="utf-8")
        shutil.copy(ROOT / "dvc.yaml", folder)
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        subprocess.run([tool("dvc"), "init", "--quiet", "--no-scm"], check=True)
        ingest.run(params)
        for name in ARMS:
            arm.run(params, name)


def fan_out(folder: str, workers: int) -> float:
    """Seconds that the stages take with so many workers."""
    fixed = {"force": True, "folder": folder, "variables": {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}}
    calls = [(run_stage, {"name": f"downstream@{name}-0", **fixed}) for name in ARMS]
    with cluster.runner("dask", workers) as tasks:
        tasks.client.wait_for_workers(workers)  # type: ignore[attr-defined]
        begun = time.perf_counter()
        states = cluster.run_all(tasks, calls, workers)
        seconds = time.perf_counter() - begun
    for state in states:
        if not state.is_completed():
            raise DartblurError(state.message or "a stage was lost")
    return seconds


def figures(folder: Path) -> str:
    """What the detectors have measured, as a digest."""
    digest = hashlib.sha256()
    for name in ARMS:
        digest.update((folder / DOWNSTREAM / f"{name}-0.json").read_bytes())
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--steps", type=int, default=150, help="of each detector's training")
    parser.add_argument("--repeats", type=int, default=2, help="of each side, in turn; the median counts")
    options = parser.parse_args()
    from prefect import flow  # after the package flows, which sets what Prefect reads when it is imported

    timed = flow(name="fan-out", persist_result=False)(fan_out)
    times: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, settings(options.steps))
        with chdir(folder):
            for _ in range(options.repeats):
                for workers in WORKERS:
                    times[workers].append(timed(temporary, workers))
                    seen.add(figures(folder))
    if len(seen) != 1:
        raise SystemExit("the detectors' figures differ with the number of workers: a speed-up of something else is no speed-up")
    one, two = (statistics.median(times[workers]) for workers in WORKERS)
    result = {
        "ratio": round(one / two, 2),
        "peer": {"name": "one worker of one thread", "seconds": round(one, 2)},
        "ours": {"name": "two workers of one thread each", "seconds": round(two, 2)},
        "settings": {"stages": len(ARMS), "steps": options.steps, "repeats": options.repeats, "cores": os.cpu_count(), "figures": seen.pop()},
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(f"one worker {one:.1f} s, two workers {two:.1f} s: {result['ratio']} times as fast, the same figures")


if __name__ == "__main__":
    main()
