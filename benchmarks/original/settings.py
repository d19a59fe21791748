"""The conventions of the original's training step, each of which can be set to this project's."""

from dataclasses import dataclass
from typing import Literal

from dartblur.detector.anchors import BEST_ANCHOR_IOU
from dartblur.params import Params

BETAS = (0.5, 0.999)
MATCH_IOU = 0.35
NEGATIVES_PER_POSITIVE = 7
BOX_WEIGHT = 2.0
GRADIENT_CLIP = 500.0


@dataclass(frozen=True)
class Settings:
    """The defaults are the original's conventions, :meth:`ours` gives this project's.

    Attributes:
        pseudo_score: detections of f on the clean picture are T(x) from this score on.
        pseudo_of: what that score is, the raw face logit or the probability.
        pseudo_nms_iou: of two detections that overlap more, the weaker is dropped.
        pseudo_cut: cut them at the view's borders.
        forced_iou: every face gets its best anchor, from this IoU on.
        empty_positives: positives that a view without any counts for when hard negatives are drawn; with 0 it teaches nothing.
        label_smoothing: of the post-hoc and cycle objectives.
        annotated_smoothing: of the inner loss and of fg's own step, both on the annotated faces.
        mask: which pixels a box masks, its corners rounded down (``truncated``) or every pixel it touches.
        output: what ends the U-Net, tanh(out + input) or tanh(out + artanh(input)).
        moved_statistics: fg' has the batch-norm statistics as the inner forward pass left them, rather than fg's.
        inner_epsilon, inner_epsilon_inside: of the differentiable Adam, beside the root of the second moment or, squared, inside it.
        second_forward: fg's step sees the pictures of the U-Net as just updated, from a second forward pass; else those of the first.
    """

    pseudo_score: float = 0.01
    pseudo_of: Literal["logit", "probability"] = "logit"
    pseudo_nms_iou: float = 0.45
    pseudo_cut: bool = False
    forced_iou: float = 0.0
    empty_positives: int = 0
    label_smoothing: float = 0.2
    annotated_smoothing: float = 0.2
    mask: Literal["truncated", "touched"] = "truncated"
    output: Literal["sum", "artanh"] = "sum"
    moved_statistics: bool = True
    inner_learning_rate: float = 5e-4
    inner_epsilon: float = 1e-8
    inner_epsilon_inside: bool = False
    second_forward: bool = True
    budget: float = 20.0
    unet_learning_rate: float = 2e-4
    detector_learning_rate: float = 5e-4

    @classmethod
    def ours(cls, params: Params, *, second_forward: bool = True) -> "Settings":
        """The conventions of ``params``, so that the terms of both sides can be compared.

        The second forward pass is the original's work and no term of U depends on it, so it stays unless ``second_forward`` says otherwise.

        Raises:
            ValueError: the parameters ask for what the original has no words for.
        """
        train, detector = params.train, params.detector
        fixed = {
            "train.weights": set(train.weights.model_dump().values()) == {1.0},
            "train.inner": train.inner.optimizer == "adam" and train.inner.steps == 1,
            "train.gradient_clip": train.gradient_clip == GRADIENT_CLIP,
            "detector.match_iou": detector.match_iou == MATCH_IOU,
            "detector.negatives_per_positive": detector.negatives_per_positive == NEGATIVES_PER_POSITIVE,
            "detector.box_weight": detector.box_weight == BOX_WEIGHT,
        }
        if other := [name for name, same in fixed.items() if not same]:
            raise ValueError(f"the original cannot be set to these {', '.join(other)}; leave them as the method defines them")
        return cls(
            pseudo_score=train.pseudo_label_score,
            pseudo_of="probability",
            pseudo_nms_iou=detector.nms_iou,
            pseudo_cut=True,
            forced_iou=BEST_ANCHOR_IOU,
            empty_positives=1,
            label_smoothing=train.label_smoothing,
            annotated_smoothing=0.0,
            mask="touched",
            output="artanh",
            moved_statistics=False,
            inner_learning_rate=train.inner.learning_rate,
            inner_epsilon=train.inner.epsilon,
            inner_epsilon_inside=True,
            second_forward=second_forward,
            budget=train.budget,
            unet_learning_rate=train.unet_learning_rate,
            detector_learning_rate=train.detector_learning_rate,
        )
