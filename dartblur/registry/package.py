"""Packing the model for MLflow: weights, detector, this package's code, pinned requirements, signature, example: it loads on another machine."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import dartblur
from dartblur.media.images import Image, encode_image

REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pydantic", "safetensors", "torch")
"""What the packed model imports; the versions come from requirements.lock."""

_DEFINITION = Path(__file__).with_name("model.py")


def log_model(name: str, weights: Path, requirements: list[str]) -> Any:
    """Log the model to the active MLflow run, after running it once on the example.

    Args:
        name: of the logged model.
        weights: the U-Net, safetensors.
        requirements: pinned, one ``name==version`` each.

    Returns:
        MLflow's ModelInfo; ``model_uri`` and ``model_id`` name what was logged.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as temporary:
        code = Path(temporary) / "dartblur"
        shutil.copytree(Path(dartblur.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
        return mlflow.pyfunc.log_model(
            name=name,
            python_model=str(_DEFINITION),
            artifacts={"weights": str(weights)},
            code_paths=[str(code)],
            model_config={"device": "cpu", "score": None},
            pip_requirements=requirements,
            signature=signature(),
            input_example=example(),
        )


def signature() -> Any:
    """Input and output columns.

    Pictures and boxes have MLflow's type Any: an array is no binary, and Array(Array(double)) would refuse boxes written as whole numbers.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    columns: list[tuple[Any, str]] = [(AnyType(), "image"), ("long", "width"), ("long", "height"), ("long", "faces")]
    columns += [(AnyType(), "boxes"), (AnyType(), "scores"), ("string", "boxes_from"), ("string", "status")]
    return ModelSignature(
        Schema([ColSpec(AnyType(), "image"), ColSpec(AnyType(), "boxes", required=False)]),
        Schema([ColSpec(kind, name) for kind, name in columns]),
    )


def example() -> Any:
    """One record as a DataFrame: a drawn face, its box, no real person."""
    import pandas as pd

    return pd.DataFrame([{"image": encode_image(_drawn_face(), ".png"), "boxes": [[40.0, 24.0, 88.0, 88.0]]}])


def _drawn_face() -> Image:
    """A face of ellipses on a grey ramp, 128 x 128."""
    canvas = np.repeat(np.linspace(90, 200, 128, dtype=np.uint8)[None, :, None], 128, axis=0).repeat(3, axis=2)
    canvas = np.ascontiguousarray(canvas)
    cv2.ellipse(canvas, (64, 56), (22, 30), 0, 0, 360, (214, 170, 140), -1)
    for x in (56, 72):
        cv2.ellipse(canvas, (x, 50), (4, 3), 0, 0, 360, (40, 40, 60), -1)
    cv2.ellipse(canvas, (64, 70), (8, 4), 0, 0, 180, (150, 50, 60), 2)
    return canvas
