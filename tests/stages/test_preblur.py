"""Stage preblur: the Gaussian at the strength of params.yaml, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from dartblur.blur.gaussian import Gaussian
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.stages import preblur
from dartblur.stages.paths import CANONICAL, PREBLUR
from tests.stages.conftest import MakeParams, content


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_every_picture_is_blurred_at_the_strength_of_params(workplace: Path, tiny: MakeParams, strength: float) -> None:
    preblur.run(tiny(preblur={"strength": strength}))
    source, blurred = FaceDataset(CANONICAL), FaceDataset(PREBLUR)
    assert len(blurred.pictures()) == 8
    for picture, original in zip(blurred.pictures(), source.pictures(), strict=True):
        assert (picture.name, len(picture.boxes)) == (original.name, 1)
        assert np.array_equal(blurred.read(picture), Gaussian(strength).anonymize(source.read(original), original.boxes))


def test_the_bytes_depend_on_neither_workers_nor_seed(workplace: Path, tiny: MakeParams) -> None:
    preblur.run(tiny())
    before = content(PREBLUR)
    preblur.run(tiny(compute={"workers": 3}, seed=5))
    assert content(PREBLUR) == before


def test_without_a_canonical_data_set_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: MakeParams) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="make one with `dartblur ingest`"):
        preblur.run(tiny())
    assert list(tmp_path.iterdir()) == []
