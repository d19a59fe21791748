"""The promotion flow against a real Prefect server and a real registry: a dry run, an operator's yes, an operator's no."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from dartblur.params import RegistryParams
from dartblur.registry import aliases
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, evaluation, fresh_registry, write_model
from tests.registry.test_promote import submit
from tests.settings import delivered

__all__ = ["empty_store"]  # a fixture
pytestmark = [*MLFLOW_WARNINGS, pytest.mark.slow]


@pytest.fixture
def team(empty_store: Path, tmp_path: Path) -> Iterator[RegistryParams]:
    """A project folder with a champion, version 1, and version 2, which passed and waits to be promoted by hand."""
    with fresh_registry(tmp_path, empty_store) as registry:
        submit(registry, write_model(tmp_path / "a.safetensors", 1), evaluation())
        by_hand = registry.model_copy(update={"promotion": "hand"})
        assert submit(by_hand, write_model(tmp_path / "b.safetensors", 2), evaluation(0.9)).aliases == ("challenger",)
        YAML().dump({**delivered(), "registry": by_hand.model_dump()}, tmp_path / "params.yaml")
        yield by_hand


def start(prefect: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.promote", *arguments]
    return subprocess.Popen(command, env=prefect, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit status, and the last line on standard output or, for a failure, on standard error."""
    out, err = process.communicate(timeout=300)
    text = (out if process.returncode == 0 else err).strip()
    return process.returncode, text.splitlines()[-1] if text else ""


def where(registry: RegistryParams) -> dict[str, tuple[str, ...]]:
    return {item.version: item.aliases for item in aliases.history(registry)}


BEFORE = {"2": ("challenger",), "1": ("champion",)}
AFTER = {"2": ("challenger", "champion"), "1": ("previous",)}


def test_tried_moved_and_repeated(team: RegistryParams, prefect: dict[str, str]) -> None:
    assert ended(start(prefect, "--dry-run")) == (0, "version 2 would become champion in place of 1")
    assert where(team) == BEFORE
    assert ended(start(prefect, "--no-approval")) == (0, "version 2 is champion in place of 1")
    assert where(team) == AFTER
    assert ended(start(prefect, "--version", "champion")) == (0, "version 2 is the champion already; nothing moves")
    code, line = ended(start(prefect, "--version", "7"))
    assert (code, line.split(" at sqlite")[0]) == (1, "error: dartblur has no version 7")
    assert where(team) == AFTER


@pytest.mark.parametrize(("approve", "after"), [(True, AFTER), (False, BEFORE)])
def test_an_operator_decides(team: RegistryParams, prefect: dict[str, str], approve: bool, after: dict[str, tuple[str, ...]]) -> None:
    process = start(prefect)
    run = paused(prefect, process)
    assert where(team) == BEFORE
    answer = {"approve": approve, "operator": "Ada", "reason": "looked at the review page"}
    assert api(prefect, f"flow_runs/{run}/resume", {"run_input": answer})["status"] == "ACCEPT"
    code, line = ended(process)
    words = "version 2 is champion in place of 1" if approve else "Ada refused version 2: looked at the review page; nothing moved"
    assert (code, line) == (0, words)
    assert where(team) == after
    kept = aliases.find(team, "2").tags
    assert (kept.get("promoted_by"), kept.get("promotion_reason")) == (("Ada", "looked at the review page") if approve else (None, None))


def test_a_champion_that_changed_while_the_operator_looked_stays(team: RegistryParams, prefect: dict[str, str], tmp_path: Path) -> None:
    process = start(prefect)
    run = paused(prefect, process)
    submit(team.model_copy(update={"promotion": "gate"}), write_model(tmp_path / "c.safetensors", 3), evaluation(0.95))
    api(prefect, f"flow_runs/{run}/resume", {"run_input": {"approve": True, "operator": "Ada", "reason": "fine"}})
    code, line = ended(process)
    assert code == 1
    assert "version 3 is champion now, not 1" in line
    assert where(team)["3"] == ("challenger", "champion")


def paused(prefect: dict[str, str], process: "subprocess.Popen[str]") -> str:
    """The id of the run that waits for an operator."""
    patience = time.monotonic() + 240
    query = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}, "flows": {"name": {"any_": ["promote"]}}}
    while time.monotonic() < patience:
        assert process.poll() is None, process.communicate()
        if found := api(prefect, "flow_runs/filter", query):
            return str(found[0]["id"])
        time.sleep(0.2)
    pytest.fail("the flow did not pause")


def api(prefect: dict[str, str], path: str, body: Any) -> Any:
    return httpx.post(f"{prefect['PREFECT_API_URL']}/{path}", json=body, timeout=30).raise_for_status().json()


def test_a_server_that_does_not_answer(team: RegistryParams, prefect: dict[str, str]) -> None:
    code, line = ended(start(prefect | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}))
    assert (code, line.split(" (")[0]) == (1, "error: Prefect's server at http://127.0.0.1:9/api does not answer")
    assert where(team) == BEFORE
