"""The training benchmark runs from its command line and finds that both sides do the same; how fast they are is no test's business."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "train_step.py"


@pytest.mark.slow
def test_it_prints_one_json_object(tmp_path: Path) -> None:
    """From any folder, with the rebuilt peer."""
    arguments = ["--json", "--size", "96", "--views", "2", "--share", "0.3", "--repeats", "1", "--threads", "1"]
    environment = {**os.environ, "DARTBLUR_ORIGINAL": str(tmp_path)}  # no checkout there
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ratio"] > 0
    assert found["ratio_fp32"] > 0
    assert found["img_s"] > 0
    assert "rebuilt" in found["peer"]["name"]
    assert found["terms"]["largest_difference"] < 1e-3
    assert list(found["terms"]["ours"]) == ["review", "process", "posthoc", "cycle", "detector"]
    assert min(found["terms"]["ours"].values()) > 0
    assert 0 <= found["outside_device"] < 1
    asked = {"size": 96, "views": 2, "share": 0.3, "repeats": 1, "threads": 1, "device": "cpu", "precision": "auto"}
    assert {name: found["settings"][name] for name in asked} == asked
    assert "ratio_full" not in found  # one share was asked for
