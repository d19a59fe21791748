"""The state of a training on disk: every network and optimiser as safetensors, side by side, with the loss history.

The last two states are kept. Each says what its bytes hash to, so that one that a crash or a disk has spoilt is noticed, and the one before taken.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dartblur.errors import DartblurError
from dartblur.media.tensors import load_optimizer, load_state, load_tensors, optimizer_tensors, save_tensors
from dartblur.params import Params
from dartblur.training.history import History
from dartblur.training.resumable import Resumable

STATE_FILE = "training.safetensors"
BEFORE_FILE = "training.before.safetensors"


def save_training(folder: Path, trainer: Resumable, history: History) -> None:
    """Write everything that :func:`load_training` needs to go on to the same bytes, and keep the state before."""
    networks, optimizers = trainer.parts()
    tensors = {f"{prefix}.{name}": value for prefix, module in networks.items() for name, value in module.state_dict().items()}
    for prefix, optimizer in optimizers.items():
        tensors |= optimizer_tensors(optimizer, prefix)
    about = {**trainer.describe(), **history.describe()}
    path = folder / STATE_FILE
    if path.is_file():
        path.replace(folder / BEFORE_FILE)
    save_tensors(path, tensors, {**about, "sha256": _digest(tensors, about)})


def load_training(folder: Path, trainer: Resumable) -> History:
    """Put the last sound state back into ``trainer`` and return the history; without one, do nothing and return an empty history."""
    for torn in folder.glob(f".{Path(STATE_FILE).stem}.*"):  # half of a state, whose writer was killed
        torn.unlink(missing_ok=True)
    for path in (folder / STATE_FILE, folder / BEFORE_FILE):
        if not path.is_file():
            continue
        try:
            tensors, about = load_tensors(path)
            if about.pop("sha256", None) != _digest(tensors, about):
                raise DartblurError(f"{path}: its bytes are not those that were written")
        except DartblurError as error:
            warnings.warn(f"{error}; the checkpoint before it is taken, if there is one", RuntimeWarning, stacklevel=2)
            path.unlink(missing_ok=True)  # by another process, maybe; or the next save would put it in the place of the sound one
            continue
        networks, optimizers = trainer.parts()
        for prefix, module in networks.items():
            start = f"{prefix}."
            load_state(module, {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}, path)
        for prefix, optimizer in optimizers.items():
            load_optimizer(optimizer, tensors, prefix)
        trainer.done = int(about["done"])
        return History(about["history"], about["sums"])
    return History()


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def fingerprint(params: Params, inputs: list[Path]) -> str:
    """What an unfinished training belongs to: its settings and the bytes of its inputs. 16 hex digits."""
    digest = hashlib.sha256()
    settings: dict[str, Any] = params.model_dump(include={"seed", "compute", "preblur", "view", "detector", "unet", "train"})
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
