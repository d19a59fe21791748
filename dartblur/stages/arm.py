"""Stages baseline and anonymize: one arm of the evaluation, a copy of the data set that one anonymiser made."""

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params
from dartblur.stages.paths import ARMS, CANONICAL, DARTBLUR


def run(params: Params, arm: str) -> None:
    """Read data/canonical, write data/arms/<arm>.

    Raises:
        UsageError: no such arm.
    """
    # Torch brings its own threads, and its sums depend on how many: one picture at a time.
    workers = 1 if arm == "dartblur" else params.compute.workers
    anonymize_dataset(FaceDataset(CANONICAL), ARMS / arm, _anonymizer(params, arm), workers)


def _anonymizer(params: Params, arm: str) -> Anonymizer:
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
            from dartblur.blur.dartblur import UNET_FILE, DartBlur
            from dartblur.compute import configure, pick_device

            configure(params.compute.threads)
            return DartBlur.load(DARTBLUR / UNET_FILE, pick_device(params.compute.device))
    raise UsageError(f"{arm}: no such arm; known are clean, block, pixelate, gaussian and dartblur")
