import torch
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.anchors import anchors, encode, pairwise_iou
from dartblur.detector.detect import nms, select
from tests.detector.test_anchors import boxes


def greedy(candidates: torch.Tensor, threshold: float) -> list[bool]:
    """Non-maximum suppression as everyone writes it."""
    overlap = pairwise_iou(candidates, candidates)
    keep: list[int] = []
    for index in range(len(candidates)):
        if all(overlap[index, kept] <= threshold for kept in keep):
            keep.append(index)
    return [index in keep for index in range(len(candidates))]


@given(boxes, st.floats(0.1, 0.9))
def test_nms_equals_the_sequential_loop(candidates: list[list[float]], threshold: float) -> None:
    tensor = torch.tensor(candidates).reshape(-1, 4)
    assert nms(tensor[None], threshold)[0].tolist() == greedy(tensor, threshold)


def test_nms_of_a_long_chain() -> None:
    """Each box overlaps its neighbours only: every other one stays, which takes the parallel update one round a box."""
    left = torch.arange(40.0) * 4
    chain = torch.stack([left, torch.zeros(40), left + 10, torch.full((40,), 10.0)], dim=1)
    assert nms(chain[None], 0.4)[0].tolist() == greedy(chain, 0.4)


def test_select_finds_what_the_outputs_say() -> None:
    priors = anchors(64, 64, torch.device("cpu"))
    face = torch.tensor([20.0, 20.0, 40.0, 44.0])
    offsets = encode(face.expand(len(priors), 4), priors)[None]
    logits = torch.zeros(1, len(priors), 2)
    logits[..., 0] = 5.0
    logits[0, 30] = torch.tensor([0.0, 3.0])
    logits[0, 31] = torch.tensor([0.0, 2.0])  # the same box, weaker
    (rows,) = select(offsets, logits, (64, 64), score_floor=0.5, nms_iou=0.4, max_detections=10)
    assert rows.shape == (1, 5)
    torch.testing.assert_close(rows[0, :4], face, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(rows[0, 4], torch.tensor([0.0, 3.0]).softmax(0)[1])


def test_the_floor_is_a_probability_and_weak_boxes_suppress_nothing() -> None:
    priors = anchors(64, 64, torch.device("cpu"))
    logits = torch.full((2, len(priors), 2), 0.0)
    logits[0, :, 0] = 3.0  # probability 0.047: under a floor of 0.05, although the logit 0 is not below it
    logits[1, :, 1] = 3.0
    none, many = select(torch.zeros(2, len(priors), 4), logits, (64, 64), score_floor=0.05, nms_iou=0.4, max_detections=7)
    assert len(none) == 0
    assert len(many) == 7
    assert bool((many[:, :4] >= 0).all() and (many[:, :4] <= 64).all())
