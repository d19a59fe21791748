"""Several processes for one training do what one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dartblur.faces.dataset import FaceDataset
from dartblur.processes import union
from tests.training.curves import PARAMS, Curve, curves

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def alone(copies: list[FaceDataset]) -> dict[str, Curve]:
    return curves(copies)


@pytest.fixture(scope="module")
def shared(copies: list[FaceDataset], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Curve]:
    """The same training by two processes, which exchange what they know over gloo."""
    out = tmp_path_factory.mktemp("shared") / "curves.json"
    command = [sys.executable, "-m", "tests.training.curves", *(str(copy.root) for copy in copies), "2", str(out)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Curve] = json.loads(out.read_text(encoding="utf-8"))
    return found


def differences(one: Curve, other: Curve) -> list[float]:
    """The largest relative difference of a term, step by step; the adversary's score hovers about zero, so it is measured against one."""
    assert [step.keys() for step in one] == [step.keys() for step in other]
    return [max(abs(a[name] - b[name]) / max(abs(a[name]), 1.0) for name in a) for a, b in zip(one, other, strict=True)]


@pytest.mark.slow
def test_the_whole_loss_curve_of_two_processes_is_that_of_one(alone: dict[str, Curve], shared: dict[str, Curve]) -> None:
    """Steps of all three kinds, in float64: every term of every step. The second-order path unsummed, it would differ by 1e-4 and more."""
    curve = alone["float64"]
    assert len(curve) == PARAMS.train.warm.steps + 16
    known = {"review", "process", "posthoc", "cycle", "restore", "seam", "features", "realism", "discriminator", "detector", "gradient"}
    assert known <= curve[-1].keys()
    assert curve[-1]["restore"] != pytest.approx(curve[0]["restore"], rel=1e-2)  # a curve, no line
    assert max(differences(curve, shared["float64"])) < 1e-8


@pytest.mark.slow
def test_in_float32_rounding_is_all_that_differs(alone: dict[str, Curve], shared: dict[str, Curve]) -> None:
    """At first in the last digits; later as far as Adam and batch norm carry them, as with another number of threads."""
    assert differences(alone["float32"], shared["float32"])[0] < 1e-5
    totals = [[step["total"] for step in curves["float32"] if "total" in step] for curves in (alone, shared)]
    assert totals[1] == pytest.approx(totals[0], rel=2e-2)
    assert max(differences(alone["float64"], alone["float32"])) > 1e-8  # double() did something


def test_what_any_process_has() -> None:
    assert union([5, 3, 3], 6, torch.device("cpu")) == [3, 5]
    assert union([], 6, torch.device("cpu")) == []
