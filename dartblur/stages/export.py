"""Command export: a model as ONNX, for use without torch."""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import typer

from dartblur.blur.base import bounds_to_hide
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.export import OPSET, export_onnx
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.quantise import Tiles, quantise
from dartblur.blur.repaint import cut_tile
from dartblur.blur.tiles import TileSpec, tile_around
from dartblur.errors import UsageError
from dartblur.faces.boxes import mask_of
from dartblur.faces.dataset import FaceDataset
from dartblur.params import Params
from dartblur.stages import paths

_SHOWN, _HELD_OUT = 32, 16
"""Faces that the ranges of the integers come from, and others on which they are compared with the floats."""


def run(params: Params, out: Path, model: str | None, integers: Path | None = None) -> None:
    """Write ``out`` and say how near it is to the original.

    Args:
        model: a file of weights, or a version or an alias of the registered model; what was trained here last if None.
        integers: a data set; the network is written in 8-bit integers, whose ranges come from its faces. None: in floats.

    Raises:
        UsageError: there is no such model, ``out`` does not end in .onnx, or the data set has too few faces. DartblurError: it cannot be exported.
    """
    if out.suffix != ".onnx":
        raise UsageError(f"{out}: give a name that ends in .onnx")
    with tempfile.TemporaryDirectory() as temporary:
        weights = _weights(params, model, Path(temporary) / "unet.safetensors")
        floats = out if integers is None else Path(temporary) / "floats.onnx"
        difference = export_onnx(DartBlur.load(weights), floats)
        if integers is None:
            typer.echo(f"{out}: opset {OPSET}, differs from the original by at most {difference:.1g} (black is -1, white 1)")
            return
        apart = write_integers(floats, out, integers)
    typer.echo(f"{out}: opset {OPSET}, 8-bit integers, {apart:.2f} grey levels from the original inside the boxes")


def write_integers(floats: Path, out: Path, dataset: Path) -> float:
    """Write the exported network ``floats`` again in 8-bit integers, see :func:`dartblur.blur.quantise.quantise`; the same errors and result."""
    tiles = list(islice(_tiles(OnnxDartBlur.load(floats), FaceDataset(dataset)), _SHOWN + _HELD_OUT))
    if len(tiles) < _SHOWN + _HELD_OUT:
        raise UsageError(f"{dataset}: has {len(tiles)} faces of its train split that a tile fits around; {_SHOWN + _HELD_OUT} are needed")
    shown, held_out = tiles[:_SHOWN], tiles[_SHOWN:]
    together = (np.concatenate([pictures for pictures, _ in shown]), np.concatenate([masks for _, masks in shown]))
    return quantise(floats, out, [together], held_out)


def _tiles(model: OnnxDartBlur, dataset: FaceDataset) -> Iterator[Tiles]:
    """A tile of each counted face that is not too small, all at the size of the largest."""
    config = model.config
    spec = TileSpec(config.context, config.face_max, config.face_max, config.tiles.multiple)
    size = tile_around((0, 0, config.face_max, config.face_max), spec).size
    for picture in dataset.pictures("train"):
        sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
        boxes = picture.boxes[~picture.ignore & (sides >= config.face_min)]
        image = dataset.read(picture)
        blurred, mask = model.preblur.anonymize(image, boxes), mask_of(boxes, picture.width, picture.height)
        for bounds in bounds_to_hide(boxes, picture.width, picture.height):
            tile = tile_around(bounds, spec, (picture.width, picture.height))
            if tile.size == size:  # it is smaller at the picture's edge
                pictures, masks = cut_tile(blurred, mask, tile)
                yield pictures[None], masks[None]


def _weights(params: Params, model: str | None, target: Path) -> Path:
    if model is None:
        return paths.MODEL
    if Path(model).suffix == ".safetensors":
        return Path(model)
    from dartblur.registry import aliases
    from dartblur.registry.promote import fetch_weights

    fetch_weights(params.registry, aliases.find(params.registry, model), target)
    return target
