import os
from collections.abc import Callable
from functools import partial

import pytest

from dartblur.errors import DartblurError
from dartblur.faces.parallel import map_in_order, map_in_processes


def square(number: int) -> int:
    if number < 0:
        raise DartblurError(f"{number} is below 0; take another number")
    return number * number


def squares(power: int) -> Callable[[int], int]:
    return lambda number: square(number) ** power  # cannot be pickled, and need not be


def processes() -> Callable[[int], int]:
    return lambda number: os.getpid()


def threads() -> Callable[[int], tuple[int, int]]:
    import numpy as np
    import torch
    from threadpoolctl import threadpool_info

    np.ones((8, 8)) @ np.ones((8, 8))
    return lambda number: (torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info()))


def nothing() -> Callable[[int], int]:
    raise DartblurError("the weights are not installed; install them")


def death() -> Callable[[int], int]:
    return lambda number: os._exit(7)


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_and_processes_keep_the_order(workers: int) -> None:
    numbers = list(range(20))
    done: list[int] = []
    expected = [number**2 for number in numbers]
    assert map_in_order(square, numbers, workers, "squares") == expected
    assert map_in_processes(partial(squares, 1), numbers, workers, done.append) == expected
    assert done == list(range(1, 21))


def test_processes_are_others_where_there_is_more_than_one_of_both() -> None:
    assert map_in_processes(processes, [1, 2, 3], 1) == [os.getpid()] * 3
    assert map_in_processes(processes, [1], 2) == [os.getpid()]
    assert os.getpid() not in map_in_processes(processes, [1, 2, 3], 2)
    assert map_in_processes(processes, [], 2) == []


def test_a_process_computes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert map_in_processes(threads, [1, 2], 2) == [(1, 1)] * 2
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_in_order_is_the_one_that_is_told(workers: int) -> None:
    with pytest.raises(DartblurError, match=r"^-3 is below 0; take another number$"):
        map_in_processes(partial(squares, 1), [1, -3, 2, -4], workers)
    with pytest.raises(DartblurError, match=r"^the weights are not installed; install them$"):
        map_in_processes(nothing, [1, 2], workers)


def test_a_process_that_dies_is_one_sentence() -> None:
    with pytest.raises(DartblurError, match="a worker process has died, maybe for want of memory; run the same command again with fewer workers"):
        map_in_processes(death, [1, 2], 2)
