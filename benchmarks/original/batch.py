"""Batches for the training step: textured views with drawn faces that cover a given share, in the conventions of both sides."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dartblur.blur.gaussian import Gaussian
from dartblur.detector.backbones import MobileNet025
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.images import Image
from tests.makedata import draw_face, texture

Floats = npt.NDArray[np.float32]
MEAN = np.array(MobileNet025.mean, np.float32)


@dataclass(frozen=True)
class LoaderBatch:
    """What the original's data loader yields.

    Attributes:
        clean, blurred: (B, 3, S, S), B G R, mean (104, 117, 123) taken off.
        annotations: B arrays (M, 15): x1 y1 x2 y2 in shares of the view, five landmarks (0 here), label (-1: a face without landmarks).
    """

    clean: Floats
    blurred: Floats
    annotations: list[npt.NDArray[np.float64]]


@dataclass(frozen=True)
class StepBatch:
    """One batch in both conventions, on the CPU.

    Attributes:
        clean, blurred: x and x~, (B, 3, S, S), grey levels 0 to 255, R G B, contiguous (ours wants channels last: lay it out before timing).
        mask: b, (B, 1, S, S), 1 on every pixel that a box touches.
        boxes: B tensors (M, 4), corners in pixels of the view.
        loader: the same for the original.
    """

    clean: Tensor
    blurred: Tensor
    mask: Tensor
    boxes: list[Tensor]
    loader: LoaderBatch

    @property
    def size(self) -> int:
        return self.clean.shape[-1]

    @property
    def share(self) -> float:
        """The share of all pixels that lies in a mask."""
        return float(self.mask.mean())


def make_batch(views: int, size: int, share: float, faces: int = 4, seed: int = 0) -> StepBatch:
    """Draw a batch; the same arguments give the same bytes.

    Args:
        views: B. size: S, the side of a view in pixels.
        share: of a view that its faces cover, above 0, at most 1.
        faces: in a view, a square number: they stand on a grid, each at a random place in its cell.
    """
    side = round(faces**0.5)
    cell = size // side
    face = round(cell * share**0.5)
    if side * side != faces or not 0 < share <= 1 or face < 8:
        raise ValueError(f"{faces} faces that cover {share} of {size} pixels: give a square number of faces of at least 8 pixels")
    rng = np.random.default_rng(seed)
    preblur = Gaussian(1.0)
    clean, blurred, masks, boxes = [], [], [], []
    for _ in range(views):
        picture = texture(rng, size, size)
        corners = []
        for row in range(side):
            for column in range(side):
                x, y = (int(start * cell + rng.integers(0, cell - face + 1)) for start in (column, row))
                draw_face(picture, (x, y, face, face), rng)
                corners.append([x, y, x + face, y + face])
        found = as_boxes(corners)
        clean.append(picture)
        blurred.append(preblur.anonymize(picture, found))
        masks.append(mask_of(found, size, size))
        boxes.append(found)
    return StepBatch(
        clean=_grey_levels(clean),
        blurred=_grey_levels(blurred),
        mask=torch.from_numpy(np.stack(masks))[:, None].float(),
        boxes=[torch.from_numpy(found).float() for found in boxes],
        loader=LoaderBatch(_loaded(clean), _loaded(blurred), [_annotations(found, size) for found in boxes]),
    )


def _grey_levels(pictures: list[Image]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().contiguous()


def _loaded(pictures: list[Image]) -> Floats:
    levels = np.stack(pictures)[..., ::-1].astype(np.float32) - MEAN
    return np.ascontiguousarray(levels.transpose(0, 3, 1, 2))


def _annotations(boxes: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    rows = np.zeros((len(boxes), 15))
    rows[:, :4] = boxes / size
    rows[:, 14] = -1
    return rows
