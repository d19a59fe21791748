"""Stage pretrain: a U-Net that knows faces in general, from the sample people, at every strength that a training may ask for.

Not part of `dvc repro`: it takes hours. Run it once with `dartblur pretrain`; trainings with ``unet.init: people`` then start from its result.
"""

import shutil
from pathlib import Path

from dartblur.blur.copy import anonymize_dataset
from dartblur.blur.dartblur import save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.compute import configure, pick_device
from dartblur.detector.training import new_detector
from dartblur.detector.views import Views
from dartblur.faces.dataset import TABLE, FaceDataset
from dartblur.media.images import write_image
from dartblur.media.tensors import save_tensors
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import SAMPLE, WORK
from dartblur.training.checkpoint import fingerprint
from dartblur.training.resumable import Step
from dartblur.training.run import train as run_training
from dartblur.training.samples import sample_grid
from dartblur.training.trainer import Trainer

CRITIC = "people-critic.safetensors"
"""The discriminator that judged it, beside it."""
PRETRAINED = Path("dartblur/weights/people.safetensors")


def run(params: Params, source: Path = SAMPLE, out: Path = PRETRAINED) -> None:
    """Read ``source`` (data/sample), write ``out``: the warm start of a training, ``pretrain.steps`` long, on all of ``pretrain.strengths``.

    Raises:
        UsageError: no data set there. DartblurError: a loss is not finite; the last checkpoint stands.
    """
    configure(params.compute.train_threads)
    # ImageNet's features, whatever detector the pipeline uses: the result must not depend on a training.
    detector = params.detector.model_copy(update={"backbone": "mobilenetv2", "init": "imagenet"})
    warm = params.train.warm.model_copy(update={"steps": params.pretrain.steps, "near_steps": params.pretrain.near_steps})
    train = params.train.model_copy(update={"warm": warm, "pool": params.train.pool.model_copy(update={"size": 1})})
    unet = params.unet.model_copy(update={"init": "scratch"})
    settings = params.model_copy(update={"detector": detector, "train": train, "unet": unet})
    strengths = "-".join(f"{strength:g}" for strength in params.pretrain.strengths)
    work = WORK / f"pretrain-{strengths}-{fingerprint(settings, [source / TABLE])}"
    clean = FaceDataset(source)
    copies = [clean, *(_blurred(clean, work / f"strength-{strength:g}", strength, params.compute.workers) for strength in params.pretrain.strengths)]
    device = pick_device(params.compute.device)
    trainer = Trainer(settings, Views(copies, "train", params.view), new_detector(detector, params.seed), device)
    held_out = Views([clean, copies[len(copies) // 2]], "val", params.view)
    with progress_bar("pretrain: steps", warm.steps) as show:

        def on_step(step: Step) -> None:
            show(step.number, " ".join(f"{name} {value:.2f}" for name, value in step.values.items()))

        def on_round(step: Step) -> dict[str, float]:
            write_image(work / "samples" / f"step-{step.number:06d}.png", sample_grid(trainer.unet, trainer.config.tiles, held_out, device))
            return {}

        run_training(trainer, warm.steps, work, on_step, on_round)
    about = {"seed": params.seed, **params.pretrain.model_dump()}
    sizes = {"discriminator_width": train.discriminator_width, "discriminator_feature_width": train.discriminator_feature_width}
    save_tensors(out.with_name(CRITIC), trainer.discriminator.state_dict(), {**about, **sizes})
    save_unet(out, trainer.unet, trainer.config, about)
    shutil.rmtree(work)


def _blurred(clean: FaceDataset, root: Path, strength: float, workers: int) -> FaceDataset:
    if not root.is_dir():
        anonymize_dataset(clean, root, Gaussian(strength), workers)
    return FaceDataset(root)
