"""A run that is killed, and one that is interrupted: nothing is missing afterwards, nothing is there twice, and no file is half."""

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dartblur.anonymizer.manifest import records
from dartblur.media.codec import open_picture
from dartblur.media.images import encode_image
from tests.anonymizer.leaks import BOX, files_below, leak, marked
from tests.anonymizer.terminal import COMMAND, ENVIRONMENT, anonymize, write_csv

PICTURES = 200
MOMENTS = 3


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with in, boxes.csv and what an undisturbed run makes of them."""
    folder = tmp_path_factory.mktemp("many")
    different = [encode_image(marked(seed), ".jpg" if seed % 2 else ".png") for seed in range(12)]
    names = [f"{index % 7}/{index:04d}{'.jpg' if index % 12 % 2 else '.png'}" for index in range(PICTURES)]
    for index, name in enumerate(names):
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(different[index % 12])
    write_csv(folder / "boxes.csv", dict.fromkeys(names, (BOX,)))
    assert anonymize(*line(folder), cwd=folder).returncode == 0
    (folder / "out").rename(folder / "undisturbed")
    return folder


def line(folder: Path) -> tuple[str | Path, ...]:
    return (folder / "in", "out", "--annotations", folder / "boxes.csv", "--method", "gaussian", "--workers", "2")


def start(many: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """A run as a process group of its own, as a terminal starts it; it gives way to this process, which must be in time to hit it."""
    arguments = ["nice", "-n", "19", *COMMAND, *(str(word) for word in line(many))]
    return subprocess.Popen(arguments, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def done(out: Path) -> int:
    """Whole lines of the manifest so far."""
    return (out / "manifest.jsonl").read_bytes().count(b"\n") if (out / "manifest.jsonl").is_file() else 0


def wait_until(process: "subprocess.Popen[bytes]", reached: Callable[[], bool]) -> None:
    while process.poll() is None and not reached():
        time.sleep(0.001)


def pictures(out: Path) -> dict[str, bytes]:
    """All files of a target but for the manifest, half-written ones too."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files_below(out) if path.stem != "manifest"}


def test_sigkill_at_three_moments(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    moments = sorted(random.Random(5).sample(range(10, PICTURES - 80), MOMENTS))  # noqa: S311
    before = 0
    for moment in moments:
        with start(many, tmp_path) as process:
            wait_until(process, lambda moment=moment: done(out) >= moment)  # type: ignore[misc]
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was through before the moment came; nothing is proved"
        reached = done(out)
        assert moment <= reached < PICTURES
        assert reached > before
        before = reached
        for data in {path.read_bytes() for path in files_below(out)}:  # whatever was half written shows no face either
            assert leak(data) == ""
    last = anonymize(*line(many), cwd=tmp_path)
    assert (last.returncode, last.stderr) == (0, "")
    assert last.stdout == f"{PICTURES} anonymised, {PICTURES} faces hidden; {before} of all were done before\n"
    assert pictures(out) == pictures(many / "undisturbed")
    lines = [json.loads(text)["name"] for text in (out / "manifest.jsonl").read_bytes().splitlines()]
    assert len(lines) == len(set(lines)) == PICTURES
    by_name = [{record.name: record for record in records(folder / "manifest.jsonl")} for folder in (out, many / "undisturbed")]
    assert by_name[0] == by_name[1]


def test_ctrl_c(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with start(many, tmp_path) as process:
        wait_until(process, lambda: done(out) >= 20)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (130, b"", b"error: interrupted; run the same command again to go on\n")
    found = pictures(out)
    assert 20 <= len(found) < PICTURES
    assert {record.name for record in records(out / "manifest.jsonl")} == set(found)
    for name, data in found.items():
        assert open_picture(data, name).width == marked().shape[1]
    last = anonymize(*line(many), cwd=tmp_path)
    assert (last.returncode, last.stdout.split("; ")[-1]) == (0, f"{len(found)} of all were done before\n")
    assert pictures(out) == pictures(many / "undisturbed")


def test_a_second_run_into_the_same_target_is_refused_and_harms_nothing(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with start(many, tmp_path) as process:
        wait_until(process, lambda: done(out) >= 10)
        os.killpg(process.pid, signal.SIGSTOP)  # in the middle, with files half written
        second = anonymize(*line(many), cwd=tmp_path)
        os.killpg(process.pid, signal.SIGCONT)
        stdout, stderr = process.communicate()
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == "error: out/manifest.jsonl: another run writes there; wait for it to end, or give another target\n"
    assert (process.returncode, stderr) == (0, b"")
    assert stdout == f"{PICTURES} anonymised, {PICTURES} faces hidden\n".encode()
    assert pictures(out) == pictures(many / "undisturbed")


def test_what_a_killed_run_left_half_written_is_removed(many: Path, tmp_path: Path) -> None:
    """Only by a run of the same manifest: others may be alive."""
    out = tmp_path / "out"
    with start(many, tmp_path) as process:
        wait_until(process, lambda: done(out) >= 1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    name = hashlib.sha256(json.dumps(str((out / "manifest.jsonl").resolve())).encode()).hexdigest()[:8]
    half = (out / "0" / f".dartblur-{name}-0a1b2c3d", out / f".dartblur-{name}-folder" / "film.mp4")
    alive = out / "0" / ".dartblur-ffffffff-0a1b2c3d"
    for path in (*half, alive):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(np.arange(9, dtype=np.uint8).tobytes())
    assert anonymize(*line(many), cwd=tmp_path).returncode == 0
    assert (half[0].exists(), half[1].parent.exists(), alive.exists()) == (False, False, True)
    assert set(pictures(out)) - set(pictures(many / "undisturbed")) == {alive.relative_to(out).as_posix()}
