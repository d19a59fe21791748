"""g(x) as training needs it: the U-Net on the tiles of a batch of views, differentiable in its weights (torch)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dartblur.blur.tiles import MASK_SHARE, Tile, by_size, by_square, reading, writing
from dartblur.blur.unet import blend
from dartblur.media.windows import FILL


def gather(image: Tensor, tile: Tile, fill: Sequence[float]) -> Tensor:
    """Cut a tile out of a picture.

    Args:
        image: (C, H, W), any numeric type. fill: C values for what lies beyond the picture.

    Returns:
        (C, size, size) float32, or float64 for a float64 picture.
    """
    dtype = image.dtype if image.dtype == torch.float64 else torch.float32
    read = reading(tile, image.shape[2], image.shape[1])
    rows = torch.from_numpy(read.rows).to(image.device, dtype)  # (size, h)
    columns = torch.from_numpy(read.columns).to(image.device, dtype)  # (size, w)
    beyond = 1 - rows.sum(dim=1)[:, None] * columns.sum(dim=1)[None]  # (size, size), 0 inside the picture
    part = image[:, read.top : read.bottom, read.left : read.right]
    # A channel at a time: a face of thousands of pixels must not become gigabytes of floats.
    return torch.stack([rows @ channel.to(dtype) @ columns.T + value * beyond for channel, value in zip(part, fill, strict=True)])


def spread(added: Tensor, tile: Tile) -> Tensor:
    """Resize what a network added to a tile (C, size, size) back to the face's own pixels: (C, y2 - y1, x2 - x1)."""
    rows, columns = (torch.from_numpy(weights).to(added.device, added.dtype) for weights in writing(tile))
    return rows @ added @ columns.T


@dataclass(frozen=True)
class TileBatch:
    """Tiles of one size: pre-blurred pictures (N, 3, T, T) in grey levels, masks (N, 1, T, T), 0 or 1."""

    blurred: Tensor
    mask: Tensor


def cut_tiles(image: Tensor, mask: Tensor, tiles: Sequence[Tile]) -> TileBatch:
    """Cut tiles of one size out of a pre-blurred picture (3, H, W) of grey levels and its mask (1, H, W), 0 or 1."""
    pictures = torch.stack([gather(image, tile, FILL) for tile in tiles])
    masks = torch.stack([gather(mask, tile, (0.0,)) for tile in tiles]) > MASK_SHARE
    return TileBatch(pictures, masks.to(pictures.dtype))


@dataclass(frozen=True)
class Painted:
    """g(x) of a batch of views, and the tiles that it was put together from.

    Attributes:
        views: (B, 3, H, W) grey levels, differentiable in the network's weights.
        tiles: by tile size, the view and a tile of each square that ran, what the network saw there, and what it made of it (N, 3, T, T).
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
    squares, first = [], 0  # of each square the jobs that it serves
    for tiles in faces:
        squares += [[first + index for index in square] for square in by_square(tiles)]
        first += len(tiles)
    owner = np.full((count, height, width), -1, np.int64)
    for index, (view, tile) in enumerate(jobs):
        x1, y1, x2, y2 = tile.bounds
        owner[view, y1:y2, x1:x2] = index
    where, values, kept = [], [], []
    for indices in by_size([jobs[square[0]][1] for square in squares]).values():
        shown = [jobs[squares[i][0]] for i in indices]
        batches = [cut_tiles(blurred[view], mask[view], [tile]) for view, tile in shown]
        seen = TileBatch(torch.cat([b.blurred for b in batches]), torch.cat([b.mask for b in batches]))
        made = blend(unet, seen.blurred, seen.mask)  # (N, 3, T, T)
        kept.append((shown, seen, made))
        for added, index in ((added, index) for i, added in zip(indices, made - seen.blurred, strict=True) for index in squares[i]):
            view, tile = jobs[index]
            x1, y1, x2, y2 = tile.bounds
            rows, columns = np.nonzero(owner[view, y1:y2, x1:x2] == index)
            where.append(torch.from_numpy((view * height + rows + y1) * width + columns + x1))
            values.append(spread(added, tile)[:, torch.from_numpy(rows), torch.from_numpy(columns)])  # (3, pixels)
    change = blurred.new_zeros(channels, count * height * width)
    if values:
        change = change.index_copy(1, torch.cat(where).to(blurred.device), torch.cat(values, dim=1))
    return Painted(blurred + change.reshape(channels, count, height, width).transpose(0, 1), kept)
