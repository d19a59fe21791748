"""A few pictures of data/sample, the only faces that the repository holds, for tests of detectors and of the recogniser."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dartblur.faces.boxes import Boxes
from dartblur.faces.dataset import IMAGES, FaceDataset, Picture, read_table, write_table
from dartblur.media.images import Image

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"


@dataclass(frozen=True)
class Scene:
    """A picture and its faces: ``boxes`` is every one of them, ``clear`` marks those that no detector may overlook."""

    image: Image
    boxes: Boxes
    clear: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """The data set with a row a face in ``faces``, and a few scenes of it."""

    data: FaceDataset
    faces: pd.DataFrame
    scenes: list[Scene]

    def read(self, name: str) -> Image:
        """Decode the picture ``name``."""
        return self.data.read(next(picture for picture in self.data.pictures() if picture.name == name))


def load_sample(count: int = 8) -> Sample:
    """``count`` scenes with a clear face, evenly spread over the set: at least 40 pixels high, 0.8 of it seen."""
    assert SAMPLE.is_dir(), f"{SAMPLE} is missing; it belongs to the repository: check it out, or make it again with `make sample`"
    data = FaceDataset(SAMPLE)
    table = data.table[data.table["x1"].notna()]
    height = table["y2"] - table["y1"]
    faces = table.assign(height=height, clear=~table["ignore"] & (table["visible"] >= 0.8) & (height >= 40))
    groups = {str(name): rows for name, rows in faces.groupby("image")}
    able = [picture for picture in data.pictures() if picture.name in groups and groups[picture.name]["clear"].any()]
    assert len(able) >= count, f"{SAMPLE}: {len(able)} pictures have a clear face, the tests want {count}"
    chosen = [able[index] for index in np.linspace(0, len(able) - 1, count).round().astype(int)]
    return Sample(data, faces, [_scene(data, picture, groups[picture.name]) for picture in chosen])


def _scene(data: FaceDataset, picture: Picture, rows: pd.DataFrame) -> Scene:
    return Scene(data.read(picture), rows[["x1", "y1", "x2", "y2"]].to_numpy(np.float64), rows["clear"].to_numpy(np.bool_))


def sample_part(root: Path, pictures: int, share_val: float = 0.5) -> Path:
    """Copy the first ``pictures`` of data/sample as a canonical data set of its own, ``share_val`` of them from val. Returns ``root``."""
    table = read_table(SAMPLE)
    val = max(1, round(pictures * share_val))
    names = {split: sorted(set(table.loc[table["split"] == split, "image"])) for split in ("train", "val")}
    chosen = names["train"][: pictures - val] + names["val"][:val]
    part = table[table["image"].isin(chosen)]
    for file in set(part["file"]):
        (root / IMAGES / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLE / IMAGES / file, root / IMAGES / file)
    write_table(root, part)
    return root
