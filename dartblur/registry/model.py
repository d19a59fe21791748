"""DartBlur as an MLflow model. MLflow runs this file when it logs or loads the model, so nothing is pickled; no other module imports it.

A record has ``image`` (the bytes of a picture file) and ``boxes`` (faces, N x 4, x1 y1 x2 y2 in absolute pixels of the stored raster, N at least 1);
the answer has ``image`` (PNG bytes, pixels outside the boxes untouched), ``width`` and ``height`` in pixels, and ``faces``. A record that would hide
nothing is refused with a DartblurError and never handed back as it came.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from dartblur.blur.dartblur import DartBlur
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.images import decode_image, encode_image


class RefusedRecord(DartblurError, MlflowException):  # type: ignore[misc]
    """An MLflow error too, because its scoring server shows the message of no other."""


class DartBlurModel(PythonModel):  # type: ignore[misc]  # mlflow is not followed by mypy
    """The U-Net behind MLflow's interface; the device comes from the model's configuration (``device``, cpu by default)."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the weights that lie inside the model."""
        device = (context.model_config or {}).get("device", "cpu")
        self._blur = DartBlur.load(Path(context.artifacts["weights"]), device=device)

    # A type hint without a list keeps MLflow from deriving a second schema beside the model's signature.
    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row out for each row in, in order.

        Raises:
            RefusedRecord: a row without a readable picture or without boxes; no row is answered then.
        """
        try:
            rows = [self._anonymize(record, f"record {number}") for number, record in enumerate(model_input.to_dict("records"))]
        except DartblurError as error:
            raise RefusedRecord(str(error), INVALID_PARAMETER_VALUE) from error
        return pd.DataFrame(rows, columns=["image", "width", "height", "faces"])

    def _anonymize(self, record: dict[Any, Any], name: str) -> dict[str, Any]:
        data = record.get("image")
        if not isinstance(data, (bytes, bytearray)):
            raise DartblurError(f"{name}: image must be the bytes of a picture file, not {type(data).__name__}")
        boxes = _read_boxes(record.get("boxes"), name)
        image = decode_image(bytes(data), name)
        try:
            hidden = self._blur.anonymize(image, boxes)
        except DartblurError as error:
            raise DartblurError(f"{name}: {error}") from error
        height, width = image.shape[:2]
        return {"image": encode_image(hidden, ".png"), "width": width, "height": height, "faces": len(boxes)}


def _read_boxes(value: Any, name: str) -> Boxes:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        raise DartblurError(f"{name}: no boxes; give the faces as a list of [x1, y1, x2, y2] in pixels")
    try:
        boxes = np.asarray([list(box) for box in value], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DartblurError(f"{name}: boxes must be a list of [x1, y1, x2, y2] in pixels ({error})") from error
    if not len(boxes):
        raise DartblurError(f"{name}: no box given: nothing would be hidden")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DartblurError(f"{name}: boxes must be a list of [x1, y1, x2, y2] in pixels, not of shape {boxes.shape}")
    return boxes


mlflow.models.set_model(DartBlurModel())
