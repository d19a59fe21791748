"""The service under many clients at once: does every client get its own picture back, is memory flat, how fast is it?

    .venv/bin/python benchmarks/service.py --json                                   # five minutes, 32 clients
    .venv/bin/python benchmarks/service.py --json --seconds 20 --method gaussian

`dartblur serve` runs in a process of its own. Every client sends pictures of data/sample with its own number drawn into them, one after the other, so
that no two clients ever send the same; each answer must be, byte for byte, what the library makes of that picture. One request in twenty is a file
that is too large, cut off, or none, and must be refused as that. The clients take their share of the same cores.

Five minutes on two cores that had other work too: with a U-Net of 3.8 MB 5,606 requests, none wrong, 19 a second, 338 MiB at the end, 1.04 times what
it was at the start; with the small network of the package 4,647, none wrong, 15.5 a second, 257 MiB, 0.995 times.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.anonymizer.command import known_method, share_cores
from dartblur.anonymizer.library import Anonymizer
from dartblur.anonymizer.methods import Choice
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.errors import DartblurError
from dartblur.media.images import encode_image, read_image

ROOT = Path(__file__).resolve().parents[1]
PICTURES_A_CLIENT = 4
BAD_EVERY = 20
MAX_MB = 1
REFUSED = ((bytes(MAX_MB * 2_000_000), 413), (b"\xff\xd8\xff\xe0 cut off", 422), (b"no picture", 415))
_BUSY = 503


@dataclass
class Tally:
    """What all clients saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


def pictures(clients: int) -> list[list[bytes]]:
    """Of each client its pictures, JPEG; in the corner of each a pattern that no other picture has."""
    files = sorted((ROOT / "data" / "sample" / "images").rglob("*.jpg"))
    made = []
    for client in range(clients):
        own = []
        for number in range(PICTURES_A_CLIENT):
            index = client * PICTURES_A_CLIENT + number
            image = read_image(files[index % len(files)])
            image[:16, :16] = np.random.default_rng(index).integers(0, 256, 3)
            cv2.putText(image, str(index), (20, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255))
            own.append(encode_image(image, ".jpg"))
        made.append(own)
    return made


async def client(number: int, url: str, sent: list[bytes], expected: dict[bytes, bytes | None], until: float, tally: Tally) -> None:
    """One client: request after request until it is time, every answer looked at."""
    others = {answer for data, answer in expected.items() if answer is not None and data not in sent}
    async with httpx.AsyncClient(base_url=url, timeout=120) as session:
        for turn in count():
            if time.monotonic() >= until:
                return
            bad = turn % BAD_EVERY == number % BAD_EVERY
            data, status = REFUSED[turn // BAD_EVERY % len(REFUSED)] if bad else (sent[turn % len(sent)], 0)
            wanted = None if bad else expected[data]
            begun = time.perf_counter()
            try:
                response = await session.post("/v1/anonymize", files={"file": ("a.jpg", data)})
            except httpx.HTTPError as error:
                tally.wrong[type(error).__name__] += 1
                continue
            tally.seconds.append(time.perf_counter() - begun)
            tally.statuses[response.status_code] += 1
            if response.status_code != (status or (200 if wanted is not None else 422)):
                tally.wrong[f"status {response.status_code}"] += 1
            elif wanted is not None and response.content != wanted:
                tally.wrong["another client's picture" if response.content in others else "another picture"] += 1


def resident(process: int) -> float:
    """Memory of a process that is in RAM, MiB."""
    text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else float("nan")


async def watch(process: int, until: float, every: float = 1.0) -> list[float]:
    """Memory from now until then, once a second."""
    seen = []
    while time.monotonic() < until:
        seen.append(resident(process))
        await asyncio.sleep(every)
    return seen


async def load(url: str, process: int, sent: list[list[bytes]], expected: dict[bytes, bytes | None], seconds: float) -> tuple[Tally, list[float]]:
    """All clients at once for so many seconds."""
    tally, until = Tally(), time.monotonic() + seconds
    memory = asyncio.ensure_future(watch(process, until))
    await asyncio.gather(*(client(number, url, own, expected, until, tally) for number, own in enumerate(sent)))
    return tally, await memory


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start the server, let the clients loose, and tell."""
    share_cores(2)  # one thread a picture as in the server, so that sums come out the same
    settings = Settings(choice=Choice(known_method(options.method), options.model))
    anonymizer = Anonymizer(make_work(settings))
    sent = pictures(options.clients)
    expected = {data: anonymizer.anonymize(data).image for own in sent for data in own}
    command = [sys.executable, "-m", "dartblur.cli", "serve", "--port", "0", "--max-mb", str(MAX_MB), "--workers", str(options.workers)]
    command += ["--method", options.method, "--model", options.model, "--max-requests", str(max(64, 2 * options.clients))]
    with tempfile.TemporaryFile() as journal, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=journal, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout is not None else ""
            found = re.search(r"serving on (http://\S+),", line)
            if found is None:
                journal.seek(0)
                raise DartblurError(f"the service did not start: {line or journal.read().decode()}")
            idle = resident(server.pid)
            asyncio.run(load(found[1], server.pid, sent, expected, options.warm))
            tally, memory = asyncio.run(load(found[1], server.pid, sent, expected, options.seconds))
            alive = server.poll() is None
        finally:
            server.terminate()
            server.wait()
    return report(options, tally, memory, idle, alive, sum(answer is None for answer in expected.values()))


def report(options: argparse.Namespace, tally: Tally, memory: list[float], idle: float, alive: bool, withheld: int) -> dict[str, Any]:
    """The figures as one JSON object."""
    tenth = max(1, len(memory) // 10)
    start, end = (statistics.median(part) for part in (memory[:tenth], memory[-tenth:]))
    milliseconds = 1000 * np.quantile(tally.seconds, [0.5, 0.99])
    wrong = dict(tally.wrong)
    return {
        "passed": alive and not wrong and bool(tally.seconds),
        "requests": len(tally.seconds),
        "statuses": {str(status): number for status, number in sorted(tally.statuses.items())},
        "wrong": wrong,
        "mixed_up": wrong.get("another client's picture", 0),
        "busy": tally.statuses[_BUSY],
        "per_second": round(len(tally.seconds) / options.seconds, 1),
        "p50_ms": round(float(milliseconds[0]), 1),
        "p99_ms": round(float(milliseconds[1]), 1),
        "rss_mib": {"idle": round(idle, 1), "first_tenth": round(start, 1), "last_tenth": round(end, 1), "most": round(max(memory), 1)},
        "rss_course": [round(value) for value in memory[:: max(1, len(memory) // 20)]],
        "rss_growth": round(end / start, 3),
        "settings": {
            **{name: getattr(options, name) for name in ("clients", "seconds", "warm", "workers", "method", "model")},
            "pictures": options.clients * PICTURES_A_CLIENT,
            "pictures_without_a_face": withheld,
            "cores": os.cpu_count(),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--warm", type=float, default=60.0, help="seconds before anything counts: until memory has seen the worst")
    parser.add_argument("--workers", type=int, default=0, help="of the server; 0 is one a core")
    parser.add_argument("--method", default="dartblur")
    parser.add_argument("--model", default="small")
    result = measure(parser.parse_args())
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        speed = f"{result['per_second']}/s, {result['p50_ms']} ms (99 %: {result['p99_ms']} ms)"
        print(f"{result['requests']} requests, {speed}; wrong: {result['wrong'] or 'none'}")
        print(f"memory {result['rss_mib']} MiB, last tenth over first {result['rss_growth']}")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
