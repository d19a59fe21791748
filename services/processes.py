"""A server as a child process: started, waited for, ended with everything that it started."""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dartblur.errors import DartblurError

HOST = "127.0.0.1"
PATIENCE_SECONDS = 180
_GRACE_SECONDS = 20


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def must_be_free(port: int, name: str) -> int:
    """``port``, if nobody listens there.

    Raises:
        DartblurError: somebody does.
    """
    with socket.socket() as one:
        if one.connect_ex((HOST, port)) == 0:
            raise DartblurError(f"{name}: port {port} is in use; end what listens there, or give another one")
    return port


@contextmanager
def server(
    name: str,
    command: Sequence[str],
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    end_with: signal.Signals = signal.SIGTERM,
) -> Iterator[int]:
    """Run a server for the block; yields its process number.

    Args:
        log: where its output goes.
        is_ready: asked until it says yes; an OSError is a no.
        environment: variables added to this process's own.
        user: system user to run as, if this process may choose.
        end_with: the signal that ends it gently.

    Raises:
        DartblurError: it ended or did not answer in time; the last line of its log is in the message.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    identity = _identity(user)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})},
            start_new_session=True, user=identity[0], group=identity[1], extra_groups=identity[2], cwd=log.parent,
        )  # fmt: skip
    try:
        _wait(name, process, log, is_ready)
        yield process.pid
    finally:
        _end(process, end_with)


def _identity(user: str | None) -> tuple[int | None, int | None, list[int] | None]:
    if user is None:
        return None, None, None
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid, []


def _wait(name: str, process: "subprocess.Popen[bytes]", log: Path, is_ready: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < patience:
        with suppress(OSError):
            if is_ready():
                return
        time.sleep(0.1)
    what = "did not answer in time" if process.poll() is None else f"ended with status {process.returncode}"
    lines = log.read_text(errors="replace").splitlines()
    raise DartblurError(f"{name} {what} ({lines[-1] if lines else 'it said nothing'}); its log is {log}")


def _end(process: "subprocess.Popen[bytes]", gently: signal.Signals) -> None:
    for sign, patience in ((gently, _GRACE_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        # To the server alone at first: it ends its own children in order.
        process.send_signal(sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that it left behind
