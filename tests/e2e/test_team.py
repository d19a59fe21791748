"""A team's whole story on real servers: data in a bucket, a pipeline by deployment, promotion by an operator, a served model, a worse and a better
one, rollback, and the first version made again byte for byte. No secret is written down on the way.

The log (`make e2e` shows it) is the transcript.
"""

import base64
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dartblur.media.images import decode_image, encode_image
from dartblur.training.checkpoint import STATE_FILE
from services.processes import free_ports, server
from services.servers import Postgres
from services.stack import Stack
from tests.e2e import leaks
from tests.e2e.project import BIN, DATA, clone, commit, environment, settings, write_settings
from tests.e2e.team import Team
from tests.makedata import drawn_picture

log = logging.getLogger("e2e")
WORSE: dict[str, Any] = {"preblur": {"strength": 4.0}, "train": {"warm": {"steps": 5}}}
"""A blur far cruder than an ordinary one, and hardly trained."""
BETTER: dict[str, Any] = {"preblur": {"strength": 1.2}}
"""A blur nearer to an ordinary one."""


@contextmanager
def chapter(title: str) -> Iterator[None]:
    log.info("== %s", title)
    begun = time.monotonic()
    yield
    log.info("   %.0f s", time.monotonic() - begun)


@pytest.fixture
def team(servers: tuple[Stack, Path], tmp_path: Path) -> Team:
    running = servers[0]
    registry = {"tracking_uri": running.mlflow, "promotion": "hand", "name": "team", "experiment": "team"}
    folder = clone(tmp_path / "project", settings(registry=registry))
    return Team(folder, {**running.s3.variables(running.owner), "PREFECT_API_URL": running.prefect, "MLFLOW_TRACKING_URI": running.mlflow}, tmp_path)


def test_from_data_to_rollback(team: Team, servers: tuple[Stack, Path]) -> None:
    with chapter("data in the bucket"):
        data_in_the_bucket(team)
    team.deploy()
    with team.worker():
        with chapter("the pipeline by deployment, arms in two processes of Dask"):
            assert run_pipeline(team, cluster="dask") == "gate passed: team version 1 is challenger"
        with chapter("promotion with approval"):
            assert "team has no version champion" in team.refused("dartblur", "promote", "champion")
            promote(team, "1", "looked at the review page", "version 1 is champion in place of none")
        with chapter("its checkpoint in the bucket"):
            checkpoint_in_the_bucket(team)
        with chapter("the champion over HTTP"):
            served(team)
        with chapter("a worse model is refused"):
            assert run_pipeline(team, WORSE) == "gate not passed: team version 2 is challenger"
            refused(team)
        with chapter("a better one is promoted"):
            assert run_pipeline(team, BETTER) == "gate passed: team version 3 is challenger"
            promote(team, "3", "nearer to an ordinary blur", "version 3 is champion in place of 1")
        with chapter("rollback"):
            rolled_back(team)
    with chapter("the first version again, byte for byte"):
        assert team.run("dartblur", "reproduce", "1").splitlines()[-1].endswith("outputs agree with the recorded ones, byte for byte")
    with chapter("no secret anywhere"):
        nothing_is_written_down(team, *servers)


def data_in_the_bucket(team: Team) -> None:
    """Pushed, lost, and pulled again."""
    team.run("dvc", "remote", "add", "--default", "team", "s3://dvc/cache")
    commit(team.folder, "the team's bucket")
    team.run("dvc", "push", "--quiet")
    assert len(lost_and_pulled(team, DATA, f"{DATA}.dvc")) == 62


def checkpoint_in_the_bucket(team: Team) -> None:
    """The model and the state of its training, from which a longer training could go on."""
    team.run("dvc", "push", "--quiet")
    assert {"unet.safetensors", STATE_FILE} <= lost_and_pulled(team, "models/dartblur", "train").keys()


def lost_and_pulled(team: Team, path: str, target: str) -> dict[str, bytes]:
    """Remove a folder and DVC's cache, pull ``target``: the same files are there again."""
    before = content(team.folder / path)
    shutil.rmtree(team.folder / path)
    shutil.rmtree(team.folder / ".dvc/cache")
    team.run("dvc", "pull", "--quiet", target)
    assert content(team.folder / path) == before
    return before


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_pipeline(team: Team, changes: dict[str, Any] | None = None, **parameters: Any) -> str:
    """Change settings, commit, run the deployment; what it says at the end."""
    if changes is not None:
        registry = {"tracking_uri": team.variables["MLFLOW_TRACKING_URI"], "promotion": "hand", "name": "team", "experiment": "team"}
        write_settings(team.folder, settings(registry=registry, **changes))
        commit(team.folder, "other settings")
    state = team.wait(team.start("pipeline", **parameters))
    assert state["type"] == "COMPLETED", state
    return str(state["message"])


def promote(team: Team, version: str, reason: str, words: str) -> None:
    """The flow pauses, an operator says yes, the alias moves."""
    run = team.start("promote", version=version)
    assert team.wait(run, "PAUSED")["type"] == "PAUSED"
    before = team.run("dartblur", "history")
    assert f"version {version} passed the gate; aliases: challenger\n" in before
    team.answer(run, True, reason)
    state = team.wait(run)
    assert (state["type"], state["message"]) == ("COMPLETED", words)
    assert "champion" in next(line for line in team.run("dartblur", "history").splitlines() if line.startswith(f"version {version} "))
    assert team.run("dartblur", "promote", version) == f"version {version} is the champion already; nothing moved\n"


def served(team: Team) -> None:
    """`mlflow models serve`, and a client that knows HTTP and JSON alone."""
    (port,) = free_ports(1)
    words = [str(BIN / "mlflow"), "models", "serve", "-m", "models:/team@champion", "--env-manager", "local", "--host", "127.0.0.1"]
    url = f"http://127.0.0.1:{port}"
    variables = environment(team.folder, team.variables)

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    picture, boxes = drawn_picture(np.random.default_rng(7))
    faces = [[x, y, x + width, y + height] for x, y, width, height in boxes]
    record = {"image": base64.b64encode(encode_image(picture, ".png")).decode(), "boxes": faces}
    with server("the model", [*words, "--port", str(port)], team.logs / "serve.log", answers, variables):
        (found,) = ask(url, [record])["predictions"]
        hidden = decode_image(base64.b64decode(found["image"]), "answer")
        inside = np.zeros(picture.shape[:2], bool)
        for x1, y1, x2, y2 in faces:
            inside[y1:y2, x1:x2] = True
        assert (hidden[~inside] == picture[~inside]).all()
        assert np.abs(hidden[inside].astype(int) - picture[inside]).mean() > 3
        assert (found["status"], found["faces"], found["boxes_from"]) == ("anonymised", 2, "given")
        refused = httpx.post(f"{url}/invocations", json={"dataframe_records": [{"image": "no picture"}]}, timeout=60)
        assert refused.status_code == 400
        assert "image is text, but not the base64 of a picture file" in refused.text
        log.info("  HTTP 200: %d faces hidden, pixels outside untouched; HTTP 400 for what is no picture", found["faces"])


def ask(url: str, records: list[dict[str, Any]]) -> Any:
    return httpx.post(f"{url}/invocations", json={"dataframe_records": records}, timeout=60).raise_for_status().json()


def refused(team: Team) -> None:
    """The gate's reasons stand everywhere, and nobody gets the version through."""
    gate = json.loads((team.folder / "reports/metrics.json").read_text())["gate"]
    for reason in gate["reasons"]:
        log.info("  %s", reason)
    assert gate["champion"] == "1"
    assert any("convenience ceiling 10" in reason for reason in gate["reasons"])
    assert any("of champion 1 is no gain of 0.5" in reason for reason in gate["reasons"])
    assert gate["reasons"][0] in team.refused("dartblur", "promote", "2")
    state = team.wait(team.start("promote", version="2"))
    assert state["type"] == "FAILED" and "did not pass the gate" in state["message"]
    assert "version 1 passed the gate; aliases: champion\n" in team.run("dartblur", "history")


def rolled_back(team: Team) -> None:
    assert "version 1 passed the gate" in team.run("dartblur", "rollback")
    lines = team.run("dartblur", "history").splitlines()
    for line in lines:
        log.info("  %s", line)
    assert lines == [
        "version 3 passed the gate; aliases: challenger, previous",
        "version 2 did not pass the gate; aliases: none",
        "version 1 passed the gate; aliases: champion",
    ]


def nothing_is_written_down(team: Team, running: Stack, folder: Path) -> None:
    """Logs, tags, artifacts, reports, databases, buckets, command lines: searched for every password that the servers have."""
    kept = folder / "passwords"
    known = kept.read_text(encoding="utf-8").split()
    assert len(known) == 3 and running.owner.secret in known
    assert leaks.found([("kept", kept.read_bytes())], known) == ["kept"]  # it would be found
    database = Postgres(int((folder / "postgres/data/postmaster.pid").read_text().splitlines()[3]), known[0])
    logs = ((str(path), path.read_bytes()) for path in folder.glob("*/*.log"))
    places = [leaks.files(team.logs), logs, leaks.databases(database, "mlflow", "prefect"), leaks.objects(running), leaks.command_lines()]
    searched, size = 0, 0
    for place in places:
        for name, data in place:
            searched, size = searched + 1, size + len(data)
            assert not leaks.found([(name, data)], known), name
    log.info("  searched %d files, objects, databases and command lines, %d MB", searched, size >> 20)
