"""The same weights on both sides: our networks' state under the original's names, and back.

The original hands its networks the channels of a picture in one order, its data loader's. Ours is R G B, turned to B G R inside the detector. The
peer is given B G R, so that the detector's weights fit as they are; the U-Net's first and last convolution are turned round.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

State = dict[str, Tensor]

ADAM = ("step", "exp_avg", "exp_avg_sq")
"""What torch.optim.Adam keeps of a parameter."""

_DEPTH = 5
_TURNED_INPUT = "down.0.first.weight"
_TURNED_OUTPUT = f"up.{_DEPTH - 1}.second."

_DETECTOR_RULES = (
    (r"^backbone\.(stage\d\.\d+)\.(\d)\.(\d)\.", lambda m: f"body.{m[1]}.{3 * int(m[2]) + int(m[3])}."),
    (r"^backbone\.", lambda m: "body."),  # the first convolution, which is no pair
    (r"^pyramid\.lateral\.(\d)\.", lambda m: f"fpn.output{int(m[1]) + 1}."),
    (r"^pyramid\.", lambda m: "fpn."),
    (r"^context\.(\d)\.conv3\.", lambda m: f"ssh{int(m[1]) + 1}.conv3X3."),
    (r"^context\.(\d)\.conv7_3\.", lambda m: f"ssh{int(m[1]) + 1}.conv7x7_3."),
    (r"^context\.(\d)\.conv(\d)_(\d)\.", lambda m: f"ssh{int(m[1]) + 1}.conv{m[2]}X{m[2]}_{m[3]}."),
    (r"^classify\.(\d)\.", lambda m: f"ClassHead.{m[1]}.conv1x1."),
    (r"^regress\.(\d)\.", lambda m: f"BboxHead.{m[1]}.conv1x1."),
)


def unet_name(name: str) -> str:
    """A parameter of our U-Net of five levels, under the original's name."""
    part, level, layer, kind = name.split(".")
    if part == "down":
        return f"down{level}.module.{ {'first': 0, 'second': 2}[layer] }.{kind}"
    return f"up{_DEPTH - 1 - int(level)}.module.{ {'first': 0, 'second': 3}[layer] }.{kind}"


def detector_name(name: str) -> str:
    """A parameter or buffer of our RetinaFace (mobilenet025, 64 channels), under the original's name."""
    for pattern, replacement in _DETECTOR_RULES:
        changed, count = re.subn(pattern, replacement, name)
        if count:
            return changed
    raise ValueError(f"{name}: not known in the original's RetinaFace")


def as_it_is(_: str, value: Tensor) -> Tensor:
    """What needs no turning round."""
    return value


def turned(name: str, value: Tensor) -> Tensor:
    """A value of our U-Net (R G B) for the original's (B G R), or the other way round."""
    if name == _TURNED_INPUT:
        return value[:, [2, 1, 0, 3]]  # the mask stays last
    return value.flip(0) if name.startswith(_TURNED_OUTPUT) else value


@dataclass(frozen=True)
class Learner:
    """A network and its Adam, read and written as a network of ours.

    Attributes:
        names: what our network calls a parameter or buffer -> what this one does; what is not in it (a landmark head) is not seen.
        turn: from (our name, value) to the value on the other side, both ways.
    """

    network: nn.Module
    optimizer: torch.optim.Adam
    names: Mapping[str, str]
    turn: Callable[[str, Tensor], Tensor]

    def read(self) -> State:
        """Parameters and buffers, and ``<name>:<key>`` for what Adam knows of those that it has stepped. Copies, on the CPU."""
        own, parameters = self.network.state_dict(), dict(self.network.named_parameters())
        state = {name: own[theirs] for name, theirs in self.names.items()}
        for name, theirs in self.names.items():
            known = self.optimizer.state.get(parameters[theirs], {}) if theirs in parameters else {}
            state.update({f"{name}:{key}": value for key, value in known.items()})
        return {key: self._turned(key, value).detach().cpu().clone() for key, value in state.items()}

    @torch.no_grad()
    def write(self, state: State) -> None:
        """The inverse of :meth:`read`."""
        own, parameters = self.network.state_dict(), dict(self.network.named_parameters())
        for name, theirs in self.names.items():
            own[theirs].copy_(self._turned(name, state[name]))
            if theirs not in parameters:
                continue
            parameter = parameters[theirs]
            known = {key: self._turned(name, state[f"{name}:{key}"]) for key in ADAM if f"{name}:{key}" in state}
            self.optimizer.state.pop(parameter, None)
            if known:
                moments = {key: torch.empty_like(parameter).copy_(value) for key, value in known.items() if value.ndim}
                self.optimizer.state[parameter] = {"step": known["step"].clone(), **moments}

    def _turned(self, key: str, value: Tensor) -> Tensor:
        return self.turn(key.partition(":")[0], value) if value.ndim else value
