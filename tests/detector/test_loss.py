import torch
import torch.nn.functional as F

from dartblur.detector.anchors import Targets
from dartblur.detector.loss import detection_loss


def plain(offsets: torch.Tensor, logits: torch.Tensor, targets: Targets, ratio: int, smoothing: float) -> float:
    """The loss in plain loops."""
    box_sum = class_sum = 0.0
    positives = int((targets.labels == 1).sum())
    for row in range(len(offsets)):
        labels = targets.labels[row]
        count = int((labels == 1).sum())
        negatives = sorted((i for i in range(len(labels)) if labels[i] == 0), key=lambda i: -float(logits[row, i, 1] - logits[row, i, 0]))
        for index in [i for i in range(len(labels)) if labels[i] == 1] + negatives[: max(count, 1) * ratio]:
            class_sum += float(F.cross_entropy(logits[row, index][None], labels[index][None], label_smoothing=smoothing))
            if labels[index] == 1:
                box_sum += float(F.smooth_l1_loss(offsets[row, index], targets.offsets[row, index], reduction="sum"))
    return (2.0 * box_sum + class_sum) / max(positives, 1)


def example(labels: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, Targets]:
    generator = torch.Generator().manual_seed(0)
    shape = (len(labels), len(labels[0]))
    offsets, wanted = (torch.randn(*shape, 4, generator=generator) for _ in range(2))
    logits = torch.randn(*shape, 2, generator=generator)
    return offsets, logits, Targets(torch.tensor(labels), wanted)


def test_equals_the_plain_loops() -> None:
    for labels in ([[1, 0, 0, 0, -1, 0], [0, 0, 1, 1, 0, 0]], [[0] * 6, [0] * 6], [[-1] * 6, [1] * 6]):
        offsets, logits, targets = example(labels)
        for ratio, smoothing in ((1, 0.0), (2, 0.2), (7, 0.0)):
            found = detection_loss(offsets, logits, targets, box_weight=2.0, negatives_per_positive=ratio, label_smoothing=smoothing)
            torch.testing.assert_close(float(found), plain(offsets, logits, targets, ratio, smoothing), rtol=1e-5, atol=1e-6)


def test_an_ignored_anchor_has_no_gradient() -> None:
    offsets, logits, targets = example([[1, 0, -1, 0]])
    logits.requires_grad_()
    loss = detection_loss(offsets, logits, targets, box_weight=2.0, negatives_per_positive=7)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[0, 2] == 0).all()
    assert (gradient[0, 0] != 0).all()


def test_a_perfect_detector_has_no_loss() -> None:
    offsets, _, targets = example([[1, 0, 0, 0]])
    logits = torch.tensor([[[-50.0, 50.0], [50.0, -50.0], [50.0, -50.0], [50.0, -50.0]]])
    assert float(detection_loss(targets.offsets, logits, targets, box_weight=2.0, negatives_per_positive=7)) < 1e-6
    assert float(detection_loss(offsets, logits, targets, box_weight=2.0, negatives_per_positive=7)) > 0.1


def test_twice_differentiable() -> None:
    offsets, logits, targets = example([[1, 0, 0, 0]])
    offsets, logits = offsets.double().requires_grad_(), logits.double().requires_grad_()
    double = Targets(targets.labels, targets.offsets.double())
    assert torch.autograd.gradgradcheck(
        lambda o, c: detection_loss(o, c, double, box_weight=2.0, negatives_per_positive=7, label_smoothing=0.2), (offsets, logits)
    )
