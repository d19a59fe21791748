"""The jobs of the library: a person, a place or a prop each, rendered in a process of its own.

A module beside ``__main__``, because a spawned process cannot find a function of ``python -m people`` again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

Job = tuple[str, int, int, Path]
"""What (people, places, props), which, seed, the library's folder."""
_PATH = tuple(sys.path)
"""Where modules lie, before bpy puts a folder of its own first: a process that inherited that would find the folder in place of bpy."""
_neutral: dict[str, float] = {}  # light of each rig on a grey ball, measured once a process


@lru_cache(maxsize=1)
def body() -> Any:
    """The body model, loaded once a process."""
    from people.body import Body

    return Body()


def run(job: Job) -> str:
    """Render one job in a worker process. Returns its name."""
    what, index, seed, out = job
    if what == "people":
        from people.portrait import render_person

        return render_person(body(), out, seed, index)
    (out / what).mkdir(parents=True, exist_ok=True)
    if what == "places":
        from people import places

        return str(places.render(out, seed, index, _neutral)["id"])
    from people import props

    return str(props.render(out, seed, index)["id"])


def jobs(out: Path, seed: int, identities: range) -> list[Job]:
    """All jobs, the long ones first, so that no worker is left alone with one at the end."""
    from people import places, props

    wanted = {"people": identities, "places": range(len(places.listing())), "props": range(len(props.names()))}
    return [(what, index, seed, out) for what, indices in wanted.items() for index in indices]


def _start(path: tuple[str, ...]) -> None:
    """Put the search path right, and silence what Blender and Warp print of every picture: the progress bar is the parent's."""
    sys.path[:] = path
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def render(todo: list[Job], workers: int) -> Iterator[str]:
    """Run jobs in processes of their own and name each as it is finished.

    Raises:
        BrokenProcessPool: a process was killed. What a job raised is raised here; jobs that have not started are dropped.
    """
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(_PATH,)) as pool:
        try:
            for future in as_completed([pool.submit(run, job) for job in todo]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
