"""Named tensors in a safetensors file, what they are in its metadata: networks and optimisers alike."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import atomic_path


def save_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors and a JSON description atomically; same tensors and description, same bytes.

    Raises:
        DartblurError: a tensor is not finite; a broken model is never saved over a good one.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DartblurError(f"{path}: {name} holds values that are not finite; nothing was saved, the last checkpoint stands")
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(tensors.items())}
    # One metadata key, because safetensors does not keep the order of several.
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata={"about": json.dumps(about, sort_keys=True)})


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote.

    Raises:
        UsageError: no such file. DartblurError: it is not a safetensors file of this project.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no checkpoint there; train one first (dvc repro)")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            about = json.loads((file.metadata() or {})["about"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a dict
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise DartblurError(f"{path}: not a checkpoint of dartblur ({error}); train it again or restore the file") from error


def load_state(model: nn.Module, state: dict[str, Tensor], source: Path) -> None:
    """Fill ``model`` from ``state``; every name must fit.

    Raises:
        DartblurError: names or shapes differ.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise DartblurError(f"{source}: does not fit the model of params.yaml ({str(error).splitlines()[-1].strip()}); train it again") from error


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The state of an optimiser as named tensors, ``<prefix>.<parameter index>.<name>``."""
    state = optimizer.state_dict()["state"]
    return {f"{prefix}.{index}.{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Put back what :func:`optimizer_tensors` took; learning rates are not part of it."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        head, _, name = key.rpartition(".")
        if head.startswith(prefix + "."):
            state.setdefault(int(head[len(prefix) + 1 :]), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
