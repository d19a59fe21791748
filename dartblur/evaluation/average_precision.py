"""Average precision by the rules of WIDER FACE, without a loop over thresholds.

What the evaluation does, for one list of annotations that *count* (a difficulty, or a slice of the faces):

1. Scores of the whole set are min-max normalised to 0..1.
2. A detection belongs to the annotation of its picture with the highest IoU, counted or not; equal IoU goes to the annotation that comes first.
   Below ``iou`` the detection belongs to nothing and is a false positive.
3. A detection whose annotation does not count is ignored: neither hit nor false positive. This is decided by the best annotation alone; a
   second-best one that counts is not tried.
4. In descending order of score, the first detection of a counted annotation is the hit, every later one a false positive.
5. At each of 1,000 thresholds 0.999, 0.998, ... 0 precision is hits / (detections not ignored) and recall is hits / (annotations that count).
6. AP is the area under the precision envelope over recall (all points, as in PASCAL VOC 2010).

**Ties.** Detections of equal score pass every threshold together, so which of them is called the hit changes no figure: the result does not
depend on the order of detections. It depends on the order of annotations only where one detection overlaps two of them equally.

**Normalisation.** The lowest score of the set becomes 0 and passes only the last threshold, the highest becomes 1 and passes all. Where all
scores are equal they become 1 (the usual port divides by zero). Every detection takes part, ignored ones and those of pictures without an
annotation too. So the set is one unit: AP of two halves is not the AP of the whole, and one outlier among the scores squeezes all others into
few thresholds. ``a * score + b`` with a > 0 in place of every score changes nothing.

**Edges.** Boxes are half-open (width is x2 - x1), where the original counts x2 - x1 + 1: IoU of a small face differs a little. Detections on
a picture without any annotation are false positives, where the usual port skips such pictures (WIDER FACE's validation set has none).

Source: Yang, Luo, Loy, Tang, WIDER FACE: A Face Detection Benchmark, CVPR 2016, and the rules of its evaluation tool.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from dartblur.evaluation.counting import DIFFICULTIES
from dartblur.faces.boxes import iou

THRESHOLDS = 1000

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class WiderFaceAP(Metric):
    """AP on every list of faces that count, accumulated over pictures; see the module's docstring for the exact rules.

    Args:
        iou: a detection belongs to an annotation from this IoU, 0 to 1.
        lists: names of the L lists.
        **kwargs: of :class:`torchmetrics.Metric`, such as ``dist_sync_on_step``.

    Example:
        >>> metric = WiderFaceAP()
        >>> metric.update([torch.tensor([[0., 0., 10., 10., 0.9]])], [torch.tensor([[0., 0., 10., 12.]])], [torch.tensor([True])])
        >>> float(metric.compute()["all"])
        1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    scores: list[Tensor]
    hits: list[Tensor]
    proposals: list[Tensor]
    counted: Tensor

    def __init__(self, iou: float = 0.5, lists: Sequence[str] = DIFFICULTIES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < iou <= 1:
            raise ValueError(f"iou must be above 0 and at most 1, found {iou}")
        self.iou = iou
        self.lists = tuple(lists)
        self.add_state("scores", default=[], dist_reduce_fx="cat")  # (K,) float64
        self.add_state("hits", default=[], dist_reduce_fx="cat")  # (K, L) bool
        self.add_state("proposals", default=[], dist_reduce_fx="cat")  # (K, L) bool
        self.add_state("counted", default=torch.zeros(len(self.lists), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, detections: Sequence[Tensor], faces: Sequence[Tensor], counts: Sequence[Tensor | Mapping[str, Tensor]]) -> None:
        """Add pictures.

        Args:
            detections: one tensor a picture, N x 5: x1 y1 x2 y2 score, pixels; in any order, any finite score.
            faces: one tensor a picture, M x 4: every annotation, those that do not count too, in the same pixels.
            counts: which annotations count, one entry a picture: list -> M bool with every name in ``lists`` (see
                :mod:`dartblur.evaluation.counting`), or M bool, which then holds for every list.

        Raises:
            ValueError: lists of different lengths, a tensor of another shape, or a box or score that is not finite.
        """
        if not len(detections) == len(faces) == len(counts):
            raise ValueError(f"one entry a picture is needed in each list, found {len(detections)}, {len(faces)} and {len(counts)}")
        if not detections:
            return
        total = np.zeros(len(self.lists), np.int64)
        columns: list[tuple[Floats, Bools, Bools]] = []
        for found, boxes, counting in zip(detections, faces, counts, strict=True):
            rows = _rows(found, 5, "detections")
            annotations = _rows(boxes, 4, "faces")
            counted = _per_list(counting, self.lists, len(annotations))
            total += counted.sum(axis=0)
            columns.append((rows[:, 4], *_judge(rows, annotations, counted, self.iou)))
        scores, hits, proposals = (np.concatenate(column) for column in zip(*columns, strict=True))
        self.scores.append(torch.as_tensor(scores, device=self.device))
        self.hits.append(torch.as_tensor(hits, device=self.device))
        self.proposals.append(torch.as_tensor(proposals, device=self.device))
        self.counted += torch.as_tensor(total, device=self.device)

    def compute(self) -> dict[str, Tensor]:
        """AP on each list, 0 to 1, as float64 scalars; NaN where no annotation counts, 0 where some count and nothing was detected."""
        counted = self.counted.cpu().numpy()
        if not len(self.scores):  # no update yet
            return {name: torch.tensor(0.0 if number else torch.nan, dtype=torch.float64) for name, number in zip(self.lists, counted, strict=True)}
        scores, hits, proposals = (dim_zero_cat(state).cpu().numpy() for state in (self.scores, self.hits, self.proposals))
        passes = _passes(scores)
        areas = [_area(passes, hits[:, k], proposals[:, k], int(counted[k])) for k in range(len(self.lists))]
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in zip(self.lists, areas, strict=True)}


def _rows(values: Tensor, width: int, name: str) -> Floats:
    array = values.detach().cpu().numpy().astype(np.float64)
    if array.size == 0:
        return np.zeros((0, width))
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} must be N x {width}, found {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} hold a value that is not finite")
    return np.asarray(array)


def _per_list(counts: Tensor | Mapping[str, Tensor], lists: Sequence[str], faces: int) -> Bools:
    """As one array, M x L."""
    columns = [counts] * len(lists) if isinstance(counts, Tensor) else [counts[name] for name in lists]
    array = torch.stack(columns, dim=1).cpu().numpy().astype(np.bool_)
    if array.shape != (faces, len(lists)):
        raise ValueError(f"counts of {faces} faces must have {faces} entries each, found {list(array.shape)}")
    return np.asarray(array)


def _judge(rows: Floats, faces: Floats, counted: Bools, threshold: float) -> tuple[Bools, Bools]:
    """Hits and proposals of one picture's detections, each N x L: a hit is the first of a counted face, a proposal is whatever is not ignored."""
    shape = (len(rows), counted.shape[1])
    if not len(rows) or not len(faces):
        return np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    overlaps = iou(rows[:, :4], faces)  # (N, M)
    best = overlaps.argmax(axis=1)
    matched = overlaps[np.arange(len(rows)), best] >= threshold
    # The first of each face in descending score: sort once, then the first appearance of each face's index.
    order = np.argsort(-rows[:, 4], kind="stable")
    order = order[matched[order]]
    first = np.zeros(len(rows), np.bool_)
    first[order[np.unique(best[order], return_index=True)[1]]] = True
    counting = counted[best]  # (N, L)
    return first[:, None] & counting, ~matched[:, None] | counting


def _passes(scores: Floats) -> npt.NDArray[np.int64]:
    """For each detection of the set, at how many of the thresholds 0, 0.001, ... 0.999 it passes, 1 to 1,000."""
    if not len(scores):
        return np.zeros(0, np.int64)
    low, high = scores.min(), scores.max()
    normalised = (scores - low) / (high - low) if high > low else np.ones_like(scores)
    # 1 - (t + 1) / 1000, spelled as the evaluation does: a score may lie exactly on a threshold.
    thresholds = 1 - (np.arange(THRESHOLDS) + 1) / THRESHOLDS
    return np.asarray(np.searchsorted(thresholds[::-1], normalised, side="right"))


def _area(passes: npt.NDArray[np.int64], hits: Bools, proposals: Bools, counted: int) -> float:
    """AP on one list from what every detection of the set is; all arrays K."""
    if not counted:
        return float("nan")

    def cumulative(which: Bools) -> npt.NDArray[np.int64]:  # (1000,), from the highest threshold to 0
        return np.asarray(np.bincount(passes[which], minlength=THRESHOLDS + 1)[:0:-1].cumsum())

    found, proposed = cumulative(hits), cumulative(proposals)
    recall = found / counted
    precision = found / np.maximum(proposed, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * envelope).sum())
