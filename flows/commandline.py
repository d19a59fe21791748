"""A flow run from a terminal: one sentence and an exit code, whatever comes of it."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from prefect.client.schemas.objects import State

INTERRUPTED = 130


def run(flow: Callable[[], State[Any]]) -> int:
    """Run a flow; 0 and its message if it completed, 1 with one sentence if it did not, 130 if it was interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that a stage in progress ends with the flow
    try:
        state = flow()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; the next run goes on where this one was stopped\n")
        return INTERRUPTED
    except RuntimeError as error:  # what Prefect raises when its server does not start or answer
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        where = f" at {os.environ['PREFECT_API_URL']}" if os.environ.get("PREFECT_API_URL") else ""
        sys.stderr.write(
            f"error: Prefect's server{where} does not answer ({first}); start it with `make services` or `prefect server start`, "
            "or unset PREFECT_API_URL to have one started\n"
        )
        return 1
    if state.is_completed():
        sys.stdout.write(f"{state.message}\n")
        return 0
    sys.stderr.write(f"error: {state.message}\n")
    return 1


def _interrupt(_signal: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt
