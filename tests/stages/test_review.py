"""The stage review."""

import json
import re
from pathlib import Path

import pytest

from dartblur.blur.dartblur import UNET_FILE, save_unet
from dartblur.blur.repaint import DartBlurConfig
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import arm, paths, review
from tests.blur.samples import random_unet
from tests.stages.conftest import MakeParams

CONFIG = DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=16, face_max=40)


def test_the_faces_farthest_from_the_blur_come_first(workplace: Path, tiny: MakeParams) -> None:
    save_unet(paths.DARTBLUR / UNET_FILE, random_unet(CONFIG), CONFIG)
    for name in review.SHOWN:
        arm.run(tiny(), name)
    review.run(tiny())
    first = paths.REVIEW.read_bytes()
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', first.decode(), re.DOTALL)
    faces = json.loads(text)
    assert len(faces) == sum(len(picture.boxes) for picture in FaceDataset(paths.CANONICAL).pictures("val"))
    distances = [face["l1"] for face in faces]
    assert distances == sorted(distances, reverse=True)
    assert all(face["over"] == (face["l1"] > tiny().train.budget) for face in faces)
    review.run(tiny())
    assert paths.REVIEW.read_bytes() == first
    review.run(tiny(evaluate={"review_faces": 1}))
    assert len(paths.REVIEW.read_bytes()) < len(first)


def test_without_the_arms_it_is_one_sentence(workplace: Path, tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match="data/arms/clean"):
        review.run(tiny())
    assert not paths.REVIEW.exists()
