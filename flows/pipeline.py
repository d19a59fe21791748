"""The pipeline as a Prefect flow: the stages of dvc.yaml in order, side by side where they may be.

    python -m flows.pipeline --data data/sample --profile sample     # starts a server for itself, or uses PREFECT_API_URL
    prefect deploy --all                                             # makes the deployment of prefect.yaml

Each task runs `dvc repro --single-item <stage>`, so a stage that is up to date is skipped by DVC, and dvc.lock is the one that `dvc repro` leaves.
"""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from dartblur.errors import DartblurError
from dartblur.params import load_params
from flows import programs, summary

STEPS: tuple[tuple[str, ...], ...] = (
    ("ingest",),
    ("validate",),
    ("preblur",),
    ("train-detector",),  # alone: uses compute.train_threads cores
    ("train",),  # alone, likewise
    ("arm",),  # every arm by itself
    ("restorer",),  # every arm by itself
    ("privacy",),  # alone: uses compute.workers processes
    ("downstream", "transfer", "frozen"),  # every arm, and where it trains every seed, by itself
    ("evaluate", "review"),
    ("register",),
    ("report",),
)
"""What runs after what; the stages of one step (all items of a matrix among them) run side by side, compute.workers at a time."""

METRICS = Path("reports/metrics.json")
BUSY = "Busy"
# DVC holds its locks for moments, another `dvc repro` for as long as a stage takes: two minutes of patience, then the sentence that says so.
RETRY_DELAYS = [1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]


def _is_busy(_task: Any, _run: Any, state: State[Any]) -> bool:
    return state.name == BUSY


@task(
    task_run_name="{name}", retries=len(RETRY_DELAYS), retry_delay_seconds=RETRY_DELAYS, retry_condition_fn=_is_busy,
    cache_policy=NO_CACHE, persist_result=False,
)  # fmt: skip
def run_stage(name: str, force: bool = False) -> State[Any]:
    """One stage of dvc.yaml. Ends as failed with the stage's own sentence; only DVC's lock is worth another try."""
    outcome = programs.execute(programs.repro_command(name, force), get_run_logger().info)
    # States rather than exceptions: a stage's own error is no fault of this code, and a traceback would bury the sentence.
    if outcome.busy:
        return Failed(name=BUSY, message=f"{name}: another DVC process is at work here ({outcome.error}); wait for it to end")
    if outcome.error is not None:
        return Failed(message=f"{name}: {outcome.error}")
    return Completed(message=name)


@task(task_run_name="configure", cache_policy=NO_CACHE, persist_result=False)
def configure(data: str | None, profile: str | None) -> State[Any]:
    """Write the profile and the data source into params.yaml."""
    options = [*(["--profile", profile] if profile else []), *(["--data", data] if data else [])]
    outcome = programs.execute([programs.tool("dartblur"), "configure", *options], get_run_logger().info)
    return Completed(message="configured") if outcome.error is None else Failed(message=f"configure: {outcome.error}")


@flow(name="pipeline", persist_result=False)
def pipeline(data: str | None = None, profile: str | None = None, force: bool = False) -> State[Any]:
    """Data to registered model.

    Args:
        data: folder with pictures and annotations; the one in params.yaml if None.
        profile: sample, study or widerface; the one in params.yaml if None.
        force: run every stage again, up to date or not.
    """
    try:
        if data or profile:
            _must_complete(configure(data, profile, return_state=True))
        workers = load_params().compute.workers
        for names in _planned(programs.stage_names()):
            _side_by_side(names, workers, force)
        metrics = summary.read_metrics(METRICS)
    except DartblurError as error:
        return Failed(message=str(error))
    create_markdown_artifact(summary.markdown(metrics), key="pipeline", description=summary.verdict(metrics))
    return Completed(message=summary.verdict(metrics))


def _planned(stages: list[str]) -> list[list[str]]:
    """The stages of each step. A stage that no step names would never run, so it is an error."""
    unknown = [stage for stage in stages if not any(stage.split("@")[0] in step for step in STEPS)]
    if unknown:
        raise DartblurError(f"dvc.yaml has a stage {unknown[0]} that the flow does not run; add it to STEPS in flows/pipeline.py")
    return [[stage for stage in stages if stage.split("@")[0] in step] for step in STEPS]


def _side_by_side(names: list[str], workers: int, force: bool) -> None:
    """Run stages, at most ``workers`` at once; after a failure those that have begun end, and no other begins."""
    if len(names) < 2 or workers < 2:
        for name in names:
            _must_complete(run_stage(name, force, return_state=True))
        return
    threads: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
    with threads as runner, programs.ended_on_interrupt():
        for future in [runner.submit(run_stage, {"name": name, "force": force}) for name in names]:
            future.wait()
            _must_complete(future.state)


def _must_complete(state: State[Any]) -> None:
    """Prefect hands a returned state back as it is: a failed one stops nothing by itself."""
    if not state.is_completed():
        raise DartblurError(state.message or f"a task ended as {state.name}")


def _interrupt(_signal: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Run the flow from the command line; 0 if it completed, 1 with one sentence if it did not, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Run the pipeline as a Prefect flow.")
    parser.add_argument("--data", help="folder with pictures and annotations (default: as in params.yaml)")
    parser.add_argument("--profile", help="sample, study or widerface (default: as in params.yaml)")
    parser.add_argument("--force", action="store_true", help="run every stage again, up to date or not")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)  # so that a stage in progress ends with the flow
    try:
        state: State[Any] = pipeline(arguments.data, arguments.profile, arguments.force, return_state=True)
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; the next run goes on where this one was stopped\n")
        return 130
    except RuntimeError as error:  # what Prefect raises when its server does not start or answer
        first = next((line for line in str(error).splitlines() if line.strip()), "no message")
        sys.stderr.write(f"error: Prefect's server does not answer ({first}); check PREFECT_API_URL, or unset it to have one started\n")
        return 1
    if state.is_completed():
        sys.stdout.write(f"{state.message}\n")
        return 0
    sys.stderr.write(f"error: {state.message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
