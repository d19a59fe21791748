"""The command serve: what it refuses to start with, and a real server that answers, outlives bad clients and ends as it is told."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from dartblur.anonymizer import serve as server
from dartblur.anonymizer.methods import Choice
from dartblur.anonymizer.service import Bounds
from dartblur.anonymizer.settings import Settings
from dartblur.cli import app
from dartblur.errors import UsageError
from dartblur.media.images import decode_image
from tests.anonymizer.clients import png

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef"  # noqa: S105


@pytest.mark.parametrize("token", ["", "short", "with a space inside", "pässword-pässword", "0123456789abcdef\n"])
def test_a_token_that_no_client_could_send_or_anybody_could_guess(token: str) -> None:
    with pytest.raises(UsageError, match=r"^DARTBLUR_TOKEN: must have at least 16 characters"):
        server.read_token({server.TOKEN: token})


def test_the_token_comes_from_the_environment() -> None:
    assert server.read_token({}) == ""
    assert server.read_token({server.TOKEN: TOKEN}) == TOKEN


def test_a_taken_port_is_one_sentence() -> None:
    with server.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert server.address(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(UsageError, match=rf"^127.0.0.1 port {port}: cannot be listened on \(Address already in use\); give another --port"):
            server.listen("127.0.0.1", port)


def test_an_address_of_nobody_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"^192.0.2.1 port 0: cannot be listened on \("):
        server.listen("192.0.2.1", 0)


@pytest.mark.parametrize(("host", "only_here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)])  # noqa: S104
def test_who_reaches_a_host(host: str, only_here: bool) -> None:
    assert server.is_loopback(host) is only_here


@pytest.mark.parametrize(("token", "warned"), [(None, True), (TOKEN, False)])
def test_a_service_for_everybody_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str | None, warned: bool
) -> None:
    """Nothing is opened to the network: a socket of loopback stands in for the one that was asked for."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(server, "listen", lambda host, port: listener)
    monkeypatch.setattr(server, "_run", lambda service, listener: service.close())
    monkeypatch.delenv(server.TOKEN, raising=False)
    if token:
        monkeypatch.setenv(server.TOKEN, token)
    server.serve(Settings(choice=Choice("gaussian")), "203.0.113.7", 8000, 1, Bounds())
    assert ("everybody who reaches 203.0.113.7 may use this service; set DARTBLUR_TOKEN" in capsys.readouterr().err) is warned


@pytest.mark.parametrize("module", ["fastapi", "uvicorn", "python_multipart"])
def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = CliRunner().invoke(app, ["serve"])
    assert re.match(rf"the module {module} is not installed \(.*\); install the extra dartblur\[serve\]$", str(result.exception))


@contextmanager
def running(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command in a process of its own, on a free port, and its address."""
    command = [sys.executable, "-m", "dartblur.cli", "serve", "--port", "0", "--method", "gaussian", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"serving on (http://\S+),", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_real_server(ending: signal.Signals) -> None:
    with running("--max-mb", "0.2") as (process, url), httpx.Client(base_url=url, timeout=30) as client:
        assert client.get("/ready").json() == {"status": "ready"}
        file = {"file": ("ann.png", png(1, face=False))}
        assert client.post("/v1/anonymize", files=file).json()["code"] == "no_face"
        response = client.post("/v1/anonymize", files=file, data={"boxes": "[[10, 10, 40, 40]]"})
        assert response.headers["content-type"] == "image/png"
        source, hidden = decode_image(file["file"][1], "x"), decode_image(response.content, "x")
        assert not np.array_equal(hidden[10:40, 10:40], source[10:40, 10:40])
        assert np.array_equal(hidden[40:], source[40:])
        for _ in range(3):
            assert client.post("/v1/anonymize", files={"file": ("a", bytes(3_000_000))}).status_code == 413
        with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0)) as half:  # goes in the middle of its upload
            head = b"POST /v1/anonymize HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999\r\n\r\n"
            half.sendall(head + b"--x\r\n")
        assert client.post("/v1/detect", files=file).json()["faces"] == []
        process.send_signal(ending)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, "ended\n")
    lines = [line.split(" ", 2)[2] for line in stderr.splitlines()]
    assert [re.sub(r"(in|out|ms)=\d+", r"\1=n", line) for line in lines if " 400 " not in line] == [
        f"{route} in=n out=n ms=n"
        for route in ("GET /ready 200", "POST /v1/anonymize 422", "POST /v1/anonymize 200", *["POST /v1/anonymize 413"] * 3, "POST /v1/detect 200")
    ]
