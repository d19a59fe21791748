"""Face replacement: an averaged face of several sample people, aligned by five points and blended in; k-same in spirit (Newton et al. 2005).

A baseline for the evaluation, of the family of CIAGAN and DeepPrivacy: the result looks like a face, and it needs eyes, nose and mouth to be found.
Where they are not (small, turned, covered faces), nothing can be replaced; such a face gets the ordinary Gaussian blur, and is counted as failed.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from dartblur.blur.base import bounds_to_hide
from dartblur.blur.gaussian import Gaussian
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.faces.dataset import LANDMARKS, FaceDataset, Picture
from dartblur.media.images import Image, read_image, write_image

Floats = npt.NDArray[np.float64]
Find = Callable[[Image, npt.NDArray[np.float64]], Floats | None]
"""A picture and a face's box to its five points (5, 2) in the order of LANDMARKS, absolute pixels; None where they are not found."""

SIDE = 128
POINTS = np.array([[0.36, 0.42], [0.64, 0.42], [0.5, 0.58], [0.39, 0.73], [0.61, 0.73]]) * SIDE
"""Where the five points lie in an averaged face."""
OUTLINE = ((0.5, 0.54), (0.3, 0.38))
"""The part of it that is taken, an ellipse: centre and half axes, in sides."""
PEOPLE = 5
"""Sample people in an averaged face: the k of k-same."""
AVERAGES = 24
LEAST_HEIGHT = 64
"""Pixels of the box of a sample face that goes into an average."""
COVERED = 0.3
"""A replacement that fills less of its box does not hide the face."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Averaged faces, (N, SIDE, SIDE, 3) float32 in grey levels, their points at :data:`POINTS`."""

    faces: npt.NDArray[np.float32]

    @classmethod
    def of(cls, data: FaceDataset, seed: int) -> "Averages":
        """Averages of :data:`PEOPLE` people each, of a data set that knows identities and points (data/sample).

        Raises:
            DartblurError: the set has too few people who are seen from the front.
        """
        rows = _frontal(data.table)
        people = sorted(set(rows["identity"]))
        if len(people) < PEOPLE:
            raise DartblurError(f"{data.root}: {len(people)} people are seen from the front, an averaged face needs {PEOPLE}; take data/sample")
        pictures = {picture.name: picture for picture in data.pictures()}
        largest = rows.sort_values("height", ascending=False, kind="stable").drop_duplicates("identity").set_index("identity")
        aligned = {person: _aligned(data, pictures[str(largest.loc[person, "image"])], largest.loc[person]) for person in people}
        rng = np.random.default_rng([seed, 12])
        groups = [rng.choice(people, PEOPLE, replace=False) for _ in range(AVERAGES)]
        return cls(np.stack([np.mean([aligned[str(person)] for person in group], axis=0) for group in groups]).astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> "Averages":
        """Those of a picture that :meth:`save` wrote, in whole grey levels.

        Raises:
            DartblurError: it cannot be read or has another shape.
        """
        sheet = read_image(path)
        if sheet.shape[1] != SIDE or sheet.shape[0] % SIDE:
            raise DartblurError(f"{path}: {sheet.shape[1]} x {sheet.shape[0]} pixels are no averaged faces of {SIDE} x {SIDE}; restore the file")
        return cls(sheet.reshape(-1, SIDE, SIDE, 3).astype(np.float32))

    def save(self, path: Path) -> None:
        """Write the averages below each other as one picture; the package's are those of data/sample with seed 0."""
        write_image(path, np.clip(np.rint(self.faces), 0, 255).astype(np.uint8).reshape(-1, SIDE, 3))


class Swap:
    """Replaces faces by averaged ones. Not safe to use from several threads where ``find`` is not.

    Args:
        averages: what faces are replaced by; which one is a function of the face's box.
        find: finds the five points of a face.

    Attributes:
        asked, failed: faces that were to be replaced so far, and those that got a blur instead.
    """

    name = "swap"

    def __init__(self, averages: Averages, find: Find) -> None:
        self._averages, self._find = averages, find
        self._blur = Gaussian(1.0)
        self.asked = self.failed = 0

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image`` with every box hidden; see :class:`dartblur.blur.base.Anonymizer`."""
        height, width = image.shape[:2]
        able: list[tuple[tuple[int, int, int, int], Image, npt.NDArray[np.uint8]]] = []
        failed = []
        for bounds in bounds_to_hide(boxes, width, height):
            made = self._replacement(image, bounds)
            if made is None:
                failed.append(bounds)
            else:
                able.append((bounds, *made))
        self.asked += len(able) + len(failed)
        self.failed += len(failed)
        result = self._blur.anonymize(image, as_boxes(failed))
        for (x1, y1, x2, y2), face, mask in able:
            left, top, across, down = cv2.boundingRect(mask)
            place = np.ascontiguousarray(result[y1:y2, x1:x2])
            result[y1:y2, x1:x2] = cv2.seamlessClone(face, place, mask, (left + across // 2, top + down // 2), cv2.NORMAL_CLONE)
        return result

    def _replacement(self, image: Image, bounds: tuple[int, int, int, int]) -> tuple[Image, npt.NDArray[np.uint8]] | None:
        """What goes into the box, in the colours of the face, and where (255); None where no points are found or it would not hide the face."""
        x1, y1, x2, y2 = bounds
        points = self._find(image, np.array(bounds, np.float64))
        if points is None or min(x2 - x1, y2 - y1) < 8:
            return None
        move = similarity(POINTS, points - (x1, y1))
        average = self._averages.faces[zlib.crc32(np.array(bounds, np.int64).tobytes()) % len(self._averages.faces)]
        size = (x2 - x1, y2 - y1)
        face = cv2.warpAffine(average, move, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        mask = cv2.warpAffine(_outline(), move, size, flags=cv2.INTER_NEAREST)
        mask[[0, -1]] = 0
        mask[:, [0, -1]] = 0
        inside = mask > 0
        if inside.mean() < COVERED:
            return None
        return _recoloured(face, image[y1:y2, x1:x2], inside), mask


def similarity(source: Floats, target: Floats) -> Floats:
    """The rotation, scale and shift (2, 3) that brings points (N, 2) nearest to others, by least squares."""
    x, y = source.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])  # (2N, 4)
    a, b, right, down = np.linalg.lstsq(rows, target.T.reshape(-1), rcond=None)[0]
    return np.array([[a, -b, right], [b, a, down]])


def _outline() -> npt.NDArray[np.uint8]:
    """255 inside the part of an averaged face that is taken, (SIDE, SIDE)."""
    (x, y), (across, down) = OUTLINE
    mask: npt.NDArray[np.uint8] = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (round(x * SIDE), round(y * SIDE)), (round(across * SIDE), round(down * SIDE)), 0, 0, 360, 255, -1)
    return mask


def _recoloured(face: npt.NDArray[np.float32], beside: Image, inside: npt.NDArray[np.bool_]) -> Image:
    """``face`` with the mean and the spread of each channel that the picture has ``inside`` (Reinhard et al. 2001, in RGB)."""
    own, wanted = face[inside].astype(np.float64), beside[inside].astype(np.float64)
    scale = np.clip(wanted.std(axis=0) / np.maximum(own.std(axis=0), 1.0), 0.5, 2.0)
    levels = (face - own.mean(axis=0)) * scale + wanted.mean(axis=0)
    result: Image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return result


def _frontal(table: pd.DataFrame) -> pd.DataFrame:
    """Faces that are whole, large, known, and seen from the front: the nose between the eyes."""
    columns = [f"{point}_{axis}" for point in LANDMARKS for axis in "xy"]
    if not {"identity", "visible", *columns} <= set(table.columns):
        return table.iloc[:0].assign(identity="", height=0.0)
    height = table["y2"] - table["y1"]
    across = table["right_eye_x"] - table["left_eye_x"]
    nose = (table["nose_x"] - table["left_eye_x"]) / across
    level = (table["right_eye_y"] - table["left_eye_y"]).abs() < 0.3 * across
    kept = (table["identity"] != "") & (table["visible"] >= 0.95) & (height >= LEAST_HEIGHT) & table[columns].notna().all(axis=1)
    return table[kept & (across > 0) & nose.between(0.35, 0.65) & level].assign(height=height)


def _aligned(data: FaceDataset, picture: Picture, row: "pd.Series[float]") -> npt.NDArray[np.float32]:
    """The face of one row with its points at :data:`POINTS`, (SIDE, SIDE, 3)."""
    points = np.array([[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in LANDMARKS])
    move = similarity(points, POINTS)
    return np.asarray(cv2.warpAffine(data.read(picture), move, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE), np.float32)
