"""The U-Net in use: a network, whatever runs it, paints the boxes of a pre-blurred picture. Plain numpy, so that torch is not needed for it.

The network paints a tile around each face, at the scale it was trained for. What it *adds* to the pre-blurred tile is brought back to the picture's
resolution and added there: the pre-blur itself is smooth and kept at full resolution, so large faces lose nothing, and a face costs the same whatever
its size. The output is a function of the pre-blurred picture and the mask alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.blur.gaussian import Gaussian
from dartblur.blur.tiles import MASK_SHARE, Tile, TileSpec, by_size, by_square, reading, tiles_of, writing
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image
from dartblur.media.windows import FILL

TILES_A_BATCH = 32
Floats = npt.NDArray[np.float32]
Painter = Callable[[Floats, Floats], Floats]
"""g(x) of a batch of tiles: from pre-blurred tiles (N, 3, T, T) in grey levels and their masks (N, 1, T, T), 0 or 1, to (N, 3, T, T) grey levels."""


@dataclass(frozen=True)
class DartBlurConfig:
    """What a trained U-Net needs to be used as it was trained; stored beside its weights.

    Attributes:
        width, depth: of the U-Net.
        strength: of the Gaussian pre-blur.
        context: what the U-Net sees around a face, in face sides.
        face_min, face_max: the longer side of a face in the U-Net's eyes, in pixels. Faces in this range run at the picture's own resolution;
            others are scaled to its nearer end.
    """

    width: int
    depth: int
    strength: float
    context: float
    face_min: int
    face_max: int

    @property
    def tiles(self) -> TileSpec:
        """How tiles are laid around faces for this network."""
        return TileSpec(self.context, self.face_min, self.face_max, 1 << self.depth)


class Repainter:
    """Hides faces: the Gaussian pre-blur of ``config``, then ``painter`` on the tiles around them. An :class:`dartblur.blur.base.Anonymizer`."""

    name = "dartblur"

    def __init__(self, painter: Painter, config: DartBlurConfig) -> None:
        self.config = config
        self.painter = painter
        self._preblur = Gaussian(config.strength)

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box hidden; see :class:`dartblur.blur.base.Anonymizer`."""
        return self.repaint(self._preblur.anonymize(image, boxes), boxes)

    def repaint(self, blurred: Image, boxes: Boxes) -> Image:
        """Let the U-Net paint the boxes of a picture that is pre-blurred already, at the strength of ``config``."""
        height, width = blurred.shape[:2]
        tiles = tiles_of(boxes, width, height, self.config.tiles)
        mask = mask_of(as_boxes(boxes), width, height)  # (H, W) bool
        result = blurred.copy()
        squares = by_square(tiles)
        added: dict[int, Floats] = {}  # by tile
        for numbers in by_size([tiles[square[0]] for square in squares]).values():
            for start in range(0, len(numbers), TILES_A_BATCH):
                chunk = [squares[number] for number in numbers[start : start + TILES_A_BATCH]]
                for square, change in zip(chunk, self._added(blurred, mask, [tiles[square[0]] for square in chunk]), strict=True):
                    added.update(dict.fromkeys(square, change))
        for index, tile in enumerate(tiles):
            x1, y1, x2, y2 = tile.bounds
            rows, columns = (weights.astype(np.float32) for weights in writing(tile))
            for channel, plane in enumerate(added.pop(index)):
                face = blurred[y1:y2, x1:x2, channel] + rows @ plane @ columns.T
                result[y1:y2, x1:x2, channel] = np.clip(np.rint(face), 0, 255).astype(np.uint8)
        return result

    def _added(self, blurred: Image, mask: npt.NDArray[np.bool_], tiles: Sequence[Tile]) -> Floats:
        """What the U-Net adds to pre-blurred tiles inside their masks: (N, 3, T, T), in grey levels."""
        planes = [_cut(blurred, mask, tile) for tile in tiles]
        pictures, masks = np.stack([picture for picture, _ in planes]), np.stack([inside for _, inside in planes])
        added = self.painter(pictures, masks) - pictures
        if not np.isfinite(added).all():
            raise DartblurError("the U-Net's output is not finite; the model is broken, nothing was anonymised")
        return added


def _cut(blurred: Image, mask: npt.NDArray[np.bool_], tile: Tile) -> tuple[Floats, Floats]:
    """A tile of the picture (3, T, T), grey levels, and of the mask (1, T, T), 0 or 1."""
    read = reading(tile, blurred.shape[1], blurred.shape[0])
    rows, columns, beyond = (values.astype(np.float32) for values in (read.rows, read.columns, read.beyond))

    def resized(plane: npt.NDArray[Any]) -> Floats:
        return np.asarray(rows @ plane[read.top : read.bottom, read.left : read.right].astype(np.float32) @ columns.T)

    # A channel at a time: a face of thousands of pixels must not become gigabytes of floats.
    picture = np.stack([resized(blurred[:, :, channel]) + np.float32(value) * beyond for channel, value in enumerate(FILL)])
    return picture, (resized(mask) > MASK_SHARE).astype(np.float32)[None]
