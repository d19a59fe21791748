"""Tiles: exact at a scale of one, a triangle filter at any other, and the U-Net on them the same in training as in use."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dartblur.blur.dartblur import DartBlur, Network
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.paint import Painted, cut_tiles, gather, paint, spread
from dartblur.blur.repaint import _written, cut_tile
from dartblur.blur.tiles import Tile, by_size, by_square, tile_around, tiles_of
from dartblur.blur.unet import UNet, blend
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.windows import FILL, Window
from tests.blur.samples import BOXES, CONFIG, HEIGHT, WIDTH, noise, random_unet, untrained

SPEC = CONFIG.tiles
NOWHERE = (0, 0, 1, 1)
"""The bounds of a tile whose window alone counts."""
Plane = npt.NDArray[np.float64]

WINDOWS = st.builds(Window, st.integers(-70, 70), st.integers(-70, 70), st.integers(1, 60))


def tensor(image: Image) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) uint8."""
    return torch.from_numpy(image).permute(2, 0, 1)


def plane(image: Image, window: Window, margin: int) -> Plane:
    """The window and ``margin`` more pixels on every side, (3, side + 2 margin, ...), what lies beyond the picture filled."""
    side = window.side + 2 * margin
    square = np.empty((side, side, 3))
    for row in range(side):
        for column in range(side):
            y, x = window.top - margin + row, window.left - margin + column
            square[row, column] = image[y, x] if 0 <= y < image.shape[0] and 0 <= x < image.shape[1] else FILL
    return square.transpose(2, 0, 1)


def triangle(side: int, size: int, margin: int) -> Plane:
    """The filter on one axis, a weight at a time: ``size`` samples of ``side`` pixels with ``margin`` more at both ends."""
    scale = side / size
    weights = np.zeros((size, side + 2 * margin))
    for sample in range(size):
        centre = (sample + 0.5) * scale - 0.5 + margin
        for pixel in range(side + 2 * margin):
            weights[sample, pixel] = max(0.0, 1.0 - abs(pixel - centre) / max(scale, 1.0))
        weights[sample] /= weights[sample].sum()
    return weights


@settings(max_examples=200)
@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 400), st.integers(1, 400), st.floats(0, 4), st.integers(3, 6))
def test_a_tile_holds_its_face_and_suits_the_network(x: int, y: int, width: int, height: int, context: float, depth: int) -> None:
    tile = tile_around((x, y, x + width, y + height), replace(CONFIG, context=context, depth=depth).tiles)
    window, size = tile.window, tile.size
    assert size % (1 << depth) == 0
    assert window.left <= x and x + width <= window.left + window.side
    assert window.top <= y and y + height <= window.top + window.side
    seen = max(width, height) * size / window.side
    assert seen <= CONFIG.face_max * 1.05
    if CONFIG.face_min <= max(width, height) <= CONFIG.face_max:
        assert window.side == size


@settings(max_examples=200)
@given(BOXES, st.sampled_from([(WIDTH, HEIGHT), (40, 200), (300, 60)]), st.floats(0, 2), st.integers(3, 5))
def test_a_tile_reaches_beyond_the_picture_only_where_it_is_larger(boxes: Boxes, frame: tuple[int, int], context: float, depth: int) -> None:
    """It holds its face all the same, and is never larger than the face's tile in a picture without an edge."""
    boxes = boxes[(boxes[:, 0] < frame[0] - 1) & (boxes[:, 1] < frame[1] - 1)]
    spec = replace(CONFIG, context=context, depth=depth).tiles
    for (x1, y1, x2, y2), tile in ((tile.bounds, tile_around(tile.bounds, spec, frame)) for tile in tiles_of(boxes, *frame, spec)):
        window, free = tile.window, tile_around((x1, y1, x2, y2), spec)
        assert tile.size % spec.multiple == 0
        assert tile.size <= free.size and window.side <= free.window.side
        assert window.left <= x1 and x2 <= window.left + window.side
        assert window.top <= y1 and y2 <= window.top + window.side
        for start, length in zip((window.left, window.top), frame, strict=True):
            if window.side <= length:
                assert 0 <= start <= length - window.side
            else:
                assert length - window.side <= start <= 0


def test_a_face_that_is_the_picture_is_its_own_tile() -> None:
    spec = replace(CONFIG, face_max=64).tiles
    (tile,) = tiles_of(as_boxes([(0, 0, 64, 64)]), 64, 64, spec)
    assert (tile.window, tile.size) == (Window(0, 0, 64), 64)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 180), st.integers(0, 130), st.integers(8, 24), st.integers(8, 24)), min_size=1, max_size=12))
def test_neighbours_share_a_window_where_that_is_fewer_pixels(faces: list[tuple[int, int, int, int]]) -> None:
    width, height = 200, 150
    boxes = as_boxes([(x, y, x + w, y + h) for x, y, w, h in faces])
    tiles = tiles_of(boxes, width, height, SPEC)
    alone = [tile_around(tile.bounds, SPEC, (width, height)) for tile in tiles]
    largest = tile_around((0, 0, SPEC.face_max, SPEC.face_max), SPEC).size
    assert sum(tiles[square[0]].size ** 2 for square in by_square(tiles)) <= sum(tile.size**2 for tile in alone)
    for tile in tiles:
        x1, y1, x2, y2 = tile.bounds
        assert tile.size % SPEC.multiple == 0 and tile.size <= largest
        assert tile.window.left <= x1 and x2 <= tile.window.left + tile.window.side
        assert tile.window.top <= y1 and y2 <= tile.window.top + tile.window.side


def test_faces_that_cover_a_picture_are_one_tile() -> None:
    quarters = as_boxes([(x, y, x + 24, y + 24) for x in (0, 24) for y in (0, 24)])
    tiles = tiles_of(quarters, 48, 48, SPEC)
    assert {(tile.window, tile.size) for tile in tiles} == {(Window(0, 0, 48), 48)}
    assert by_square(tiles) == [[0, 1, 2, 3]]


@given(BOXES)
def test_one_tile_a_box_smallest_first(boxes: Boxes) -> None:
    tiles = tiles_of(boxes, WIDTH, HEIGHT, SPEC)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (tile.bounds for tile in tiles)]
    assert len(tiles) == len(boxes)
    assert areas == sorted(areas)
    groups = by_size(tiles)
    assert sorted(index for indices in groups.values() for index in indices) == list(range(len(tiles)))
    assert all(tiles[index].size == size for size, indices in groups.items() for index in indices)


@given(WINDOWS)
def test_at_a_scale_of_one_a_tile_is_a_slice(window: Window) -> None:
    image = noise()
    found = gather(tensor(image), Tile(NOWHERE, window, window.side), FILL)
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), plane(image, window, 0))


@given(WINDOWS, st.integers(1, 40))
def test_any_scale_is_the_triangle_filter(window: Window, size: int) -> None:
    image = noise()
    margin = -(-window.side // size) + 2
    rows = triangle(window.side, size, margin)
    expected = rows @ plane(image, window, margin) @ rows.T
    tile = Tile(NOWHERE, window, size)
    np.testing.assert_allclose(gather(tensor(image), tile, FILL).numpy(), expected, atol=2e-3)
    np.testing.assert_allclose(gather(tensor(image).double(), tile, FILL).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(("side", "size"), [(12, 36), (15, 40), (30, 31), (60, 60), (60, 30), (60, 24), (96, 20)])
def test_other_libraries_resize_the_same(side: int, size: int) -> None:
    """Away from the tile's border, where ours sees the picture beyond and theirs does not. OpenCV shrinks with a box, so it is only near."""
    image = cv2.GaussianBlur(noise(120, 120), (0, 0), 3)
    window = Window(10, 7, side)
    found = gather(tensor(image), Tile(NOWHERE, window, size), FILL)
    square = image[7 : 7 + side, 10 : 10 + side]
    inner = slice(edge := -(-size // side) + 1, size - edge)
    antialiased = F.interpolate(tensor(square)[None].double(), size=(size, size), mode="bilinear", antialias=True)[0]
    np.testing.assert_allclose(found[:, inner, inner], antialiased[:, inner, inner], atol=1e-3)
    opencv = cv2.resize(square.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
    difference = np.abs(found.numpy().transpose(1, 2, 0) - opencv)[inner, inner]
    assert difference.max() < (4 if side > size else 1e-3)
    assert difference.mean() < 1


@st.composite
def a_tile(draw: st.DrawFn) -> Tile:
    """A tile as :func:`tile_around` lays it, of any scale."""
    x, y, width, height = (draw(st.integers(0, 90)) for _ in range(4))
    spec = replace(CONFIG, context=draw(st.floats(0, 1)), face_min=draw(st.integers(8, 20)), face_max=20).tiles
    return tile_around((x, y, x + width + 1, y + height + 1), spec)


@given(a_tile(), st.floats(-255, 255))
def test_a_constant_stays_one_on_the_way_back(tile: Tile, value: float) -> None:
    x1, y1, x2, y2 = tile.bounds
    found = spread(torch.full((3, tile.size, tile.size), value), tile)
    assert found.shape == (3, y2 - y1, x2 - x1)
    assert (found - value).abs().max() <= 1e-4 * max(abs(value), 1)


@given(a_tile())
def test_what_is_spread_lies_where_it_was_and_between_what_was_there(tile: Tile) -> None:
    """A ramp over the picture comes back as the same ramp: nothing is shifted by half a pixel."""
    ramp = torch.arange(400.0)[None, None].expand(1, 400, 400) - 150
    shifted = replace(tile, bounds=_moved(tile.bounds, 150), window=Window(tile.window.left + 150, tile.window.top + 150, tile.window.side))
    seen = gather(ramp, shifted, (0.0,))
    found = spread(seen, shifted)
    x1, y1, x2, y2 = shifted.bounds
    assert seen.min() - 1e-3 <= found.min() and found.max() <= seen.max() + 1e-3
    margin = int(shifted.window.side / shifted.size) + 1  # at the tile's border the missing pixels are left out of the mean
    inner = slice(margin, x2 - x1 - margin)
    torch.testing.assert_close(found[..., inner], ramp[:, y1:y2, x1:x2][..., inner], atol=0.15, rtol=0)


def _moved(bounds: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = bounds
    return x1 + by, y1 + by, x2 + by, y2 + by


@given(st.integers(0, 40), st.integers(0, 26), st.integers(CONFIG.face_min, CONFIG.face_max), st.integers(1, 24))
def test_there_and_back_at_a_scale_of_one_is_exact(x: int, y: int, width: int, height: int) -> None:
    tile = tile_around((x, y, x + width, y + min(height, width)), SPEC)
    assert tile.size == tile.window.side
    image = tensor(noise(80, 80))
    x1, y1, x2, y2 = tile.bounds
    assert torch.equal(spread(gather(image, tile, FILL), tile), image[:, y1:y2, x1:x2].float())


@pytest.mark.parametrize("scale", [1, 3, 8])
def test_whatever_a_box_touches_is_inside_the_mask_of_a_tile(scale: int) -> None:
    tile = Tile(NOWHERE, Window(5, 9, 16 * scale), 16)
    for x, y in ((5, 9), (4 + 16 * scale, 8 + 16 * scale), (5 + 7 * scale, 9 + 5 * scale)):
        mask = torch.zeros(1, 160, 160, dtype=torch.bool)
        mask[0, y, x] = True
        seen = cut_tiles(torch.zeros(3, 160, 160), mask, [tile])
        assert seen.mask.dtype == seen.blurred.dtype == torch.float32
        assert bool(((seen.mask == 0) | (seen.mask == 1)).all())
        assert 0 < float(seen.mask.mean()) < 1
        assert seen.mask[0, 0, (y - 9) // scale, (x - 5) // scale] == 1
        assert seen.mask.sum() <= (1 if scale == 1 else 9)


@given(WINDOWS, st.integers(1, 40), st.integers(1, 40))
def test_at_a_scale_of_one_use_slices_what_training_multiplies(window: Window, width: int, height: int) -> None:
    """Both are exact there, so not a bit may differ; windows lie inside the picture, across its border and beyond it."""
    image, mask = noise(), noise(seed=1)[:, :, 0] > 128
    tile = Tile((0, 0, width, height), window, window.side)
    picture, inside = cut_tile(image, mask, tile)
    seen = cut_tiles(tensor(image), torch.from_numpy(mask)[None], [tile])
    assert np.array_equal(picture, seen.blurred[0].numpy()) and np.array_equal(inside, seen.mask[0].numpy())
    assert picture.dtype == inside.dtype == np.float32
    x1, y1 = max(window.left, 0), max(window.top, 0)
    held = Tile((x1, y1, window.left + window.side, window.top + window.side), window, window.side)
    if x1 < held.bounds[2] and y1 < held.bounds[3]:
        assert np.array_equal(_written(picture, held), spread(torch.from_numpy(picture), held).numpy().transpose(1, 2, 0))


def painted(unet: Network, blurred: Image, boxes: Boxes) -> Painted:
    """One picture through :func:`paint`."""
    height, width = blurred.shape[:2]
    mask = torch.from_numpy(mask_of(boxes, width, height))[None, None].float()
    return paint(unet, tensor(blurred)[None].float(), mask, [tiles_of(boxes, width, height, SPEC)])


@settings(max_examples=40)
@given(BOXES)
def test_training_paints_what_the_anonymiser_paints(boxes: Boxes) -> None:
    """To one grey level, which is the anonymiser's rounding; overlapping boxes and such across the border too."""
    unet = random_unet()
    blurred = Gaussian().anonymize(noise(), boxes)
    with torch.no_grad():
        found = painted(unet, blurred, boxes).views[0]
    used = DartBlur(random_unet(), CONFIG).repaint(blurred, boxes)
    assert (found.clamp(0, 255) - tensor(used)).abs().max() <= 1
    outside = ~torch.from_numpy(mask_of(boxes, WIDTH, HEIGHT)).expand(3, -1, -1)
    assert torch.equal(found[outside], tensor(blurred)[outside].float())


@settings(max_examples=20)
@given(BOXES)
def test_an_untrained_network_paints_the_preblur(boxes: Boxes) -> None:
    blurred = Gaussian().anonymize(noise(), boxes)
    with torch.no_grad():
        assert (painted(untrained().unet, blurred, boxes).views[0] - tensor(blurred)).abs().max() < 1e-3


def test_where_a_tile_is_the_whole_view_it_is_the_method_s_blend() -> None:
    unet, boxes = random_unet(), as_boxes([(12, 12, 36, 36)])
    blurred = noise(48, 48)
    (tile,) = tiles_of(boxes, 48, 48, SPEC)
    assert tile.window == Window(0, 0, 48)
    mask = torch.from_numpy(mask_of(boxes, 48, 48))[None, None].float()
    expected = blend(unet, tensor(blurred)[None].float(), mask)
    assert (expected - tensor(blurred)).abs().mean() > 1
    torch.testing.assert_close(painted(unet, blurred, boxes).views, expected, atol=1e-3, rtol=0)


def test_where_faces_overlap_the_largest_paints() -> None:
    unet, image = random_unet(), noise(100, 100)
    small, large = (10, 10, 34, 34), (20, 20, 90, 80)
    boxes = as_boxes([large, small])
    found = painted(unet, image, boxes)
    assert [[tile.bounds for _, tile in where] for where, _, _ in found.tiles] == [[small, large]] or len(found.tiles) == 2
    for where, seen, made in found.tiles:
        for (view, tile), saw, added in zip(where, seen.blurred, made - seen.blurred, strict=True):
            assert view == 0
            assert torch.equal(saw, gather(tensor(image), tile, FILL))
            x1, y1, x2, y2 = tile.bounds
            change = found.views[0, :, y1:y2, x1:x2] - tensor(image)[:, y1:y2, x1:x2]
            mine = torch.ones(y2 - y1, x2 - x1, dtype=torch.bool)
            if tile.bounds == small:
                mine[large[1] - y1 :, large[0] - x1 :] = False
            torch.testing.assert_close(change[:, mine], spread(added, tile)[:, mine], atol=1e-3, rtol=0)
    assert torch.equal(found.views, painted(unet, image, boxes[::-1]).views)


def test_views_of_a_batch_do_not_touch_each_other() -> None:
    """Three views, the middle one without a face: each is painted as it would be alone."""
    unet = random_unet()
    faces = [as_boxes([(5, 5, 20, 25), (30, 10, 60, 45)]), as_boxes([]), as_boxes([(2, 30, 12, 40)])]
    images = [noise(seed=seed) for seed in range(3)]
    blurred = torch.stack([tensor(image) for image in images]).float()
    mask = torch.stack([torch.from_numpy(mask_of(boxes, WIDTH, HEIGHT))[None] for boxes in faces]).float()
    found = paint(unet, blurred, mask, [tiles_of(boxes, WIDTH, HEIGHT, SPEC) for boxes in faces])
    assert sum(len(where) for where, _, _ in found.tiles) == 3
    for view, (image, boxes) in enumerate(zip(images, faces, strict=True)):
        torch.testing.assert_close(found.views[view], painted(unet, image, boxes).views[0], atol=1e-3, rtol=0)
    for _, seen, made in found.tiles:
        outside = (seen.mask == 0).expand_as(made)
        assert torch.equal(made[outside], seen.blurred[outside])


def test_without_a_face_nothing_is_painted() -> None:
    blurred = tensor(noise())[None].float().repeat(2, 1, 1, 1)
    found = paint(random_unet(), blurred, torch.zeros(2, 1, HEIGHT, WIDTH), [[], []])
    assert torch.equal(found.views, blurred)
    assert not found.tiles


OVERLAPPING = as_boxes([(3, 5, 40, 45), (20, 10, 35, 26), (50, 2, 55, 9)])
"""Faces that are shrunk, taken as they are and enlarged for the network."""


def in_double(unet: UNet) -> Callable[[], Tensor]:
    """A smooth scalar of g(x), as a function of the weights of ``unet``."""
    blurred = tensor(noise())[None].double()
    mask = torch.from_numpy(mask_of(OVERLAPPING, WIDTH, HEIGHT))[None, None].double()
    tiles = [tiles_of(OVERLAPPING, WIDTH, HEIGHT, SPEC)]
    weights = torch.randn(blurred.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def value() -> Tensor:
        views = paint(unet, blurred, mask, tiles).views
        assert views.dtype == torch.float64
        return (weights * (views / 100).square()).sum()

    return value


def test_the_gradient_agrees_with_finite_differences() -> None:
    unet = random_unet().double()
    value = in_double(unet)
    parameters = list(unet.parameters())
    gradients = torch.autograd.grad(value(), parameters)
    assert all(bool(gradient.any()) for gradient in gradients)
    start = nn.utils.parameters_to_vector(parameters).detach()
    generator, step = torch.Generator().manual_seed(2), 1e-7
    for _ in range(3):
        direction = torch.randn(start.shape, dtype=torch.float64, generator=generator)
        ends = []
        for end in (start + step * direction, start - step * direction):
            nn.utils.vector_to_parameters(end, parameters)
            ends.append(value().detach())
        slope = torch.cat([gradient.flatten() for gradient in gradients]) @ direction
        torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-9)


def test_the_gradient_has_a_gradient() -> None:
    unet = random_unet().double()
    parameters = list(unet.parameters())
    gradients = torch.autograd.grad(in_double(unet)(), parameters, create_graph=True)
    second = torch.autograd.grad(torch.stack([gradient.square().sum() for gradient in gradients]).sum(), parameters, allow_unused=True)
    assert all(value is None or bool(torch.isfinite(value).all()) for value in second)
    assert sum(float(value.abs().sum()) for value in second if value is not None) > 0
