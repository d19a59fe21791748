"""Libraries that not everybody installs: imported where they are used, and one sentence where they are missing."""

import importlib
import os
from typing import Any

import cv2

from dartblur.errors import DartblurError

WEIGHTS_EXTRA = "install the extra dartblur[weights]"


def optional_module(module: str, remedy: str) -> Any:
    """An optional module, imported; a missing one is a sentence with ``remedy``."""
    if module.split(".", maxsplit=1)[0] == "onnxruntime":
        # It reads this when it is loaded; otherwise it gives the machine a number, keeps events in the user's cache and reports them home.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DartblurError(f"the module {module} is not installed ({error}); {remedy}") from error


def onnx_session(model: bytes) -> Any:
    """An onnxruntime session of an ONNX model, on the CPU, with as many threads as OpenCV has: one number for both, which read the same pictures."""
    runtime = optional_module("onnxruntime", WEIGHTS_EXTRA)
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # old exporters list every weight as an input, which is worth a warning each to onnxruntime
    options.intra_op_num_threads = cv2.getNumThreads()
    options.enable_mem_pattern = False  # plans memory for sizes that stay the same; pictures of many sizes in turn are slower with it
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
