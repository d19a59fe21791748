"""DartBlur as an anonymiser: a function of pre-blur and mask alone, at any face size and number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from dartblur.blur.dartblur import DartBlur, save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.repaint import TILES_A_BATCH, DartBlurConfig
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.tensors import save_tensors
from tests.blur.samples import BOXES, CONFIG, noise, painter, random_unet, untrained
from tests.makedata import drawn_picture, texture

SIDES = (1, 5, 7, 8, 9, 24, 25, 60, 150)
"""Around face_min (8) and face_max (24), and far from both."""


@pytest.mark.parametrize("side", [24, 60, 100])
def test_pictures_with_the_same_preblur_come_out_the_same(side: int) -> None:
    """A checkerboard is more than a Gaussian lets through, so both pictures have one pre-blur; no output may tell them apart."""
    boxes = as_boxes([(10, 10, 10 + side, 10 + side)])
    one = texture(np.random.default_rng(0), 120, 120)
    one[10 : 10 + side, 10 : 10 + side] = 120
    other = one.copy()
    signs = (-1) ** np.indices((side, side)).sum(axis=0)[..., None]
    other[10 : 10 + side, 10 : 10 + side] = 120 + 10 * signs
    assert np.array_equal(Gaussian().anonymize(one, boxes), Gaussian().anonymize(other, boxes))
    model = painter()
    hidden = model.anonymize(one, boxes)
    assert not np.array_equal(hidden, Gaussian().anonymize(one, boxes))
    assert np.array_equal(hidden, model.anonymize(other, boxes))


@settings(max_examples=50)
@given(BOXES)
def test_all_that_counts_is_the_preblur(boxes: Boxes) -> None:
    model = painter()
    image = noise()
    blurred = Gaussian(CONFIG.strength).anonymize(image, boxes)
    assert np.array_equal(model.anonymize(image, boxes), model.repaint(blurred, boxes))


def test_the_strength_of_the_configuration_is_the_strength_of_the_preblur() -> None:
    image, boxes = noise(), as_boxes([(5, 5, 45, 45)])
    strong = untrained(replace(CONFIG, strength=3.0)).anonymize(image, boxes)
    assert np.array_equal(strong, Gaussian(3.0).anonymize(image, boxes))
    assert not np.array_equal(strong, Gaussian(1.0).anonymize(image, boxes))


@pytest.mark.parametrize("side", SIDES)
def test_an_untrained_network_is_the_gaussian_at_the_picture_s_resolution(side: int) -> None:
    """Whatever scale the network looks at, what it leaves alone keeps every detail of the pre-blur."""
    image = noise(170, 170)
    for left, top in ((0, 0), (10, 7), (170 - side, 170 - side)):
        boxes = as_boxes([(left, top, left + side, top + side)])
        assert np.array_equal(untrained().anonymize(image, boxes), Gaussian().anonymize(image, boxes))


@settings(max_examples=50)
@given(BOXES)
def test_an_untrained_network_is_the_gaussian_for_any_boxes(boxes: Boxes) -> None:
    image = noise()
    assert np.array_equal(untrained().anonymize(image, boxes), Gaussian().anonymize(image, boxes))


@pytest.mark.parametrize("context", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("side", SIDES)
def test_faces_of_any_size_are_painted(side: int, context: float) -> None:
    image = noise(170, 170)
    boxes = as_boxes([(15, 11, 15 + side, 11 + side)])
    hidden = painter(replace(CONFIG, context=context)).anonymize(image, boxes)
    mask = mask_of(boxes, 170, 170)
    painted = np.abs(hidden.astype(int) - Gaussian().anonymize(image, boxes))[mask]
    assert painted.mean() > 2
    assert np.array_equal(hidden[~mask], image[~mask])


def test_many_overlapping_faces() -> None:
    rng = np.random.default_rng(0)
    image = texture(rng, 200, 240)
    corners = rng.uniform((-10, -10), (230, 190), (120, 2))
    boxes = as_boxes(np.concatenate([corners, corners + rng.uniform(10.5, 90, (120, 2))], axis=1))
    hidden = painter().anonymize(image, boxes)
    mask = mask_of(boxes, 240, 200)
    assert np.array_equal(hidden[~mask], image[~mask])
    assert (hidden != image).any(axis=2)[mask].mean() > 0.99
    assert np.array_equal(hidden, painter().anonymize(image, rng.permutation(boxes)))


def test_what_else_is_in_a_batch_does_not_matter() -> None:
    """More faces than one batch takes, of one tile size and far enough apart that none is in another's tile."""
    image, _ = drawn_picture(np.random.default_rng(0), 280, 0)
    boxes = as_boxes([(x, y, x + 16, y + 16) for x in range(14, 270, 44) for y in range(14, 270, 44)])
    assert len(boxes) > TILES_A_BATCH
    model = painter()
    together = model.anonymize(image, boxes).astype(int)
    for box in boxes[::5]:
        x1, y1, x2, y2 = box.astype(int)
        alone = model.anonymize(image, box[None])[y1:y2, x1:x2]
        assert np.abs(alone - together[y1:y2, x1:x2]).max() <= 1
        assert np.abs(alone.astype(int) - Gaussian().anonymize(image, box[None])[y1:y2, x1:x2]).max() > 2


def test_the_same_twice() -> None:
    image, faces = drawn_picture(np.random.default_rng(0), 160, 3)
    boxes = as_boxes([(x, y, x + w, y + h) for x, y, w, h in faces])
    assert np.array_equal(painter().anonymize(image, boxes), painter().anonymize(image, boxes))


def test_repaint_leaves_its_input_and_refuses_bad_boxes() -> None:
    blurred = noise()
    blurred.flags.writeable = False
    assert not np.shares_memory(painter().repaint(blurred, as_boxes([(1, 1, 20, 20)])), blurred)
    assert np.array_equal(painter().repaint(blurred, np.array([])), blurred)
    for box in ((float("nan"), 1, 20, 20), (20, 1, 1, 20), (900, 1, 920, 20)):
        with pytest.raises(DartblurError):
            painter().repaint(blurred, as_boxes([box]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_network_anonymises_nothing(bad: float) -> None:
    unet = random_unet()
    first = unet.down[0].first
    assert isinstance(first, nn.Conv2d)
    with torch.no_grad():
        first.weight[0, 0, 0, 0] = bad
    with pytest.raises(DartblurError, match="the U-Net's output is not finite"):
        DartBlur(unet, CONFIG).anonymize(noise(), as_boxes([(5, 5, 30, 30)]))


def test_a_model_is_saved_with_how_to_use_it(tmp_path: Path) -> None:
    config = DartBlurConfig(width=4, depth=3, strength=2.5, context=0.7, face_min=6, face_max=30)
    path = tmp_path / "unet.safetensors"
    model = painter(config)
    save_unet(path, model.unet, config, {"seed": 3})
    loaded = DartBlur.load(path)
    assert loaded.config == config
    assert not loaded.unet.training
    assert not any(parameter.requires_grad for parameter in loaded.unet.parameters())
    image, boxes = noise(), as_boxes([(3, 3, 50, 40), (30, 20, 33, 24)])
    assert np.array_equal(loaded.anonymize(image, boxes), model.anonymize(image, boxes))
    before = path.read_bytes()
    save_unet(path, loaded.unet, config, {"seed": 3})
    assert path.read_bytes() == before


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoint there"):
        DartBlur.load(tmp_path / "unet.safetensors")
    unet = random_unet()
    for about in ({}, {"config": {"width": 4}}, {"config": {**vars(CONFIG), "colour": 1}}, {"config": None}):
        save_tensors(tmp_path / "a", unet.state_dict(), about)
        with pytest.raises(DartblurError, match="not a DartBlur U-Net"):
            DartBlur.load(tmp_path / "a")
    save_unet(tmp_path / "b", unet, replace(CONFIG, width=8))
    with pytest.raises(DartblurError, match="does not fit the model"):
        DartBlur.load(tmp_path / "b")
