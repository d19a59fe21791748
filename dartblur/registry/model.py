"""DartBlur as an MLflow model. MLflow runs this file when it logs or loads the model, so nothing is pickled; no other module imports it.

A record has ``image`` (the bytes of a picture file, the same in base64, or an array H x W x 3 of 0 to 255, R G B) and, if faces are known, ``boxes``
(N x 4, x1 y1 x2 y2 in absolute pixels of the stored raster, N at least 1). Without boxes YuNet, which lies inside the model, looks for faces, as
``dartblur anonymize`` has it look, and what it finds is hidden with the same margin.

The answer has ``image`` (PNG bytes, or an array for an array; pixels outside the boxes untouched), ``width`` and ``height`` in pixels, ``faces``,
``boxes``, ``scores`` (null for given boxes), ``boxes_from`` (given or yunet) and ``status``. A picture in which no face is found is withheld: its
``image`` is null, because a face that was missed would be in the clear. A record that cannot be answered refuses the batch.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from dartblur.blur.dartblur import DartBlur
from dartblur.detector.finder import DETECTED_MARGIN, load_finder
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, grown
from dartblur.media.images import Image, decode_image, encode_image

COLUMNS = ["image", "width", "height", "faces", "boxes", "scores", "boxes_from", "status"]
DETECTOR = "yunet"
ANONYMISED = "anonymised"
WITHHELD = "withheld: no face found; look at the picture, and give boxes"


class RefusedRecord(DartblurError, MlflowException):  # type: ignore[misc]
    """An MLflow error too, because its scoring server shows the message of no other."""


class DartBlurModel(PythonModel):  # type: ignore[misc]  # mlflow is not followed by mypy
    """The U-Net behind MLflow's interface.

    The model's configuration has ``device`` (cpu by default) and ``score`` (from which score on a detection is a face, 0 to 1; None: the usual
    one of ``dartblur anonymize``).
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the weights that lie inside the model, and the detector in its code."""
        settings = context.model_config or {}
        self._blur = DartBlur.load(Path(context.artifacts["weights"]), device=settings.get("device", "cpu"))
        score = settings.get("score")
        self._detector = load_finder(DETECTOR, None if score is None else float(score))

    # A type hint without a list keeps MLflow from deriving a second schema beside the model's signature.
    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row out for each row in, in order.

        Raises:
            RefusedRecord: a row without a readable picture or with boxes that are none; no row is answered then.
        """
        try:
            rows = [self._anonymize(record, f"record {number}") for number, record in enumerate(model_input.to_dict("records"))]
        except DartblurError as error:
            raise RefusedRecord(str(error), INVALID_PARAMETER_VALUE) from error
        return pd.DataFrame(rows, columns=COLUMNS)

    def _anonymize(self, record: dict[Any, Any], name: str) -> dict[str, Any]:
        image, encoded = _read_picture(record.get("image"), name)
        height, width = image.shape[:2]
        boxes = _read_boxes(record.get("boxes"), name)
        scores = None
        if boxes is None:
            found = self._detector.detect(image)
            boxes, scores = grown(found.boxes, DETECTED_MARGIN, width, height), found.scores.tolist()
        source = "given" if scores is None else self._detector.name
        about = {"width": width, "height": height, "faces": len(boxes), "boxes": boxes.tolist(), "scores": scores, "boxes_from": source}
        if not len(boxes):
            return {"image": None, **about, "status": WITHHELD}
        try:
            hidden = self._blur.anonymize(image, boxes)
        except DartblurError as error:
            raise DartblurError(f"{name}: {error}") from error
        return {"image": encode_image(hidden, ".png") if encoded else hidden, **about, "status": ANONYMISED}


def _read_picture(value: Any, name: str) -> tuple[Image, bool]:
    """The picture, and whether it came as the bytes of a file."""
    if isinstance(value, str):  # what bytes become on the way through JSON
        try:
            value = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise DartblurError(f"{name}: image is text, but not the base64 of a picture file ({error})") from error
    if isinstance(value, (bytes, bytearray)):
        return decode_image(bytes(value), name), True
    wanted = f"{name}: image must be the bytes of a picture file or an array H x W x 3 of whole numbers from 0 to 255"
    if not isinstance(value, (np.ndarray, list)):
        raise DartblurError(f"{wanted}, not {type(value).__name__}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DartblurError(f"{wanted} ({error})") from error
    if array.ndim != 3 or array.shape[2] != 3 or not array.size or array.dtype.kind not in "ui":
        raise DartblurError(f"{wanted}, not {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() > 255:
        raise DartblurError(f"{wanted}, not {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, dtype=np.uint8), False


def _read_boxes(value: Any, name: str) -> Boxes | None:
    """The boxes; None where none were given and faces are to be looked for."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    try:
        boxes = np.asarray([list(box) for box in value], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DartblurError(f"{name}: boxes must be a list of [x1, y1, x2, y2] in pixels ({error})") from error
    if not len(boxes):
        raise DartblurError(f"{name}: no box given: nothing would be hidden; leave boxes out to have faces looked for")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise DartblurError(f"{name}: boxes must be a list of [x1, y1, x2, y2] in pixels, not of shape {boxes.shape}")
    return boxes


mlflow.models.set_model(DartBlurModel())
