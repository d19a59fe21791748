"""What happens at which step, for any sizes, against a plain list of everything in its order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.params import TrainParams
from dartblur.training.schedule import ROUND, Schedule
from tests.training.conftest import small, warm


def schedule(pictures: int = 6, **train: object) -> Schedule:
    return Schedule(small(**train).train, pictures)


BASE = small().train
SCHEDULES = st.builds(
    lambda steps, epochs, alone, both, inner, batch, pictures: Schedule(
        BASE.model_copy(
            update={
                **{"warm": warm(steps), "epochs": epochs, "detector_epochs": alone, "adversarial_epochs": both, "epoch_steps": inner},
                **{"batch": batch, "decay": 0.5},
            }
        ),
        pictures,
    ),
    st.sampled_from([0, 1, 2, ROUND - 1, ROUND, ROUND + 1, 2 * ROUND]) | st.integers(0, 450),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(2, 9),
    st.integers(1, 30),
)


def in_order(train: TrainParams, pictures: int) -> list[tuple[str, int, int]]:
    """(kind, outer epoch, round) of every step."""
    inner = train.epoch_steps or -(-pictures // train.batch)
    steps = [("warm", 0, step // ROUND) for step in range(train.warm.steps)]
    rounds = -(-train.warm.steps // ROUND)
    for epoch in range(train.epochs):
        kinds = ["detector"] * (inner * train.detector_epochs) + ["adversarial"] * (inner * train.adversarial_epochs)
        steps += [(kind, epoch, rounds + epoch) for kind in kinds]
    return steps


@given(SCHEDULES)
def test_kinds_and_epochs_are_those_of_the_list(made: Schedule) -> None:
    expected = in_order(made.params, made.pictures)
    assert made.steps == len(expected)
    assert [(made.kind(number), made.epoch(number)) for number in range(made.steps)] == [(kind, epoch) for kind, epoch, _ in expected]


@given(SCHEDULES)
def test_a_round_ends_exactly_once(made: Schedule) -> None:
    rounds = [number for _, _, number in in_order(made.params, made.pictures)]
    lasts = [number for number in range(made.steps) if number == made.steps - 1 or rounds[number] != rounds[number + 1]]
    assert [number for number in range(made.steps) if made.ends_round(number)] == lasts
    assert [made.round(number) - 1 for number in range(made.steps)] == rounds


@given(SCHEDULES)
def test_an_outer_epoch_starts_exactly_once(made: Schedule) -> None:
    starts = [number for number in range(made.steps) if made.starts_epoch(number)]
    assert [made.epoch(number) for number in starts] == list(range(made.params.epochs))
    assert all(made.kind(number) != "warm" and (number == 0 or made.kind(number - 1) != "detector") for number in starts)


@given(SCHEDULES)
def test_rates(made: Schedule) -> None:
    """One cycle over the warm start, which reaches its peak and ends near nothing; then half of it after every outer epoch."""
    train = made.params
    start = [made.unet_rate(number) for number in range(train.warm.steps)]
    assert all(0 < rate <= train.warm.learning_rate * (1 + 1e-9) for rate in start)
    if len(start) >= 5:
        assert max(start) == pytest.approx(train.warm.learning_rate)
        assert start.index(max(start)) <= len(start) // 5
        assert start[-1] < 0.4 * train.warm.learning_rate
    for number in range(train.warm.steps, made.steps):
        epoch = (number - train.warm.steps) // made.outer_steps
        assert made.unet_rate(number) == train.unet_learning_rate / 2**epoch
        assert made.detector_rate(number) == train.detector_learning_rate / 2**epoch


def test_the_first_part_of_a_warm_start_has_additions_and_a_cycle_of_its_own() -> None:
    made = schedule(warm=warm(30, near_steps=10))
    assert [made.additions(number) for number in range(made.steps)] == [made.params.near] * 10 + [made.params.additions] * (made.steps - 10)
    alone = [schedule(warm=warm(steps)) for steps in (10, 20)]
    assert [made.unet_rate(number) for number in range(30)] == [part.unet_rate(n) for part in alone for n in range(part.params.warm.steps)]
    assert made.kind(29) == "warm" != made.kind(30)


def test_a_pass_over_the_data_where_no_steps_are_given() -> None:
    assert schedule(epoch_steps=0, batch=4).epoch_steps == 2  # six training pictures, four a batch
    assert schedule(epoch_steps=0, batch=6).epoch_steps == 1
    assert schedule(epoch_steps=7, batch=4).epoch_steps == 7
