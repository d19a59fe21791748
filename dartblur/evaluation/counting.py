"""Which annotated faces count: the lists that an average precision is measured on.

*Difficulties*: easy, medium, hard. Where a data set has WIDER FACE's official lists they are those; elsewhere a face's height in the pixels of the
view decides, cumulatively (an easy face is also a medium and a hard one). ``all`` is every face that is not ignored.

*Slices*: faces of one degree of occlusion, and of one of blur, where the annotations know it, whatever the height.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dartblur.faces.dataset import OFFICIAL, Picture
from dartblur.params import EvaluateParams

if TYPE_CHECKING:
    from torch import Tensor

DIFFICULTIES = (*OFFICIAL, "all")
DEGREES = {"occlusion": ("none", "partial", "heavy"), "blur": ("clear", "normal", "heavy")}
"""Attribute -> what its values 0, 1, 2 are called."""
SLICES = tuple(f"{attribute}_{degree}" for attribute, degrees in DEGREES.items() for degree in degrees)
LISTS = (*DIFFICULTIES, *SLICES)
LEAST_FACES = 50
"""Faces below which an average precision would be read as more than it is."""


def counted_by_height(boxes: "Tensor", ignored: "Tensor", evaluate: EvaluateParams) -> "dict[str, Tensor]":
    """Which faces count at each difficulty where a data set has no official lists.

    Args:
        boxes: M x 4, pixels of the view.
        ignored: M bool, True where a face never counts.
        evaluate: holds the smallest height of each difficulty in the same pixels; cumulative, an easy face is also a medium and a hard one.

    Returns:
        Difficulty -> M bool; ``all`` is every face that is not ignored, whatever its height.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    floors = (evaluate.easy_height, evaluate.medium_height, evaluate.hard_height, -math.inf)
    return {name: (heights >= floor) & ~ignored for name, floor in zip(DIFFICULTIES, floors, strict=True)}


def counted(picture: Picture, faces: npt.NDArray[np.int64], boxes: "Tensor", ignored: "Tensor", evaluate: EvaluateParams) -> "dict[str, Tensor]":
    """Which faces of a view count on every list.

    Args:
        picture: that the view was cut from.
        faces: M, their places in ``picture.boxes``.
        boxes, ignored, evaluate: as for :func:`counted_by_height`.

    Returns:
        List -> M bool, in the order of :data:`LISTS`.
    """
    import torch

    counts = counted_by_height(boxes, ignored, evaluate)
    for name, listed in picture.official.items():
        counts[name] = torch.from_numpy(listed[faces]) & ~ignored
    for attribute, degrees in DEGREES.items():
        values = torch.from_numpy(picture.attributes[attribute][faces])
        counts |= {f"{attribute}_{degree}": (values == value) & ~ignored for value, degree in enumerate(degrees)}
    return counts


def too_few(counted_faces: Mapping[str, int]) -> set[str]:
    """Lists of fewer than :data:`LEAST_FACES` faces."""
    return {name for name, number in counted_faces.items() if number < LEAST_FACES}
