"""Stage train: DartBlur's U-Net. Live numbers go to MLflow and DVCLive, checkpoints and sample grids to a work folder until all is done."""

import csv
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from dartblur.blur.copy import Hidden
from dartblur.blur.dartblur import UNET_FILE, save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.compute import configure
from dartblur.detector.checkpoint import DETECTOR_FILE, load_detector
from dartblur.detector.views import Views, cache_of_process
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.probe import probe
from dartblur.faces.dataset import TABLE, FaceDataset
from dartblur.faces.files import is_sharded
from dartblur.launch import join_processes
from dartblur.media.files import atomic_path, write_json
from dartblur.media.images import Image, write_image
from dartblur.params import Params
from dartblur.processes import alone, count, own, together
from dartblur.progress import progress_bar
from dartblur.registry import tracking
from dartblur.stages.paths import CANONICAL, DARTBLUR, DETECTOR, LIVE, PREBLUR, WORK
from dartblur.training.checkpoint import STATE_FILE, fingerprint
from dartblur.training.history import History
from dartblur.training.resumable import Step
from dartblur.training.run import train as run_training
from dartblur.training.samples import sample_grid
from dartblur.training.trainer import Trainer

_LOG_EVERY = 5
"""Steps between live numbers."""


class Live:
    """Where the numbers of a running training go: MLflow and DVCLive. A resumed training logs again what it does again."""

    def __init__(self, log: tracking.RunLog, resume: bool) -> None:
        from dvclive import Live as DVCLive

        self.log = log
        self.last, self.since = time.monotonic(), 0
        # Neither a summary in the DAG nor an experiment: reports/live is for looking on while it runs.
        self.dvc = DVCLive(dir=str(LIVE), save_dvc_exp=False, dvcyaml=None, resume=resume)

    def step(self, step: Step, trainer: Trainer) -> None:
        """Log every fifth step: its terms, both learning rates and the speed."""
        self.since += 1
        if step.number % _LOG_EVERY:
            return
        now = time.monotonic()
        train = trainer.params.train
        pictures = self.since * (train.warm.batch if step.kind == "warm" else train.batch)
        values = {f"train/{name}": value for name, value in step.values.items()}
        values |= {"rate/unet": trainer.schedule.unet_rate(step.number - 1), "rate/detector": trainer.schedule.detector_rate(step.number - 1)}
        values["images_per_second"] = pictures / max(now - self.last, 1e-9)
        self.last, self.since = now, 0
        self.log.metrics(values, step.number)
        self.dvc.step = step.number
        for name, value in values.items():
            self.dvc.log_metric(name, value)

    def round(self, step: int, grid: Image) -> None:
        """Log the sample grid at the end of a round."""
        self.log.picture(grid, "samples", step)


@contextmanager
def _live(params: Params, work: Path) -> Iterator[Live]:
    """Go on with the MLflow run of an interrupted training, or start one."""
    memo = work / "mlflow_run"
    known = memo.read_text(encoding="utf-8") if memo.is_file() else None
    with tracking.run(params.registry, "train", run_id=known) as log:
        with atomic_path(memo) as temporary:
            temporary.write_text(log.run_id, encoding="utf-8")
        if known != log.run_id:
            log.params(params.model_dump(include={"seed", "preblur", "view", "detector", "unet", "train"}))
        live = Live(log, resume=known is not None)
        yield live
        live.dvc.end()


def run(params: Params) -> None:
    """Read data/canonical, data/preblur and models/detector, write models/dartblur.

    With ``compute.processes`` above one, or under torchrun, every process trains on its share of each batch and the first one writes.

    Raises:
        DartblurError: a loss is not finite, memory does not suffice, another process has ended, or there is nothing to train on; the last checkpoint
            stands.
        UsageError: a batch is too small for the processes.
    """
    device = join_processes(params.compute.device, params.compute.processes)
    configure(max(params.compute.train_threads // count(), 1))
    copies = _copies(params)
    views = Views(copies, "train", params.view)
    _refuse(params, len(views.pictures))
    trainer = Trainer(params, views, load_detector(DETECTOR, params.detector), device)
    work = WORK / f"train-{fingerprint(params, [CANONICAL / TABLE, PREBLUR / TABLE, DETECTOR / DETECTOR_FILE])}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        with together():
            if own() > 0:
                run_training(trainer, trainer.schedule.steps, work, lambda step: None, lambda step: {})
                return
            history = _watched(trainer, Views(copies, "val", params.view), work)
    except torch.OutOfMemoryError as error:
        raise DartblurError(f"{device} has too little memory for train.batch: {params.train.batch}; {_remedy(params, device)}") from error
    _publish(params, trainer, history, work)
    shutil.rmtree(work)


def _refuse(params: Params, pictures: int) -> None:
    """Raise what speaks against a training on so many pictures."""
    if not pictures:
        raise DartblurError("the train split has no picture with a counted face; see reports/validation.json")
    if pictures < params.train.batch:
        raise DartblurError(f"train.batch: {params.train.batch} is more than the {pictures} training pictures; lower it or add pictures")
    warm = params.train.warm
    for name, batch in {"train.batch": params.train.batch, **({"train.warm.batch": warm.batch} if warm.steps else {})}.items():
        if count() > batch:
            raise UsageError(f"{name}: {batch} cannot be dealt out among {count()} processes; raise it or lower compute.processes")


def _copies(params: Params) -> list[FaceDataset]:
    """The data set clean and pre-blurred; one in shards is blurred as it is read."""
    cache = cache_of_process(WORK, params.compute.cache_mb)
    clean = FaceDataset(CANONICAL, cache)
    return [clean, Hidden(CANONICAL, Gaussian(params.preblur.strength), cache) if is_sharded(CANONICAL) else FaceDataset(PREBLUR)]


def _remedy(params: Params, device: torch.device) -> str:
    """Which batch would fit, from the most that the failed step held."""
    room = torch.cuda.get_device_properties(device).total_memory
    fits = int(params.train.batch * 0.9 * room / max(torch.cuda.max_memory_allocated(device) * 1.5, room))
    return f"about {max(fits, 2)} would fit; or set compute.processes to share the batch among GPUs"


def _watched(trainer: Trainer, held_out: Views, work: Path) -> History:
    """Train with a progress bar, live numbers and a sample grid a round."""
    with _live(trainer.params, work) as live, progress_bar("train: steps", trainer.schedule.steps) as show:

        def on_step(step: Step) -> None:
            show(step.number, f"{step.kind} " + " ".join(f"{name} {value:.2f}" for name, value in step.values.items()))
            live.step(step, trainer)

        def on_round(step: Step) -> dict[str, float]:
            grid = sample_grid(trainer.unet, trainer.config.tiles, held_out, trainer.device)
            write_image(work / "samples" / f"step-{step.number:06d}.png", grid)
            live.round(step.number, grid)
            every = trainer.params.train.probe.rounds
            if every and trainer.schedule.round(step.number - 1) % every == 0:
                with alone():
                    return {"probe": probe(trainer.views, trainer.paint, trainer.params, trainer.params.train.probe.steps, trainer.device, work)}
            return {}

        return run_training(trainer, trainer.schedule.steps, work, on_step, on_round)


def _publish(params: Params, trainer: Trainer, history: History, work: Path) -> None:
    """Write models/dartblur as a whole: weights, state, history, samples. Nothing in it depends on the clock."""
    with atomic_path(DARTBLUR) as folder:
        save_unet(folder / UNET_FILE, trainer.unet, trainer.config, {"seed": params.seed})
        shutil.copyfile(work / STATE_FILE, folder / STATE_FILE)
        shutil.copytree(work / "samples", folder / "samples")
        weights = {**params.train.weights.model_dump(), **params.train.additions.model_dump()}
        # Sorted, as a history that comes back from a checkpoint is.
        write_json(folder / "training.json", {**trainer.describe(), "weights": weights, "last": dict(sorted(history.rows[-1].items()))})
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, sorted({name for row in history.rows for name in row}), restval="")
            writer.writeheader()
            writer.writerows(history.rows)
