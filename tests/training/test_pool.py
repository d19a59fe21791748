import pytest
import torch

from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.training import new_detector
from dartblur.errors import DartblurError
from dartblur.params import PoolParams
from dartblur.training.pool import DetectorPool, Learned
from tests.training.conftest import small

PARAMS = small()


def pool(size: int, restart: int) -> DetectorPool:
    train = PARAMS.train.model_copy(update={"pool": PoolParams(size=size, restart=restart)})
    return DetectorPool(PARAMS.detector, train, 5, torch.device("cpu"))


def generation(member: RetinaFace) -> int:
    """Which of the detectors that a pool starts one after the other this is."""
    for number in range(8):
        fresh = new_detector(PARAMS.detector, 5 + 1000 * number).state_dict()
        if all(torch.equal(value, fresh[name]) for name, value in member.state_dict().items()):
            return number
    raise AssertionError("a detector of no generation")


def learned(member: RetinaFace, loss: float = 1.0) -> Learned:
    return Learned(loss, {name: torch.ones_like(value) for name, value in member.named_parameters()}, {})


def test_members_differ_and_are_taken_in_turn() -> None:
    made = pool(3, 0)
    assert [generation(member) for member in made.members] == [0, 1, 2]
    assert [made.take(turn)[0] for turn in range(4)] == [*made.members, made.members[0]]
    assert [made.take(turn)[1] for turn in range(4)] == [*made.optimizers, made.optimizers[0]]
    for member, optimizer in zip(made.members, made.optimizers, strict=True):
        owned = {id(value) for group in optimizer.param_groups for value in group["params"]}
        assert owned == {id(value) for value in member.parameters()}


@pytest.mark.parametrize(
    ("size", "restart", "known"),
    [
        (1, 0, [[0], [0], [0], [0], [0]]),
        (1, 1, [[0], [1], [2], [3], [4]]),
        (2, 1, [[0, 1], [2, 1], [2, 3], [4, 3], [4, 5]]),
        (3, 2, [[0, 1, 2], [0, 1, 2], [3, 1, 2], [3, 1, 2], [3, 4, 2]]),
    ],
)
def test_the_oldest_restarts_and_only_it(size: int, restart: int, known: list[list[int]]) -> None:
    made = pool(size, restart)
    found = []
    for epoch in range(5):
        members, optimizers = list(made.members), list(made.optimizers)
        made.begin_epoch(epoch)
        found.append([generation(member) for member in made.members])
        stayed = [a is b for a, b in zip(members, made.members, strict=True)]
        assert stayed == [a is b for a, b in zip(optimizers, made.optimizers, strict=True)]
        assert sum(not same for same in stayed) == (restart > 0 and epoch > 0 and epoch % restart == 0)
        assert len(made.members) == size
    assert found == known


def test_a_restarted_member_has_no_moments() -> None:
    made = pool(2, 1)
    for turn in range(2):
        member, optimizer = made.take(turn)
        made.step(member, optimizer, learned(member))
    made.begin_epoch(1)
    assert [bool(optimizer.state) for optimizer in made.optimizers] == [False, True]


def test_a_rate_is_for_all() -> None:
    made = pool(2, 0)
    made.set_rate(0.25)
    assert [optimizer.param_groups[0]["lr"] for optimizer in made.optimizers] == [0.25, 0.25]


def test_a_step_takes_gradients_and_statistics_that_are_known() -> None:
    made = pool(1, 0)
    made.set_rate(0.125)
    member, optimizer = made.take(0)
    before = {name: value.detach().clone() for name, value in member.named_parameters()}
    statistics = {name: value + 1 for name, value in member.named_buffers() if name.endswith("running_mean")}
    assert made.step(member, optimizer, Learned(3.0, learned(member).gradients, statistics)) == 3.0
    for name, value in member.named_parameters():  # Adam's first step is the sign of the gradient
        torch.testing.assert_close(value.detach(), before[name] - 0.125, rtol=1e-4, atol=1e-5)
        assert value.grad is None
    for name, buffer in member.named_buffers():
        assert torch.equal(buffer, statistics[name]) if name in statistics else not torch.equal(buffer, buffer + 1)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_moves_nothing(loss: float) -> None:
    made = pool(1, 0)
    member, optimizer = made.take(0)
    with pytest.raises(DartblurError, match=r"^fg's loss is (nan|inf); lower train\.detector_learning_rate$"):
        made.step(member, optimizer, learned(member, loss))
    assert generation(member) == 0
    assert not optimizer.state
