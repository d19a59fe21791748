"""A training that is killed again and again beside one that nobody touches: do they end at the same bytes?

    .venv/bin/python benchmarks/kill.py --json              # ten times SIGKILL, `equal` is what counts
    .venv/bin/python benchmarks/kill.py --json --kills 3 --processes 2

The stage `train` as the command line runs it, on all of data/sample with a shortened recipe (warm start, then two outer epochs), in a folder of its
own. Every third kill waits until a checkpoint is being written and comes within that moment; the others come at random moments from the start of
the process on. What the random moments are is a function of --seed, what they hit is not.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.errors import DartblurError
from dartblur.media.tensors import load_tensors
from dartblur.params import PARAMS_FILE, Params, parse_params, read_yaml
from dartblur.stages import ingest, preblur, train_detector
from dartblur.stages.paths import DARTBLUR, LIVE, MODEL, WORK
from dartblur.training.checkpoint import BEFORE_FILE, STATE_FILE

ROOT = Path(__file__).resolve().parents[1]
OVERRIDES: dict[str, dict[str, Any]] = {
    "compute": {"device": "cpu", "train_threads": 1},
    "detector": {"steps": 20},
    "unet": {"width": 8, "init": "scratch"},
    "train": {
        **{"epochs": 2, "detector_epochs": 1, "epoch_steps": 6, "batch": 4},
        "warm": {"steps": 150, "near_steps": 50, "batch": 4, "learning_rate": 1.0e-3},
        "pool": {"size": 2, "restart": 1},
    },
}
WRITING = 3
"""Every so many kills, one inside the writing of a checkpoint."""


@dataclass(frozen=True)
class Kill:
    """One SIGKILL.

    Attributes:
        after: seconds since the process began.
        step: the last step that was logged (every fifth is), 0 if none was.
        checkpoint: the step that the state on disk is of, 0 if there is none.
        writing: whether a checkpoint was left half written.
    """

    after: float
    step: int
    checkpoint: int
    writing: bool


def settings(processes: int) -> Params:
    """params.yaml of the repository, shortened."""
    data = read_yaml(ROOT / PARAMS_FILE)
    merged = {**data, **{name: {**data[name], **keys} for name, keys in OVERRIDES.items()}, "seed": 0}
    merged["compute"]["processes"] = processes
    return parse_params({**merged, "data": {**data["data"], "source": str(ROOT / "data" / "sample")}})


def prepare(folder: Path, processes: int) -> None:
    """What stands before the stage train: data/canonical, data/preblur, models/detector; and params.yaml."""
    folder.mkdir()
    params = settings(processes)
    with chdir(folder):
        PARAMS_FILE.write_text(params.model_dump_json(), encoding="utf-8")
        ingest.run(params)
        preblur.run(params)
        train_detector.run(params)
        shutil.rmtree(WORK, ignore_errors=True)


def start(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with log.open("ab") as stderr:
        return subprocess.Popen([sys.executable, "-m", "dartblur.cli", "train"], cwd=folder, env=environment, stderr=stderr, stdout=stderr)


def finish(folder: Path, log: Path) -> None:
    """Let the command run to its end."""
    if start(folder, log).wait():
        raise DartblurError(log.read_text(encoding="utf-8"))


def logged(folder: Path) -> int:
    """The last step of the live numbers."""
    path = folder / LIVE / "plots" / "metrics" / "rate" / "unet.tsv"
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1] if path.is_file() else []
    return int(lines[-1].split("\t")[0]) if lines else 0


def saved(folder: Path) -> int:
    """The step that a resumed training would go on from."""
    for name in (STATE_FILE, BEFORE_FILE):
        for path in (folder / WORK).glob(f"*/{name}"):
            return int(load_tensors(path)[1]["done"])
    return 0


def torn(folder: Path) -> set[Path]:
    """Checkpoints that are being written, or were when the process died."""
    return {path for path in (folder / WORK).glob("*/.training.*") if path.is_file()}


def kill_once(folder: Path, log: Path, moment: Callable[[], float], writing: bool) -> Kill | None:
    """Start the command and kill it; None if it came to its end before."""
    left = torn(folder)
    begun, process = time.monotonic(), start(folder, log)
    while writing and process.poll() is None and not torn(folder) - left:
        time.sleep(0.0002)
    time.sleep(moment())
    process.kill()
    code = process.wait()
    if code == 0:
        return None
    if code != -9:
        raise DartblurError(log.read_text(encoding="utf-8"))
    return Kill(round(time.monotonic() - begun, 2), logged(folder), saved(folder), bool(torn(folder) - left))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of everything in models/dartblur."""
    files = sorted(path for path in (folder / DARTBLUR).rglob("*") if path.is_file())
    return {path.relative_to(folder / DARTBLUR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def measure(work: Path, kills: int, seed: int, processes: int) -> dict[str, Any]:
    """Both trainings; the first tells how long an undisturbed one takes, and so how far apart the kills of the other are."""
    prepare(work / "undisturbed", processes)
    shutil.copytree(work / "undisturbed", work / "killed")
    log = work / "log"
    begun = time.monotonic()
    finish(work / "undisturbed", log)
    seconds = time.monotonic() - begun
    moments = random.Random(seed)  # noqa: S311
    done: list[Kill] = []
    for number in range(kills):
        writing = number % WRITING == WRITING - 1
        # A start takes part of the time again at each kill, and so do the steps since the last checkpoint.
        kill = kill_once(work / "killed", log, lambda w=writing: moments.uniform(0, 0.002 if w else 0.4 * seconds), writing)  # type: ignore[misc]
        if kill is None:
            break
        done.append(kill)
    if not (work / "killed" / MODEL).is_file():
        finish(work / "killed", log)
    one, other = digests(work / "undisturbed"), digests(work / "killed")
    return {
        "equal": one == other,
        "kills": [asdict(kill) for kill in done],
        "undisturbed": {name: one[name] for name in (MODEL.name, STATE_FILE)},
        "killed": {name: other[name] for name in (MODEL.name, STATE_FILE)},
        "files": len(one),
        "seconds_undisturbed": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, help="of the training, compute.processes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), arguments.kills, arguments.seed, arguments.processes)
    if arguments.json:
        print(json.dumps(result))
    else:
        for kill in result["kills"]:
            print(
                f"killed after {kill['after']:6.2f} s, step {kill['step']:4d}, checkpoint of step {kill['checkpoint']:4d}, writing: {kill['writing']}"
            )
        print(f"equal: {result['equal']}; {result['undisturbed'][MODEL.name]} {result['killed'][MODEL.name]}")
    sys.exit(0 if result["equal"] else 1)


if __name__ == "__main__":
    main()
