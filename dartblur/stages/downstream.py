"""Stages downstream and transfer: a fresh detector trained on one arm with one seed, tested on clean pictures and on the arm itself."""

from typing import get_args

from dartblur.media.files import write_json
from dartblur.params import Params, TransferFamily
from dartblur.progress import progress_bar
from dartblur.stages.paths import ARMS, DOWNSTREAM, TRANSFER, WORK

MAIN = "retinaface"
SWITCHED_OFF = "evaluate.transfer does not name this family"


def run(params: Params, arm: str, seed: int, detector: str = MAIN) -> None:
    """Read data/arms/<arm> and data/arms/clean, write reports/downstream/<arm>-<seed>.json, or reports/transfer/<detector>-<arm>-<seed>.json.

    The detector starts from the same weights, sees the same windows in the same order and takes the same steps whatever the arm.

    Args:
        detector: the family, ``retinaface`` or one that ``evaluate.transfer`` may name. Where it does not, the file says ``skipped`` and why: a DVC
            matrix cannot be empty, so its stages run and have nothing to do.

    Raises:
        UsageError: no such arm or family. DartblurError: the training failed.
    """
    if detector in get_args(TransferFamily) and detector not in params.evaluate.transfer:
        write_json(TRANSFER / f"{detector}-{arm}-{seed}.json", {"detector": detector, "arm": arm, "seed": seed, "skipped": SWITCHED_OFF})
        return
    # After that, because torch takes seconds to import.
    from dartblur.compute import configure, pick_device
    from dartblur.detector.families import family_of
    from dartblur.detector.training import train_detector
    from dartblur.detector.views import Views
    from dartblur.evaluation.detection import average_precision
    from dartblur.faces.dataset import FaceDataset

    family = family_of(detector)
    configure(params.compute.threads)
    data, clean = FaceDataset(ARMS / arm), FaceDataset(ARMS / "clean")
    title = f"downstream {arm}-{seed}" if detector == MAIN else f"transfer {detector}-{arm}-{seed}"
    with progress_bar(f"{title}: steps", params.detector.steps) as show:
        model = train_detector(
            family,
            Views([data], "train", params.view),
            params.detector,
            seed,
            pick_device(params.compute.device),
            WORK,
            lambda step, loss: show(step, f"loss {loss:.3f}"),
            precision=params.compute.precision,
        )
    ap, ap_self = (average_precision(model, tested, params, family) for tested in (clean, data))
    result = {"arm": arm, "seed": seed, "ap": ap, "ap_self": ap_self}
    if detector == MAIN:
        write_json(DOWNSTREAM / f"{arm}-{seed}.json", result)
    else:
        write_json(TRANSFER / f"{detector}-{arm}-{seed}.json", {"detector": detector, **result})
