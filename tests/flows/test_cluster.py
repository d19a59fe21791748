"""Tasks side by side: at most so many, none after a failure; what is no cluster is one sentence."""

import importlib.util
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from dartblur.errors import DartblurError, UsageError
from flows import cluster
from flows.stage import TRAINING, task_of


class Ended:
    """A future as those of Prefect's task runners."""

    def __init__(self, future: "Future[State[Any]]", failure_seen: threading.Event) -> None:
        self._future, self._failure_seen = future, failure_seen
        self.state: State[Any]

    def add_done_callback(self, tell: Callable[["Ended"], None]) -> None:
        self._future.add_done_callback(lambda _: tell(self))

    def wait(self) -> None:
        self.state = self._future.result()
        if not self.state.is_completed():
            self._failure_seen.set()


class Threads:
    """A task runner without a server: a task is a function."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self.failure_seen = threading.Event()

    def submit(self, task: Callable[..., "State[Any]"], parameters: dict[str, Any]) -> Ended:
        return Ended(self._executor.submit(task, **parameters), self.failure_seen)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with ThreadPoolExecutor(8) as executor:
        yield Threads(executor)


def run(tasks: Threads, calls: list[tuple[Any, dict[str, Any]]], at_once: int, stop: bool = True) -> list["State[Any]"]:
    return cluster.run_all(tasks, calls, at_once, stop)  # type: ignore[arg-type]


def test_as_many_at_once_as_allowed_and_every_one(threads: Threads) -> None:
    seen: list[int] = []
    running, lock, pair = 0, threading.Lock(), threading.Barrier(2)

    def work(number: int) -> "State[Any]":
        nonlocal running
        with lock:
            running += 1
            seen.append(running)
        pair.wait(30)  # two at a time: alone it would wait in vain
        with lock:
            running -= 1
        return Completed(message=str(number))

    states = run(threads, [(work, {"number": number}) for number in range(6)], 2)
    assert sorted(state.message or "" for state in states) == list("012345")
    assert max(seen) == 2


def test_after_a_failure_none_begins_and_those_that_have_begun_end(threads: Threads) -> None:
    begun: list[str] = []

    def work(name: str) -> "State[Any]":
        begun.append(name)
        if name == "bad":
            return Failed(message="no faces")
        threads.failure_seen.wait(30)
        return Completed(message=name)

    states = run(threads, [(work, {"name": name}) for name in ("slow", "bad", "later")], 2)
    assert [state.message for state in states] == ["no faces", "slow"]
    assert sorted(begun) == ["bad", "slow"]


def test_a_failure_need_not_stop_the_others(threads: Threads) -> None:
    def work(bad: bool) -> "State[Any]":
        return Failed() if bad else Completed()

    states = run(threads, [(work, {"bad": bad}) for bad in (True, False, True, False)], 1, stop=False)
    assert [state.is_completed() for state in states] == [False, True, False, True]


def test_nothing_to_do(threads: Threads) -> None:
    assert run(threads, [], 2) == []


def test_threads_are_the_default() -> None:
    assert isinstance(cluster.runner(None, 3), ThreadPoolTaskRunner)
    assert cluster.width(cluster.runner(None, 3), None, 3) == 3


def test_processes_of_dask() -> None:
    from prefect_dask.task_runners import DaskTaskRunner

    here, there = cluster.runner("dask", 3), cluster.runner("dask://10.0.0.1:8786", 3)
    assert isinstance(here, DaskTaskRunner) and isinstance(there, DaskTaskRunner)
    assert (here.cluster_kwargs["n_workers"], here.cluster_kwargs["threads_per_worker"]) == (3, 1)
    assert there.address == "tcp://10.0.0.1:8786"
    assert cluster.width(here, "dask", 3) == 3


@pytest.mark.parametrize("name", ["spark", "dask:", "Dask", "", "http://127.0.0.1:1", "daskx://a:1"])
def test_what_is_no_cluster(name: str) -> None:
    with pytest.raises(UsageError, match=r"no cluster that the flow knows; give dask, dask://<host>:<port>, ray"):
        cluster.runner(name, 2)


@pytest.mark.skipif(importlib.util.find_spec("prefect_ray") is not None, reason="Ray is installed here")
def test_ray_where_it_is_not_installed() -> None:
    with pytest.raises(UsageError, match=r"ray: prefect-ray is not installed here .*`pip install prefect-ray`"):
        cluster.runner("ray", 2)


class Nobody:
    """A task runner whose cluster does not answer, or has nobody to work."""

    def __init__(self, threads: dict[str, int] | None) -> None:
        self._threads = threads

    @property
    def client(self) -> "Nobody":
        if self._threads is None:
            raise OSError("Timed out trying to connect")
        return self

    def nthreads(self) -> dict[str, int]:
        assert self._threads is not None
        return self._threads


def test_a_cluster_elsewhere() -> None:
    assert cluster.width(Nobody({"a": 1, "b": 2}), "dask://a:1", 8) == 3  # type: ignore[arg-type]
    with pytest.raises(DartblurError, match=r"dask://a:1: no Dask scheduler answers there \(Timed out"):
        cluster.width(Nobody(None), "dask://a:1", 8)  # type: ignore[arg-type]
    with pytest.raises(DartblurError, match=r"the scheduler has no worker; start one in this folder with `dask worker tcp://a:1 --nthreads 1`"):
        cluster.width(Nobody({}), "dask://a:1", 8)  # type: ignore[arg-type]


def test_trainings_bear_the_tag_of_their_limit() -> None:
    assert task_of("train").tags == {TRAINING} == task_of("downstream@dartblur-0").tags
    assert not task_of("evaluate").tags | task_of("arm@clean").tags
