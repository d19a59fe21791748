"""Stage downstream: a fresh detector trained on one arm with one seed, tested on clean pictures and on the arm itself."""

from dartblur.compute import configure, pick_device
from dartblur.detector.training import train_detector
from dartblur.detector.views import Views
from dartblur.evaluation.detection import average_precision
from dartblur.faces.dataset import FaceDataset
from dartblur.media.files import write_json
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import ARMS, DOWNSTREAM, WORK


def run(params: Params, arm: str, seed: int) -> None:
    """Read data/arms/<arm> and data/arms/clean, write reports/downstream/<arm>-<seed>.json.

    The detector starts from the same weights, sees the same windows in the same order and takes the same steps whatever the arm.
    """
    configure(params.compute.threads)
    data, clean = FaceDataset(ARMS / arm), FaceDataset(ARMS / "clean")
    with progress_bar(f"downstream {arm}-{seed}: steps", params.detector.steps) as show:
        detector = train_detector(
            Views([data], "train", params.view),
            params.detector,
            seed,
            pick_device(params.compute.device),
            WORK,
            lambda step, loss: show(step, f"loss {loss:.3f}"),
        )
    result = {"arm": arm, "seed": seed, "ap": average_precision(detector, clean, params), "ap_self": average_precision(detector, data, params)}
    write_json(DOWNSTREAM / f"{arm}-{seed}.json", result)
