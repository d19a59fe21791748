"""Stage distill: the small network of the package, which paints what a U-Net paints at a fraction of its time.

Not part of `dvc repro`. Run it once with `dartblur distill`; `dartblur anonymize` then uses its result wherever no other model is asked for.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import typer
from torch import Tensor

from dartblur.blur.copy import Hidden
from dartblur.blur.dartblur import DartBlur, save_unet
from dartblur.blur.export import export_onnx
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.quantise import Tiles, quantise
from dartblur.blur.repaint import Floats
from dartblur.blur.weights import PEOPLE
from dartblur.compute import configure, pick_device
from dartblur.detector.views import Views
from dartblur.errors import UsageError
from dartblur.faces.dataset import TABLE, FaceDataset
from dartblur.media.files import file_sha256
from dartblur.params import Params
from dartblur.progress import progress_bar
from dartblur.stages.paths import SAMPLE, WORK
from dartblur.training.checkpoint import fingerprint
from dartblur.training.distiller import Distiller, Lesson, warm_settings
from dartblur.training.resumable import Step
from dartblur.training.run import train as run_training

SMALL = Path("dartblur/weights/small.onnx")
_SHOWN, _HELD_OUT = 12, 8
"""Batches of tiles that the ranges of the integers come from, and others on which they are compared with the floats."""


def run(params: Params, teacher: Path | None = None, source: Path = SAMPLE, out: Path = SMALL) -> None:
    """Read ``source`` (data/sample) and a teacher, write ``out`` and the weights beside it, ending in .safetensors.

    Args:
        teacher: weights of a U-Net; those of the package if None, at preblur.strength.

    Raises:
        UsageError: no data set or teacher there, or ``out`` does not end in .onnx. DartblurError: a loss is not finite, or the network differs too
            much in 8-bit integers; the last checkpoint stands.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: give a name that ends in .onnx")
    configure(params.compute.train_threads)
    device, settings = pick_device(params.compute.device), warm_settings(params)
    with as_file(files("dartblur") / PEOPLE) as package:
        path = teacher or package
        master, about = DartBlur.load(path, device), {"seed": params.seed, "teacher": file_sha256(path), **params.distill.model_dump()}
        size = f"{params.distill.width}-{params.distill.depth}-{params.distill.context:g}"
        work = WORK / f"distill-{size}-{fingerprint(settings, [source / TABLE, path])}"
    if teacher is None:  # it knows several strengths
        master.config = replace(master.config, strength=params.preblur.strength)
    copies = [FaceDataset(source), Hidden(source, Gaussian(master.config.strength))]
    distiller = Distiller(settings, Views(copies, "train", params.view), master, device)
    steps = params.distill.steps
    with progress_bar("distill: steps", steps) as show:

        def on_step(step: Step) -> None:
            show(step.number, " ".join(f"{name} {value:.2f}" for name, value in step.values.items()))

        run_training(distiller, steps, work, on_step, lambda step: {})
    _publish(distiller, out, params.distill.context_in_use, about)
    shutil.rmtree(work)


def _publish(distiller: Distiller, out: Path, context: float, about: dict[str, object]) -> None:
    """Write the weights and the model, and say how near they are to what they stand for.

    Args:
        context: what it sees around a face in use, in face sides; it has learned with ``distill.context``.
    """
    distiller.student.settle()
    model = DartBlur(distiller.student, replace(distiller.config, context=context))
    lessons = [distiller.lesson(distiller.done + number) for number in range(_SHOWN + _HELD_OUT)]
    seen: list[Tiles] = [(_plain(lesson.blurred), _plain(lesson.mask)) for lesson in lessons]
    with tempfile.TemporaryDirectory() as temporary:
        floats = Path(temporary) / "floats.onnx"
        export_onnx(model, floats)
        rounding = quantise(floats, out, [*seen[:_SHOWN], _every_grey(model)], seen[_SHOWN:])
    save_unet(out.with_suffix(".safetensors"), model.unet, model.config, about)
    far = _apart(model, lessons[_SHOWN:], seen[_SHOWN:])
    typer.echo(f"{out}: {far:.2f} grey levels from its teacher inside the boxes; 8-bit integers move it by {rounding:.2f}")


def _plain(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.cpu().numpy())


def _every_grey(model: DartBlur) -> Tiles:
    """A tile from black to white, so that both are in the range of the integers."""
    side = 4 << model.config.depth
    ramp = np.linspace(0, 255, side, dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(ramp, (1, 3, side, side))), np.ones((1, 1, side, side), np.float32)


def _apart(model: DartBlur, lessons: Sequence[Lesson], seen: Sequence[Tiles]) -> float:
    """Mean distance from what was taught inside the masks, in grey levels."""
    apart = sum(float((np.abs(model.painter(*tiles) - _plain(lesson.taught)) * tiles[1]).sum()) for lesson, tiles in zip(lessons, seen, strict=True))
    return apart / max(3 * sum(float(mask.sum()) for _, mask in seen), 1.0)
