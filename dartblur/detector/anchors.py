"""Anchors, and which of them a face belongs to. All batched, on any device.

Anchors are (cx, cy, w, h) in pixels of the view, faces (x1, y1, x2, y2). Offsets are encoded with the SSD variances 0.1 (centre) and 0.2 (size).
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))
ANCHORS_PER_CELL = 2
VARIANCES = (0.1, 0.2)
BEST_ANCHOR_IOU = 0.2
"""A face that no anchor reaches ``match_iou`` with still gets its best one from this IoU; below it the anchor could not be regressed to it."""


@lru_cache(maxsize=16)
def anchors(height: int, width: int, device: torch.device) -> Tensor:
    """All anchors of a view of ``height`` x ``width`` pixels: A x 4 (cx, cy, w, h), level by level, row by row, the sizes of a cell together."""
    levels = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        cy, cx, size = torch.meshgrid(
            (torch.arange(rows, dtype=torch.float32) + 0.5) * stride,
            (torch.arange(columns, dtype=torch.float32) + 0.5) * stride,
            torch.tensor(sizes, dtype=torch.float32),
            indexing="ij",
        )
        levels.append(torch.stack([cx, cy, size, size], dim=-1).reshape(-1, 4))
    return torch.cat(levels).to(device)


def corners(boxes: Tensor) -> Tensor:
    """(..., 4) boxes (cx, cy, w, h) as (x1, y1, x2, y2)."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], dim=-1)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each pair: (..., N, 4) and (..., M, 4), both corners, to (..., N, M); 0 where both are empty."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(dim=-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(dim=-1)
    return common / (area_a[..., :, None] + area_b[..., None, :] - common).clamp(min=1e-9)


def encode(faces: Tensor, priors: Tensor) -> Tensor:
    """Offsets of faces (..., 4 corners) from anchors (..., 4): what the box head learns."""
    centre = (faces[..., :2] + faces[..., 2:]) / 2
    size = (faces[..., 2:] - faces[..., :2]).clamp(min=1e-3)
    return torch.cat([(centre - priors[..., :2]) / (VARIANCES[0] * priors[..., 2:]), torch.log(size / priors[..., 2:]) / VARIANCES[1]], dim=-1)


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Boxes (..., 4 corners) that offsets (..., 4) from anchors (..., 4) stand for; the inverse of :func:`encode`."""
    centre = priors[..., :2] + offsets[..., :2] * VARIANCES[0] * priors[..., 2:]
    # An untrained network may ask for exp(1000); no face is e^4 times its anchor.
    size = priors[..., 2:] * torch.exp((offsets[..., 2:] * VARIANCES[1]).clamp(max=4.0))
    return corners(torch.cat([centre, size], dim=-1))


@dataclass(frozen=True)
class FaceBatch:
    """Faces of a batch of views, padded to the largest number.

    Attributes:
        boxes: (B, M, 4) corners in pixels of the view.
        counts: (B, M) bool, True where there is a face to be found.
        ignored: (B, M) bool, True where there is a face that is neither to be found nor background.
    """

    boxes: Tensor
    counts: Tensor
    ignored: Tensor

    @staticmethod
    def of(boxes: list[Tensor], ignored: list[Tensor] | None = None, device: torch.device | None = None) -> "FaceBatch":
        """Pad lists of (M_i, 4) boxes and (M_i,) ignore flags."""
        width = max([len(b) for b in boxes] + [1])
        padded = torch.zeros(len(boxes), width, 4)
        counts = torch.zeros(len(boxes), width, dtype=torch.bool)
        ignore = torch.zeros(len(boxes), width, dtype=torch.bool)
        for index, faces in enumerate(boxes):
            flags = ignored[index].bool() if ignored is not None else torch.zeros(len(faces), dtype=torch.bool)
            padded[index, : len(faces)] = faces.to(padded)
            counts[index, : len(faces)] = ~flags.cpu()
            ignore[index, : len(faces)] = flags.cpu()
        return FaceBatch(padded.to(device), counts.to(device), ignore.to(device))


@dataclass(frozen=True)
class Targets:
    """What every anchor should say.

    Attributes:
        labels: (B, A) 1 face, 0 background, -1 neither.
        offsets: (B, A, 4), meaningful where the label is 1.
    """

    labels: Tensor
    offsets: Tensor


def match(faces: FaceBatch, priors: Tensor, match_iou: float) -> Targets:
    """Assign faces to anchors.

    An anchor is positive for the face it overlaps most if their IoU reaches ``match_iou``; every face also gets its best anchor
    (from :data:`BEST_ANCHOR_IOU` on). Anchors on an ignored face that are not positive count for nothing.

    Args:
        faces: B views.
        priors: (A, 4) from :func:`anchors`.
        match_iou: 0 to 1.
    """
    overlap = pairwise_iou(corners(priors), faces.boxes)  # (B, A, M)
    wanted = overlap.masked_fill(~faces.counts[:, None, :], -1.0)
    best_iou, best_face = wanted.max(dim=2)  # (B, A)
    face_iou, face_anchor = wanted.max(dim=1)  # (B, M)
    # Overwrite the anchor of each face; where two faces want the same anchor the later one in the list has it, as a scatter may not say.
    for index in range(faces.boxes.shape[1]):
        forced = face_iou[:, index] >= BEST_ANCHOR_IOU  # (B,)
        rows = torch.nonzero(forced)[:, 0]
        best_face[rows, face_anchor[rows, index]] = index
        best_iou[rows, face_anchor[rows, index]] = 2.0
    positive = best_iou >= match_iou
    on_ignored = (overlap * faces.ignored[:, None, :]).amax(dim=2) >= match_iou
    labels = positive.long().masked_fill(on_ignored & ~positive, -1)
    matched = torch.gather(faces.boxes, 1, best_face[..., None].expand(-1, -1, 4))  # (B, A, 4)
    return Targets(labels, encode(matched, priors))
