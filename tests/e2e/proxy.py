"""A wire that can be cut: forwards TCP to a server, and ends connections that have carried too much."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK = 16384


class Wire:
    """A wire to one server.

    Attributes:
        port: where it listens.
        limit: bytes that one connection may carry to the server before it is cut, None for all.
        cuts: how often it was.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.limit: int | None = None
        self.cuts = 0

    def serve(self) -> None:
        """Accept connections until :meth:`close`."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                carried += len(data)
                if counted and self.limit is not None and carried > self.limit:
                    self.cuts += 1
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Accept nothing more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """A wire to a server on loopback."""
    one = Wire(("127.0.0.1", port))
    thread = threading.Thread(target=one.serve, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.close()
        thread.join(5)
