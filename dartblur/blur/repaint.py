"""The U-Net in use: a network, whatever runs it, paints the boxes of a pre-blurred picture. Plain numpy, so that torch is not needed for it.

The network paints a tile around each face, at the scale it was trained for. What it *adds* to the pre-blurred tile is brought back to the picture's
resolution and added there: the pre-blur itself is smooth and kept at full resolution, so large faces lose nothing, and a face costs the same whatever
its size. The output is a function of the pre-blurred picture and the mask alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.blur.gaussian import Gaussian
from dartblur.blur.tiles import MASK_SHARE, Tile, TileSpec, by_size, by_square, reading, tiles_of, writing
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.windows import FILL

TILES_A_BATCH = 32
"""As many as a device computes at once with profit."""
Floats = npt.NDArray[np.float32]
Painter = Callable[[Floats, Floats], Floats]
"""g(x) of a batch of tiles: from pre-blurred tiles (N, 3, T, T) in grey levels and their masks (N, 1, T, T), 0 or 1, to (N, 3, T, T) grey levels."""


@dataclass(frozen=True)
class DartBlurConfig:
    """What a trained network needs to be used as it was trained; stored beside its weights.

    Attributes:
        width, depth: of the network.
        strength: of the Gaussian pre-blur.
        context: what the network sees around a face, in face sides.
        face_min, face_max: the longer side of a face in the network's eyes, in pixels. Faces in this range run at the picture's own resolution;
            others are scaled to its nearer end.
        network: ``unet``, or ``small`` (:mod:`dartblur.blur.small`).
    """

    width: int
    depth: int
    strength: float
    context: float
    face_min: int
    face_max: int
    network: str = "unet"

    @property
    def tiles(self) -> TileSpec:
        """How tiles are laid around faces for this network."""
        return TileSpec(self.context, self.face_min, self.face_max, 1 << self.depth)


class Repainter:
    """Hides faces: the Gaussian pre-blur of ``config``, then ``painter`` on the tiles around them. An :class:`dartblur.blur.base.Anonymizer`.

    Args:
        exact: of the pre-blur, see :class:`dartblur.blur.gaussian.Gaussian`.
        batch: tiles of one size that are painted at a time.
    """

    name = "dartblur"

    def __init__(self, painter: Painter, config: DartBlurConfig, *, exact: bool = True, batch: int = TILES_A_BATCH) -> None:
        self.config, self.batch = config, batch
        self.painter = painter
        self.preblur = Gaussian(config.strength, exact=exact)

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box hidden; see :class:`dartblur.blur.base.Anonymizer`."""
        return self.repaint(self.preblur.anonymize(image, boxes), boxes)

    def repaint(self, blurred: Image, boxes: Boxes) -> Image:
        """Let the U-Net paint the boxes of a picture that is pre-blurred already, at the strength of ``config``."""
        height, width = blurred.shape[:2]
        tiles = tiles_of(boxes, width, height, self.config.tiles)
        mask = mask_of(as_boxes(boxes), width, height)  # (H, W) bool
        result = blurred.copy()
        squares = by_square(tiles)
        added: dict[int, Floats] = {}  # by tile
        for numbers in by_size([tiles[square[0]] for square in squares]).values():
            for start in range(0, len(numbers), self.batch):
                chunk = [squares[number] for number in numbers[start : start + self.batch]]
                for square, change in zip(chunk, self._added(blurred, mask, [tiles[square[0]] for square in chunk]), strict=True):
                    added.update(dict.fromkeys(square, change))
        for index, tile in enumerate(tiles):
            x1, y1, x2, y2 = tile.bounds
            change = _written(added.pop(index), tile)  # (h, w, 3)
            result[y1:y2, x1:x2] = cv2.add(blurred[y1:y2, x1:x2], change, dtype=cv2.CV_8U).reshape(change.shape)  # rounded, 0 to 255
        return result

    def _added(self, blurred: Image, mask: npt.NDArray[np.bool_], tiles: Sequence[Tile]) -> Floats:
        """What the U-Net adds to pre-blurred tiles inside their masks: (N, 3, T, T), in grey levels."""
        planes = [cut_tile(blurred, mask, tile) for tile in tiles]
        if len(planes) == 1:  # as usual; no copy then
            pictures, masks = planes[0][0][None], planes[0][1][None]
        else:
            pictures, masks = np.stack([picture for picture, _ in planes]), np.stack([inside for _, inside in planes])
        added = self.painter(pictures, masks) - pictures
        if not np.isfinite(added).all():
            raise DartblurError("the U-Net's output is not finite; the model is broken, nothing was anonymised")
        return added


def cut_tile(blurred: Image, mask: npt.NDArray[np.bool_], tile: Tile) -> tuple[Floats, Floats]:
    """A tile of the picture (3, T, T), grey levels, and of the mask (1, T, T), 0 or 1."""
    if tile.own_scale:
        return _sliced(blurred, mask, tile)
    read = reading(tile, blurred.shape[1], blurred.shape[0])
    part, inside = (values[read.top : read.bottom, read.left : read.right] for values in (blurred, mask))

    def planes(some: slice) -> Floats:
        """Picture and mask, (4, n, w): together in less time than one after the other, and a few rows at a time, for faces of thousands of pixels."""
        made = np.empty((4, some.stop - some.start, part.shape[1]), np.float32)
        made[:3], made[3] = part[some].transpose(2, 0, 1), inside[some]
        return made

    rows = _Weights.of(read.rows)
    columns = rows if read.columns is read.rows else _Weights.of(read.columns)
    resized = _resized(rows, planes, columns, 4)  # (4, T, T)
    if not read.whole:
        resized[:3] += np.array(FILL, np.float32)[:, None, None] * read.beyond.astype(np.float32)
    return resized[:3], (resized[3:] > MASK_SHARE).astype(np.float32)


def _sliced(blurred: Image, mask: npt.NDArray[np.bool_], tile: Tile) -> tuple[Floats, Floats]:
    """The same at the picture's own scale: the very pixels, without a product of matrices."""
    (height, width), window = mask.shape, tile.window
    top, left = max(window.top, 0), max(window.left, 0)
    bottom, right = max(min(window.top + tile.size, height), top), max(min(window.left + tile.size, width), left)
    rows, columns = slice(top - window.top, bottom - window.top), slice(left - window.left, right - window.left)
    picture, inside = np.empty((3, tile.size, tile.size), np.float32), np.zeros((1, tile.size, tile.size), np.float32)
    if (bottom - top, right - left) != (tile.size, tile.size):
        picture[:] = np.array(FILL, np.float32)[:, None, None]
    picture[:, rows, columns] = blurred[top:bottom, left:right].transpose(2, 0, 1)
    inside[0, rows, columns] = mask[top:bottom, left:right]
    return picture, inside


def _written(added: Floats, tile: Tile) -> Floats:
    """What was added to a tile (3, T, T) on its face's own pixels, (y2 - y1, x2 - x1, 3)."""
    x1, y1, x2, y2 = tile.bounds
    top, left, side = tile.window.top, tile.window.left, tile.window.side
    own = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    if tile.own_scale:
        return np.ascontiguousarray(added[:, *own].transpose(1, 2, 0))
    if tile.size <= side and side**2 <= _FLOATS_AT_ONCE:  # the weights that follow, to rounding, in less time
        whole = cv2.resize(np.ascontiguousarray(added.transpose(1, 2, 0)), (side, side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(whole, np.float32)[own]
    rows, columns = (_Weights.of(weights) for weights in writing(tile))
    return np.ascontiguousarray(_resized(rows, lambda some: added[:, some], columns, len(added)).transpose(1, 2, 0))


_BAND = 16
_FLOATS_AT_ONCE = 1 << 22
"""A face of thousands of pixels must not become gigabytes of floats."""


@dataclass(frozen=True)
class _Weights:
    """Weights (N, h) of a resizing, and a few of their rows at a time with the pixels that they need: all but a band around the diagonal is zero."""

    values: Floats
    bands: Sequence[tuple[slice, slice]]

    @classmethod
    def of(cls, weights: npt.NDArray[np.floating[Any]]) -> "_Weights":
        """From weights of any precision; N and h may be anything."""
        some = weights != 0
        used = some.any(axis=1)
        first = np.where(used, some.argmax(axis=1), weights.shape[1])
        end = np.where(used, weights.shape[1] - some[:, ::-1].argmax(axis=1), 0)
        starts = np.arange(0, len(weights), _BAND)
        near = zip(starts.tolist(), np.minimum.reduceat(first, starts).tolist(), np.maximum.reduceat(end, starts).tolist(), strict=True)
        bands = [(slice(start, start + _BAND), slice(low, high)) for start, low, high in near if low < high]
        return cls(weights.astype(np.float32), bands)


def _resized(rows: _Weights, planes: Callable[[slice], Floats], columns: _Weights, channels: int) -> Floats:
    """``rows @ plane @ columns.T`` of each channel: weights (N, h) and (M, w), to (channels, N, M).

    Args:
        planes: gives some of the h rows, (channels, n, w).
    """
    height, width = len(rows.values), columns.values.shape[1]
    narrow = np.zeros((channels, height, width), np.float32)
    for out, near in rows.bands:
        np.matmul(rows.values[out, near], planes(near), out=narrow[:, out])
    flat = narrow.reshape(-1, width)  # (C N, w)
    made = np.zeros((len(flat), len(columns.values)), np.float32)
    for out, near in columns.bands:
        made[:, out] = flat[:, near] @ columns.values[out, near].T
    return made.reshape(channels, height, len(columns.values))
