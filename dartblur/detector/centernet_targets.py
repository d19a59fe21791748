"""What CenterNet is taught: a heat map of face centres, and the box at each centre; and the loss.

A cell is ``STRIDE`` pixels of the view. A face belongs to the cell that holds its centre. Its box there is (dx, dy, log w, log h): where in the cell
the centre lies, 0 to 1, and the sides, in cells.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE = 4
SPREAD = 0.54
"""Share of a face's side that its bump on the heat map is wide, at six sigma (Liu et al., TTFNet, AAAI 2020)."""
FOCUS, SOFTNESS = 2, 4
"""Exponents of the focal loss: on the error, and on the distance from a centre (Law & Deng 2018, eq. 1)."""
BOX_WEIGHT = 1.0
"""Of the box beside the heat map. The paper has 0.1 for the size, which it regresses in pixels rather than as a logarithm."""
LARGEST = math.log(1024)
"""Of log w and log h: an untrained network may ask for exp(1000) cells."""


def encode(faces: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (N, 2: row, column) and boxes (N, 4: dx, dy, log w, log h) of faces (N, 4 corners, pixels)."""
    centre = (faces[:, :2] + faces[:, 2:]) / (2 * STRIDE)
    size = (faces[:, 2:] - faces[:, :2]).clamp(min=1e-3) / STRIDE
    cells = centre.floor()
    return cells.flip(1).long(), torch.cat([centre - cells, size.log()], dim=1)


def decode(cells: Tensor, values: Tensor) -> Tensor:
    """Faces (..., 4 corners, pixels) of cells (..., 2) and boxes (..., 4); the inverse of :func:`encode`."""
    centre = cells.flip(-1) + values[..., :2]
    half = values[..., 2:].clamp(max=LARGEST).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1) * STRIDE


@dataclass(frozen=True)
class CenterTargets:
    """What the maps of B views should say; h and w are the view's sides in cells, N the counted faces of the batch.

    Attributes:
        heat: (B, h, w), 1 on the cell of a counted face, falling off around it, 0 to 1.
        counts: (B, h, w) bool, False where an ignored face lies and no counted one has its centre.
        cells: (N, 3) view, row, column.
        boxes: (N, 4) from :func:`encode`.
    """

    heat: Tensor
    counts: Tensor
    cells: Tensor
    boxes: Tensor


def center_targets(faces: list[Tensor], ignored: list[Tensor], size: tuple[int, int], device: torch.device) -> CenterTargets:
    """Targets of a batch.

    A face's bump has a sigma of (0.54 * side + 1 cell) / 6 on each axis and its peak on the middle of the face's cell; where bumps meet, the higher
    one counts.

    Args:
        faces: B tensors (M, 4), corners in pixels. ignored: B tensors (M,) bool.
        size: height and width of the views, pixels, multiples of the stride.
    """
    height, width = size[0] // STRIDE, size[1] // STRIDE
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    heats, counts, cells, boxes = [], [], [], []
    for view, (all_faces, flags) in enumerate(zip(faces, ignored, strict=True)):
        every, skip = all_faces.to(device).float(), flags.to(device).bool()
        # A face of no width at the far border has its centre outside the last cell.
        found, values = encode(every[~skip])
        found = torch.minimum(found, torch.tensor([height - 1, width - 1], device=device))
        sigma = (SPREAD * values[:, 2:].exp() + 1) / 6  # (M, 2: x, y)
        down = torch.exp(-(((rows - found[:, :1]) / sigma[:, 1:]) ** 2) / 2)  # (M, h)
        along = torch.exp(-(((columns - found[:, 1:]) / sigma[:, :1]) ** 2) / 2)  # (M, w)
        empty = torch.zeros(1, height, width, device=device)
        heat = torch.cat([empty, down[:, :, None] * along[:, None, :]]).amax(dim=0)
        # Cells that an ignored face touches.
        low, high = every[skip, :2] / STRIDE, every[skip, 2:] / STRIDE  # (K, 2: x, y)
        touched = ((rows < high[:, 1:]) & (rows + 1 > low[:, 1:]))[:, :, None] & ((columns < high[:, :1]) & (columns + 1 > low[:, :1]))[:, None, :]
        heats.append(heat)
        counts.append(~touched.any(dim=0) | (heat == 1))
        cells.append(F.pad(found, (1, 0), value=view))
        boxes.append(values)
    return CenterTargets(torch.stack(heats), torch.stack(counts), torch.cat(cells), torch.cat(boxes))


def center_loss(heat: Tensor, values: Tensor, targets: CenterTargets) -> Tensor:
    """Focal loss of the heat map and L1 of the boxes at the centres, both summed and divided by the number of faces (at least 1); a scalar.

    Args:
        heat: (B, h, w) logits. values: (B, 4, h, w).
    """
    score, wanted = heat.sigmoid(), targets.heat
    centre = wanted == 1
    missed = (1 - score) ** FOCUS * F.logsigmoid(heat)
    invented = (1 - wanted) ** SOFTNESS * score**FOCUS * F.logsigmoid(-heat)
    focal = -torch.where(centre, missed, invented)[targets.counts].sum()
    view, row, column = targets.cells.unbind(dim=1)
    boxes = (values[view, :, row, column] - targets.boxes).abs().sum()
    return (focal + BOX_WEIGHT * boxes) / max(len(targets.cells), 1)
