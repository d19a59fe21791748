"""The task that runs one stage of dvc.yaml, wherever it is sent: to a thread here, or to a process on another machine that sees this folder."""

from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import programs

BUSY = "Busy"
# DVC holds its locks for moments, another `dvc repro` for as long as a stage takes: two minutes of patience, then the sentence that says so.
RETRY_DELAYS = [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]
TRAINING = "training"
"""Tag of the tasks that train a network: a concurrency limit on it keeps several from meeting on one GPU."""
TRAININGS = frozenset({"train-detector", "train", "restorer", "downstream", "transfer"})


def _is_busy(_task: Any, _run: Any, state: State[Any]) -> bool:
    return state.name == BUSY


@task(
    task_run_name="{name}", retries=len(RETRY_DELAYS), retry_delay_seconds=RETRY_DELAYS, retry_condition_fn=_is_busy,
    cache_policy=NO_CACHE, persist_result=False,
)  # fmt: skip
def run_stage(name: str, force: bool, folder: str, variables: dict[str, str]) -> State[Any]:
    """One stage of dvc.yaml. Ends as failed with the stage's own sentence; only DVC's lock is worth another try.

    Args:
        folder: the project's, the same path on every machine.
        variables: of the stage's environment.
    """
    outcome = programs.execute(programs.repro_command(name, force), get_run_logger().info, Path(folder), variables)
    # States rather than exceptions: a stage's own error is no fault of this code, and a traceback would bury the sentence.
    if outcome.busy:
        return Failed(name=BUSY, message=f"{name}: another DVC process is at work here ({outcome.error}); wait for it to end")
    if outcome.error is not None:
        return Failed(message=f"{name}: {outcome.error}")
    return Completed(message=name)


train_stage = run_stage.with_options(tags=[TRAINING])


def task_of(name: str) -> Any:
    """The task for a stage, by its name in dvc.yaml (name@item for an item of a matrix)."""
    return train_stage if name.split("@", maxsplit=1)[0] in TRAININGS else run_stage
