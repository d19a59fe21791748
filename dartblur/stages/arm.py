"""Stages baseline and anonymize: one arm of the evaluation, a copy of the data set that one anonymiser made."""

from pathlib import Path
from typing import TYPE_CHECKING

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params
from dartblur.stages.paths import ARMS, CANONICAL, MODEL

if TYPE_CHECKING:
    from dartblur.blur.dartblur import DartBlur


def run(params: Params, arm: str) -> None:
    """Read data/canonical, write data/arms/<arm>.

    Raises:
        UsageError: no such arm.
    """
    # Torch brings its own threads, and its sums depend on how many: one picture at a time.
    workers = 1 if arm == "dartblur" else params.compute.workers
    anonymize_dataset(FaceDataset(CANONICAL), ARMS / arm, anonymizer(params, arm), workers)


def anonymizer(params: Params, arm: str) -> Anonymizer:
    """What hides the faces of ``arm``.

    Raises:
        UsageError: no such arm, or no trained model.
    """
    match arm:
        case "clean":
            return Clean()
        case "block":
            return Block(params.evaluate.block_value)
        case "pixelate":
            return Pixelate(params.evaluate.pixelate_cells)
        case "gaussian":
            return Gaussian(1.0)  # what people accept today, whatever strength the pre-blur has
        case "dartblur":
            return trained(params, MODEL)
    raise UsageError(f"{arm}: no such arm; known are clean, block, pixelate, gaussian and dartblur")


def trained(params: Params, path: Path) -> "DartBlur":
    """The model in ``path``, on the device and with the threads of ``params.compute``."""
    from dartblur.blur.dartblur import DartBlur
    from dartblur.compute import configure, pick_device

    configure(params.compute.threads)
    return DartBlur.load(path, pick_device(params.compute.device))
