"""A registry in a folder of its own, and a tiny model with random weights."""

import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dartblur.blur.dartblur import save_unet
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.unet import UNet
from dartblur.media.images import Image
from dartblur.params import RegistryParams

MLFLOW_WARNINGS = [
    # MLflow 3.17 uses a loader that SQLAlchemy 2.1 calls deprecated.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"),
    # ... and warns about type hints of its own on import.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # ... and compares columns with a range.
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:pandas.errors.Pandas4Warning"),
]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised MLflow database: making the tables takes seconds, copying it does not."""
    from dartblur.registry.tracking import connect

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    connect(RegistryParams(name="empty", tracking_uri=f"sqlite:///{path}", experiment="empty", promotion="gate")).search_experiments()
    return path


@contextmanager
def fresh_registry(folder: Path, store: Path) -> Iterator[RegistryParams]:
    """A registry in ``folder``, which is the current folder meanwhile: MLflow puts its artifacts there."""
    import mlflow

    before = mlflow.get_tracking_uri()
    shutil.copy(store, folder / "mlflow.db")
    with chdir(folder):
        # Absolute, because MLflow keeps one engine for each URI of a process.
        yield RegistryParams(name="dartblur", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="test", promotion="gate")
    mlflow.set_tracking_uri(before)
    mlflow.set_registry_uri(before)


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Iterator[RegistryParams]:
    with fresh_registry(tmp_path, empty_store) as registry:
        yield registry


def write_model(path: Path, seed: int = 0) -> Path:
    """A U-Net of random weights as the training stage writes it."""
    torch.manual_seed(seed)
    unet = UNet(4, 3)
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_unet(path, unet, DartBlurConfig(width=4, depth=3, strength=1.0, context=0.5, face_min=24, face_max=77))
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models/dartblur/unet.safetensors")


def evaluation(suppression: float | None = 0.8) -> dict[str, Any]:
    """The part of reports/evaluation.json that the tests' gate looks at."""
    return {"protocol": {"dataset": "drawn"}, "arms": {"dartblur": {"suppression": {"mean": suppression, "std": 0.01, "reason": "drawn"}}}}


def noise(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
