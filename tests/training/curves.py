"""The loss curve of a small training by one process or several: `python -m tests.training.curves <clean> <blurred> <processes> <out>`.

In float64 the order of a sum shows in the sixteenth digit. In float32 it shows in the seventh, and Adam makes a step of full length of a
gradient that is nothing but that digit; so what the processes do is judged in float64, and float32 beside it.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from dartblur.blur.paint import TileBatch
from dartblur.compute import configure
from dartblur.faces.dataset import FaceDataset
from dartblur.launch import join_processes
from dartblur.params import PoolParams, WarmParams
from dartblur.processes import own
from dartblur.training.facetiles import CleanTiles, FaceTiles
from tests.training.conftest import small, trainer

PARAMS = small(
    **{"epochs": 2, "detector_epochs": 1, "epoch_steps": 4, "batch": 3, "pseudo_label_score": 0.3},
    warm=WarmParams(steps=6, near_steps=0, batch=3, learning_rate=1e-3),
    pool=PoolParams(size=2, restart=1),
)
"""Six warm steps, then two outer epochs of four steps of fg and four of both: 22. A batch of three is dealt out as two and one."""

Curve = list[dict[str, float]]
"""The terms of each step."""


@contextmanager
def double() -> Iterator[None]:
    """Inside, a training computes in float64 from the pictures on."""
    before, batch, single = torch.get_default_dtype(), FaceTiles.batch, Tensor.float

    def batch_double(self: FaceTiles, *arguments: Any) -> CleanTiles:
        with patch.object(Tensor, "float", single):
            drawn = batch(self, *arguments)
        return CleanTiles(drawn.clean.double(), TileBatch(drawn.seen.blurred.double(), drawn.seen.mask.double()), drawn.face)

    with patch.object(Tensor, "float", Tensor.double), patch.object(FaceTiles, "batch", batch_double):
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def curve(copies: list[FaceDataset]) -> Curve:
    """Train and say what each step came to."""
    made = trainer(copies, PARAMS)
    return [made.advance().values for _ in range(made.schedule.steps)]


def curves(copies: list[FaceDataset]) -> dict[str, Curve]:
    """By precision."""
    with double():
        exact = curve(copies)
    return {"float64": exact, "float32": curve(copies)}


def main() -> None:
    """Join the processes, train in both precisions, let the first process write."""
    clean, blurred, processes, out = sys.argv[1:]
    join_processes("cpu", int(processes))
    configure(1)
    found = curves([FaceDataset(Path(clean)), FaceDataset(Path(blurred))])
    if own() == 0:
        Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
