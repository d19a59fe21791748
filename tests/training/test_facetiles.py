from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dartblur.blur.tiles import TileSpec
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes
from dartblur.faces.dataset import FaceDataset
from dartblur.training import facetiles
from dartblur.training.facetiles import ENLARGED, CleanTiles, FaceTiles
from tests.training.conftest import small, trainer

SPEC = TileSpec(context=0.5, face_min=16, face_max=24, multiple=8)
VIEW = small().view


def tiles(copies: list[FaceDataset], spec: TileSpec = SPEC) -> FaceTiles:
    return FaceTiles(Views(copies, "train", VIEW), spec)


def tensors(batch: CleanTiles) -> list[Tensor]:
    return [batch.clean, batch.seen.blurred, batch.seen.mask]


def equal(a: CleanTiles, b: CleanTiles) -> bool:
    return all(x.shape == y.shape and torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))


def test_a_batch_is_a_function_of_seed_and_step(copies: list[FaceDataset]) -> None:
    first, again = tiles(copies), FaceTiles(Views(copies, "train", VIEW, cache_bytes=1), SPEC)
    for step in (3, 0, 1):
        assert equal(first.batch(5, step, 4), again.batch(5, step, 4))
    assert not equal(first.batch(5, 0, 4), first.batch(6, 0, 4))
    assert not equal(first.batch(5, 0, 4), first.batch(5, 1, 4))


def test_tiles_have_one_size_a_batch_that_suits_the_network(copies: list[FaceDataset]) -> None:
    made = tiles(copies)
    sides = set()
    for step in range(60):
        batch = made.batch(0, step, 3)
        side = batch.clean.shape[3]
        sides.add(side)
        assert [tuple(tensor.shape) for tensor in tensors(batch)] == [(3, 3, side, side), (3, 3, side, side), (3, 1, side, side)]
        assert all(tensor.dtype == torch.float32 for tensor in tensors(batch))
        assert batch.clean.min() >= 0 and batch.clean.max() <= 255
        assert bool(((batch.seen.mask == 0) | (batch.seen.mask == 1)).all())
        # The face is about half of the tile's side, and its middle is near the tile's.
        assert (batch.seen.mask[:, :, side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2] == 1).flatten(1).any(dim=1).all()
    # Each as one of the faces calls for: twice its side, as far as the network knows it.
    assert sides == {-(-2 * round(min(max(side, 16), 24)) // 8) * 8 for side in made.sides}
    assert len(sides) > 1


def test_a_crowd_counts_no_more_than_a_portrait(copies: list[FaceDataset]) -> None:
    """One picture with nine small faces, one with a large one: as many batches of small tiles as of large ones."""
    views = Views(copies, "train", VIEW)
    crowd, portrait, *_ = views.pictures
    small = as_boxes([(20 * x, 20 * y, 20 * x + 16, 20 * y + 16) for x in range(3) for y in range(3)])
    large = as_boxes([(10, 10, 60, 60)])
    views.pictures = [replace(picture, boxes=boxes, ignore=np.zeros(len(boxes), bool)) for picture, boxes in ((crowd, small), (portrait, large))]
    made = FaceTiles(views, SPEC)
    sides = [made.batch(0, step, 1).clean.shape[3] for step in range(100)]
    assert set(sides) == {32, 48}
    assert 35 < sides.count(48) < 65


def test_windows_and_colours_are_the_same_clean_and_blurred(copies: list[FaceDataset]) -> None:
    """With the clean pictures in both places, both come out the same."""
    batch = tiles([copies[0], copies[0]]).batch(0, 0, 8)
    assert torch.equal(batch.clean, batch.seen.blurred)


def test_clean_and_blurred_differ_inside_the_mask_alone(copies: list[FaceDataset]) -> None:
    batch = tiles(copies).batch(0, 1, 8)
    difference = (batch.clean - batch.seen.blurred).abs().amax(dim=1, keepdim=True)
    assert difference[batch.seen.mask == 1].mean() > 3
    assert difference[batch.seen.mask == 0].max() < 1  # a pixel of which the mask holds next to nothing


def test_each_tile_comes_from_one_of_several_preblurs(copies: list[FaceDataset]) -> None:
    """Some tiles from the second copy, some from the third, which is not blurred at all."""
    batch = tiles([copies[0], copies[1], copies[0]]).batch(0, 0, 16)
    same = [torch.equal(a, b) for a, b in zip(batch.clean, batch.seen.blurred, strict=True)]
    assert 3 < sum(same) < 13


def test_shares_of_a_batch_make_it_whole(copies: list[FaceDataset]) -> None:
    made = tiles(copies)
    whole = made.batch(0, 0, 9)
    shares = [made.batch(0, 0, 9, (part, 2)) for part in (0, 1)]
    for part, share in enumerate(shares):
        assert all(torch.equal(a, b[part::2]) for a, b in zip(tensors(share), tensors(whole), strict=True))


def test_faces_are_shrunk_but_hardly_enlarged(copies: list[FaceDataset], monkeypatch: pytest.MonkeyPatch) -> None:
    scales: list[float] = []
    original = facetiles._moved
    monkeypatch.setattr(facetiles, "_moved", lambda tile, rng: (scales.append(tile.size / tile.window.side), original(tile, rng))[1])  # type: ignore[func-returns-value]
    made = tiles(copies, replace(SPEC, face_max=64))
    for step in range(20):
        made.batch(0, step, 8)
    # A tile's side is rounded up to a multiple of 8, its window's to whole pixels.
    assert max(scales) < ENLARGED * 1.05
    assert min(scales) < 0.8


def test_faces_too_small_and_faces_that_do_not_count_are_left_out(copies: list[FaceDataset]) -> None:
    views = Views(copies, "train", VIEW)
    first, second, *others = views.pictures
    boxes = as_boxes([(5, 5, 12, 12.5), (50, 50, 62, 53), (70, 70, 120, 120), (200, 10, 230, 40)])
    ignore = np.array([False, False, True, False])
    views.pictures = [replace(first, boxes=boxes, ignore=ignore), replace(second, boxes=boxes[:1], ignore=ignore[:1]), *others]
    made = FaceTiles(views, SPEC)
    assert [index for picture, index in made.faces if picture.name == first.name] == [3]
    assert second.name not in {picture.name for picture, _ in made.faces}


def test_where_no_face_is_left_it_is_said(copies: list[FaceDataset]) -> None:
    huge = TileSpec(context=0.5, face_min=1000, face_max=1024, multiple=8)
    with pytest.raises(DartblurError, match=r"no counted face of the train split is 800 pixels or more; lower unet\.face_min or take other pictures"):
        tiles(copies, huge)
    params = small()
    large = params.unet.model_copy(update={"face_min": 1000, "face_max": 1024})
    with pytest.raises(DartblurError, match="no counted face"):
        trainer(copies, params.model_copy(update={"unet": large}))
    # Without a warm start they are enlarged in the views, and that is all there is to it.
    without = params.train.model_copy(update={"warm": params.train.warm.model_copy(update={"steps": 0})})
    trainer(copies, params.model_copy(update={"unet": large, "train": without}))
