"""What the service writes down of a request: which of its own routes, the status, sizes and time. No name, no address, nothing of the content."""

import logging
import time
from pathlib import Path

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("dartblur.service")
_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_GONE = 499
"""Stands in the journal where the client went before an answer began."""


class Journal:
    """Middleware: a line for each request, and answers that no cache keeps.

    Whatever else goes wrong inside becomes a 500 that says nothing; the journal names the kind of error and the line of the program alone, because
    a message or a traceback may hold a part of the picture.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        came, went, status = 0, 0, _GONE

        async def counted_receive() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal went, status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            went += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, counted_receive, counted_send)
        except Exception as error:  # the outermost edge: anything else would be a traceback in the log of a server
            log.error("%s at %s", type(error).__name__, _place(error))
            if status != _GONE:
                raise ConnectionAbortedError from None
            fault = JSONResponse({"code": "internal", "message": "a fault of the service; its journal says where"}, 500)
            await fault(scope, counted_receive, counted_send)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            log.info("%s %s %d in=%d out=%d ms=%.0f", scope["method"], route, status, came, went, 1000 * (time.monotonic() - began))


def _place(error: Exception) -> str:
    """File and line where an error arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
