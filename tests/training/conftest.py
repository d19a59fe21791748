"""A few pictures of data/sample, clean and pre-blurred, and a training on them that is small enough for seconds."""

from collections.abc import Iterator
from contextlib import chdir

import pytest
import torch
from torch import Tensor, nn

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.detector.training import new_detector
from dartblur.detector.views import Views
from dartblur.faces.dataset import FaceDataset
from dartblur.media.tensors import optimizer_tensors
from dartblur.params import AdditionWeights, ObjectiveWeights, Params, PoolParams, WarmParams
from dartblur.stages import ingest
from dartblur.stages.paths import CANONICAL
from dartblur.training.trainer import Batch, Trainer
from tests.sampledata import sample_part
from tests.settings import settings

WEIGHTS = ObjectiveWeights(review=1.0, process=1.0, posthoc=1.0, cycle=1.0)
NOTHING_ADDED = AdditionWeights(restore=0.0, seam=0.0, features=0.0, realism=0.0)
ADDED = AdditionWeights(restore=1.0, seam=0.5, features=1.0, realism=0.1)


def warm(steps: int, near_steps: int = 0) -> WarmParams:
    return WarmParams(steps=steps, near_steps=near_steps, batch=2, learning_rate=1e-3)


def small(**train: object) -> Params:
    """Two warm steps, then two outer epochs of 3 x 2 steps of fg and 2 of both; one fg."""
    known = {"epochs": 2, "epoch_steps": 2, "batch": 2, "warm": warm(2), "pool": PoolParams(size=1, restart=0)}
    known |= {"discriminator_width": 4, "discriminator_feature_width": 4}
    return settings(
        compute={"precision": "fp32"},
        view={"size": 64, "face_min": 20, "face_max": 40},
        detector={"backbone": "mobilenet025", "init": "scratch", "channels": 8},
        unet={"width": 4, "depth": 3, "face_min": 16, "face_max": 24, "init": "scratch"},
        train={**known, "weights": WEIGHTS, "additions": ADDED, **train},
    )


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[FaceDataset]]:
    """Six training pictures and six of validation, clean and pre-blurred."""
    folder = tmp_path_factory.mktemp("copies")
    with chdir(folder):
        sample_part(folder / "source", 12)
        ingest.run(settings(data={"source": "source"}))
    clean = FaceDataset(folder / CANONICAL)
    anonymize_dataset(clean, folder / "blurred", Gaussian(1.0), 1)
    yield [clean, FaceDataset(folder / "blurred")]


def trainer(copies: list[FaceDataset], params: Params) -> Trainer:
    """A training that has not begun, with an f that finds nothing in particular."""
    return Trainer(params, Views(copies, "train", params.view), new_detector(params.detector, 7), torch.device("cpu"))


def everything(made: Trainer) -> dict[str, Tensor]:
    """A copy of the state of every network and optimiser, by ``<owner>.<name>``."""
    networks: dict[str, nn.Module] = {"unet": made.unet, "discriminator": made.discriminator, "frozen": made.frozen}
    optimizers: dict[str, torch.optim.Optimizer] = {"unet_optimizer": made.unet_optimizer, "discriminator_optimizer": made.discriminator_optimizer}
    for index, (member, optimizer) in enumerate(zip(made.pool.members, made.pool.optimizers, strict=True)):
        networks[f"fg{index}"], optimizers[f"fg{index}_optimizer"] = member, optimizer
    state = {f"{owner}.{name}": value for owner, network in networks.items() for name, value in network.state_dict().items()}
    for owner, held in optimizers.items():
        state |= optimizer_tensors(held, owner)
    return {name: value.clone() for name, value in state.items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Owners of what differs between two states; not a bit may."""
    both = before.keys() & after.keys()
    changed = (before.keys() ^ after.keys()) | {name for name in both if not torch.equal(before[name], after[name])}
    return {name.partition(".")[0] for name in changed}


def drawn(made: Trainer) -> Batch:
    """A batch, after fg has seen a few so that its statistics and moments are warm."""
    for step in range(3):
        batch = made._batch(step)
        with torch.no_grad():
            views = made._paint(batch).views
        made.detector_step(batch, views, step)
    return made._batch(3)
