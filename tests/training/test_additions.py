import pytest
import torch

from dartblur.params import AdditionWeights
from dartblur.training.additions import RIM, SHALLOW, Additions, Faces, Seen, additions, agreement, edge, restore
from dartblur.training.discriminator import Discriminator, patch_weights
from dartblur.training.perception import Perception
from tests.training.conftest import ADDED, NOTHING_ADDED


@pytest.fixture(scope="module")
def perception() -> Perception:
    return Perception()


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(4, 6).eval()


def seen(faces: Faces, perception: Perception) -> Seen:
    clean = perception(faces.clean)
    return Seen(faces, perception(faces.made), clean, clean)


def group(number: int, side: int, seed: int = 0) -> Faces:
    generator = torch.Generator().manual_seed(seed)
    clean, made = (torch.rand(number, 3, side, side, generator=generator) * 255 for _ in range(2))
    mask = torch.zeros(number, 1, side, side)
    mask[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    return Faces((mask * made + (1 - mask) * clean).requires_grad_(), clean, mask)


def test_additions_have_the_names_of_their_weights() -> None:
    assert [name for name, _ in Additions().items()] == list(AdditionWeights.model_fields)


def test_restore_is_the_mean_distance_inside_the_mask_in_tens_of_grey_levels() -> None:
    faces = group(2, 16)
    assert float(restore(faces.clean, faces.clean, faces.mask)) == 0
    assert float(restore(faces.clean + 10, faces.clean, faces.mask)) == pytest.approx(1)
    outside = faces.clean + 50 * (1 - faces.mask)
    assert float(restore(outside, faces.clean, faces.mask)) == 0
    assert float(restore(faces.clean + 10, faces.clean, 0 * faces.mask)) == 0


def test_the_rim_of_a_box_is_inside_and_near_its_edge() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 8:40, 16:64] = 1  # to the tile's right border, beyond which nobody looks
    reach = 64 // RIM
    known = mask.clone()
    known[:, :, 8 + reach : 40 - reach, 16 + reach : 64] = 0
    assert torch.equal(edge(mask), known)
    assert not edge(torch.ones(1, 1, 32, 32)).any()
    assert not edge(torch.zeros(1, 1, 32, 32)).any()
    touching = mask.clone()
    touching[:, :, 40:60, 16:64] = 1  # a neighbour's box below: no seam between the two
    assert not edge(touching)[:, :, 30:50, 30:].any()


def test_the_seam_is_the_distance_along_the_rim(perception: Perception, discriminator: Discriminator) -> None:
    faces = group(2, 32)
    rim = edge(faces.mask)
    weights = NOTHING_ADDED.model_copy(update={"seam": 2.0})
    for offset, known in ((rim, 1.0), (faces.mask - rim, 0.0)):
        made = Faces(faces.clean + 10 * offset, faces.clean, faces.mask)
        found = additions([seen(made, perception)], weights, discriminator).seam
        assert found is not None and float(found) == pytest.approx(known)


def test_agreement_is_a_relative_distance(perception: Perception) -> None:
    faces = group(3, 32)
    known, made = perception(faces.clean), perception(faces.made)
    assert float(agreement(known, known)) == 0
    found = agreement(made, known)
    torch.testing.assert_close(agreement([7 * level for level in made], [7 * level for level in known]), found)
    (gradient,) = torch.autograd.grad(found, faces.made)
    assert torch.isfinite(gradient).all() and gradient.any()


def test_features_are_those_at_strides_4_and_8(perception: Perception, discriminator: Discriminator) -> None:
    known = seen(group(2, 32), perception)
    found = additions([known], ADDED, discriminator).features
    assert found is not None
    assert [level.shape[2] for level in known.made[SHALLOW]] == [32, 16]
    torch.testing.assert_close(found, agreement(known.made[:2], known.clean[:2]))


def test_realism_is_the_mean_of_what_the_critics_say_inside_the_mask(perception: Perception, discriminator: Discriminator) -> None:
    faces = group(2, 32)
    weights = NOTHING_ADDED.model_copy(update={"realism": 5.0})
    found = additions([seen(faces, perception)], weights, discriminator).realism
    assert found is not None
    logits = discriminator(faces.made, perception(faces.made), faces.mask)
    assert len(logits) == 5
    known = [float((level * patch_weights(faces.mask, (level.shape[2], level.shape[3]))).sum().detach()) for level in logits]
    assert float(found.detach()) == pytest.approx(-sum(known) / 5, rel=1e-4)


@pytest.mark.parametrize("name", list(AdditionWeights.model_fields))
def test_what_has_a_weight_of_zero_is_not_computed(name: str, perception: Perception, discriminator: Discriminator) -> None:
    known = seen(group(1, 16), perception)
    found = dict(additions([known], ADDED.model_copy(update={name: 0.0}), discriminator).items())
    assert found.pop(name) is None
    assert all(value is not None and value.shape == () and bool(torch.isfinite(value)) for value in found.values())
    assert additions([known], NOTHING_ADDED, discriminator) == Additions()


def test_tiles_of_several_sizes_count_together(perception: Perception, discriminator: Discriminator) -> None:
    groups = [seen(group(2, 16), perception), seen(group(2, 24, seed=1), perception)]
    together = dict(additions(groups, ADDED, discriminator).items())
    for name, value in together.items():
        alone = [dict(additions([part], ADDED, discriminator).items())[name] for part in groups]
        assert value is not None
        torch.testing.assert_close(value, torch.stack([part for part in alone if part is not None]).mean())
    assert sorted(together) == ["features", "realism", "restore", "seam"]


def test_no_tile_at_all_is_a_finite_nothing(perception: Perception, discriminator: Discriminator) -> None:
    """What a process without a face adds to the sums of the others."""
    found = additions([seen(group(0, 16), perception)], ADDED, discriminator)
    assert [float(value.detach()) for _, value in found.items() if value is not None] == [0, 0, 0, 0]
