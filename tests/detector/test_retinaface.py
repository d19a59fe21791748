import pytest
import torch
from torch import nn

from dartblur.detector.anchors import anchors
from dartblur.detector.retinaface import Backbone, RetinaFace


@pytest.mark.parametrize("backbone", ["mobilenetv2", "mobilenet025"])
def test_one_prediction_an_anchor(backbone: Backbone) -> None:
    model = RetinaFace(backbone, 16).eval()
    offsets, logits = model(torch.rand(2, 3, 64, 96) * 255)
    count = len(anchors(64, 96, torch.device("cpu")))
    assert offsets.shape == (2, count, 4)
    assert logits.shape == (2, count, 2)
    assert not [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 20]  # no landmark head


def test_predictions_are_in_the_order_of_the_anchors() -> None:
    """A change in one corner of the picture must move the logits of anchors near that corner most."""
    torch.manual_seed(0)
    model = RetinaFace("mobilenet025", 16).eval()
    picture = torch.full((1, 3, 256, 256), 100.0)
    changed = picture.clone()
    changed[:, :, :24, 200:] = 255.0
    difference = (model(picture)[1] - model(changed)[1]).abs().sum(dim=2)[0]
    finest = difference[: 32 * 32 * 2]
    cx, cy, _, _ = anchors(256, 256, torch.device("cpu"))[finest.argmax()]
    assert cx > 180
    assert cy < 60


def test_channel_order_matters_as_the_backbone_says() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 64, 64) * 255
    for backbone in ("mobilenetv2", "mobilenet025"):
        model = RetinaFace(backbone, 16).eval()
        assert not torch.allclose(model(picture)[1], model(picture.flip(1))[1])
