"""Servers that answer, refuse, are silent or are something else; and that no password is ever told."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dartblur.anonymizer import stores
from dartblur.params import RegistryParams
from dartblur.registry import tracking
from dartblur.registry.aliases import CHAMPION
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store  # noqa: F401  a fixture

ROOT = Path(__file__).resolve().parents[2]
SECRET = "swordfish"  # noqa: S105


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def answering(status: int, body: bytes = b"{}") -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """An HTTP server on loopback that says the same to everything: its address without scheme, and what it was asked."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def params_with(folder: Path, uri: str) -> Path:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "sqlite:///mlflow.db" in text
    path = folder / "params.yaml"
    path.write_text(text.replace("sqlite:///mlflow.db", uri), encoding="utf-8")
    return path


def test_what_is_not_set_is_no_fault(tmp_path: Path) -> None:
    assert stores.prefect() == stores.Answer("Prefect", "PREFECT_API_URL is not set; a flow starts a server for itself")
    assert stores.s3() == stores.Answer("S3", "AWS_ENDPOINT_URL is not set; no keys in AWS_ACCESS_KEY_ID")
    answer = stores.mlflow(tmp_path / "params.yaml")
    assert (answer.good, answer.detail) == (True, "no params.yaml in the current folder, which would name the store of the models")


@pytest.mark.parametrize(("status", "good"), [(200, True), (403, True), (404, True), (500, False)])
def test_a_server_that_answers(monkeypatch: pytest.MonkeyPatch, status: int, good: bool) -> None:
    with answering(status) as (where, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{where}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("PREFECT_API_URL", f"http://{where}/api")
        s3, prefect = stores.s3(), stores.prefect()
    assert (s3.good, prefect.good) == (good, good)
    assert [path for path, _ in asked] == ["/", "/api/health"]
    assert s3.detail == (f"http://{where} answers; keys are set" if good else f"http://{where} answers with status 500; keys are set")


def test_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    where = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://me:{SECRET}@{where}")
    monkeypatch.setenv("PREFECT_API_URL", f"http://me:{SECRET}@{where}/api")
    answers = [stores.s3(), stores.prefect(), stores.mlflow(params_with(tmp_path, f"http://me:{SECRET}@{where}"))]
    assert not any(answer.good for answer in answers)
    assert all("does not answer (connection refused)" in answer.detail and where in answer.detail for answer in answers)
    assert not any(SECRET in answer.detail for answer in answers)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:port", f"me:{SECRET}@127.0.0.1"])
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    answer = stores.prefect()
    assert not answer.good
    assert "PREFECT_API_URL" in answer.detail or url == "http://"
    assert SECRET not in answer.detail
    store = stores.mlflow(params_with(tmp_path, f"'{url}'"))
    assert store.good is not url.startswith("http://")
    assert SECRET not in store.detail


def test_something_that_speaks_no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        answer = stores.prefect()
        thread.join()
    assert not answer.good
    assert "does not answer HTTP (badstatusline)" in answer.detail


@pytest.mark.parametrize(
    ("status", "body", "good", "words"),
    [
        (200, b'{"model_version": {"version": "7"}}', True, "answers; champion is version 7 of dartblur"),
        (404, b"{}", True, "answers; no champion yet of dartblur"),
        (401, b"{}", False, "does not answer (status 401)"),
        (200, b"<html>", False, "does not answer as MLflow does (jsondecodeerror)"),
        (200, b"[]", False, "does not answer as MLflow does (typeerror)"),
    ],
)
def test_the_champion_over_http(tmp_path: Path, status: int, body: bytes, good: bool, words: str) -> None:
    with answering(status, body) as (where, asked):
        answer = stores.mlflow(params_with(tmp_path, f"http://me:{SECRET}@{where}"))
    assert answer.good is good
    assert answer.detail.endswith(words)
    assert asked == [("/api/2.0/mlflow/registered-models/alias?name=dartblur&alias=champion", "Basic bWU6c3dvcmRmaXNo")]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    answer = stores.mlflow(params_with(tmp_path, f"sqlite:///{tmp_path}/mlflow.db"))
    assert answer.good
    assert "is not there yet" in answer.detail
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to look like one")
    answer = stores.mlflow(params_with(tmp_path, f"sqlite:///{tmp_path}/mlflow.db"))
    assert not answer.good
    assert "does not answer (databaseerror)" in answer.detail


def test_params_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("profile: none\n")
    assert not stores.mlflow(tmp_path / "params.yaml").good


def test_another_kind_of_store_is_left_alone(tmp_path: Path) -> None:
    answer = stores.mlflow(params_with(tmp_path, f"postgresql://me:{SECRET}@127.0.0.1:1/mlflow"))
    assert answer.good
    assert "of a kind that is not asked here" in answer.detail
    assert SECRET not in answer.detail


@pytest.mark.filterwarnings(*(mark.args[0] for mark in MLFLOW_WARNINGS))
def test_the_champion_of_a_database_is_the_one_that_mlflow_sees(tmp_path: Path, empty_store: Path) -> None:  # noqa: F811
    """Reads MLflow's own table: if a version of MLflow changes it, this is where it shows."""
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    params = params_with(tmp_path, uri)
    assert stores.mlflow(params).detail == f"{uri} answers; no champion yet of dartblur"
    client = tracking.connect(RegistryParams(name="dartblur", tracking_uri=uri, experiment="test", promotion="gate"))
    client.create_registered_model("dartblur")
    for _ in range(2):
        client.create_model_version("dartblur", source=str(tmp_path))
    client.set_registered_model_alias("dartblur", CHAMPION, "2")
    assert stores.mlflow(params).detail == f"{uri} answers; champion is version 2 of dartblur"
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("DELETE FROM registered_model_aliases")
    database.close()
    assert stores.mlflow(params).detail.endswith("no champion yet of dartblur")
