import pytest
import torch
from torch import Tensor

from dartblur.detector.retinaface import Backbone, RetinaFace
from dartblur.params import AdditionWeights
from dartblur.training.additions import Additions, Faces, ShallowFeatures, additions, agreement, restore
from dartblur.training.discriminator import Discriminator, patch_weights
from tests.training.conftest import ADDED, NOTHING_ADDED


def detector(backbone: Backbone) -> RetinaFace:
    torch.manual_seed(0)
    return RetinaFace(backbone, 8).eval().requires_grad_(False)


def group(number: int, side: int, seed: int = 0) -> Faces:
    generator = torch.Generator().manual_seed(seed)
    clean, made = (torch.rand(number, 3, side, side, generator=generator) * 255 for _ in range(2))
    mask = torch.zeros(number, 1, side, side)
    mask[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    return Faces((mask * made + (1 - mask) * clean).requires_grad_(), clean, mask)


def networks(backbone: Backbone = "mobilenet025") -> tuple[ShallowFeatures, Discriminator]:
    torch.manual_seed(1)
    return ShallowFeatures(detector(backbone)), Discriminator(4).eval()


def test_additions_have_the_names_of_their_weights() -> None:
    assert [name for name, _ in Additions().items()] == list(AdditionWeights.model_fields)


def test_restore_is_the_mean_distance_inside_the_mask_in_tens_of_grey_levels() -> None:
    faces = group(2, 16)
    assert float(restore(faces.clean, faces.clean, faces.mask)) == 0
    assert float(restore(faces.clean + 10, faces.clean, faces.mask)) == pytest.approx(1)
    outside = faces.clean + 50 * (1 - faces.mask)
    assert float(restore(outside, faces.clean, faces.mask)) == 0
    assert float(restore(faces.clean + 10, faces.clean, 0 * faces.mask)) == 0


@pytest.mark.parametrize("backbone", ["mobilenetv2", "mobilenet025"])
def test_features_are_the_backbone_s_own_at_strides_4_and_8(backbone: Backbone) -> None:
    frozen = detector(backbone)
    features = ShallowFeatures(frozen)
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    seen: list[Tensor] = []
    tiles = torch.rand(2, 3, 48, 48) * 255
    for module in frozen.backbone.modules():
        module.register_forward_hook(lambda module, args, output: seen.append(output) if isinstance(output, Tensor) else None)
    maps = features(tiles)
    assert [tuple(level.shape[2:]) for level in maps] == [(12, 12), (6, 6)]
    seen.clear()
    frozen(tiles)
    assert all(any(level.shape == known.shape and torch.equal(level, known) for known in seen) for level in maps)
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())
    assert not any(parameter.requires_grad for parameter in features.parameters())


@pytest.mark.parametrize("backbone", ["mobilenetv2", "mobilenet025"])
def test_agreement_is_a_relative_distance(backbone: Backbone) -> None:
    features, _ = networks(backbone)
    faces = group(3, 32)
    known, made = features(faces.clean), features(faces.made)
    assert float(agreement(known, known)) == 0
    found = agreement(made, known)
    torch.testing.assert_close(agreement([7 * level for level in made], [7 * level for level in known]), found)
    (gradient,) = torch.autograd.grad(found, faces.made)
    assert torch.isfinite(gradient).all() and gradient.any()


def test_realism_is_what_the_discriminator_says_inside_the_mask() -> None:
    features, discriminator = networks()
    faces = group(2, 32)
    weights = NOTHING_ADDED.model_copy(update={"realism": 5.0})
    found = additions([faces], weights, features, discriminator).realism
    assert found is not None
    torch.testing.assert_close(found, -(discriminator(faces.made, faces.mask) * patch_weights(faces.mask)).sum())


@pytest.mark.parametrize("name", list(AdditionWeights.model_fields))
def test_what_has_a_weight_of_zero_is_not_computed(name: str) -> None:
    features, discriminator = networks()
    found = dict(additions([group(1, 16)], ADDED.model_copy(update={name: 0.0}), features, discriminator).items())
    assert found.pop(name) is None
    assert all(value is not None and value.shape == () and bool(torch.isfinite(value)) for value in found.values())
    assert additions([group(1, 16)], NOTHING_ADDED, features, discriminator) == Additions()


def test_tiles_of_several_sizes_count_together() -> None:
    features, discriminator = networks()
    groups = [group(2, 16), group(2, 24, seed=1)]
    together = dict(additions(groups, ADDED, features, discriminator).items())
    for name, value in together.items():
        alone = [dict(additions([part], ADDED, features, discriminator).items())[name] for part in groups]
        assert value is not None
        torch.testing.assert_close(value, torch.stack([part for part in alone if part is not None]).mean())
    assert sorted(together) == ["features", "realism", "restore"]


def test_no_tile_at_all_is_a_finite_nothing() -> None:
    """What a process without a face adds to the sums of the others."""
    features, discriminator = networks()
    found = additions([group(0, 16)], ADDED, features, discriminator)
    assert [float(value.detach()) for _, value in found.items() if value is not None] == [0, 0, 0]
