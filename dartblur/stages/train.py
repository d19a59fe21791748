"""Stage train: DartBlur's U-Net. Live numbers go to MLflow and DVCLive, checkpoints and sample grids to a work folder until all is done."""

import csv
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dartblur.blur.dartblur import UNET_FILE, DartBlurConfig, save_unet
from dartblur.compute import configure, pick_device
from dartblur.detector.checkpoint import DETECTOR_FILE, load_detector
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.dataset import TABLE, FaceDataset
from dartblur.media.files import atomic_path, write_json
from dartblur.media.images import Image, write_image
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.registry import tracking
from dartblur.stages.paths import CANONICAL, DARTBLUR, DETECTOR, LIVE, PREBLUR, WORK
from dartblur.training.checkpoint import STATE_FILE, fingerprint, load_training, save_training
from dartblur.training.samples import sample_grid
from dartblur.training.trainer import Step, Trainer

_LOG_EVERY = 5
"""Steps between live numbers."""


class Live:
    """Where the numbers of a running training go: MLflow and DVCLive."""

    def __init__(self, log: tracking.RunLog, resume: bool) -> None:
        from dvclive import Live as DVCLive

        self.log = log
        # Neither a summary in the DAG nor an experiment: reports/live is for looking on while it runs.
        self.dvc = DVCLive(dir=str(LIVE), save_dvc_exp=False, dvcyaml=None, resume=resume)

    def step(self, step: Step, rates: tuple[float, float], images_per_second: float) -> None:
        """Log the terms of one step, both learning rates and the speed."""
        values = {f"train/{name}": value for name, value in step.values.items()}
        values |= {"rate/unet": rates[0], "rate/detector": rates[1], "images_per_second": images_per_second}
        self.log.metrics(values, step.number)
        self.dvc.step = step.number
        for name, value in values.items():
            self.dvc.log_metric(name, value)

    def epoch(self, epoch: int, grid: Image) -> None:
        """Log the sample grid of an outer epoch."""
        self.log.picture(grid, "samples", epoch)


@contextmanager
def _live(params: Params, work: Path) -> Iterator[Live]:
    """Go on with the MLflow run of an interrupted training, or start one."""
    memo = work / "mlflow_run"
    known = memo.read_text(encoding="utf-8") if memo.is_file() else None
    with tracking.run(params.registry, "train", run_id=known) as log:
        memo.write_text(log.run_id, encoding="utf-8")
        if known != log.run_id:
            log.params(params.model_dump(include={"seed", "preblur", "view", "detector", "unet", "train"}))
        live = Live(log, resume=known is not None)
        yield live
        live.dvc.end()


def run(params: Params) -> None:
    """Read data/canonical, data/preblur and models/detector, write models/dartblur.

    Raises:
        DartblurError: a loss is not finite, or there is nothing to train on; the last checkpoint stands.
    """
    configure(params.compute.train_threads)
    copies = [FaceDataset(CANONICAL), FaceDataset(PREBLUR)]
    views = Views(copies, "train", params.view)
    if not views.pictures:
        raise DartblurError("the train split has no picture with a counted face; see reports/validation.json")
    trainer = Trainer(params, views, load_detector(DETECTOR, params.detector), pick_device(params.compute.device))
    work = WORK / f"train-{fingerprint(params, [CANONICAL / TABLE, PREBLUR / TABLE, DETECTOR / DETECTOR_FILE])}"
    work.mkdir(parents=True, exist_ok=True)
    history = load_training(work, trainer)
    with _live(params, work) as live, progress_bar("train: steps", params.train.epochs * trainer.outer_steps) as show:
        while trainer.epoch < params.train.epochs:
            history.append(_outer_epoch(trainer, live, show))
            grid = sample_grid(trainer.unet, Views(copies, "val", params.view), trainer.device)
            write_image(work / "samples" / f"epoch-{trainer.epoch:03d}.png", grid)
            live.epoch(trainer.epoch, grid)
            save_training(work, trainer, history)
    _publish(params, trainer, history, work)
    shutil.rmtree(work)


def _outer_epoch(trainer: Trainer, live: Live, show: Callable[[int, str], None]) -> dict[str, float]:
    """Run one outer epoch and return the mean of each term over the steps that have it."""
    sums: dict[str, list[float]] = {}
    rates, last, since = trainer.learning_rates(), time.monotonic(), 0
    for step in trainer.outer_epoch():
        since += 1
        for name, value in step.values.items():
            sums.setdefault(name, []).append(value)
        show(step.number, f"{step.kind} " + " ".join(f"{name} {value:.2f}" for name, value in step.values.items()))
        if step.number % _LOG_EVERY == 0:
            now = time.monotonic()
            live.step(step, rates, since * trainer.params.train.batch / max(now - last, 1e-9))
            last, since = now, 0
    return {"epoch": float(trainer.epoch), **{name: sum(values) / len(values) for name, values in sums.items()}}


def _publish(params: Params, trainer: Trainer, history: list[dict[str, float]], work: Path) -> None:
    """Write models/dartblur as a whole: weights, state, history, samples. Nothing in it depends on the clock."""
    view = params.view
    config = DartBlurConfig(params.unet.width, params.unet.depth, params.preblur.strength, params.preblur.context, view.face_min, view.face_max)
    with atomic_path(DARTBLUR) as folder:
        save_unet(folder / UNET_FILE, trainer.unet, config, {"seed": params.seed})
        shutil.copyfile(work / STATE_FILE, folder / STATE_FILE)
        shutil.copytree(work / "samples", folder / "samples")
        # Sorted, as a history that comes back from a checkpoint is.
        last = dict(sorted(history[-1].items()))
        write_json(folder / "training.json", {**trainer.describe(), "weights": params.train.weights.model_dump(), "last": last})
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, sorted({name for row in history for name in row}), restval="")
            writer.writeheader()
            writer.writerows(history)
