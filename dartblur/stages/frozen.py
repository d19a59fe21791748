"""Stage frozen: detectors that nobody trains on the blur, on one arm: f, and ready ones that took no part in training U.

Whether a blurred face is still found by what people use today. Each sees the test views of the evaluation, and all detections down to a low score,
so that the whole curve counts.
"""

import math
from typing import TYPE_CHECKING, Any

from dartblur.errors import DartblurError
from dartblur.media.files import write_json
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import ARMS, DETECTOR, FROZEN

if TYPE_CHECKING:
    from dartblur.evaluation.detection import Detect

F = "retinaface"
SCORES = {"yunet": 0.05, "centerface": 0.05, "mtcnn": 0.05, "hog": -0.5}
"""Smallest score of a detection; that of hog is a margin."""
NO_FACES = "no face of the test views counts"


def run(params: Params, arm: str) -> None:
    """Read data/arms/<arm> and models/detector, write reports/frozen/<arm>.json: AP (all) by detector.

    A ready detector whose weights cannot be loaded has None, with the reason; the others go on.

    Raises:
        DartblurError: the arm or f is missing.
    """
    from dartblur.compute import configure
    from dartblur.detector.views import Views
    from dartblur.evaluation.detection import average_precision_of
    from dartblur.faces.dataset import FaceDataset

    configure(params.compute.threads)
    views = Views([FaceDataset(ARMS / arm)], "val", params.view)
    ap: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    broken = []
    names = [F, *params.evaluate.frozen]
    with progress_bar(f"frozen {arm}: detectors", len(names)) as show:
        for done, name in enumerate(names, start=1):
            try:
                detect = _f(params) if name == F else _ready(name)
            except DartblurError as error:
                if name == F:
                    raise
                ap[name], reasons[name] = None, str(error)
                broken.append(name)
                continue
            value = average_precision_of(views, detect, params)["all"]
            ap[name] = value if math.isfinite(value) else None
            reasons |= {} if math.isfinite(value) else {name: NO_FACES}
            show(done, name)
    result: dict[str, Any] = {"arm": arm, "ap": ap, "reasons": reasons, "broken": broken}
    write_json(FROZEN / f"{arm}.json", result)


def _f(params: Params) -> "Detect":
    from dartblur.compute import pick_device
    from dartblur.detector.checkpoint import load_detector
    from dartblur.evaluation.detection import trained

    return trained(load_detector(DETECTOR, params.detector).to(pick_device(params.compute.device)), params)


def _ready(name: str) -> "Detect":
    from dartblur.detector.pretrained import load_detector
    from dartblur.evaluation.detection import ready

    return ready(load_detector(name, SCORES[name]))
