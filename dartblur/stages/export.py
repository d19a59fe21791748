"""Command export: a model as ONNX, for use without torch."""

import tempfile
from pathlib import Path

import typer

from dartblur.blur.dartblur import DartBlur
from dartblur.blur.export import OPSET, export_onnx
from dartblur.errors import UsageError
from dartblur.params import Params
from dartblur.stages import paths


def run(params: Params, out: Path, model: str | None) -> None:
    """Write ``out`` and say how near it is to the original.

    Args:
        model: a file of weights, or a version or an alias of the registered model; what was trained here last if None.

    Raises:
        UsageError: there is no such model, or ``out`` does not end in .onnx. DartblurError: it cannot be exported.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: give a name that ends in .onnx")
    with tempfile.TemporaryDirectory() as temporary:
        weights = _weights(params, model, Path(temporary) / "unet.safetensors")
        difference = export_onnx(DartBlur.load(weights), out)
    typer.echo(f"{out}: opset {OPSET}, differs from the original by at most {difference:.1g} (black is -1, white 1)")


def _weights(params: Params, model: str | None, target: Path) -> Path:
    if model is None:
        return paths.MODEL
    if Path(model).suffix == ".safetensors":
        return Path(model)
    from dartblur.registry import aliases
    from dartblur.registry.promote import fetch_weights

    fetch_weights(params.registry, aliases.find(params.registry, model), target)
    return target
