"""Stage arm: one arm of the evaluation, a copy of the data set that one anonymiser made."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.media.files import write_json
from dartblur.params import Arm, Params
from dartblur.stages.paths import ARMS, CANONICAL, MODEL, SAMPLE

if TYPE_CHECKING:
    from dartblur.blur.dartblur import DartBlur
    from dartblur.blur.swap import Swap


FAILURES = "failures.json"
"""In the arm swap: faces in all, and those that got a blur because no face could be put in their place."""


def run(params: Params, arm: str) -> None:
    """Read data/canonical, write data/arms/<arm>.

    Raises:
        UsageError: no such arm.
    """
    # Torch brings its own threads, and its sums depend on how many; what finds the points for swap is no good in threads: one picture at a time.
    workers = 1 if arm in ("dartblur", "swap") else params.compute.workers
    made = anonymizer(params, arm)
    anonymize_dataset(FaceDataset(CANONICAL), ARMS / arm, made, workers)
    if arm == "swap":
        write_json(ARMS / arm / FAILURES, {"faces": made.asked, "failed": made.failed})  # type: ignore[attr-defined] # a Swap


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
        case "swap":
            return _swap(params.seed)
        case "dartblur":
            return trained(params, MODEL)
    raise UsageError(f"{arm}: no such arm; known are {', '.join(get_args(Arm))}")


def _swap(seed: int) -> "Swap":
    """Averaged faces of data/sample, and YuNet to find where they go."""
    from dartblur.blur.swap import Averages, Swap
    from dartblur.detector.pretrained import YuNet

    return Swap(Averages.of(FaceDataset(SAMPLE), seed), YuNet().points)


def trained(params: Params, path: Path) -> "DartBlur":
    """The model in ``path``, on the device and with the threads of ``params.compute``."""
    from dartblur.blur.dartblur import DartBlur
    from dartblur.compute import configure, pick_device

    configure(params.compute.threads)
    return DartBlur.load(path, pick_device(params.compute.device))
