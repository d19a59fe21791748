"""Tiles: the squares around faces that the U-Net runs on, in training and in use alike.

A tile is cut out of a pre-blurred picture and resized so that the face has a size that the network knows. What the network *adds* to it is resized
back and added to the picture, inside the face's box alone: the pre-blur itself is kept at full resolution. Resizing is two small matrix products
with a triangle filter (bilinear; widened where it shrinks, so that nothing aliases): differentiable, deterministic on every device, and exact at a
scale of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dartblur.blur.base import bounds_to_hide
from dartblur.blur.unet import blend
from dartblur.faces.boxes import Boxes
from dartblur.media.windows import FILL, Window

Floats = npt.NDArray[np.floating[Any]]
Bounds = tuple[int, int, int, int]
"""Whole pixels of a face: x1, y1 included, x2, y2 excluded."""


@dataclass(frozen=True)
class TileSpec:
    """How a tile is laid around a face.

    Attributes:
        context: what the network sees around a face, in face sides.
        face_min, face_max: the longer side of a face in the network's eyes, in pixels. Faces in this range keep the picture's own scale, others
            are resized to its nearer end.
        multiple: what a tile's side is a multiple of, pixels.
    """

    context: float
    face_min: int
    face_max: int
    multiple: int


@dataclass(frozen=True)
class Tile:
    """A face, the square of the picture around it, and the side that the network sees this square at, in pixels."""

    bounds: Bounds
    window: Window
    size: int


def tile_around(bounds: Bounds, spec: TileSpec) -> Tile:
    """The tile of a face: centred on it, holding all of it."""
    x1, y1, x2, y2 = bounds
    face = max(x2 - x1, y2 - y1)
    seen = min(max(face, spec.face_min), spec.face_max)
    size = -(-int(seen * (1 + 2 * spec.context)) // spec.multiple) * spec.multiple
    side = size if seen == face else max(round(size * face / seen), face)
    return Tile(bounds, Window((x1 + x2 - side) // 2, (y1 + y2 - side) // 2, side), size)


def tiles_of(boxes: Boxes, width: int, height: int, spec: TileSpec) -> list[Tile]:
    """One tile a box (N x 4, absolute pixels) of a picture, smallest face first; errors as in :func:`dartblur.blur.base.bounds_to_hide`."""
    return [tile_around(bounds, spec) for bounds in bounds_to_hide(boxes, width, height)]


def _filter(centres: Floats, scale: float, first: int, last: int) -> Floats:
    """Weights (N, last - first) of the pixels ``first`` to ``last`` in samples at ``centres``; a row sums to one where it needs no pixel beyond."""
    support = max(scale, 1.0)
    low, high = int(np.floor(centres[0] - support)), int(np.ceil(centres[-1] + support)) + 1
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(low, high)[None] - centres[:, None]) / support)
    weights /= weights.sum(axis=1, keepdims=True)
    padded = np.zeros((len(centres), last - first))
    a, b = max(first, low), min(last, high)
    if a < b:
        padded[:, a - first : b - first] = weights[:, a - low : b - low]
    return padded


def _reach(start: int, side: int, size: int, length: int) -> tuple[Floats, int, int]:
    """Sample centres of a tile on one axis of a picture ``length`` pixels long, and the pixels that it needs."""
    scale = side / size
    centres = start + (np.arange(size) + 0.5) * scale - 0.5
    margin = max(scale, 1.0)
    first = min(max(int(np.floor(centres[0] - margin)), 0), length)
    return centres, first, max(min(int(np.ceil(centres[-1] + margin)) + 1, length), first)


def gather(image: Tensor, tile: Tile, fill: Sequence[float]) -> Tensor:
    """Cut a tile out of a picture.

    Args:
        image: (C, H, W), any numeric type. fill: C values for what lies beyond the picture.

    Returns:
        (C, size, size) float32, or float64 for a float64 picture.
    """
    window, dtype = tile.window, image.dtype if image.dtype == torch.float64 else torch.float32
    ys, top, bottom = _reach(window.top, window.side, tile.size, image.shape[1])
    xs, left, right = _reach(window.left, window.side, tile.size, image.shape[2])
    scale = window.side / tile.size
    rows = torch.from_numpy(_filter(ys, scale, top, bottom)).to(image.device, dtype)  # (size, h)
    columns = torch.from_numpy(_filter(xs, scale, left, right)).to(image.device, dtype)  # (size, w)
    beyond = 1 - rows.sum(dim=1)[:, None] * columns.sum(dim=1)[None]  # (size, size), 0 inside the picture
    part = image[:, top:bottom, left:right]
    # A channel at a time: a face of thousands of pixels must not become gigabytes of floats.
    return torch.stack([rows @ channel.to(dtype) @ columns.T + value * beyond for channel, value in zip(part, fill, strict=True)])


def spread(added: Tensor, tile: Tile) -> Tensor:
    """Resize what a network added to a tile (C, size, size) back to the face's own pixels: (C, y2 - y1, x2 - x1)."""
    x1, y1, x2, y2 = tile.bounds
    scale = tile.size / tile.window.side
    rows, columns = (
        _inside((np.arange(a, b) - start + 0.5) * scale - 0.5, scale, tile.size).to(added.device, added.dtype)
        for a, b, start in ((y1, y2, tile.window.top), (x1, x2, tile.window.left))
    )
    return rows @ added @ columns.T


def _inside(centres: Floats, scale: float, size: int) -> Tensor:
    """Weights (N, size) of a tile's pixels; at its border the missing ones are left out of the mean."""
    weights = _filter(centres, scale, 0, size)
    return torch.from_numpy(weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class TileBatch:
    """Tiles of one size: pre-blurred pictures (N, 3, T, T) in grey levels, masks (N, 1, T, T), 0 or 1."""

    blurred: Tensor
    mask: Tensor


def cut_tiles(image: Tensor, mask: Tensor, tiles: Sequence[Tile]) -> TileBatch:
    """Cut tiles of one size out of a pre-blurred picture (3, H, W) of grey levels and its mask (1, H, W), 0 or 1."""
    pictures = torch.stack([gather(image, tile, FILL) for tile in tiles])
    # Whatever a box touches is inside, however little of it a tile's pixel holds.
    masks = torch.stack([gather(mask, tile, (0.0,)) for tile in tiles]) > 1 / 512
    return TileBatch(pictures, masks.to(pictures.dtype))


def by_size(tiles: Sequence[Tile]) -> dict[int, list[int]]:
    """Indices of tiles by their size, so that each size is one batch."""
    sizes: dict[int, list[int]] = {}
    for index, tile in enumerate(tiles):
        sizes.setdefault(tile.size, []).append(index)
    return dict(sorted(sizes.items()))


@dataclass(frozen=True)
class Painted:
    """g(x) of a batch of views, and the tiles that it was put together from.

    Attributes:
        views: (B, 3, H, W) grey levels, differentiable in the network's weights.
        tiles: by tile size, which (view, tile) each row belongs to, what the network saw, and what it made of it (N, 3, T, T).
    """

    views: Tensor
    tiles: list[tuple[list[tuple[int, Tile]], TileBatch, Tensor]]


def paint(unet: Callable[[Tensor, Tensor], Tensor], blurred: Tensor, mask: Tensor, faces: Sequence[Sequence[Tile]]) -> Painted:
    """g(x) of the method for a batch of views, the U-Net on tiles only.

    Args:
        blurred: x~, (B, 3, H, W), grey levels 0 to 255. mask: b, (B, 1, H, W), 0 or 1.
        faces: B lists from :func:`tiles_of`. Where faces overlap, the largest paints.
    """
    count, channels, height, width = blurred.shape
    jobs = [(view, tile) for view, tiles in enumerate(faces) for tile in tiles]
    owner = np.full((count, height, width), -1, np.int64)
    for index, (view, tile) in enumerate(jobs):
        x1, y1, x2, y2 = tile.bounds
        owner[view, y1:y2, x1:x2] = index
    where, values, kept = [], [], []
    for indices in by_size([tile for _, tile in jobs]).values():
        batches = [cut_tiles(blurred[jobs[i][0]], mask[jobs[i][0]], [jobs[i][1]]) for i in indices]
        seen = TileBatch(torch.cat([b.blurred for b in batches]), torch.cat([b.mask for b in batches]))
        made = blend(unet, seen.blurred, seen.mask)  # (N, 3, T, T)
        kept.append(([jobs[i] for i in indices], seen, made))
        for index, added in zip(indices, made - seen.blurred, strict=True):
            view, tile = jobs[index]
            x1, y1, x2, y2 = tile.bounds
            rows, columns = np.nonzero(owner[view, y1:y2, x1:x2] == index)
            where.append(torch.from_numpy((view * height + rows + y1) * width + columns + x1))
            values.append(spread(added, tile)[:, torch.from_numpy(rows), torch.from_numpy(columns)])  # (3, pixels)
    change = blurred.new_zeros(channels, count * height * width)
    if values:
        change = change.index_copy(1, torch.cat(where).to(blurred.device), torch.cat(values, dim=1))
    return Painted(blurred + change.reshape(channels, count, height, width).transpose(0, 1), kept)
