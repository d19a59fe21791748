"""Tiles around single faces, straight from the pictures: what U is warmed up on, many faces a second and no background."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dartblur.blur.paint import TileBatch, cut_tiles, gather
from dartblur.blur.tiles import Tile, TileSpec, tile_around
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.boxes import mask_of, pixel_bounds
from dartblur.faces.dataset import Picture
from dartblur.media.windows import FILL, Window

SHIFT = 0.1
"""Largest shift of a face in its tile, in tile sides; tiles are also enlarged or shrunk by up to this share."""
ENLARGED = 1.25
"""A face is enlarged at most so much: U would learn the softness of enlarged pictures from more."""
GREY = 0.1
"""Share of tiles without colour, as many old photographs are."""


@dataclass(frozen=True)
class CleanTiles:
    """The same tiles clean (N, 3, T, T) in grey levels, and as the network sees them; ``face`` is the longer side of the faces there, in pixels."""

    clean: Tensor
    seen: TileBatch
    face: int


class FaceTiles:
    """Draws tiles from a clean data set and its pre-blurred copies.

    Args:
        views: of copies of a data set, the first clean, the others pre-blurred, each tile from one of them; their pictures and memory are used.
        spec: how U sees faces. Faces that :data:`ENLARGED` does not bring to ``face_min`` are left out.
    """

    def __init__(self, views: Views, spec: TileSpec) -> None:
        self.views, self.spec = views, spec
        self.faces: list[tuple[Picture, int]] = []
        sides = []
        for picture in views.pictures:
            for index, (x1, y1, x2, y2) in enumerate(picture.boxes):
                side = max(x2 - x1, y2 - y1)
                if not picture.ignore[index] and side >= spec.face_min / ENLARGED:
                    self.faces.append((picture, index))
                    sides.append(float(side))
        self.sides = np.array(sides)
        pictures: dict[str, list[int]] = {}
        for index, (picture, _) in enumerate(self.faces):
            pictures.setdefault(picture.name, []).append(index)
        self._pictures = list(pictures.values())  # indices into faces
        if not self.faces:
            raise DartblurError(
                f"no counted face of the train split is {spec.face_min / ENLARGED:.0f} pixels or more; lower unet.face_min or take other pictures"
            )

    def batch(self, seed: int, step: int, size: int, part: tuple[int, int] = (0, 1)) -> CleanTiles:
        """Batch number ``step`` of ``size`` tiles of one size: a function of ``seed`` and ``step`` alone; ``part`` as in :meth:`Views.batch`.

        The size is that of a face of a picture drawn at random, as detectors meet faces; a face drawn at random is mostly a small one in a crowd. The
        faces are as large or larger, so that their detail is real.
        """
        rng = np.random.default_rng([seed, 4, step])
        drawn = self.sides[int(rng.choice(self._pictures[int(rng.integers(len(self._pictures)))]))]
        seen = round(min(max(drawn, self.spec.face_min), self.spec.face_max))
        able = np.flatnonzero(self.sides >= seen / ENLARGED)
        spec = TileSpec(self.spec.context, seen, seen, self.spec.multiple)
        clean, blurred, masks = [], [], []
        for index in range(step * size + part[0], (step + 1) * size, part[1]):
            rng = np.random.default_rng([seed, 6, index])
            picture, face = self.faces[int(rng.choice(able))]
            x1, y1, x2, y2 = pixel_bounds(picture.boxes[[face]], picture.width, picture.height)[0].tolist()
            tile = _moved(tile_around((x1, y1, x2, y2), spec), rng)
            mask = torch.from_numpy(mask_of(picture.boxes, picture.width, picture.height))[None]
            chosen = int(rng.integers(1, len(self.views.datasets)))
            original, copy = (torch.from_numpy(self.views.read(which, picture.name)).permute(2, 0, 1) for which in (0, chosen))
            cut = cut_tiles(copy, mask, [tile])
            flip = [-1] if rng.random() < 0.5 else []
            mix, lift = _colours(rng)
            clean.append(_recolour(gather(original, tile, FILL)[None].flip(flip), mix, lift))
            blurred.append(_recolour(cut.blurred.flip(flip), mix, lift))
            masks.append(cut.mask.flip(flip))
        return CleanTiles(torch.cat(clean), TileBatch(torch.cat(blurred), torch.cat(masks)), seen)


def _moved(tile: Tile, rng: np.random.Generator) -> Tile:
    """The same face a little off the centre, a little nearer or farther, whole as far as it was."""
    window = tile.window
    side = max(round(window.side * (1 + rng.uniform(-SHIFT, SHIFT))), 8)
    middle = (window.left + window.side / 2, window.top + window.side / 2)
    shift = rng.uniform(-SHIFT, SHIFT, 2) * side
    return Tile(tile.bounds, Window(round(middle[0] - side / 2 + shift[0]), round(middle[1] - side / 2 + shift[1]), side), tile.size)


def _colours(rng: np.random.Generator) -> tuple[Tensor, float]:
    """A change of light and colour that commutes with a blur: a 3 x 3 matrix and an offset in grey levels."""
    if rng.random() < GREY:
        mix = np.tile([0.299, 0.587, 0.114], (3, 1)) * rng.uniform(0.8, 1.2)
    else:
        mix = np.diag(rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3))
    return torch.from_numpy(mix).float(), float(rng.uniform(-12, 12))


def _recolour(tiles: Tensor, mix: Tensor, lift: float) -> Tensor:
    return (torch.einsum("ij,njhw->nihw", mix, tiles) + lift).clamp(0, 255)
