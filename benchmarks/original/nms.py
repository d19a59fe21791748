"""torchvision.ops.nms where there is no torchvision: OpenCV's, in C++ too."""

import cv2
import numpy as np
import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression of one picture: (N, 4) corners and (N,) scores above 0 to the rows that stay, best first."""
    corners = boxes.detach().double().cpu()
    spans = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)  # x y width height
    kept = cv2.dnn.NMSBoxes(spans.numpy(), scores.detach().float().cpu().numpy(), 0.0, iou_threshold)  # type: ignore[arg-type] # arrays are taken
    return torch.from_numpy(np.asarray(kept, np.int64).reshape(-1)).to(boxes.device)
