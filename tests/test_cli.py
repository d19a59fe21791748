"""The command line from outside, and the walls between the rooms of the package."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dartblur import __version__
from dartblur.cli import app
from tests.makedata import make_wider

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dartblur"
COMMANDS = sorted(command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dartblur.cli", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"dartblur {__version__}\n")


def test_help_lists_every_stage() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    stages = {path.stem.replace("_", "-") for path in (PACKAGE / "stages").glob("*.py")} - {"--init--", "commands", "external", "paths", "variation"}
    assert stages <= set(COMMANDS)
    assert all(f"\n  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    examples = [line.strip() for line in result.output.splitlines() if line.strip().startswith("Example: dartblur ")]
    assert len(examples) == 1
    assert f"dartblur {name}" in examples[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest"], "params.yaml: cannot be read"),
        (["configure", "--profile", "study"], "params.yaml: cannot be read"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["swirl"], ["arm"], ["downstream", "clean", "x"], ["downstream", "clean", "-1"], ["ingest", "--faster"]])
def test_a_command_line_that_cannot_be_understood_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_failure_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    table = tmp_path / "data/canonical/annotations.parquet"
    table.parent.mkdir(parents=True)
    table.write_bytes(b"no parquet")
    result = run("preblur", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: data/canonical/annotations.parquet: not readable as parquet")
    assert result.stderr.count("\n") == 1


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    """A named pipe as params.yaml keeps the command waiting until it is interrupted."""
    os.mkfifo(tmp_path / "params.yaml")
    with subprocess.Popen([sys.executable, "-m", "dartblur.cli", "ingest"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        writer = os.open(tmp_path / "params.yaml", os.O_WRONLY)  # returns once the command has opened the other end
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
        os.close(writer)
    assert (process.returncode, stderr) == (130, "error: interrupted; run the same command again to go on\n")


@pytest.mark.parametrize("module", ["dartblur", "dartblur.cli"])
def test_importing_is_cheap(module: str) -> None:
    heavy = ("torch", "mlflow", "prefect", "great_expectations", "dvc", "dvclive", "pandas", "pydantic", "numpy", "cv2")
    program = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


ROOMS = [
    {"errors", "params", "compute", "launch", "optional", "processes", "progress", "torchrun"},
    {"faces", "media"},
    {"profiles"},
    {"blur"},
    {"detector"},
    {"training"},
    {"evaluation"},
    {"registry"},
    {"anonymizer"},
    {"stages"},
    {"cli"},
]
"""Top to bottom; a room imports from its own line and from lines above it."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
PIPELINE_TOOLS = {"mlflow", "prefect", "dvc", "dvclive", "great_expectations"}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names of everything that a module imports, inside functions too; ``from a import b`` gives a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def test_every_module_is_in_a_room() -> None:
    assert {room_of(path) for path in MODULES} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_upwards(path: Path) -> None:
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("dartblur.")} - {"__version__", "__file__"}
    assert rooms <= set(FLOOR)
    if room_of(path) == "__init__":
        assert not rooms
    else:
        assert {room for room in rooms if FLOOR[room] > FLOOR[room_of(path)]} == set()
        assert not {name.split(".")[0] for name in imports(path)} & {"flows", "tests", "benchmarks"}


@pytest.mark.parametrize("room", ["faces", "media", "blur", "detector", "training", "evaluation"])
def test_the_method_knows_no_pipeline_tool(room: str) -> None:
    users = {str(path): {name.split(".")[0] for name in imports(path)} & PIPELINE_TOOLS for path in MODULES if room_of(path) == room}
    found = {path: tools for path, tools in users.items() if tools}
    assert found == ({"faces/validation.py": {"great_expectations"}} if room == "faces" else {})


def test_a_file_system_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    """Where the folder data/ should be made lies a file: an OSError, neither swallowed nor shown as a traceback."""
    make_wider(tmp_path / "source", 4)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"(?m)^  source: \S+", "  source: source", text), encoding="utf-8")
    (tmp_path / "data").write_text("in the way")
    result = run("ingest", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "error: data: File exists; mend that and run the same command again\n"
    assert (tmp_path / "data").read_text() == "in the way"
