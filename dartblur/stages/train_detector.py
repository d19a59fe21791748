"""Stage train-detector: f, the detector that is trained on clean pictures and frozen from then on."""

from dartblur.compute import configure, pick_device
from dartblur.detector.checkpoint import save_detector
from dartblur.detector.families import RETINAFACE
from dartblur.detector.training import ready_detector, train_detector
from dartblur.detector.views import Views, cache_of_process
from dartblur.faces.dataset import FaceDataset
from dartblur.media.files import atomic_path
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import CANONICAL, DETECTOR, WORK


def run(params: Params) -> None:
    """Read data/canonical, write models/detector/detector.safetensors; ready weights are taken over where params.yaml says so."""
    configure(params.compute.train_threads)
    detector = ready_detector(params.detector)
    if detector is None:
        views = Views([FaceDataset(CANONICAL, cache_of_process(WORK, params.compute.cache_mb))], "train", params.view)
        with progress_bar("train-detector: steps", params.detector.steps) as show:
            detector = train_detector(
                RETINAFACE,
                views,
                params.detector,
                params.seed,
                pick_device(params.compute.device),
                WORK,
                lambda step, loss: show(step, f"loss {loss:.3f}"),
                precision=params.compute.precision,
            )
    with atomic_path(DETECTOR) as folder:
        save_detector(folder, detector, params.detector, {"init": params.detector.init, "seed": params.seed})
