"""A run whose process was lost (a worker that was killed, a machine that went down) is scheduled again by an automation, but not without end."""

from prefect.runtime import flow_run

MOST_RUNS = 5


def given_up() -> str | None:
    """Why this run is not worth another try, None if it is: what killed it so often will kill it again."""
    if (flow_run.run_count or 1) <= MOST_RUNS:
        return None
    return f"its process was lost {MOST_RUNS} times; look at the worker's log, mend the cause, and start a new run"
