"""Where tasks run that may run side by side: threads here, processes of Dask or Ray here, or on other machines."""

import importlib
import queue
from collections.abc import Iterable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from dartblur.errors import DartblurError, UsageError

KNOWN = "dask, dask://<host>:<port>, ray or ray://<host>:<port>"


def runner(cluster: str | None, workers: int) -> TaskRunner[Any]:
    """What hands out the tasks.

    Args:
        cluster: None for threads of this process; dask or ray for ``workers`` processes on this machine; dask://<host>:<port> of a scheduler or
            ray://<host>:<port> of a head node for those of a cluster, whose machines see the project's folder under the same path.

    Raises:
        UsageError: another word, or the package for it is not installed.
    """
    if cluster is None:
        return ThreadPoolTaskRunner(max_workers=workers)
    kind, _, address = cluster.partition("://")
    try:
        if kind == "dask" and (address or cluster == kind):
            from prefect_dask.task_runners import DaskTaskRunner

            if address:
                return DaskTaskRunner(address=f"tcp://{address}")
            # A worker only waits for the program that it has started, so its own memory says nothing and is not watched.
            here = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": None, "dashboard_address": None, "host": "127.0.0.1"}
            return DaskTaskRunner(cluster_kwargs=here)
        if kind == "ray" and (address or cluster == kind):
            # By name, because it need not be installed where types are checked.
            make = importlib.import_module("prefect_ray").RayTaskRunner
            tasks: TaskRunner[Any] = make(address=cluster) if address else make(init_kwargs={"num_cpus": workers})
            return tasks
    except ImportError as error:
        raise UsageError(f"{cluster}: prefect-{kind} is not installed here ({error}); `pip install prefect-{kind}`, or take another one") from error
    raise UsageError(f"{cluster}: no cluster that the flow knows; give {KNOWN}")


def width(tasks: TaskRunner[Any], cluster: str | None, workers: int) -> int:
    """How many tasks may run at once: ``workers``, or as many as a cluster elsewhere has threads.

    Raises:
        DartblurError: the cluster does not answer, or has no worker.
    """
    if cluster is None or not cluster.startswith("dask://"):
        return workers
    try:
        threads = sum(tasks.client.nthreads().values())  # type: ignore[attr-defined]
    except OSError as error:
        raise DartblurError(f"{cluster}: no Dask scheduler answers there ({error}); start one with `dask scheduler`") from error
    if not threads:
        raise DartblurError(f"{cluster}: the scheduler has no worker; start one in this folder with `dask worker tcp://{cluster[7:]} --nthreads 1`")
    return int(threads)


def run_all(tasks: TaskRunner[Any], calls: Iterable[tuple[Any, dict[str, Any]]], at_once: int, stop: bool = True) -> list[State[Any]]:
    """Run tasks, at most ``at_once`` side by side.

    Args:
        calls: each task with its parameters.
        stop: after a failure those that have begun end, and no other begins; else all run.

    Returns:
        The states of those that began, in the order in which they ended.
    """
    waiting, ended = list(reversed(list(calls))), queue.SimpleQueue[Any]()
    states: list[State[Any]] = []
    running = 0
    while running or waiting:
        while waiting and running < at_once:
            task, parameters = waiting.pop()
            tasks.submit(task, parameters).add_done_callback(ended.put)
            running += 1
        future = ended.get()
        running -= 1
        future.wait()
        states.append(future.state)
        if stop and not future.state.is_completed():
            waiting.clear()
    return states
