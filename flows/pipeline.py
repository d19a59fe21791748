"""The pipeline as a Prefect flow: the stages of dvc.yaml in order, side by side where they may be.

    python -m flows.pipeline --data data/sample --profile sample     # starts a server for itself, or uses PREFECT_API_URL
    python -m flows.pipeline --cluster dask                          # stages that may run side by side, in processes of Dask
    prefect deploy --all                                             # makes the deployments of prefect.yaml

Each task runs `dvc repro --single-item <stage>`, so a stage that is up to date is skipped by DVC, and dvc.lock is the one that `dvc repro` leaves.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner

from dartblur.errors import DartblurError
from dartblur.params import load_params
from dartblur.torchrun import OPTIONS
from flows import artifacts, cluster, commandline, programs, restarts, summary
from flows.stage import task_of

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


@task(task_run_name="configure", cache_policy=NO_CACHE, persist_result=False)
def configure(data: str | None, profile: str | None) -> State[Any]:
    """Write the profile and the data source into params.yaml."""
    options = [*(["--profile", profile] if profile else []), *(["--data", data] if data else [])]
    outcome = programs.execute([programs.tool("dartblur"), "configure", *options], get_run_logger().info)
    return Completed(message="configured") if outcome.error is None else Failed(message=f"configure: {outcome.error}")


@flow(
    name="pipeline", persist_result=False, on_failure=[artifacts.show_failure], on_crashed=[artifacts.show_failure],
    on_cancellation=[artifacts.show_failure],
)  # fmt: skip
def pipeline(
    data: str | None = None, profile: str | None = None, force: bool = False, cluster: str | None = None, torchrun: str | None = None
) -> State[Any]:
    """Data to registered model.

    Args:
        data: folder with pictures and annotations; the one in params.yaml if None.
        profile: sample, study or widerface; the one in params.yaml if None.
        force: run every stage again, up to date or not.
        cluster: where stages that may run side by side do: threads of this process if None; dask, dask://<host>:<port>, ray or ray://<host>:<port>.
        torchrun: options with which torchrun starts the stage train, such as "--standalone --nproc-per-node 2"; without it if None.
    """
    if (why := restarts.given_up()) is not None:
        return Failed(message=why)
    try:
        if data or profile:
            _must_complete(configure(data, profile, return_state=True))
        params = load_params()
        _run_stages(_planned(programs.stage_names()), force, cluster, params.compute.workers, {} if torchrun is None else {OPTIONS: torchrun})
        metrics = summary.read_metrics(METRICS)
    except DartblurError as error:
        return Failed(message=str(error))
    artifacts.show_pipeline(metrics, params.registry)
    return Completed(message=summary.verdict(metrics))


def _planned(stages: list[str]) -> list[list[str]]:
    """The stages of each step. A stage that no step names would never run, so it is an error."""
    unknown = [stage for stage in stages if not any(stage.split("@")[0] in step for step in STEPS)]
    if unknown:
        raise DartblurError(f"dvc.yaml has a stage {unknown[0]} that the flow does not run; add it to STEPS in flows/pipeline.py")
    return [[stage for stage in stages if stage.split("@")[0] in step] for step in STEPS]


def _run_stages(plan: list[list[str]], force: bool, where: str | None, workers: int, variables: dict[str, str]) -> None:
    """Run the stages step by step; a failure ends the step, and no other begins."""
    fixed = {"force": force, "folder": str(Path.cwd()), "variables": variables}
    with cluster.runner(where, workers) as tasks, programs.ended_on_interrupt():
        for names in plan:
            _run_step(names, tasks, where, workers, fixed)


def _run_step(names: list[str], tasks: TaskRunner[Any], where: str | None, workers: int, fixed: dict[str, Any]) -> None:
    if len(names) == 1:
        # Here, in the flow's own process: nothing would run beside it.
        _must_complete(task_of(names[0])(name=names[0], **fixed, return_state=True))
        return
    calls = [(task_of(name), {"name": name, **fixed}) for name in names]
    for state in cluster.run_all(tasks, calls, cluster.width(tasks, where, workers)):
        _must_complete(state)


def _must_complete(state: State[Any]) -> None:
    """Prefect hands a returned state back as it is: a failed one stops nothing by itself."""
    if not state.is_completed():
        raise DartblurError(state.message or f"a stage ended as {state.name}: the process that ran it was lost; the next run goes on there")


def main() -> int:
    """Run the flow from the command line; 0 if it completed, 1 with one sentence if it did not, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description="Run the pipeline as a Prefect flow.")
    parser.add_argument("--data", help="folder with pictures and annotations (default: as in params.yaml)")
    parser.add_argument("--profile", help="sample, study or widerface (default: as in params.yaml)")
    parser.add_argument("--force", action="store_true", help="run every stage again, up to date or not")
    parser.add_argument("--cluster", help=f"where stages run side by side: {cluster.KNOWN} (default: threads here)")
    parser.add_argument("--torchrun", help='options with which torchrun starts the stage train, such as "--standalone --nproc-per-node 2"')
    given = parser.parse_args()
    return commandline.run(lambda: pipeline(given.data, given.profile, given.force, given.cluster, given.torchrun, return_state=True))


if __name__ == "__main__":
    sys.exit(main())
