"""Views: the squares that a detector sees of pictures, drawn the same way from a picture and from each of its anonymised copies.

Faces are anonymised at the picture's own resolution first; only then is a view cut and resized. A window has whole pixels, so one window cuts the
same pixels out of every copy.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dartblur.faces.boxes import area, as_boxes, clip, mask_of
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.faces.files import PictureCache
from dartblur.media.images import Image
from dartblur.media.windows import Window, cut
from dartblur.params import ViewParams
from dartblur.processes import count, own

MIN_VISIBLE = 0.5
"""A face of which a window shows less is neither to be found nor background."""
SLIVER = 0.01
"""Pixels of a view; a face that reaches less far into it is outside but for rounding."""


def faces_in(
    picture: Picture, window: Window, size: int, min_face: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """The picture's faces in the pixels of a view.

    Returns:
        Boxes (M, 4) cut at the view's borders; which of them do not count (M,): ignored already, less than half visible, or lower than
        ``min_face`` pixels; and their places in ``picture.boxes`` (M,). Faces outside the window are left out.
    """
    scale = size / window.side
    boxes = (picture.boxes - np.array([window.left, window.top] * 2, dtype=np.float64)) * scale
    seen = clip(boxes, size, size)
    visible = area(seen) / np.maximum(area(boxes), 1e-9)
    inside = (seen[:, 2:] - seen[:, :2] > SLIVER).all(axis=1)
    ignore = picture.ignore | (visible < MIN_VISIBLE) | (seen[:, 3] - seen[:, 1] < min_face)
    return seen[inside].astype(np.float32), ignore[inside], np.flatnonzero(inside)


def _start(low: int, high: int, length: int, side: int, share: float) -> int:
    """Where a window of ``side`` starts on one axis: the face's ``low`` to ``high`` inside it, and the window inside the picture where both fit."""
    first, last = max(high - side, min(0, length - side)), min(low, max(length - side, 0))
    if first > last:  # the face is wider than the window or sticks out of the picture: centre it
        return (low + high - side) // 2
    return first + round(share * (last - first))


def crop_window(picture: Picture, face: int, height: float, offset: tuple[float, float], size: int) -> Window:
    """A square around one face such that the face is about ``height`` pixels high in the view.

    Args:
        face: index into ``picture.boxes``.
        height: wanted height of the face in the view, pixels.
        offset: where the face lies in the window, 0 to 1 on each axis.
    """
    x1, y1, x2, y2 = picture.boxes[face]
    low = (int(np.floor(x1)), int(np.floor(y1)))
    high = (int(np.ceil(x2)), int(np.ceil(y2)))
    side = max(round(size * max(y2 - y1, 1.0) / height), high[0] - low[0], 8)
    return Window(_start(low[0], high[0], picture.width, side, offset[0]), _start(low[1], high[1], picture.height, side, offset[1]), side)


def letterbox_window(picture: Picture, scale: float, offset: tuple[float, float]) -> Window:
    """The whole picture in a square, aspect ratio kept, padded at the borders; ``scale`` above 1 zooms out, below 1 cuts."""
    side = max(round(max(picture.width, picture.height) * scale), 8)
    return Window(round((picture.width - side) * offset[0]), round((picture.height - side) * offset[1]), side)


def random_window(picture: Picture, params: ViewParams, rng: np.random.Generator) -> Window:
    """A window for training: around a random counted face, or the whole picture at a scale of 0.95 to 1.05."""
    counted = np.flatnonzero(~picture.ignore)
    offset = (float(rng.random()), float(rng.random()))
    if params.mode == "letterbox" or len(counted) == 0:
        return letterbox_window(picture, float(rng.uniform(0.95, 1.05)), offset if params.mode == "crop" else (0.5, 0.5))
    height = float(np.exp(rng.uniform(np.log(params.face_min), np.log(params.face_max))))
    return crop_window(picture, int(rng.choice(counted)), height, offset, params.size)


def cache_of_process(work: Path, megabytes: int) -> PictureCache:
    """This process's share of ``megabytes`` for pictures that come from shards, below the folder ``work``."""
    return PictureCache(work / f"pictures-{own()}", (megabytes << 20) // count())


@dataclass(frozen=True)
class ViewBatch:
    """Views of a batch.

    Attributes:
        images: one (B, 3, S, S) float32 tensor of grey levels a data set, the same windows in each.
        mask: (B, 1, S, S) float32, 1 on every pixel that a face box touches (the b of the method).
        boxes: B tensors (M, 4), pixels of the view.
        ignored: B tensors (M,) bool.
        faces: B arrays (M,), the places of the boxes in those of their picture.
    """

    images: list[Tensor]
    mask: Tensor
    boxes: list[Tensor]
    ignored: list[Tensor]
    faces: list[npt.NDArray[np.int64]]


class Views:
    """Draws views from a data set and its anonymised copies.

    Decoded pictures are kept in memory up to ``cache_bytes``, oldest out first. Safe to use from several threads.

    Args:
        datasets: the same pictures, several copies; boxes are taken from the first.
        split: ``train`` or ``val``.
    """

    def __init__(self, datasets: Sequence[FaceDataset], split: str, params: ViewParams, cache_bytes: int = 2 << 30) -> None:
        self.datasets = datasets
        self.params = params
        self.copies = [{picture.name: picture for picture in dataset.pictures(split)} for dataset in datasets]
        # A picture without a counted face shows a detector nothing to find in crop mode, where windows are drawn around faces.
        self.pictures = [p for p in datasets[0].pictures(split) if params.mode == "letterbox" or not p.ignore.all()]
        self._cache: dict[tuple[int, str], Image] = {}
        self._room = cache_bytes
        self._reading = threading.Lock()

    def read(self, copy: int, name: str) -> Image:
        """The picture ``name`` of a copy, from memory where it is there."""
        key = (copy, name)
        with self._reading:
            if key not in self._cache:
                image = self.datasets[copy].read(self.copies[copy][name])
                self._room -= image.nbytes
                while self._room < 0 and self._cache:
                    self._room += self._cache.pop(next(iter(self._cache))).nbytes
                self._cache[key] = image
            return self._cache[key]

    def batch(self, seed: int, step: int, size: int, part: tuple[int, int] = (0, 1)) -> ViewBatch:
        """The training batch number ``step``: a function of ``seed`` and ``step`` alone, so that work can be picked up anywhere.

        Pictures come in a new random order every pass; windows and mirror images are random.

        Args:
            part: which process of how many; each gets its share of the batch's items.
        """
        chosen, flips = [], []
        count = len(self.pictures)
        for index in range(step * size + part[0], (step + 1) * size, part[1]):
            order = np.random.default_rng([seed, 0, index // count]).permutation(count)
            rng = np.random.default_rng([seed, 1, index])
            picture = self.pictures[int(order[index % count])]
            chosen.append((picture, random_window(picture, self.params, rng)))
            flips.append(bool(rng.random() < 0.5))
        return self._assemble(chosen, flips)

    def test_windows(self, seed: int, count: int) -> list[tuple[Picture, Window]]:
        """``count`` fixed windows for testing: pictures in turn, each time around another face; all pictures once in letterbox mode."""
        if self.params.mode == "letterbox":
            return [(picture, letterbox_window(picture, 1.0, (0.5, 0.5))) for picture in self.pictures[:count]]
        order = np.random.default_rng([seed, 2]).permutation(len(self.pictures))
        rngs = (np.random.default_rng([seed, 3, index]) for index in range(count))
        return [(p := self.pictures[int(order[i % len(order)])], random_window(p, self.params, rng)) for i, rng in enumerate(rngs)]

    def test_batch(self, windows: list[tuple[Picture, Window]]) -> ViewBatch:
        """Views of given windows, unmirrored."""
        return self._assemble(windows, [False] * len(windows))

    def _assemble(self, chosen: list[tuple[Picture, Window]], flips: list[bool]) -> ViewBatch:
        size = self.params.size
        images = [np.empty((len(chosen), size, size, 3), np.uint8) for _ in self.datasets]
        masks = np.empty((len(chosen), size, size), np.uint8)
        boxes, ignored, places = [], [], []
        for row, ((picture, window), flip) in enumerate(zip(chosen, flips, strict=True)):
            faces, ignore, place = faces_in(picture, window, size, self.params.min_face)
            if flip:
                faces = np.stack([size - faces[:, 2], faces[:, 1], size - faces[:, 0], faces[:, 3]], axis=1)
            masks[row] = mask_of(as_boxes(faces), size, size)
            for copy, target in enumerate(images):
                view = cut(self.read(copy, picture.name), window, size)
                target[row] = view[:, ::-1] if flip else view
            boxes.append(torch.from_numpy(np.ascontiguousarray(faces)))
            ignored.append(torch.from_numpy(ignore))
            places.append(place)
        return ViewBatch([_to_tensor(image) for image in images], torch.from_numpy(masks)[:, None].float(), boxes, ignored, places)


def _to_tensor(images: npt.NDArray[np.uint8]) -> Tensor:
    """(B, S, S, 3) uint8 to (B, 3, S, S) float32 in channels-last memory, which convolutions on a CPU run through twice as fast."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
