"""A progress bar on stderr for work of a known number of steps; nothing where stderr is a file."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TERMINAL_ALL_THE_SAME = frozenset(("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"))
"""Variables by which rich takes what is no terminal for one."""


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Yield a function that takes the number of steps done and a short note (a loss, a name)."""
    if not sys.stderr.isatty() and not _TERMINAL_ALL_THE_SAME & os.environ.keys():
        yield _silent
        return
    # Here, because they take longer to import than a picture takes to be anonymised.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:  # nobody looks on
        yield _silent
        return
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total, note="")

        def show(done: int, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield show


def _silent(done: int, note: str = "") -> None:
    """Show nothing."""
