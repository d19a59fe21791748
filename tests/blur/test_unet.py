"""The network: its size, where it starts, and how its levels are joined."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dartblur.blur.unet import Part, UNet, Up, blend, part_of
from tests.blur.samples import CONFIG, random_unet


def inputs(size: int = 32, batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, size, size, generator=generator) * 255, (torch.rand(batch, 1, size, size, generator=generator) > 0.5).float()


def test_the_paper_s_size() -> None:
    assert sum(parameter.numel() for parameter in UNet(32, 5).parameters()) == 12_653_187


@pytest.mark.parametrize(("width", "depth"), [(4, 3), (8, 4), (4, 5), (4, 6)])
def test_shapes_and_range(width: int, depth: int) -> None:
    torch.manual_seed(0)
    unet = UNet(width, depth)
    for parameter in unet.parameters():
        nn.init.normal_(parameter, std=0.3)
    blurred, mask = inputs(1 << depth)
    painted = unet(blurred / 127.5 - 1, mask)
    assert painted.shape == blurred.shape
    assert painted.abs().max() <= 1 / 0.998
    assert torch.isfinite(painted).all()


@pytest.mark.parametrize("depth", [3, 5])
def test_an_untrained_network_returns_its_input(depth: int) -> None:
    torch.manual_seed(0)
    every_level = torch.arange(256.0).reshape(1, 1, 16, 16).repeat(1, 3, 2, 2)
    painted = blend(UNet(4, depth), every_level, torch.ones(1, 1, 32, 32))
    assert (painted - every_level).abs().max() < 1e-3
    assert torch.equal(painted.round(), every_level)


def test_outside_the_mask_nothing_changes_and_inside_the_network_paints() -> None:
    unet = random_unet()
    blurred, mask = inputs()
    painted = blend(unet, blurred, mask)
    outside = mask.expand_as(blurred) == 0
    assert torch.equal(painted[outside], blurred[outside])
    assert torch.equal(painted[~outside], ((unet(blurred / 127.5 - 1, mask) + 1) * 127.5)[~outside])
    assert (painted - blurred)[~outside].abs().mean() > 5


def test_the_mask_is_seen() -> None:
    unet = random_unet()
    blurred, mask = inputs()
    assert not torch.equal(unet(blurred / 127.5 - 1, mask), unet(blurred / 127.5 - 1, 1 - mask))


def test_upsampling_starts_without_a_dot_pattern() -> None:
    torch.manual_seed(0)
    for up in UNet(8, 4).up:
        assert isinstance(up, Up)
        shuffled = F.pixel_shuffle(up.first(torch.randn(1, up.first.in_channels, 5, 5)), 2)
        assert shuffled.abs().max() > 0.1
        assert torch.allclose(shuffled, shuffled[..., ::2, ::2].repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1), atol=1e-6)


def test_deep_skips_are_added_and_the_two_shallow_ones_concatenated() -> None:
    """With an upsampling that puts out nothing, what comes after it is the skip: alone where it is added, behind zeros where concatenated."""
    torch.manual_seed(0)
    unet = UNet(4, 5)
    before: list[Tensor] = []
    skips: list[Tensor] = []
    for down in unet.down:
        down.register_forward_hook(lambda module, args, output: skips.append(output))
    for up in unet.up:
        assert isinstance(up, Up)
        nn.init.zeros_(up.second.weight)
        assert up.second.bias is not None
        nn.init.zeros_(up.second.bias)
        up.register_forward_hook(lambda module, args, output: before.append(args[0]))
    blurred, mask = inputs(32)
    unet(blurred / 127.5 - 1, mask)
    assert [x.shape[1] for x in before] == [64, 32, 16, 16, 16]
    assert torch.equal(before[0], skips[4])
    assert torch.equal(before[1], skips[3])
    assert torch.equal(before[2], skips[2])
    for x, skip in ((before[3], skips[1]), (before[4], skips[0])):
        new = x.shape[1] - skip.shape[1]
        assert not x[:, :new].any()
        assert torch.equal(x[:, new:], skip)


def test_every_parameter_gets_a_gradient_and_the_background_none() -> None:
    unet = random_unet()
    blurred, mask = inputs()
    blurred.requires_grad_()
    torch.autograd.backward(blend(unet, blurred, mask).square().mean())
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in unet.parameters())
    assert blurred.grad is not None and torch.isfinite(blurred.grad).all()
    unet.zero_grad()
    torch.autograd.backward(blend(unet, blurred.detach(), mask * 0).sum())
    assert not any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in unet.parameters())


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 5), st.sampled_from([32, 64]), st.lists(st.tuples(*[st.integers(0, 63)] * 4), min_size=1, max_size=2))
def test_the_painted_rectangle_is_cut_out_of_the_whole_painting(depth: int, size: int, corners: list[tuple[int, int, int, int]]) -> None:
    """Values inside the masks and the weights' gradients are those of running on everything."""
    unet = random_unet(replace(CONFIG, depth=depth)).double()
    blurred = inputs(size, batch=len(corners))[0].double()
    mask = torch.zeros(len(corners), 1, size, size, dtype=torch.float64)
    for plane, (y1, y2, x1, x2) in zip(mask, corners, strict=True):
        plane[0, min(y1, y2) % size : max(y1, y2) % size + 1, min(x1, x2) % size : max(x1, x2) % size + 1] = 1
    found = []
    for unet.whole in (True, False):
        made = blend(unet, blurred, mask)
        found.append([made, *torch.autograd.grad(made.square().sum(), list(unet.parameters()))])
    for whole, cropped in zip(*found, strict=True):
        torch.testing.assert_close(cropped, whole, rtol=1e-9, atol=1e-9)


def test_a_small_face_costs_the_last_levels_little() -> None:
    unet = UNet(4, 3)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 25:37, 29:31] = 1
    assert part_of(mask) == Part(24, 40, 28, 32)
    pixels: list[int] = []
    for up in unet.up:
        assert isinstance(up, Up)
        up.register_forward_hook(lambda module, args, output: pixels.append(output[0, 0].numel()))
    blend(unet, torch.zeros(1, 3, 64, 64), mask)
    assert pixels[2] == 16 * 4
    assert pixels[1] < 32 * 32 / 2
    assert part_of(torch.zeros(2, 1, 16, 24)) == Part(0, 16, 0, 24)


def test_in_half_precision_an_unpainted_pixel_is_not_rounded() -> None:
    unet = UNet(4, 3)
    blurred, mask = inputs(32)
    with torch.autocast("cpu", torch.bfloat16):
        assert (blend(unet, blurred, mask) - blurred).abs().max() < 1e-3
