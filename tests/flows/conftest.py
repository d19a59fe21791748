"""A DVC project with the pipeline's stages, each a small script, and a Prefect server on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# A stage notes when it starts and ends, and copies its parameter to its output. RENDEZVOUS: it waits until a sibling runs too, which proves that
# two run at once without looking at a clock. FAIL and HANG name a stage that fails or never ends.
STEP = """
import os, pathlib, sys, time
name, out = sys.argv[1:]
events = pathlib.Path("events")
def note(what):
    with events.open("a") as file:
        file.write(f"{what} {name} {os.getpid()}\\n")
note("start")
print("working on", name)
if os.environ.get("FAIL") == name:
    print("error: the table has no faces; add some", file=sys.stderr)
    sys.exit(1)
while os.environ.get("HANG") == name:
    time.sleep(0.05)
if os.environ.get("RENDEZVOUS") == name.split("@")[0]:
    patience = time.monotonic() + 60
    while sum(line.startswith(f"start {name.split('@')[0]}@") for line in events.read_text().splitlines()) < 2:
        if time.monotonic() > patience:
            sys.exit("no sibling came")
        time.sleep(0.02)
path = pathlib.Path(out)
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(name + chr(10)) if path.suffix != ".json" else path.write_text('{"gate": {"passed": false, "reasons": ["no"]}}')
note("end")
"""

DAG = {
    "ingest": ([], "data/canonical"),
    "validate": (["data/canonical"], "reports/validation.json"),
    "preblur": (["data/canonical", "reports/validation.json"], "data/preblur"),
    "train-detector": (["data/canonical", "reports/validation.json"], "models/detector"),
    "train": (["data/preblur", "models/detector"], "models/dartblur"),
    "privacy": (["models/dartblur", "models/restorers"], "reports/privacy.json"),
    "evaluate": (["reports/downstream", "reports/transfer", "reports/frozen", "reports/privacy.json", "data/arms"], "reports/evaluation.json"),
    "review": (["data/arms"], "reports/review.html"),
    "register": (["reports/evaluation.json", "models/dartblur"], "reports/metrics.json"),
    "report": (["reports/metrics.json"], "reports/index.html"),
}


def dag() -> str:
    """dvc.yaml of the project: the real stages' names, dependencies and outputs."""
    lines = ["stages:"]
    for name, (deps, out) in DAG.items():
        lines += [f"  {name}:", f"    cmd: {sys.executable} step.py {name} {out}", f"    deps: {['step.py', *deps]}", f"    outs: [{out}]"]
    lines += [
        "  arm:", "    matrix: {arm: [clean, block, dartblur]}", f"    cmd: {sys.executable} step.py arm@${{item.arm}} data/arms/${{item.arm}}",
        "    deps: [data/canonical, models/dartblur]", '    outs: ["data/arms/${item.arm}"]',
        "  restorer:", "    matrix: {arm: [clean, block, dartblur]}",
        f"    cmd: {sys.executable} step.py restorer@${{item.arm}} models/restorers/${{item.arm}}",
        '    deps: ["data/arms/${item.arm}", data/arms/clean]', '    outs: ["models/restorers/${item.arm}"]',
        "  downstream:", "    matrix: {arm: [clean, block, dartblur], seed: [0, 1]}",
        f"    cmd: {sys.executable} step.py downstream@${{item.arm}}-${{item.seed}} reports/downstream/${{item.arm}}-${{item.seed}}.json",
        '    deps: ["data/arms/${item.arm}", data/arms/clean]', '    outs: ["reports/downstream/${item.arm}-${item.seed}.json"]',
        "  frozen:", "    matrix: {arm: [clean, block, dartblur]}",
        f"    cmd: {sys.executable} step.py frozen@${{item.arm}} reports/frozen/${{item.arm}}.json",
        '    deps: ["data/arms/${item.arm}", models/detector]', '    outs: ["reports/frozen/${item.arm}.json"]',
        "  transfer:", "    matrix: {detector: [centernet], arm: [clean, dartblur], seed: [0]}",
        f"    cmd: {sys.executable} step.py transfer@${{item.detector}}-${{item.arm}}-${{item.seed}}"
        " reports/transfer/${item.detector}-${item.arm}-${item.seed}.json",
        '    deps: ["data/arms/${item.arm}", data/arms/clean]', '    outs: ["reports/transfer/${item.detector}-${item.arm}-${item.seed}.json"]',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def environment(**extra: str) -> dict[str, str]:
    quiet = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PYTHONPATH": str(ROOT)}
    return {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")} | quiet | extra


@pytest.fixture(scope="session")
def bare_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    (folder / "step.py").write_text(STEP)
    (folder / "dvc.yaml").write_text(dag())
    (folder / ".gitignore").write_text("/data/\n/models/\n/reports/\n/events\n__pycache__/\n")
    shutil.copy(ROOT / "params.yaml", folder)
    for command in (["git", "init", "-q"], [str(BIN / "dvc"), "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, env=environment())
    return folder


@pytest.fixture
def project(bare_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bare_project, tmp_path / "project"))


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server of this session's own; yields the environment that leads to it."""
    folder = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = environment(PREFECT_HOME=str(folder), PREFECT_API_URL=f"http://127.0.0.1:{port}/api", PREFECT_SERVER_UI_ENABLED="false")
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=settings, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"{settings['PREFECT_API_URL']}/health", server, folder / "server.log")
            yield settings
        finally:
            server.terminate()
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    patience = time.monotonic() + 180
    while time.monotonic() < patience and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  loopback
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the Prefect server did not start: {log.read_text()[-2000:]}")


def dvc(folder: Path, *arguments: str) -> str:
    return subprocess.run([str(BIN / "dvc"), *arguments], cwd=folder, env=environment(), check=True, capture_output=True, text=True).stdout


def events(folder: Path) -> list[tuple[str, str]]:
    """(start or end, stage) as it happened."""
    lines = (folder / "events").read_text().splitlines() if (folder / "events").exists() else []
    return [(line.split()[0], line.split()[1]) for line in lines]
