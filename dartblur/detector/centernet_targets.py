"""What CenterNet is taught: a heat map of face centres, and the box at and around each centre; and the loss.

A cell is ``STRIDE`` pixels of the view. A face belongs to the cell that holds its centre. Its box, seen from a cell, is (dx, dy, log w, log h): how
far the centre lies from the cell's corner, 0 to 1 in the face's own cell, and the sides, all in cells.
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
BOX_WEIGHT = 2.0
"""Of the box beside the heat map. The paper has 0.1 for the size, which it regresses in pixels rather than as a logarithm."""
CORE = 0.3
"""Cells around the centre learn the box too, from this height of the bump on (as in TTFNet; the paper has the centre alone): a peak may come out one
cell beside, and 500 steps are few."""
LARGEST = math.log(1024)
"""Of log w and log h: an untrained network may ask for exp(1000) cells."""


def encode(faces: Tensor) -> tuple[Tensor, Tensor]:
    """Own cells (N, 2: row, column) of faces (N, 4 corners, pixels), and their boxes (N, 4) seen from there."""
    cells = ((faces[:, :2] + faces[:, 2:]) / (2 * STRIDE)).floor().flip(1).long()
    return cells, box_from(cells, faces)


def box_from(cells: Tensor, faces: Tensor) -> Tensor:
    """Boxes (N, 4: dx, dy, log w, log h) of faces (N, 4 corners, pixels), each seen from its cell (N, 2)."""
    centre = (faces[:, :2] + faces[:, 2:]) / (2 * STRIDE)
    size = (faces[:, 2:] - faces[:, :2]).clamp(min=1e-3) / STRIDE
    return torch.cat([centre - cells.flip(1), size.log()], dim=1)


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
        cells: (K, 3) view, row, column of the cells that learn a box.
        boxes: (K, 4) what they learn.
        shares: (K,) how much each counts, above 0; those of one face sum to 1.
        faces: N.
    """

    heat: Tensor
    counts: Tensor
    cells: Tensor
    boxes: Tensor
    shares: Tensor
    faces: int


def center_targets(faces: list[Tensor], ignored: list[Tensor], size: tuple[int, int], device: torch.device) -> CenterTargets:
    """Targets of a batch.

    A face's bump has a sigma of (0.54 * side + 1 cell) / 6 on each axis and its peak on the middle of the face's cell. A cell belongs to the face
    with the highest bump there, and from ``CORE`` on learns that face's box, by a share in proportion to the bump.

    Args:
        faces: B tensors (M, 4), corners in pixels. ignored: B tensors (M,) bool.
        size: height and width of the views, pixels, multiples of the stride.
    """
    height, width = size[0] // STRIDE, size[1] // STRIDE
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    heats, counts, cells, boxes, shares = [], [], [], [], []
    for view, (all_faces, flags) in enumerate(zip(faces, ignored, strict=True)):
        every, skip = all_faces.to(device).float(), flags.to(device).bool()
        # A face of no width at the far border has its centre outside the last cell.
        counted = every[~skip]
        middle = torch.minimum(encode(counted)[0], torch.tensor([height - 1, width - 1], device=device))
        sigma = (SPREAD * box_from(middle, counted)[:, 2:].exp() + 1) / 6  # (M, 2: x, y)
        down = torch.exp(-(((rows - middle[:, :1]) / sigma[:, 1:]) ** 2) / 2)  # (M, h)
        along = torch.exp(-(((columns - middle[:, 1:]) / sigma[:, :1]) ** 2) / 2)  # (M, w)
        bumps = torch.cat([torch.zeros(1, height, width, device=device), down[:, :, None] * along[:, None, :]])
        heat, owner = bumps.max(dim=0)
        core = torch.where((owner == torch.arange(len(bumps), device=device)[:, None, None]) & (bumps >= CORE), bumps, 0.0)
        core = core / core.sum(dim=(1, 2), keepdim=True).clamp(min=1e-9)
        face, row, column = core.nonzero().unbind(dim=1)
        learning = torch.stack([row, column], dim=1)
        # Cells that an ignored face touches.
        low, high = every[skip, :2] / STRIDE, every[skip, 2:] / STRIDE  # (K, 2: x, y)
        touched = ((rows < high[:, 1:]) & (rows + 1 > low[:, 1:]))[:, :, None] & ((columns < high[:, :1]) & (columns + 1 > low[:, :1]))[:, None, :]
        heats.append(heat)
        counts.append(~touched.any(dim=0) | (heat == 1))
        cells.append(F.pad(learning, (1, 0), value=view))
        boxes.append(box_from(learning, counted[face - 1]))
        shares.append(core[face, row, column])
    number = sum(int((~flags).sum()) for flags in ignored)
    return CenterTargets(torch.stack(heats), torch.stack(counts), torch.cat(cells), torch.cat(boxes), torch.cat(shares), number)


def center_loss(heat: Tensor, values: Tensor, targets: CenterTargets) -> Tensor:
    """Focal loss of the heat map and L1 of the boxes, a face's cells by their shares; both summed and divided by the number of faces (at least 1).

    Args:
        heat: (B, h, w) logits. values: (B, 4, h, w).
    """
    score, wanted = heat.sigmoid(), targets.heat
    centre = wanted == 1
    missed = (1 - score) ** FOCUS * F.logsigmoid(heat)
    invented = (1 - wanted) ** SOFTNESS * score**FOCUS * F.logsigmoid(-heat)
    focal = -torch.where(centre, missed, invented)[targets.counts].sum()
    view, row, column = targets.cells.unbind(dim=1)
    boxes = ((values[view, :, row, column] - targets.boxes).abs() * targets.shares[:, None]).sum()
    return (focal + BOX_WEIGHT * boxes) / max(targets.faces, 1)
