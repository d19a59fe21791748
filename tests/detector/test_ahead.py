"""Batches drawn ahead are those that would have been drawn in turn."""

import threading

import pytest

from dartblur.detector.ahead import Ahead


@pytest.mark.parametrize("on", [False, True])
def test_every_step_gets_its_own_batch(on: bool) -> None:
    batches = Ahead(lambda step: step * step, on=on)
    assert [batches.take(step) for step in (0, 1, 2, 7, 8, 3, 3)] == [0, 1, 4, 49, 64, 9, 9]


def test_the_next_is_drawn_before_it_is_asked_for() -> None:
    drawn, second = list[str](), threading.Event()

    def draw(step: int) -> int:
        drawn.append(threading.current_thread().name)
        if step == 1:
            second.set()
        return step

    batches = Ahead(draw, on=True)
    batches.take(0)
    assert second.wait(10)
    assert batches.take(1) == 1
    assert threading.current_thread().name not in drawn


def test_off_nothing_is_drawn_but_what_is_asked_for() -> None:
    drawn = list[int]()
    batches = Ahead(drawn.append, on=False)
    batches.take(3)
    assert drawn == [3]


def test_an_error_comes_with_the_step_that_it_belongs_to() -> None:
    def draw(step: int) -> int:
        if step == 1:
            raise ValueError("step 1")
        return step

    batches = Ahead(draw, on=True)
    assert batches.take(0) == 0
    with pytest.raises(ValueError, match="step 1"):
        batches.take(1)
    assert batches.take(2) == 2
