import pytest
import torch
from torch import nn

from dartblur.params import Params
from dartblur.training.critic import new_discriminator
from tests.settings import settings


def made(params: Params, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    network: nn.Module = new_discriminator(params)
    return network.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_training_that_starts_from_the_sample_people_starts_from_their_critic_too() -> None:
    people = settings()
    scratch = settings(unet={"init": "scratch"})
    assert people.unet.init == "people"
    assert same(made(people, 0), made(people, 1))
    assert not same(made(scratch, 0), made(scratch, 1)) and not same(made(people, 0), made(scratch, 0))
    torch.manual_seed(0)
    new_discriminator(people)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    new_discriminator(scratch)
    assert torch.equal(drawn, torch.rand(1)), "what is drawn later must not depend on where the critic comes from"


@pytest.mark.parametrize("width", ["discriminator_width", "discriminator_feature_width"])
def test_a_critic_of_another_width_starts_anew(width: str) -> None:
    params = settings(train={width: 8})
    assert not same(made(params, 0), made(params, 1))
