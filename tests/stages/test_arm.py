"""Stage arm: what each arm holds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean
from dartblur.blur.dartblur import UNET_FILE, DartBlur, DartBlurConfig, save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.errors import UsageError
from dartblur.faces.boxes import mask_of
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import arm
from dartblur.stages.paths import ARMS, CANONICAL, DARTBLUR
from tests.blur.samples import random_unet
from tests.sampledata import sample_part
from tests.stages.conftest import MakeParams, content

CONFIG = DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=16, face_max=40)
SETTINGS = {"evaluate": {"block_value": 77, "pixelate_cells": 5}, "preblur": {"strength": 3.0}}


def check(name: str, expected: Anonymizer) -> None:
    source, made = FaceDataset(CANONICAL), FaceDataset(ARMS / name)
    assert [p.name for p in made.pictures()] == [p.name for p in source.pictures()]
    for picture, original in zip(made.pictures(), source.pictures(), strict=True):
        pixels, clean = made.read(picture), source.read(original)
        assert np.array_equal(pixels, expected.anonymize(clean, original.boxes))
        outside = ~mask_of(original.boxes, original.width, original.height)
        assert np.array_equal(pixels[outside], clean[outside])


# The Gaussian arm is what people accept today: it does not follow the strength of the pre-blur.
@pytest.mark.parametrize(
    ("name", "expected"), [("clean", Clean()), ("block", Block(77)), ("pixelate", Pixelate(5)), ("gaussian", Gaussian(1.0))], ids=lambda v: str(v)[:8]
)
def test_an_arm_is_its_anonymiser(workplace: Path, tiny: MakeParams, name: str, expected: Anonymizer) -> None:
    arm.run(tiny(**SETTINGS), name)
    check(name, expected)
    assert [path.name for path in ARMS.iterdir()] == [name]


def test_the_dartblur_arm_is_the_trained_model(workplace: Path, tiny: MakeParams) -> None:
    save_unet(DARTBLUR / UNET_FILE, random_unet(CONFIG), CONFIG)
    arm.run(tiny(compute={"workers": 3}), "dartblur")
    check("dartblur", DartBlur.load(DARTBLUR / UNET_FILE))
    before = content(ARMS / "dartblur")
    arm.run(tiny(), "dartblur")
    assert content(ARMS / "dartblur") == before
    assert torch.are_deterministic_algorithms_enabled()


def test_without_a_model_the_dartblur_arm_is_bad_usage(workplace: Path, tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match=r"models/dartblur/unet\.safetensors: no checkpoint there; train one first"):
        arm.run(tiny(), "dartblur")
    assert not ARMS.exists()


def test_the_swap_arm_counts_the_faces_that_it_could_not_replace(workplace: Path, tiny: MakeParams) -> None:
    sample_part(Path("data/sample"), 60)
    arm.run(tiny(compute={"workers": 2}), "swap")
    source, made, blurred = FaceDataset(CANONICAL), FaceDataset(ARMS / "swap"), 0
    for picture, original in zip(made.pictures(), source.pictures(), strict=True):
        outside = ~mask_of(original.boxes, original.width, original.height)
        assert np.array_equal(made.read(picture)[outside], source.read(original)[outside])
        assert len(original.boxes) == 1
        blurred += np.array_equal(made.read(picture), Gaussian(1.0).anonymize(source.read(original), original.boxes))
    assert blurred > 0  # of most drawn faces no points are found
    assert json.loads((ARMS / "swap" / arm.FAILURES).read_text()) == {"faces": len(source.pictures()), "failed": blurred}


@pytest.mark.parametrize("name", ["swirl", "", "../escape"])
def test_an_unknown_arm_is_bad_usage(workplace: Path, tiny: MakeParams, name: str) -> None:
    with pytest.raises(UsageError, match="no such arm; known are clean, block, pixelate, gaussian, swap, dartblur"):
        arm.run(tiny(), name)
    assert not ARMS.exists()
