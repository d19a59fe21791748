"""The stage restorer: the attacker's network for one arm."""

import json
from pathlib import Path

import numpy as np
import pytest

from dartblur.blur.dartblur import DartBlur
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import arm, paths, restorer
from tests.stages.conftest import MakeParams, content


@pytest.fixture
def arms(workplace: Path, tiny: MakeParams) -> Path:
    for name in ("clean", "gaussian"):
        arm.run(tiny(), name)
    return workplace


def test_it_learns_to_bring_an_arm_back(arms: Path, tiny: MakeParams) -> None:
    params = tiny(privacy={"restorer_steps": 60}, train={"warm": {"steps": 3, "near_steps": 1, "batch": 8, "learning_rate": 3.0e-3}})
    restorer.run(params, "gaussian")
    about = json.loads((paths.RESTORERS / "gaussian" / restorer.ABOUT).read_text())
    assert (about["arm"], about["steps"]) == ("gaussian", 60)
    assert {"restore", "features"} <= about["last"].keys()
    assert not {"review", "realism", "discriminator"} & about["last"].keys()
    network = DartBlur.load(paths.RESTORERS / "gaussian" / "unet.safetensors")
    clean, hidden = FaceDataset(paths.ARMS / "clean"), FaceDataset(paths.ARMS / "gaussian")
    before = after = 0.0
    for known, picture in zip(clean.pictures("train"), hidden.pictures("train"), strict=True):
        image, blurred = clean.read(known).astype(float), hidden.read(picture)
        restored = network.repaint(blurred, picture.boxes)
        before += float(np.abs(blurred - image).sum())
        after += float(np.abs(restored - image).sum())
    assert after < before
    assert not list(paths.WORK.glob("restorer-*"))


def test_another_tools_arm_is_brought_back_too(arms: Path, tiny: MakeParams) -> None:
    (paths.ARMS / "gaussian").rename(paths.ARMS / "tool")
    restorer.run(tiny(privacy={"restorer_steps": 3}), "tool")
    assert json.loads((paths.RESTORERS / "tool" / restorer.ABOUT).read_text())["steps"] == 3
    assert DartBlur.load(paths.RESTORERS / "tool" / "unet.safetensors").name == "dartblur"


def test_the_same_seed_gives_the_same_bytes(arms: Path, tiny: MakeParams) -> None:
    params = tiny(privacy={"restorer_steps": 3})
    made = []
    for _ in range(2):
        restorer.run(params, "gaussian")
        made.append(content(paths.RESTORERS / "gaussian"))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("name", "steps", "reason"), [("clean", 9, "a clean face has nothing to restore"), ("gaussian", 0, "privacy.restorer_steps is 0")]
)
def test_where_there_is_no_network_a_note_says_why(workplace: Path, tiny: MakeParams, name: str, steps: int, reason: str) -> None:
    restorer.run(tiny(privacy={"restorer_steps": steps}), name)
    assert list(content(paths.RESTORERS / name)) == [restorer.ABOUT]
    assert json.loads((paths.RESTORERS / name / restorer.ABOUT).read_text())["reason"] == reason


def test_an_arm_that_is_missing_is_one_sentence(workplace: Path, tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match="data/arms/clean"):
        restorer.run(tiny(), "gaussian")
    assert not (paths.RESTORERS / "gaussian").exists()
