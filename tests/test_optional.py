"""A library that is missing is one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dartblur.errors import DartblurError
from dartblur.optional import optional_module


def test_a_missing_module_is_one_clear_sentence() -> None:
    with pytest.raises(DartblurError, match=r"the module no_such_module is not installed \(No module .*\); do this$"):
        optional_module("no_such_module", "do this")


def test_onnxruntime_reports_nothing_and_writes_nothing_down(tmp_path: Path) -> None:
    """Its own default is to number the machine, to keep events in the user's cache, and to send them to its maker."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    program = "from dartblur.detector.pretrained import load_detector; load_detector('centerface')"
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
