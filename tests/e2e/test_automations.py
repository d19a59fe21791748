"""What Prefect's server does by itself: new data start the pipeline, a lost run goes on, a failure is told. The stages are small scripts."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.stack import Stack
from tests.e2e.team import PATIENCE_SECONDS, Team, kill_all
from tests.flows.conftest import ROOT, bare_project, events, project

__all__ = ["bare_project", "project"]  # fixtures
LOST_AFTER = "45"


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A place that notifications are sent to, and what has come."""
    heard: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


@pytest.fixture
def team(project: Path, servers: tuple[Stack, Path], told: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> Team:
    """The project of small scripts, deployed, with everything that `python -m flows.automations` sets up."""
    shutil.copytree(ROOT / "flows", project / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", project)
    made = Team(project, {"PREFECT_API_URL": servers[0].prefect, "PYTHONPATH": f"{project}:{ROOT}"}, tmp_path)
    made.deploy()
    _make_block(made, told[0])
    for _ in range(2):  # repeated, it renews what is there
        said = made.run("python", "-m", "flows.automations", "--trainings", "2", "--notify", "custom-webhook/told", "--lost-after", LOST_AFTER)
    assert said.splitlines() == [
        "trainings at once: 2",
        f"lost runs go on after {LOST_AFTER} s without a sign of life",
        "failed runs are told to custom-webhook/told",
    ]
    names = [automation["name"] for automation in made.ask("POST", "/automations/filter", {})]
    assert sorted(names) == ["dartblur: failed runs are told", "dartblur: lost runs go on", "dartblur: new data start the pipeline"]
    return made


def _make_block(team: Team, url: str) -> None:
    """The operator's own part: where notifications go."""
    code = (
        "import sys; from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block;"
        "Block(name='told', url=sys.argv[1], json_data={'subject': '{{subject}}', 'body': '{{body}}'}).save('told', overwrite=True)"
    )
    team.run("python", "-c", code, url)


def runs(team: Team, flow: str) -> list[dict[str, Any]]:
    """Every run of a flow, the newest first."""
    query = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC", "flow_runs": {"state": {"name": {"not_any_": ["Scheduled"]}}}}
    found: list[dict[str, Any]] = team.ask("POST", "/flow_runs/filter", query)
    return found


def until(done: Any, what: str) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS / 3
    while not done():
        assert time.monotonic() < patience, f"{what} did not happen"
        time.sleep(0.2)


def test_new_data_start_the_pipeline_once(team: Team) -> None:
    with team.worker():
        assert team.wait(team.start("pipeline"))["type"] == "COMPLETED"
        assert team.wait(team.start("watch"))["message"] == "step.py: unchanged"
        before = events(team.folder).count(("end", "ingest"))
        source = team.folder / "step.py"
        source.write_text(source.read_text() + "# another version of the data\n")
        assert team.wait(team.start("watch"))["message"].startswith("step.py: changed, version ")
        until(lambda: events(team.folder).count(("end", "report")) == 2, "a run for the new data")
        assert events(team.folder).count(("end", "ingest")) == before + 1
        started = next(run for run in runs(team, "pipeline"))
        assert team.wait(started["id"])["type"] == "COMPLETED"
        assert team.wait(team.start("watch"))["message"] == "step.py: unchanged"


def test_a_change_is_told_once(team: Team) -> None:
    """While the pipeline has not run on it yet."""
    code = "from flows.watch import watch; print(watch(return_state=True).message)"
    source = team.folder / "step.py"
    source.write_text(source.read_text() + "# a third version\n")
    said = [team.run("python", "-c", code).splitlines()[-1] for _ in range(2)]
    assert said[0].startswith("step.py: changed, version ")
    assert said[1] == "step.py: changed, as was told before"


def test_a_failure_is_told_and_shown(team: Team, told: tuple[str, list[dict[str, Any]]]) -> None:
    with team.worker(FAIL="train"):
        run = team.start("pipeline")
        assert team.wait(run)["message"] == "train: the table has no faces; add some"
        until(lambda: told[1], "a notification")
    assert told[1][0]["subject"] == "dartblur: pipeline failed"
    assert "train: the table has no faces; add some" in told[1][0]["body"]
    (page,) = team.ask("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"any_": ["failure"]}}})
    assert "**train: the table has no faces; add some**" in page["data"]
    assert f"`prefect flow-run retry {run}`" in page["data"]


def test_a_lost_run_goes_on_by_itself(team: Team) -> None:
    with team.worker(HANG="train") as worker:
        run = team.start("pipeline")
        until(lambda: ("start", "train") in events(team.folder), "the training")
        kill_all(worker)
    with team.worker():
        until(lambda: team.ask("GET", f"/flow_runs/{run}")["run_count"] == 2, "the second start")
        assert team.wait(run)["type"] == "COMPLETED"
    assert events(team.folder).count(("start", "preblur")) == 1
    assert events(team.folder).count(("start", "train")) == 2


def test_without_deployments_or_block(servers: tuple[Stack, Path], tmp_path: Path) -> None:
    team = Team(ROOT, {"PREFECT_API_URL": servers[0].prefect, "PREFECT_HOME": str(tmp_path)}, tmp_path)
    words = ["-m", "flows.automations"]
    assert "Prefect has no such block" in team.refused("python", *words, "--notify", "slack-webhook/nobody")
    assert "--trainings must be at least 1" in team.refused("python", *words, "--trainings", "0")
    away = Team(ROOT, {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_HOME": str(tmp_path)}, tmp_path)
    assert "Prefect's server refused or does not answer" in away.refused("python", *words)
