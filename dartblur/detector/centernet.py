"""CenterNet (Zhou et al. 2019, "Objects as Points"): faces as peaks of a heat map, without anchors and without non-maximum suppression.

The second family of the evaluation: no part of it took part in training U, and it shares neither network, targets, loss nor decoding with
RetinaFace. So a suppression that shows in both was not made for one kind of detector.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dartblur.detector.centernet_targets import STRIDE, center_loss, center_targets, decode
from dartblur.detector.efficientnet import EfficientNetLite0
from dartblur.detector.weights import load_efficientnet
from dartblur.params import DetectorParams

UNTAUGHT = (-2.19, 0.5, 0.5, 2.0, 2.0)
"""What an untrained network says of every cell. Heat: the logit of 0.1 (ibid., appendix), as an even start would drown the few faces in background.
Box: a face of 30 pixels in the middle of the cell."""


class CenterNet(nn.Module):
    """EfficientNet-Lite0, enlarged step by step with the finer maps added in, and one head at a stride of 4.

    Args:
        channels: width of everything behind the backbone.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.backbone = EfficientNetLite0()
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)) for width in self.backbone.channels
        )
        self.enlarge = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(channels, channels, 4, 2, 1, bias=False), nn.BatchNorm2d(channels)) for _ in range(3)
        )
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.say = nn.Conv2d(channels, len(UNTAUGHT), 1, bias=False)
        self.usual = nn.Parameter(torch.tensor(UNTAUGHT))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Look at pictures of grey levels.

        Args:
            images: (B, 3, H, W), 0 to 255, R G B, H and W multiples of 32.

        Returns:
            Logits of face centres (B, H / 4, W / 4), and at each cell a box (B, 4, H / 4, W / 4), see
            :mod:`dartblur.detector.centernet_targets`.
        """
        *finer, x = (lateral(level) for lateral, level in zip(self.laterals, self.backbone(images), strict=True))
        for enlarge, level in zip(self.enlarge, reversed(finer), strict=True):
            x = enlarge(F.relu(x)) + level
        found = self.say(F.relu(self.mix(F.relu(x)))) + self.usual[:, None, None]  # (B, 5, H / 4, W / 4)
        return found[:, 0], found[:, 1:]


def peaks(heat: Tensor, values: Tensor, *, score_floor: float, max_detections: int) -> list[Tensor]:
    """Detections of each view: the cells that no neighbour tops, best first.

    Args:
        heat: (B, h, w) logits. values: (B, 4, h, w).
        score_floor: smallest probability.

    Returns:
        B tensors (N, 5): x1 y1 x2 y2 score, pixels of the view, cut at its borders.
    """
    height, width = heat.shape[1:]
    # Compared as logits: as probabilities, neighbours of a sure face may round to the same 1.
    top = heat == F.max_pool2d(heat[:, None], 3, stride=1, padding=1)[:, 0]
    scores, order = heat.sigmoid().masked_fill(~top, -1.0).flatten(1).topk(min(max_detections, height * width), dim=1)
    cells = torch.stack([order // width, order % width], dim=-1)  # (B, K, 2)
    chosen = torch.gather(values.flatten(2), 2, order[:, None, :].expand(-1, 4, -1)).transpose(1, 2)  # (B, K, 4)
    limit = torch.tensor([width, height, width, height], dtype=values.dtype, device=values.device) * STRIDE
    rows = torch.cat([torch.minimum(decode(cells, chosen).clamp(min=0), limit), scores[..., None]], dim=2)
    return [view[alive] for view, alive in zip(rows, scores >= score_floor, strict=True)]


class CenterNetFamily:
    """CenterNet for the trainer; see :class:`dartblur.detector.family.Family`. Of ``detector`` it takes what is not about anchors and NMS."""

    name = "centernet"

    def new(self, params: DetectorParams, seed: int) -> CenterNet:
        """Everything behind the backbone from ``seed``; the backbone from ImageNet, or with ``init: scratch`` from ``seed`` too."""
        torch.manual_seed(seed)
        model = CenterNet(params.channels)
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(model.say.weight, std=0.001)
        if params.init != "scratch":
            load_efficientnet(model.backbone)
        return model

    def loss(self, model: CenterNet, images: Tensor, boxes: list[Tensor], ignored: list[Tensor], params: DetectorParams) -> Tensor:
        """See :func:`dartblur.detector.centernet_targets.center_loss`."""
        heat, values = (said.to(images.dtype) for said in model(images))
        return center_loss(heat, values, center_targets(boxes, ignored, (images.shape[2], images.shape[3]), images.device))

    @torch.no_grad()
    def detect(self, model: CenterNet, images: Tensor, params: DetectorParams, score_floor: float | None = None) -> list[Tensor]:
        """See :func:`peaks`. The model's mode is left as it is."""
        heat, values = model(images)
        floor = params.score_floor if score_floor is None else score_floor
        return peaks(heat, values, score_floor=floor, max_detections=params.max_detections)


CENTERNET = CenterNetFamily()
