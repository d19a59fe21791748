"""The views of a picture in which faces of every size are looked for: the whole at falling scales, in overlapping tiles where it is large."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image

_TOUCHES = 2.0
"""Pixels from a cut within which a box ends at it."""


@dataclass(frozen=True)
class View:
    """A part of the picture at some scale.

    Attributes:
        image: uint8, H x W x 3, RGB.
        corner: left and top of the part in pixels of its scale.
        scale: pixels of this scale to one of the picture, across and down.
        cuts: whether the picture goes on beyond the left, top, right and bottom side.
        mirrored: whether ``image`` shows the part with left and right exchanged; the other attributes are about the part as it is.
    """

    image: Image
    corner: tuple[int, int]
    scale: tuple[float, float]
    cuts: tuple[bool, bool, bool, bool]
    mirrored: bool = False

    def outward(self, boxes: Boxes) -> Boxes:
        """Boxes of the view (N x 4) in pixels of the picture."""
        return np.asarray((self._turned_back(boxes) + np.tile(self.corner, 2)) / np.tile(self.scale, 2), np.float64)

    def cut(self, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Which boxes of the view (N x 4) end where the picture was cut, so that the face may go on beyond: N."""
        height, width = self.image.shape[:2]
        near = np.abs(self._turned_back(boxes) - [0, 0, width, height]) <= _TOUCHES
        return np.asarray((near & self.cuts).any(axis=1))

    def _turned_back(self, boxes: Boxes) -> Boxes:
        if not self.mirrored:
            return boxes
        width = self.image.shape[1]
        return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


@dataclass(frozen=True)
class Pyramid:
    """How views are laid over a picture.

    The first view has the picture's own resolution at least. A face that does not fit into the overlap of tiles is whole in a coarser view, and the
    last one shows the whole picture at a size at which the largest face can be found.

    Attributes:
        pixels: a smaller picture is enlarged to as many, so that its small faces are seen,
        enlarge: but its sides by no more than this factor; 1 is never.
        steps: scale of each further view against the one before; the last number holds for all that follow.
        coarsest: longest side, in pixels, at which the views end.
        tile: longest side of a view in pixels.
        overlap: pixels that neighbouring tiles share.
        small: a picture of fewer pixels, which takes little time, is looked at in finer steps, and mirrored too: some faces are found in one of the
            two only. 0 is none.
        small_steps: the finer steps.
    """

    pixels: float
    enlarge: float
    steps: tuple[float, ...]
    coarsest: int = 640
    tile: int = 1280
    overlap: int = 192
    small: float = 0.0
    small_steps: tuple[float, ...] = (0.7, 0.5)

    def is_small(self, width: int, height: int) -> bool:
        """Whether a picture is looked at more closely."""
        return width * height < self.small

    def sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """Width and height of the whole picture at each scale, falling."""
        scale = max(1.0, min(self.enlarge, math.sqrt(self.pixels / (width * height))))
        sizes = [(round(width * scale), round(height * scale))]
        first = self.small_steps if self.is_small(width, height) else self.steps
        steps = itertools.chain(first, itertools.repeat(first[-1]))
        while max(sizes[-1]) > self.coarsest:
            scale *= next(steps)
            sizes.append((max(1, round(width * scale)), max(1, round(height * scale))))
        return sizes

    def views(self, image: Image) -> Iterator[View]:
        """The views of ``image`` (uint8, H x W x 3, RGB), largest scale first; memory for two scales at a time."""
        height, width = image.shape[:2]
        level = image
        for across, down in self.sizes(width, height):
            # From the picture itself where that is near, so that nothing is resampled twice; else from the scale before, which is never twice as
            # wide or more: between four neighbours no pixel is skipped.
            level = _resized(image if 2 * across >= width else level, across, down)
            scale = (across / width, down / height)
            for top, bottom in self._parts(down):
                for left, right in self._parts(across):
                    view = View(level[top:bottom, left:right], (left, top), scale, (left > 0, top > 0, right < across, bottom < down))
                    yield view
                    if self.is_small(width, height):
                        yield replace(view, image=np.ascontiguousarray(view.image[:, ::-1]), mirrored=True)

    def _parts(self, length: int) -> list[tuple[int, int]]:
        """Begin and end of the tiles along a side, evenly laid."""
        if length <= self.tile:
            return [(0, length)]
        count = math.ceil((length - self.overlap) / (self.tile - self.overlap))
        side = math.ceil((length + (count - 1) * self.overlap) / count)
        begins = np.rint(np.linspace(0, length - side, count)).astype(int).tolist()
        return [(begin, begin + side) for begin in begins]


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
