"""Stage restorer: for attacker 3, a network that brings back the faces of one arm, trained on the arm's pictures beside the clean ones.

An attacker who has the anonymiser makes such pairs of any pictures; here they are those of the training split. The network is U's kind, in its warm
start, asked for nearness alone: it starts from U's weights, so he knows of faces what U knows.
"""

import shutil

from dartblur.blur.dartblur import UNET_FILE, save_unet
from dartblur.compute import configure, pick_device
from dartblur.detector.training import new_detector
from dartblur.detector.views import Views
from dartblur.faces.dataset import TABLE, FaceDataset
from dartblur.media.files import atomic_path, write_json
from dartblur.params import AdditionWeights, Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import ARMS, RESTORERS, WORK
from dartblur.training.checkpoint import fingerprint
from dartblur.training.resumable import Step
from dartblur.training.run import train as run_training
from dartblur.training.trainer import Trainer

WANTED = AdditionWeights(restore=1.0, seam=0.0, features=1.0, realism=0.0)
"""What he asks for: the very face, in pixels and in the eyes of an ImageNet network, and none that is invented."""
ABOUT = "restorer.json"


def run(params: Params, arm: str) -> None:
    """Read data/arms/clean and data/arms/<arm>, write models/restorers/<arm>: the network, and what it was asked for.

    The arm clean, and every arm with ``privacy.restorer_steps: 0``, get a note alone that there is no network.

    Raises:
        DartblurError: an arm is missing, no face is large enough, or a loss is not finite; the last checkpoint stands.
    """
    target = RESTORERS / arm
    if arm == "clean" or not params.privacy.restorer_steps:
        reason = "a clean face has nothing to restore" if arm == "clean" else "privacy.restorer_steps is 0"
        with atomic_path(target) as folder:
            write_json(folder / ABOUT, {"arm": arm, "steps": 0, "reason": reason})
        return
    configure(params.compute.threads)
    settings = _settings(params)
    copies = [FaceDataset(ARMS / "clean"), FaceDataset(ARMS / arm)]
    device = pick_device(params.compute.device)
    trainer = Trainer(settings, Views(copies, "train", params.view), new_detector(settings.detector, params.seed), device)
    work = WORK / f"restorer-{fingerprint(settings, [copy.root / TABLE for copy in copies])}"
    with progress_bar(f"restorer {arm}: steps", settings.train.warm.steps) as show:

        def on_step(step: Step) -> None:
            show(step.number, " ".join(f"{name} {value:.2f}" for name, value in step.values.items()))

        history = run_training(trainer, settings.train.warm.steps, work, on_step, lambda step: {})
    with atomic_path(target) as folder:
        save_unet(folder / UNET_FILE, trainer.unet, trainer.config, {"seed": params.seed, "restores": arm})
        write_json(folder / ABOUT, {"arm": arm, "steps": settings.train.warm.steps, "last": dict(sorted(history.rows[-1].items()))})
    shutil.rmtree(work)


def _settings(params: Params) -> Params:
    """A warm start of nearness alone. Its detectors take no part, so the smallest will do."""
    warm = params.train.warm.model_copy(update={"steps": params.privacy.restorer_steps, "near_steps": 0})
    weights = params.train.weights.model_copy(update={"review": 0.0})
    train = params.train.model_copy(
        update={"warm": warm, "weights": weights, "additions": WANTED, "pool": params.train.pool.model_copy(update={"size": 1})}
    )
    detector = params.detector.model_copy(update={"backbone": "mobilenet025", "init": "scratch", "channels": 8})
    return params.model_copy(update={"train": train, "detector": detector})
