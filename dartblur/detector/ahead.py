"""Batches drawn ahead: while a device works on one, a thread reads, cuts and resizes the next."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Draws what ``draw`` makes of a step's number, and begins with the next number at once.

    What is drawn is a function of the number alone, so neither the thread nor a step that is left out changes a result.

    Args:
        draw: makes the batch of a step; never called from two threads at once.
        on: whether to draw ahead at all: it gains nothing where the same cores draw and compute.
    """

    def __init__(self, draw: Callable[[int], T], on: bool) -> None:
        self._draw = draw
        # It ends when nobody holds this object any more; what it draws last is for nobody.
        self._thread = ThreadPoolExecutor(1, "ahead") if on else None
        self._next: tuple[int, Future[T]] | None = None

    def take(self, step: int) -> T:
        """The batch of ``step``; what drawing it raised is raised here."""
        if self._thread is None:
            return self._draw(step)
        ready, self._next = self._next, None
        # One that was drawn for another step is waited for and dropped: the only thread draws in order.
        future = ready[1] if ready is not None and ready[0] == step else self._thread.submit(self._draw, step)
        batch = future.result()
        self._next = (step + 1, self._thread.submit(self._draw, step + 1))
        return batch
