"""What hides a face, by name: the learned blur with a model from the package, a file or the registry, or one of the plain methods."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from dartblur.blur.base import Anonymizer
from dartblur.blur.block import Block
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.pixelate import Pixelate
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import Boxes
from dartblur.media.files import file_sha256
from dartblur.media.images import Image

if TYPE_CHECKING:
    from dartblur.params import RegistryParams

Name = Literal["dartblur", "gaussian", "pixelate", "block", "swap"]
NAMES: tuple[str, ...] = get_args(Name)
PACKAGED = "small"
"""The model that lies in the package."""
_PACKAGED_FILE = "weights/small.onnx"
CELLS = 8
"""Cells of a pixelated face across its longer side at strength 1."""


@dataclass(frozen=True)
class Method:
    """What hides faces, safe to use from several threads, and what the manifest says of it."""

    anonymizer: Anonymizer
    label: str


@dataclass(frozen=True)
class Choice:
    """What is asked for.

    Attributes:
        method: one of :data:`NAMES`.
        model: for dartblur: :data:`PACKAGED`, a file (.onnx or .safetensors), or a version or an alias of the registered model.
        strength: of a plain method, 1 is the usual one; None is 1. A model knows its own.
        device: for dartblur: ``cpu``, ``cuda`` or ``cuda:<n>``; anything but cpu needs torch and a model in .safetensors or the registry.
    """

    method: Name = "dartblur"
    model: str = PACKAGED
    strength: float | None = None
    device: str = "cpu"


def load_method(choice: Choice, registry: Callable[[], "RegistryParams"] | None = None) -> Method:
    """Make what ``choice`` asks for.

    Args:
        registry: where registered models are; asked only for one of them. None: there is none.

    Raises:
        UsageError: no such method or model, or a strength that it does not take. DartblurError: the model cannot be had or used.
    """
    name, strength = choice.method, 1.0 if choice.strength is None else choice.strength
    if name not in NAMES:
        raise UsageError(f"method {name}: unknown; choose {', '.join(NAMES)}")
    if not 0 < strength <= 10:
        raise UsageError(f"strength {strength:g}: must be above 0 and at most 10; 1 is the usual one")
    if choice.strength is not None and name not in ("gaussian", "pixelate"):
        raise UsageError(f"strength: {name} takes none{'; a model is trained for one, choose another model' if name == 'dartblur' else ''}")
    if name == "gaussian":
        return Method(Gaussian(strength), f"gaussian {strength:g}")
    if name == "pixelate":
        cells = max(round(CELLS / strength), 1)
        return Method(Pixelate(cells), f"pixelate {cells}")
    if name == "block":
        return Method(Block(), "block")
    if name == "swap":
        return Method(_Alone(_swap()), "swap")
    return _dartblur(choice, registry)


def _dartblur(choice: Choice, registry: Callable[[], "RegistryParams"] | None) -> Method:
    model = choice.model
    if model == PACKAGED:
        if choice.device != "cpu":
            raise UsageError("device: the model of the package runs on the CPU; name another one with --model")
        from dartblur.blur.onnx import OnnxDartBlur

        with as_file(files("dartblur") / _PACKAGED_FILE) as path:
            return Method(OnnxDartBlur.load(path), f"dartblur {PACKAGED} {file_sha256(path)[:12]}")
    path = Path(model)
    if path.suffix in (".onnx", ".safetensors"):
        return Method(_from_file(path, choice.device), f"dartblur {path.name} {file_sha256(path)[:12]}")
    if registry is None:
        raise UsageError(f"model {model}: not a file that ends in .onnx or .safetensors; {PACKAGED} is the one of the package")
    return _registered(model, registry(), choice.device)


def _from_file(path: Path, device: str) -> Anonymizer:
    if not path.is_file():
        raise UsageError(f"{path}: no such model; train one, export one, or leave --model out for the one of the package")
    if path.suffix == ".onnx":
        if device != "cpu":
            raise UsageError(f"device {device}: a model in ONNX runs on the CPU here; give the .safetensors")
        from dartblur.blur.onnx import OnnxDartBlur

        return OnnxDartBlur.load(path)
    from dartblur.blur.dartblur import DartBlur
    from dartblur.compute import pick_device

    return DartBlur.load(path, pick_device(device))


def _registered(name: str, registry: "RegistryParams", device: str) -> Method:
    """A version of the registered model: its ONNX file on the CPU, its weights on another device."""
    import tempfile

    from dartblur.registry import aliases
    from dartblur.registry.promote import ONNX, fetch_files, fetch_weights

    version = aliases.find(registry, name)
    with tempfile.TemporaryDirectory() as folder:
        if device == "cpu":
            path = Path(folder) / ONNX
            fetch_files(registry, version, (ONNX,), Path(folder))
        else:
            path = Path(folder) / "unet.safetensors"
            fetch_weights(registry, version, path)
        return Method(_from_file(path, device), f"{registry.name} version {version.version} {file_sha256(path)[:12]}")


class _Alone:
    """Lets one thread at a time use an anonymiser that several may not."""

    def __init__(self, inner: Anonymizer) -> None:
        self.name = inner.name
        self._inner, self._lock = inner, threading.Lock()

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """See :class:`dartblur.blur.base.Anonymizer`."""
        with self._lock:
            return self._inner.anonymize(image, boxes)


def _swap() -> Anonymizer:
    from dartblur.blur.swap import Averages, Swap
    from dartblur.detector.yunet import YuNet

    with as_file(files("dartblur") / "weights/averages.png") as path:
        if not path.is_file():
            raise DartblurError("swap: the averaged faces of the package are missing; install it again")
        return Swap(Averages.load(path), YuNet().points)
