"""Very many small pictures through `dartblur anonymize`: does memory grow with their number, and what is left of a run that is killed?

    .venv/bin/python benchmarks/many.py --json                    # 100,000 pictures, ten minutes on two cores
    .venv/bin/python benchmarks/many.py --json --pictures 2000    # a minute

JPEGs of 32 to 64 pixels a side, each with one drawn face, whose boxes are given; a few hundred different ones under many names. Run once to the end
with an eye on its memory, and once more with SIGKILL at random moments (of --seed), each time started again. `ratio` is the memory at the end, the
manifest's table included, over that after 1,000 pictures: at most 1.1. The killed run must end with the same files as the other, each of them once.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.anonymizer.manifest import LINES, records
from dartblur.anonymizer.records import Record
from dartblur.media.files import file_sha256
from dartblur.media.images import encode_image
from tests.makedata import drawn_picture

ROOT = Path(__file__).resolve().parents[1]
DIFFERENT = 300
FOLDERS = 256
EARLY = 1_000
"""Pictures after which memory is first looked at."""
BAR = 1.1
_POLL = 0.02
_FIRST, _LAST = 0.05, 0.05
"""Shares of the run over which memory is averaged, from EARLY on and at the end."""


@dataclass
class Watched:
    """One run. ``memory``: pictures that were through, and resident memory in bytes, again and again until it ended."""

    seconds: float = 0.0
    code: int = 0
    memory: list[tuple[int, int]] = field(default_factory=list)


def prepare(folder: Path, pictures: int, seed: int) -> None:
    """``in`` and ``boxes.csv`` below ``folder``."""
    rng = np.random.default_rng(seed)
    (folder / "different").mkdir(parents=True)
    rows = []
    for number in range(min(DIFFERENT, pictures)):
        image, ((x, y, width, height),) = drawn_picture(rng, int(rng.integers(32, 65)), 1)
        (folder / "different" / f"{number}.jpg").write_bytes(encode_image(image, ".jpg"))
        rows.append(f"{x},{y},{x + width},{y + height}")
    for number in range(FOLDERS):
        (folder / "in" / f"{number:02x}").mkdir(parents=True)
    with (folder / "boxes.csv").open("w") as file:
        file.write("image,x1,y1,x2,y2\n")
        for number in range(pictures):
            name = f"{number % FOLDERS:02x}/{number:06d}.jpg"
            (folder / "in" / name).hardlink_to(folder / "different" / f"{number % len(rows)}.jpg")
            file.write(f"{name},{rows[number % len(rows)]}\n")


def run(folder: Path, target: str, method: str, enough: Callable[[int], bool] = lambda through: False) -> Watched:
    """The command once; SIGKILL as soon as ``enough`` pictures are through."""
    line = [sys.executable, "-m", "dartblur.cli", "anonymize", "in", target, "--annotations", "boxes.csv", "--method", method]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    watched, begun = Watched(), time.monotonic()
    with subprocess.Popen(line, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        for through in _through(folder / target / LINES, process):
            watched.memory.append((through, _resident(process.pid)))
            if enough(through):
                process.send_signal(signal.SIGKILL)
                break
        watched.code = process.wait()
    watched.seconds = time.monotonic() - begun
    return watched


def _through(lines: Path, process: "subprocess.Popen[bytes]") -> Iterator[int]:
    """How many lines the manifest has, again and again until the process ends."""
    count = offset = 0
    while process.poll() is None:
        if lines.is_file():
            with lines.open("rb") as file:
                file.seek(offset)
                new = file.read()
            count, offset = count + new.count(b"\n"), offset + len(new)
        yield count
        time.sleep(_POLL)


def _resident(process: int) -> int:
    """Resident memory of a process in bytes, 0 if it has just ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory(watched: Watched, pictures: int) -> tuple[float, float]:
    """Mean resident memory after EARLY pictures, and the largest over the last part of the run, in MB."""
    early = min(EARLY, pictures // 2)
    first = [size for through, size in watched.memory if early <= through <= early + max(_FIRST * pictures, 50)]
    last = [size for through, size in watched.memory if through >= (1 - _LAST) * pictures]
    return float(np.mean(first)) / 1e6, max(last) / 1e6


def content(folder: Path, target: str) -> tuple[dict[str, Record], list[str], int]:
    """The records of a target, what is wrong with it in words, and how many lines its manifest has."""
    found = {record.name: record for record in records(folder / target / LINES)}
    count = (folder / target / LINES).read_bytes().count(b"\n")
    files = {path.relative_to(folder / target).as_posix() for path in (folder / target).rglob("*") if path.is_file()}
    files -= {LINES, "manifest.parquet"}
    wrong = [f"{name}: not in the target" for name in found.keys() - files] + [f"{name}: in no line of the manifest" for name in files - found.keys()]
    wrong += [f"{name}: not as its line says" for name in found.keys() & files if file_sha256(folder / target / name) != found[name].sha256_out]
    return found, wrong + ([f"{count - len(found)} lines are there twice"] if count != len(found) else []), count


def measure(folder: Path, pictures: int, kills: int, seed: int, method: str) -> dict[str, Any]:
    """Both runs and what came of them."""
    prepare(folder, pictures, seed)
    whole = run(folder, "whole", method)
    first, last = memory(whole, pictures)
    moments = sorted(random.Random(seed).sample(range(pictures // 20, pictures * 9 // 10), kills))  # noqa: S311
    killed = [run(folder, "killed", method, lambda through, moment=moment: through >= moment) for moment in moments]  # type: ignore[misc]
    rest = run(folder, "killed", method)
    (one, wrong, _), (other, also_wrong, lines) = content(folder, "whole"), content(folder, "killed")
    return {
        "ratio": round(last / first, 3),
        "bar": BAR,
        "ours": {"mb_early": round(first, 1), "mb_end": round(last, 1), "seconds": round(whole.seconds, 1), "code": whole.code},
        "killed": {
            "moments": [run.memory[-1][0] for run in killed],
            "codes": [run.code for run in killed],
            "code": rest.code,
            "seconds_rest": round(rest.seconds, 1),
            "lines": lines,
        },
        "equal": one == other and len(one) == pictures,
        "wrong": (wrong + also_wrong)[:10],
        "settings": {"pictures": pictures, "kills": kills, "seed": seed, "method": method, "different": min(DIFFERENT, pictures)},
    }


def passed(result: dict[str, Any]) -> bool:
    """Whether memory stayed, and nothing is missing or there twice."""
    killed = result["killed"]
    codes = [*killed["codes"], killed["code"], result["ours"]["code"]]
    ended = codes == [*[-signal.SIGKILL] * len(killed["codes"]), 0, 0]
    return bool(result["ratio"] <= BAR and result["equal"] and not result["wrong"] and ended)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", default="dartblur")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), arguments.pictures, arguments.kills, arguments.seed, arguments.method)
    ours, killed = result["ours"], result["killed"]
    if arguments.json:
        print(json.dumps(result))
    else:
        print(f"memory after {EARLY} pictures {ours['mb_early']} MB, at the end {ours['mb_end']} MB: {result['ratio']} times as much")
        print(f"killed at {killed['moments']} of {arguments.pictures}, {killed['lines']} lines at the end; as undisturbed: {result['equal']}")
        print(*result["wrong"], sep="\n")
    sys.exit(0 if passed(result) else 1)


if __name__ == "__main__":
    main()
