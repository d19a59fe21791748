"""The state of a training on disk: U-Net, fg and both optimisers as safetensors, side by side, with the loss history."""

import hashlib
import json
from pathlib import Path
from typing import Any

from dartblur.media.tensors import load_optimizer, load_state, load_tensors, optimizer_tensors, save_tensors
from dartblur.params import Params
from dartblur.training.trainer import Trainer

STATE_FILE = "training.safetensors"


def save_training(folder: Path, trainer: Trainer, history: list[dict[str, float]]) -> None:
    """Write everything that :func:`load_training` needs to go on to the same bytes."""
    tensors = {
        **{f"unet.{name}": value for name, value in trainer.unet.state_dict().items()},
        **{f"detector.{name}": value for name, value in trainer.detector.state_dict().items()},
        **optimizer_tensors(trainer.unet_optimizer, "unet_optimizer"),
        **optimizer_tensors(trainer.detector_optimizer, "detector_optimizer"),
    }
    save_tensors(folder / STATE_FILE, tensors, {**trainer.describe(), "history": history})


def load_training(folder: Path, trainer: Trainer) -> list[dict[str, float]]:
    """Put a saved state back into ``trainer`` and return the history; without one, do nothing and return an empty history."""
    path = folder / STATE_FILE
    if not path.is_file():
        return []
    tensors, about = load_tensors(path)
    for prefix, module in (("unet.", trainer.unet), ("detector.", trainer.detector)):
        load_state(module, {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}, path)
    load_optimizer(trainer.unet_optimizer, tensors, "unet_optimizer")
    load_optimizer(trainer.detector_optimizer, tensors, "detector_optimizer")
    trainer.epoch = int(about["epoch"])
    history: list[dict[str, float]] = about["history"]
    return history


def fingerprint(params: Params, inputs: list[Path]) -> str:
    """What an unfinished training belongs to: its settings and the bytes of its inputs. 16 hex digits."""
    digest = hashlib.sha256()
    settings: dict[str, Any] = params.model_dump(include={"seed", "compute", "preblur", "view", "detector", "unet", "train"})
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
