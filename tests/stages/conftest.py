"""A prepared project, small enough for a test: eight drawn pictures, ingested and pre-blurred, with a detector of two steps."""

import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from dartblur.params import Params, parse_params
from dartblur.stages import ingest, preblur, train_detector
from tests.makedata import make_wider
from tests.settings import delivered

TINY: dict[str, dict[str, Any]] = {
    "compute": {"device": "cpu", "threads": 1, "train_threads": 1, "precision": "fp32", "workers": 1},
    "data": {"source": "source"},
    "preblur": {"strength": 1.0, "context": 0.5},
    "view": {"size": 64, "face_min": 16, "face_max": 40, "min_face": 4},
    "detector": {"backbone": "mobilenet025", "init": "scratch", "channels": 8, "steps": 4, "batch": 2},
    "unet": {"width": 4, "depth": 3, "face_min": 16, "face_max": 24, "init": "scratch"},
    "train": {
        **{"epochs": 2, "detector_epochs": 1, "epoch_steps": 2, "batch": 2, "discriminator_width": 4, "discriminator_feature_width": 4},
        "warm": {"steps": 3, "near_steps": 1, "batch": 2, "learning_rate": 1.0e-3},
        "pool": {"size": 2, "restart": 1},
    },
    "evaluate": {"test_views": 4},
}

MakeParams = Callable[..., Params]


@pytest.fixture(scope="session")
def tiny() -> MakeParams:
    """params.yaml made tiny, with further keys replaced: ``tiny(detector={"steps": 2})``; ``seed=1`` for a key without a section."""
    data = delivered()

    def make(**changes: Any) -> Params:
        merged = {**data, **{name: {**data[name], **keys} for name, keys in TINY.items()}}
        for name, keys in changes.items():
            merged[name] = {**merged[name], **keys} if isinstance(keys, dict) else keys
        return parse_params(merged)

    return make


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, tiny: MakeParams) -> Path:
    """What stands before train and the arms: data/canonical, data/preblur and models/detector."""
    folder = tmp_path_factory.mktemp("prepared")
    with chdir(folder):
        make_wider(Path("source"), 8, size=96, faces=1)
        ingest.run(tiny())
        preblur.run(tiny())
        train_detector.run(tiny(detector={"steps": 2}))
    shutil.rmtree(folder / ".work", ignore_errors=True)
    return folder


@pytest.fixture
def workplace(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared project as the current folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
