import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dartblur.training.discriminator import Discriminator, FeatureCritic, PatchCritic, hinge, patch_weights
from dartblur.training.perception import Perception


def made(width: int = 4) -> PatchCritic:
    torch.manual_seed(0)
    return PatchCritic(width)


@pytest.mark.parametrize(("number", "side"), [(1, 24), (3, 40), (2, 136), (0, 32)])
def test_one_logit_a_patch(number: int, side: int) -> None:
    tiles, mask = torch.rand(number, 3, side, side) * 255, torch.ones(number, 1, side, side)
    logits = made()(tiles, mask)
    assert logits.shape == (number, 1, side // 8, side // 8) == patch_weights(mask, (side // 8, side // 8)).shape
    assert torch.isfinite(logits).all()


def test_the_mask_is_seen() -> None:
    network, tiles, mask = made(), torch.rand(1, 3, 32, 32) * 255, torch.ones(1, 1, 32, 32)
    assert not torch.equal(network(tiles, mask), network(tiles, 0 * mask))


def test_a_patch_looks_54_pixels_far() -> None:
    tiles = (torch.rand(1, 3, 160, 160) * 255).requires_grad_()
    (gradient,) = torch.autograd.grad(made()(tiles, torch.ones(1, 1, 160, 160))[0, 0, 10, 9], tiles)
    rows, columns = (gradient[0].abs().sum(dim=(0, axis)).nonzero().flatten() for axis in (2, 1))
    assert [int(values[-1] - values[0] + 1) for values in (rows, columns)] == [54, 54]
    assert int(rows[0] + rows[-1] + 1) // 2 == 10 * 8 + 4  # around the middle of the patch


def test_no_level_enlarges_a_difference() -> None:
    """Spectral normalisation: after a few passes no convolution's matrix has a singular value above one."""
    network = made()
    for _ in range(20):
        network(torch.rand(1, 3, 32, 32) * 255, torch.ones(1, 1, 32, 32))
    for layer in (*network.levels, network.middle, network.last):
        weight = layer.eval().weight
        assert isinstance(weight, Tensor)
        assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("number", "side"), [(2, 7), (0, 4)])
def test_one_logit_a_cell_of_a_map(number: int, side: int) -> None:
    torch.manual_seed(0)
    critic = FeatureCritic(5, 6)
    features = torch.randn(number, 5, side, side)
    logits = critic(features, torch.ones(number, 1, 8 * side, 8 * side))
    assert logits.shape == (number, 1, side, side) and bool(torch.isfinite(logits).all())
    if number:
        assert not torch.equal(critic(features, torch.zeros(number, 1, 8 * side, 8 * side)), logits)


def test_there_is_a_critic_of_the_pixels_and_one_of_every_map() -> None:
    torch.manual_seed(0)
    tiles, mask = torch.rand(2, 3, 64, 64) * 255, torch.ones(2, 1, 64, 64)
    seen = Perception()(tiles)
    assert [level.shape[2] for level in Discriminator(4, 6)(tiles, seen, mask)] == [8, 32, 16, 8, 4]
    assert [level.shape[2] for level in Discriminator(4, 0)(tiles, [], mask)] == [8]
    assert [level.shape[2] for level in Discriminator(4, 0)(tiles, seen, mask)] == [8]
    with pytest.raises(ValueError, match="shorter"):
        Discriminator(4, 6)(tiles, [], mask)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.floats(0.01, 1))
def test_weights_of_patches_sum_to_one_and_stand_where_the_mask_is(seed: int, number: int, share: float) -> None:
    mask = (torch.rand(number, 1, 24, 32, generator=torch.Generator().manual_seed(seed)) < share).float()
    mask[0, 0, 0, 0] = 1
    weights = patch_weights(mask, (3, 4))
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    inside = mask.reshape(number, 3, 8, 4, 8).sum(dim=(2, 4))[:, None]
    torch.testing.assert_close(weights, inside / mask.sum())


def test_without_a_mask_nothing_counts() -> None:
    assert not patch_weights(torch.zeros(2, 1, 16, 16), (2, 2)).any()


def test_the_hinge_is_free_beyond_the_margins() -> None:
    weights = patch_weights(torch.ones(1, 1, 16, 16), (2, 2))
    sure = torch.full((1, 1, 2, 2), 1.0)
    assert float(hinge(sure, -sure, weights)) == 0
    assert float(hinge(sure + 7, -sure - 3, weights)) == 0
    assert float(hinge(0 * sure, 0 * sure, weights)) == 2
    assert float(hinge(-sure, sure, weights)) == 4
    real = torch.tensor([[[[0.5, 1.0], [2.0, 1.0]]]])
    assert float(hinge(real, -sure, weights)) == pytest.approx(0.5 / 4)
    assert float(hinge(real, -sure, patch_weights(torch.eye(16)[None, None].flip(3), (2, 2)))) == 0  # where nothing counts, nothing costs
