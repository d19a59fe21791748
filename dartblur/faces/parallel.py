"""One function over many picture files, side by side, in order.

:func:`map_in_order` takes threads, not processes: decoding, hashing and file access let go of the interpreter's lock, so two threads on two cores
take half the time of one (measured: 764 JPEG files 0.53 s against 1.05 s; two processes 0.61 s), and nothing is pickled or started.
:func:`map_in_processes` is for work that holds that lock, such as dlib's.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dartblur.errors import DartblurError

Item = TypeVar("Item")
Result = TypeVar("Result")

_QUIET_SECONDS = 2.0
"""Shorter work shows no bar."""


def map_in_order(function: Callable[[Item], Result], items: Sequence[Item], workers: int, title: str) -> list[Result]:
    """``[function(item) for item in items]`` on ``workers`` threads, with a progress bar on stderr once it takes more than two seconds.

    The first item, in order, whose call raises ends it with that exception: the same one for any number of workers. Calls that have not started
    by then never do.
    """
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task(title, total=len(items))
    started = time.monotonic()
    results: list[Result] = []
    executor = ThreadPoolExecutor(max_workers=workers)
    try:
        for result in executor.map(function, items):
            results.append(result)
            progress.update(task, completed=len(results))
            if not progress.live.is_started and time.monotonic() - started > _QUIET_SECONDS:
                progress.start()
    finally:
        if progress.live.is_started:  # stopping a bar that never showed prints an empty line
            progress.stop()
        executor.shutdown(cancel_futures=True)
    return results


def ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``map(function, items)`` on ``workers`` threads, in order; a few results wait in memory, however many items there are."""
    waiting: deque[Future[Result]] = deque()
    executor = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def map_in_processes(
    make: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int, show: Callable[[int], None] = lambda done: None
) -> list[Result]:
    """``[function(item) for item in items]`` with ``function = make()``, by ``workers`` processes that each make their own.

    Args:
        make: picklable; what it returns need not be. Called in this process where one worker, or one item, needs no other.
        show: told how many items are done, in order.

    Raises:
        DartblurError: a process has died. The first item, in order, whose call raises ends it with that exception.
    """
    results: list[Result] = []
    if workers < 2 or len(items) < 2:
        function = make()
        for item in items:
            results.append(function(item))
            show(len(results))
        return results
    # Fresh processes: a fork would copy threads of torch or of a test runner in whatever state they are.
    executor = ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), _start, (make,))
    try:
        with without_interrupts(), _one_thread_each():
            futures = [executor.submit(_call, item) for item in items]
        for future in futures:
            results.append(future.result())
            show(len(results))
    except BrokenProcessPool as error:
        raise DartblurError("a worker process has died, maybe for want of memory; run the same command again with fewer workers") from error
    finally:
        executor.shutdown(cancel_futures=True)
    return results


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started in the block compute on one thread: several on one core that wait for each other cost many times the work.

    Linear algebra libraries read these variables when they are loaded, so it must be said before a worker's first import. The sums of a worker do
    not depend on the number of cores either.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_make: Callable[[], Callable[[Any], Any]] | None = None
_function: Callable[[Any], Any] | None = None


def begin_worker() -> None:
    """Prepare this worker process: OpenCV on one thread; it ends when its parent does, however that ends."""

    def follow() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    cv2.setNumThreads(1)


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    """Prepare a worker process."""
    global _make  # noqa: PLW0603 - one for each process, which is what a process pool offers
    begin_worker()
    _make = make


def _call(item: Any) -> Any:
    """The function is made here, not in :func:`_start`: what is raised there would break the pool, and its sentence would be lost."""
    global _function  # noqa: PLW0603
    if _function is None:
        if _make is None:
            raise DartblurError("the worker process was not started; this is a mistake in the program, report it")
        _function = _make()
    return _function(item)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; processes started in it never hear it, so that only this one says a word."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
