"""Stage arm: one arm of the evaluation, a copy of the data set that one anonymiser made."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.copy import Clean, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.blur.swap import Averages, Swap
from dartblur.errors import UsageError
from dartblur.faces.dataset import FaceDataset
from dartblur.faces.external import External, Faults, refuse, sound
from dartblur.media.files import atomic_path, write_json
from dartblur.params import Arm, Params
from dartblur.progress import progress_bar
from dartblur.stages.external import let_work
from dartblur.stages.paths import ARMS, CANONICAL, EXTERNAL, MODEL, SAMPLE, WORK

if TYPE_CHECKING:
    from dartblur.blur.dartblur import DartBlur

FAILURES = "failures.json"
"""In the arm swap: faces in all, and those that got a blur because no face could be put in their place."""


def run(params: Params, arm: str) -> None:
    """Read data/canonical, write data/arms/<arm>.

    An arm that is not made here is another tool's: its command in ``evaluate.commands``, or its pictures in data/external/<arm>.

    Raises:
        UsageError: no such arm. DartblurError: another tool's pictures are not those of the data set, or its command failed.
    """
    check_names(params, [*params.evaluate.arms, arm])
    names = _scored(params)
    if arm not in get_args(Arm):
        _external(params, arm, names)
        return
    # Torch brings its own threads, and its sums depend on how many; what finds the points for swap is no good in threads: one picture at a time.
    workers = 1 if arm in ("dartblur", "swap") else params.compute.workers
    made = anonymizer(params, arm)
    with atomic_path(ARMS / arm) as folder:
        anonymize_dataset(FaceDataset(CANONICAL), folder, made, workers, names)
        if isinstance(made, Swap):
            write_json(folder / FAILURES, {"faces": made.asked, "failed": made.failed})


def check_names(params: Params, arms: Sequence[str]) -> None:
    """Refuse an arm that no anonymiser, command or folder has.

    Raises:
        UsageError: there is such a name.
    """
    for arm in arms:
        if arm not in {*get_args(Arm), *params.evaluate.commands} and not (EXTERNAL / arm).is_dir():
            raise UsageError(
                f"{arm}: no such arm; known are {', '.join(get_args(Arm))}, and another tool's: pictures in {EXTERNAL / arm}, or a command in "
                "evaluate.commands"
            )


def _scored(params: Params) -> set[str] | None:
    """The pictures that every arm holds; None is all of them. Fewer than all only where ``evaluate.intersection`` says so."""
    if not params.evaluate.intersection:
        return None
    folders = [EXTERNAL / arm for arm in params.evaluate.arms if arm not in {*get_args(Arm), *params.evaluate.commands}]
    sets = [External(CANONICAL, folder) for folder in folders]
    return sound([(data, _faults(data)) for data in sets])


def _faults(data: External) -> Faults:
    with progress_bar(f"{data.folder.name}: looking at its pictures", len(data.pictures())) as show:
        return data.faults(lambda done: show(done, ""))


def _external(params: Params, arm: str, names: set[str] | None) -> None:
    """The arm of another tool, through the codec that every arm passes."""
    command = params.evaluate.commands.get(arm)
    folder = EXTERNAL / arm if command is None else WORK / f"external-{arm}"
    if command is not None:
        source = FaceDataset(CANONICAL)
        let_work(command, arm, ((picture.name, source.files.data(picture.file)) for picture in source.pictures()), folder)
    data = External(CANONICAL, folder)
    if command is not None or names is None:
        refuse(folder, _faults(data))
    anonymize_dataset(data, ARMS / arm, Clean(), params.compute.workers, names)
    if command is not None:
        shutil.rmtree(folder)


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
    raise UsageError(f"{arm}: is another tool's; what hides faces here is one of {', '.join(get_args(Arm))}")


def _swap(seed: int) -> Swap:
    """Averaged faces of data/sample, and YuNet to find where they go."""
    from dartblur.detector.yunet import YuNet

    return Swap(Averages.of(FaceDataset(SAMPLE), seed), YuNet().points)


def trained(params: Params, path: Path) -> "DartBlur":
    """The model in ``path``, on the device and with the threads of ``params.compute``."""
    from dartblur.blur.dartblur import DartBlur
    from dartblur.compute import configure, pick_device

    configure(params.compute.threads)
    return DartBlur.load(path, pick_device(params.compute.device))
