import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.anchors import BEST_ANCHOR_IOU, FaceBatch, anchors, corners, decode, encode, match, pairwise_iou
from dartblur.faces.boxes import as_boxes, iou

CPU = torch.device("cpu")

box = st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(4, 60), st.floats(4, 60)).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
boxes = st.lists(box, max_size=6)


def test_anchors_cover_the_view_level_by_level() -> None:
    priors = anchors(128, 96, CPU)
    assert priors.shape == ((16 * 12 + 8 * 6 + 4 * 3) * 2, 4)
    torch.testing.assert_close(priors[0], torch.tensor([4.0, 4.0, 16.0, 16.0]))
    torch.testing.assert_close(priors[1], torch.tensor([4.0, 4.0, 32.0, 32.0]))
    torch.testing.assert_close(priors[2], torch.tensor([12.0, 4.0, 16.0, 16.0]))  # rows run along x
    torch.testing.assert_close(priors[-1], torch.tensor([80.0, 112.0, 512.0, 512.0]))


@given(boxes, boxes)
def test_pairwise_iou_is_the_iou_of_faces(a: list[list[float]], b: list[list[float]]) -> None:
    found = pairwise_iou(torch.tensor(a).reshape(-1, 4), torch.tensor(b).reshape(-1, 4))
    np.testing.assert_allclose(found.numpy(), iou(as_boxes(a), as_boxes(b)), atol=1e-4)


@given(st.lists(box, min_size=1, max_size=6))
def test_decode_inverts_encode(faces: list[list[float]]) -> None:
    targets = torch.tensor(faces)
    priors = anchors(64, 64, CPU)[: len(faces)]
    torch.testing.assert_close(decode(encode(targets, priors), priors), targets, atol=1e-2, rtol=1e-3)


def test_an_untrained_network_cannot_ask_for_an_infinite_box() -> None:
    priors = anchors(64, 64, CPU)
    assert torch.isfinite(decode(torch.full((len(priors), 4), 1e4), priors)).all()


def reference_labels(faces: list[list[float]], ignored: list[bool], threshold: float) -> list[int]:
    """The rule of match() in plain loops."""
    priors = corners(anchors(64, 64, CPU)).double().numpy()
    overlap = iou(as_boxes(priors), as_boxes(faces))
    counted = [j for j in range(len(faces)) if not ignored[j]]
    labels = [int(max((overlap[i, j] for j in counted), default=0.0) >= threshold) for i in range(len(priors))]
    for j in counted:
        if overlap[:, j].max() >= BEST_ANCHOR_IOU:
            labels[int(overlap[:, j].argmax())] = 1
    for i in range(len(priors)):
        if labels[i] == 0 and max((overlap[i, j] for j in range(len(faces)) if ignored[j]), default=0.0) >= threshold:
            labels[i] = -1
    return labels


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(5, 50), st.integers(5, 50), st.booleans()), max_size=5))
def test_match_equals_the_plain_loops(rows: list[tuple[int, int, int, int, bool]]) -> None:
    faces = [[float(x), float(y), float(x + w), float(y + h)] for x, y, w, h, _ in rows]
    ignored = [flag for *_, flag in rows]
    batch = FaceBatch.of([torch.tensor(faces).reshape(-1, 4)], [torch.tensor(ignored, dtype=torch.bool)])
    labels = match(batch, anchors(64, 64, CPU), 0.35).labels[0]
    expected = reference_labels(faces, ignored, 0.35)
    # A face whose best anchors tie, or an overlap within rounding of the threshold, may go either way: there all but a few agree.
    assert (labels.numpy() != np.array(expected)).sum() <= 2 * len(faces)
    if not faces:
        assert (labels == 0).all()


def test_every_face_gets_an_anchor_and_its_own_offsets() -> None:
    faces = torch.tensor([[10.0, 10.0, 20.0, 22.0], [30.0, 30.0, 62.0, 62.0]])
    priors = anchors(64, 64, CPU)
    targets = match(FaceBatch.of([faces, torch.zeros(0, 4)]), priors, 0.35)
    positive = targets.labels[0] == 1
    found = decode(targets.offsets[0][positive], priors[positive])
    for face in faces:
        assert (found - face).abs().amax(dim=1).min() < 1e-2
    assert (targets.labels[1] == 0).all()


def test_where_two_faces_want_the_same_anchor_the_later_one_has_it() -> None:
    faces = torch.tensor([[10.0, 10.0, 20.0, 20.0], [10.5, 10.5, 20.5, 20.5]])
    priors = anchors(64, 64, CPU)
    for order in ([0, 1], [1, 0]):
        targets = match(FaceBatch.of([faces[order]]), priors, 0.9)  # no anchor reaches 0.9: the forced one alone is positive
        (index,) = torch.nonzero(targets.labels[0] == 1)[:, 0].tolist()
        torch.testing.assert_close(decode(targets.offsets[0, index], priors[index]), faces[order[1]], atol=1e-3, rtol=1e-4)
