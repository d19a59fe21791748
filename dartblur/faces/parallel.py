"""One function over many picture files, side by side, in order.

Threads, not processes: decoding, hashing and file access let go of the interpreter's lock, so two threads on two cores take half the time of one
(measured: 764 JPEG files 0.53 s against 1.05 s; two processes 0.61 s), and nothing is pickled or started.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
