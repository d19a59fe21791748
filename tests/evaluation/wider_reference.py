"""A plain, slow reference of the WIDER FACE evaluation: the usual triple loop over difficulties, pictures and 1,000 thresholds.

Written from the rules (see dartblur/evaluation/average_precision.py) step by step, so that it shares no code and no trick with the fast version.
It does the work that the usual Python port does: overlaps with numpy, then a loop over detections and one over thresholds for every picture and
difficulty.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def overlaps_of(boxes: Floats, faces: Floats) -> Floats:
    """IoU of each box with each face: N x M."""
    x1, y1, x2, y2 = (boxes[:, k][:, None] for k in range(4))
    u1, v1, u2, v2 = (faces[:, k][None, :] for k in range(4))
    common = np.maximum(0.0, np.minimum(x2, u2) - np.maximum(x1, u1)) * np.maximum(0.0, np.minimum(y2, v2) - np.maximum(y1, v1))
    union = np.maximum(0.0, x2 - x1) * np.maximum(0.0, y2 - y1) + np.maximum(0.0, u2 - u1) * np.maximum(0.0, v2 - v1) - common
    return np.where(union > 0, common / np.where(union > 0, union, 1.0), 0.0)


def normalise(detections: list[Floats]) -> list[Floats]:
    """Scores of the whole set to 0..1; equal scores become 1."""
    scores = [row[4] for rows in detections for row in rows]
    low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
    result = []
    for rows in detections:
        copy = rows.copy()
        copy[:, 4] = (rows[:, 4] - low) / (high - low) if high > low else 1.0
        result.append(copy)
    return result


def judge_picture(rows: Floats, faces: Floats, counts: Bools, threshold: float) -> tuple[list[int], list[int]]:
    """Walk through detections in descending score: hits so far after each, and whether each is a proposal (1) or ignored (0)."""
    taken = [False] * len(faces)
    hits_so_far, proposal = [], []
    overlaps = overlaps_of(rows, faces)
    for n in range(len(rows)):
        best = int(overlaps[n].argmax()) if len(faces) else -1
        is_proposal = 1
        if best >= 0 and overlaps[n, best] >= threshold:
            if not counts[best]:
                is_proposal = 0
            elif not taken[best]:
                taken[best] = True
        hits_so_far.append(sum(taken))
        proposal.append(is_proposal)
    return hits_so_far, proposal


def picture_curve(scores: Floats, hits_so_far: list[int], proposal: list[int], thresholds: int) -> Floats:
    """Proposals and hits of one picture at each threshold: thresholds x 2."""
    curve = np.zeros((thresholds, 2))
    hits, proposals = np.array(hits_so_far), np.array(proposal)
    for t in range(thresholds):
        passing = np.where(scores >= 1 - (t + 1) / thresholds)[0]
        if len(passing):
            last = passing[-1]
            curve[t] = len(np.where(proposals[: last + 1] == 1)[0]), hits[last]
    return curve


def area(recall: Floats, precision: Floats) -> float:
    """All-point interpolated area under precision over recall."""
    x = np.concatenate([[0.0], recall, [1.0]])
    y = np.concatenate([[0.0], precision, [0.0]])
    for i in range(len(y) - 1, 0, -1):
        y[i - 1] = max(y[i - 1], y[i])
    steps = np.where(x[1:] != x[:-1])[0]
    return float(np.sum((x[steps + 1] - x[steps]) * y[steps + 1]))


def reference_ap(detections: list[Floats], faces: list[Floats], counts: list[Bools], iou: float = 0.5, thresholds: int = 1000) -> float:
    """AP of one difficulty.

    Args:
        detections: N x 5 a picture, x1 y1 x2 y2 score.
        faces: M x 4 a picture.
        counts: M a picture, whether the annotation counts.
    """
    total = sum(int(c.sum()) for c in counts)
    if total == 0:
        return float("nan")
    curve = np.zeros((thresholds, 2))
    for rows, boxes, counting in zip(normalise(detections), faces, counts, strict=True):
        ordered = rows[np.argsort(-rows[:, 4], kind="stable")]
        hits_so_far, proposal = judge_picture(ordered, boxes, counting, iou)
        curve += picture_curve(ordered[:, 4], hits_so_far, proposal, thresholds)
    recall, precision = np.zeros(thresholds), np.zeros(thresholds)
    for t in range(thresholds):
        recall[t] = curve[t, 1] / total
        precision[t] = curve[t, 1] / curve[t, 0] if curve[t, 0] else 0.0
    return area(recall, precision)
