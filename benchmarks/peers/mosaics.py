"""Pictures for benchmarks: 1280 x 720 JPEGs with 1 to 20 faces of people who do not exist, put together from the scenes of data/sample."""

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from dartblur.faces.boxes import Boxes, as_boxes, clip
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.media.files import atomic_path, value_sha256
from dartblur.media.images import Image

WIDTH, HEIGHT = 1280, 720
QUALITY = 90
MOST = 20
"""Faces in the fullest picture; the numbers from 1 on are there about equally often."""
_GRIDS = {3: (1, 1), 7: (2, 1), 13: (2, 2), MOST: (3, 2)}
"""Scenes across and down, by the largest number of faces that they are for: a scene has 3.3 on average."""
_TRIES = 2000
_VERSION = 1
"""Another one, other pictures."""


@dataclass(frozen=True)
class Mosaics:
    """A folder of pictures.

    Attributes:
        folder: holds the JPEGs and nothing else.
        annotations: a CSV of all faces beside it, as ``dartblur anonymize --annotations`` takes it.
        boxes: name -> N x 4, pixels.
    """

    folder: Path
    annotations: Path
    boxes: dict[str, Boxes]

    def about(self) -> dict[str, Any]:
        """The pictures in words and numbers."""
        counts = [len(boxes) for boxes in self.boxes.values()]
        heights = np.concatenate([boxes[:, 3] - boxes[:, 1] for boxes in self.boxes.values()])
        quarters = np.percentile(heights, [0, 25, 50, 75, 100]).round(1)
        return {
            "what": f"{WIDTH}x{HEIGHT} JPEG, quality {QUALITY}, 4:2:0: 1 to 6 scenes of data/sample each",
            "pictures": len(counts),
            "faces": {"total": sum(counts), "least": min(counts), "mean": round(float(np.mean(counts)), 2), "most": max(counts)},
            "face_height": dict(zip(("least", "quarter", "median", "three_quarters", "most"), quarters.tolist(), strict=True)),
        }


def make(sample: Path, work: Path, pictures: int, seed: int = 0) -> Mosaics:
    """The pictures in a folder below ``work``, made once; the same arguments give the same ones."""
    data = FaceDataset(sample)
    scenes = [scene for split in ("train", "val") for scene in data.pictures(split)]
    digest = value_sha256([_VERSION, pictures, seed, [scene.name for scene in scenes]])[:12]
    root = work / f"mosaics-{digest}"
    if not root.is_dir():
        rng = np.random.default_rng(seed)
        with atomic_path(root) as temporary:
            (temporary / "pictures").mkdir(parents=True)
            with (temporary / "boxes.csv").open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(("image", "x1", "y1", "x2", "y2"))
                for number, faces in enumerate(np.rint(np.linspace(1, MOST, pictures)).astype(int).tolist()):
                    raster, boxes = _mosaic(data, scenes, faces, rng)
                    name = f"{number:03d}.jpg"
                    (temporary / "pictures" / name).write_bytes(_jpeg(raster))
                    rows.writerows([name, *(f"{value:.2f}" for value in box)] for box in boxes)
    return Mosaics(root / "pictures", root / "boxes.csv", _boxes(root / "boxes.csv"))


def copied(mosaics: Mosaics, folder: Path) -> Path:
    """A fresh copy of the pictures in ``folder``, for a program that writes beside what it reads."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(mosaics.folder, folder))


def _boxes(path: Path) -> dict[str, Boxes]:
    found: dict[str, list[list[float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["image"], []).append([float(row[name]) for name in ("x1", "y1", "x2", "y2")])
    return {name: as_boxes(rows) for name, rows in found.items()}


def _mosaic(data: FaceDataset, scenes: list[Picture], faces: int, rng: np.random.Generator) -> tuple[Image, Boxes]:
    """A picture of scenes that have ``faces`` faces together, and their boxes."""
    across, down = next(grid for most, grid in _GRIDS.items() if faces <= most)
    size = (WIDTH // across, HEIGHT // down)
    for _ in range(_TRIES):
        chosen = [scenes[index] for index in rng.integers(0, len(scenes), across * down)]
        parts = [_covering(scene, size) for scene in chosen]
        if sum(len(boxes) for _, boxes in parts) == faces:
            break
    else:
        raise RuntimeError(f"no {across * down} scenes with {faces} faces together were drawn; the sample has changed, change the grids")
    raster = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    boxes = []
    for index, (scene, (matrix, inside)) in enumerate(zip(chosen, parts, strict=True)):
        left, top = index % across * size[0], index // across * size[1]
        cell = cv2.warpAffine(data.read(scene), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        raster[top : top + size[1], left : left + size[0]] = cell
        boxes.append(inside + np.tile([left, top], 2))
    return raster, np.concatenate(boxes)


def _covering(scene: Picture, size: tuple[int, int]) -> tuple[npt.NDArray[np.float64], Boxes]:
    """How a scene fills a cell (2 x 3, for warpAffine), its middle in the cell's; and its boxes there, as far as they are inside."""
    scale = max(size[0] / scene.width, size[1] / scene.height)
    left, top = (scene.width * scale - size[0]) / 2, (scene.height * scale - size[1]) / 2
    boxes = clip(scene.boxes * scale - [left, top, left, top], *size)
    seen = (boxes[:, 2:] - boxes[:, :2] >= 2).all(axis=1)
    # Middles of pixels lie at halves in boxes and at whole numbers in OpenCV.
    half = (scale - 1) / 2
    return np.array([[scale, 0, half - left], [0, scale, half - top]]), boxes[seen]


def _jpeg(raster: Image) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(raster).save(out, "JPEG", quality=QUALITY, subsampling=2)
    return out.getvalue()
