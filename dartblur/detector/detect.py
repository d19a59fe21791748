"""From the network's outputs to detections: decoding, score floor, non-maximum suppression. In plain torch, on any device."""

import torch
from torch import Tensor, nn

from dartblur.detector.anchors import anchors, decode, pairwise_iou
from dartblur.params import DetectorParams

BEFORE_NMS = 400
"""Candidates a view that NMS sees, the best by score."""


def nms(boxes: Tensor, iou: float) -> Tensor:
    """Greedy non-maximum suppression of boxes that are sorted by falling score.

    Args:
        boxes: (B, K, 4) corners.
        iou: a box is dropped where a kept one before it overlaps more than this.

    Returns:
        (B, K) bool, True for the boxes that stay.

    A box's fate depends on kept boxes before it only, so repeating the parallel update settles at least one more box each round and ends at the
    same set as the sequential loop (as in Cluster-NMS, Zheng et al. 2021).
    """
    suppresses = torch.triu(pairwise_iou(boxes, boxes) > iou, diagonal=1)  # (B, K, K), row suppresses column
    keep = torch.ones(boxes.shape[:2], dtype=torch.bool, device=boxes.device)
    while True:
        update = ~(suppresses & keep[:, :, None]).any(dim=1)
        if torch.equal(update, keep):
            return keep
        keep = update


def select(offsets: Tensor, logits: Tensor, size: tuple[int, int], *, score_floor: float, nms_iou: float, max_detections: int) -> list[Tensor]:
    """Detections of each view from the network's raw outputs.

    Args:
        offsets: (B, A, 4). logits: (B, A, 2).
        size: height and width of the views, pixels.
        score_floor: smallest probability (after softmax, never a raw logit).

    Returns:
        B tensors (N, 5): x1 y1 x2 y2 score, best first, cut at the view's borders.
    """
    height, width = size
    scores = logits.softmax(dim=-1)[..., 1]  # (B, A)
    top, order = scores.topk(min(BEFORE_NMS, scores.shape[1]), dim=1, sorted=True)
    priors = anchors(height, width, offsets.device)
    boxes = decode(torch.gather(offsets, 1, order[..., None].expand(-1, -1, 4)), priors[order])  # (B, K, 4)
    limit = torch.tensor([width, height, width, height], dtype=boxes.dtype, device=boxes.device)
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    alive = top >= score_floor
    # Boxes under the floor must not suppress: they come last, so making them empty is enough.
    keep = nms(boxes * alive[..., None], nms_iou) & alive
    rows = torch.cat([boxes, top[..., None]], dim=2)
    return [row[flags][:max_detections] for row, flags in zip(rows, keep, strict=True)]


@torch.no_grad()
def detect(model: nn.Module, images: Tensor, params: DetectorParams, score_floor: float | None = None) -> list[Tensor]:
    """Run a detector on pictures (B, 3, H, W) of grey levels 0 to 255; see :func:`select`. The model's mode is left as it is."""
    offsets, logits = model(images)
    floor = params.score_floor if score_floor is None else score_floor
    return select(
        offsets, logits, (images.shape[2], images.shape[3]), score_floor=floor, nms_iou=params.nms_iou, max_detections=params.max_detections
    )
