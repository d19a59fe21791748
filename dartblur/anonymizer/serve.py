"""The command serve: a port, a token, and a server that Ctrl-C ends without a word too many."""

import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer
import uvicorn

from dartblur.anonymizer.command import share_cores
from dartblur.anonymizer.service import Bounds, Service, make_app
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.errors import UsageError

if TYPE_CHECKING:
    from dartblur.params import RegistryParams

TOKEN = "DARTBLUR_TOKEN"  # noqa: S105  the variable's name
_LEAST_TOKEN = 16
_CONNECTIONS_A_REQUEST = 4
"""Open connections for each request that is taken at once, idle ones among them; more are sent away."""


def serve(settings: Settings, host: str, port: int, workers: int, bounds: Bounds) -> None:
    """Answer requests until Ctrl-C or SIGTERM; what is being worked on then is finished.

    Args:
        port: 0 takes a free one.
        workers: pictures that are worked on at once.

    Raises:
        UsageError, DartblurError: the port is taken, the token is none, or a model or a detector cannot be had.
    """
    token = read_token(os.environ)
    with listen(host, port) as listener:
        share_cores(workers)
        service = Service(make_work(settings, _registry), workers, bounds, token)
        service.check()
        _log_to_stderr()
        if not token and not is_loopback(host):
            typer.echo(f"warning: everybody who reaches {host} may use this service; set {TOKEN} to a secret", err=True)
        typer.echo(f"serving on {address(listener)}, {workers} pictures at a time, {service.work.method.label}; Ctrl-C ends it")
        sys.stdout.flush()
        _run(service, listener)


def _run(service: Service, listener: socket.socket) -> None:
    config = uvicorn.Config(
        make_app(service),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=service.bounds.requests * _CONNECTIONS_A_REQUEST,
        timeout_graceful_shutdown=max(1, round(service.bounds.seconds)),
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends a container ends it as Ctrl-C does
    try:
        uvicorn.Server(config).run([listener])
    except KeyboardInterrupt:  # uvicorn has closed everything and passes the signal on
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        service.close()
    typer.echo("ended")


def read_token(environment: Mapping[str, str]) -> str:
    """The token that clients must send; empty where none is set.

    Raises:
        UsageError: one is set that no client could send, or that is soon guessed.
    """
    token = environment.get(TOKEN)
    if token is None:
        return ""
    if len(token) < _LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(f"{TOKEN}: must have at least {_LEAST_TOKEN} characters of ASCII and no space; `openssl rand -hex 32` makes one")
    return token


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: there is no such address, or the port is taken or not allowed.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(where[:2], family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise UsageError(f"{host} port {port}: cannot be listened on ({reason}); give another --port, or end what uses it") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(listener: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("dartblur.service")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def _registry() -> "RegistryParams":
    from dartblur.params import load_params

    return load_params().registry
