"""Tiles: the squares around faces that the U-Net runs on, in training and in use alike; where they lie, and what they read and write.

A tile is cut out of a pre-blurred picture and resized so that the face has a size that the network knows. What the network *adds* to it is resized
back and added to the picture, inside the face's box alone: the pre-blur itself is kept at full resolution. Resizing is two small matrix products
with a triangle filter (bilinear; widened where it shrinks, so that nothing aliases): differentiable, deterministic on every device, and exact at a
scale of one. :mod:`dartblur.blur.repaint` does them in numpy, for use; :mod:`dartblur.blur.paint` in torch, for training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.blur.base import bounds_to_hide
from dartblur.faces.boxes import Boxes
from dartblur.media.windows import Window

Floats = npt.NDArray[np.floating[Any]]
Bounds = tuple[int, int, int, int]
"""Whole pixels of a face: x1, y1 included, x2, y2 excluded."""
NEIGHBOURS = 8
"""With how many of its nearest groups a face tries a common window; in a crowd all of them would take long."""


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
    """A face, the square of the picture that the network sees it in, and the side that it sees this square at, in pixels."""

    bounds: Bounds
    window: Window
    size: int

    @property
    def own_scale(self) -> bool:
        """Whether the network sees the picture's own pixels, so that reading and writing are slices."""
        return self.window.side == self.size


def tile_around(bounds: Bounds, spec: TileSpec, frame: tuple[int, int] | None = None) -> Tile:
    """The tile of a face: all of it, and its surroundings as far as ``spec.context`` and the picture reach.

    Args:
        frame: width and height of the picture; None: it has no edge, and the face is in the middle.
    """
    x1, y1, x2, y2 = bounds
    face = max(x2 - x1, y2 - y1)
    seen = min(max(face, spec.face_min), spec.face_max)
    context = spec.context * face
    spans = [(a - context, b + context) for a, b in ((x1, x2), (y1, y2))]
    if frame is not None:
        spans = [(max(a, 0.0), min(b, float(length))) for (a, b), length in zip(spans, frame, strict=True)]
    # A face in the middle of a large picture needs face * (1 + 2 context), one at the picture's edge less.
    needed = min(max(b - a for a, b in spans) / face, 1 + 2 * spec.context)
    size = _rounded(seen * needed, spec)
    side = size if seen == face else max(round(size * face / seen), face)
    return Tile(bounds, Window(*_placed(((x1 + x2 - side) // 2, (y1 + y2 - side) // 2), side, frame), side), size)


def _placed(corner: tuple[int, int], side: int, frame: tuple[int, int] | None) -> tuple[int, int]:
    """The corner of a window, moved inside the picture; so that it holds the whole picture, where it is larger on an axis."""
    if frame is None:
        return corner
    left, top = (min(max(start, min(0, length - side)), max(0, length - side)) for start, length in zip(corner, frame, strict=True))
    return left, top


def tiles_of(boxes: Boxes, width: int, height: int, spec: TileSpec) -> list[Tile]:
    """One tile a box (N x 4, absolute pixels) of a picture, smallest face first; errors as in :func:`dartblur.blur.base.bounds_to_hide`.

    Neighbours whose own windows would cost more pixels than one around them all share that, if it is no larger than the largest face's.
    """
    tiles = [tile_around(bounds, spec, (width, height)) for bounds in bounds_to_hide(boxes, width, height)]
    return _shared(tiles, (width, height), spec)


def _shared(tiles: list[Tile], frame: tuple[int, int], spec: TileSpec) -> list[Tile]:
    """Tiles at the picture's own scale in common windows, where that is fewer pixels: each in turn tries windows with its neighbours."""
    largest = _rounded(spec.face_max * (1 + 2 * spec.context), spec)
    own = [index for index, tile in enumerate(tiles) if tile.own_scale]
    groups: list[list[int]] = []
    spans, sides = np.zeros((len(own), 4), np.int64), np.zeros(len(own), np.int64)  # what a group's window has to hold, and the window's side
    for index in own:
        groups.append([index])
        last = len(groups) - 1
        spans[last], sides[last] = _kept(tiles[index].window, frame), tiles[index].size
        low, high = np.minimum(spans[:last, :2], spans[last, :2]), np.maximum(spans[:last, 2:], spans[last, 2:])
        reach = (high - low).max(axis=1)
        best, spared = np.zeros(0, np.int64), 0
        for other in np.argsort(reach, kind="stable")[:NEIGHBOURS]:
            side = _rounded(int(reach[other]), spec)
            if side <= largest:
                held = np.array(_kept(_around(low[other], high[other], side, frame), frame))
                inside = np.flatnonzero((spans[: last + 1, :2] >= held[:2]).all(axis=1) & (spans[: last + 1, 2:] <= held[2:]).all(axis=1))
                if len(inside) > 1 and (less := int((sides[inside] ** 2).sum()) - side**2) >= spared:
                    best, spared, chosen = inside, less + 1, (held, side)
        if len(best):
            joined = [member for group in best for member in groups[group]]
            rest = np.setdiff1d(np.arange(last + 1), best)
            groups = [*(groups[group] for group in rest), joined]
            spans[: len(rest)], sides[: len(rest)] = spans[rest], sides[rest]
            spans[len(rest)], sides[len(rest)] = chosen
    shared = list(tiles)
    for group, span, square in zip(groups, spans, sides.tolist(), strict=False):
        for index in group if len(group) > 1 else []:
            shared[index] = Tile(tiles[index].bounds, _around(span[:2], span[2:], square, frame), square)
    return shared


def _around(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], side: int, frame: tuple[int, int]) -> Window:
    """A window of a given side around what lies between two corners."""
    left, top = (int(value) for value in (low + high - side) // 2)
    return Window(*_placed((left, top), side, frame), side)


def _rounded(side: float, spec: TileSpec) -> int:
    """The smallest side of a tile that holds so many pixels."""
    return -(-int(side) // spec.multiple) * spec.multiple


def _kept(window: Window, frame: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a window, as far as the picture reaches."""
    left, top = max(window.left, 0), max(window.top, 0)
    return left, top, min(window.left + window.side, frame[0]), min(window.top + window.side, frame[1])


def _filter(centres: Floats, scale: float, first: int, last: int) -> Floats:
    """Weights (N, last - first) of the pixels ``first`` to ``last`` in samples at ``centres``; a row sums to one where it needs no pixel beyond."""
    support = max(scale, 1.0)
    low, high = int(np.floor(centres[0] - support)), int(np.ceil(centres[-1] + support)) + 1
    weights = np.arange(low, high)[None] - centres[:, None]
    np.abs(weights, out=weights)  # in place: a new array for each step would take as long as the step
    weights /= -support
    weights += 1.0
    np.maximum(weights, 0.0, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    if (low, high) == (first, last):
        return np.asarray(weights)
    padded = np.zeros((len(centres), last - first))
    a, b = max(first, low), min(last, high)
    if a < b:
        padded[:, a - first : b - first] = weights[:, a - low : b - low]
    return padded


@lru_cache(maxsize=8)  # a face of thousands of pixels has megabytes of them
def _kernel(side: int, size: int) -> tuple[Floats, int]:
    """Weights (size, N) with which ``side`` pixels become ``size`` samples, and where, from the first of these pixels, the first of the N is.

    Whatever needs them twice finds them here: both axes of a tile, and faces of one size.
    """
    scale = side / size
    centres = (np.arange(size) + 0.5) * scale - 0.5
    margin = max(scale, 1.0)
    first, last = int(np.floor(centres[0] - margin)), int(np.ceil(centres[-1] + margin)) + 1
    return _filter(centres, scale, first, last), first


def _read(start: int, side: int, size: int, length: int) -> tuple[Floats, int, int]:
    """Weights of a tile on one axis of a picture ``length`` pixels long, and the pixels, from first to last, that they are for."""
    weights, low = _kernel(side, size)
    low += start
    first = min(max(low, 0), length)
    last = max(min(low + weights.shape[1], length), first)
    return weights[:, first - low : last - low].copy(), first, last


@dataclass(frozen=True)
class Reading:
    """How a tile is read: ``rows @ pixels[top:bottom, left:right] @ columns.T``.

    Attributes:
        rows, columns: weights (size, bottom - top) and (size, right - left), float64; rows of both sum to 1 where the tile is inside the picture, and
            they are one array then.
        top, bottom, left, right: the pixels that it needs.
        whole: whether all that it needs is inside the picture; else some rows sum to less than 1.
    """

    rows: Floats
    columns: Floats
    top: int
    bottom: int
    left: int
    right: int
    whole: bool

    @property
    def beyond(self) -> Floats:
        """The share (size, size) of each of the tile's pixels that lies beyond the picture."""
        return np.asarray(1 - self.rows.sum(axis=1)[:, None] * self.columns.sum(axis=1)[None])


def reading(tile: Tile, width: int, height: int) -> Reading:
    """How ``tile`` is cut out of a picture of ``width`` x ``height`` pixels."""
    window = tile.window
    rows, top, bottom = _read(window.top, window.side, tile.size, height)
    columns, left, right = _read(window.left, window.side, tile.size, width)
    needed = _kernel(window.side, tile.size)[0].shape[1]
    whole = bottom - top == needed == right - left
    return Reading(rows, rows if whole else columns, top, bottom, left, right, whole)


def writing(tile: Tile) -> tuple[Floats, Floats]:
    """How a tile is resized back to its face's own pixels: ``rows @ plane @ columns.T``, weights (y2 - y1, size) and (x2 - x1, size), float64."""
    x1, y1, x2, y2 = tile.bounds
    scale = tile.size / tile.window.side
    top, left = tile.window.top, tile.window.left
    rows, columns = (_inside((np.arange(a, b) - start + 0.5) * scale - 0.5, scale, tile.size) for a, b, start in ((y1, y2, top), (x1, x2, left)))
    return rows, columns


def _inside(centres: Floats, scale: float, size: int) -> Floats:
    """Weights (N, size) of a tile's pixels; at its border the missing ones are left out of the mean."""
    weights = _filter(centres, scale, 0, size)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


MASK_SHARE = 1 / 512
"""Whatever a box touches is inside the mask of a tile, however little of it the tile's pixel holds."""


def by_square(tiles: Sequence[Tile]) -> list[list[int]]:
    """Indices of tiles by the square that they show, so that each square runs once."""
    squares: dict[tuple[Window, int], list[int]] = {}
    for index, tile in enumerate(tiles):
        squares.setdefault((tile.window, tile.size), []).append(index)
    return list(squares.values())


def by_size(tiles: Sequence[Tile]) -> dict[int, list[int]]:
    """Indices of tiles by their size, so that each size is one batch."""
    sizes: dict[int, list[int]] = {}
    for index, tile in enumerate(tiles):
        sizes.setdefault(tile.size, []).append(index)
    return dict(sorted(sizes.items()))
