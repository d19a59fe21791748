"""Pictures with drawn faces, and a model that is small enough for tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dartblur.blur.dartblur import save_unet
from dartblur.blur.export import export_onnx
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.images import write_image
from tests.anonymizer.scene import make_scene
from tests.blur.samples import CONFIG, painter, random_unet
from tests.makedata import drawn_picture


@dataclass(frozen=True)
class Drawn:
    """A folder of pictures, their boxes by name, and the same as a CSV."""

    folder: Path
    boxes: dict[str, Boxes]
    csv: Path


@pytest.fixture
def drawn(tmp_path: Path) -> Drawn:
    rng = np.random.default_rng(0)
    boxes, rows = {}, ["image,x1,y1,x2,y2"]
    for name in ("a.png", "b.jpg", "sub/c.png"):
        image, faces = drawn_picture(rng, 120)
        write_image(tmp_path / "in" / name, image)
        boxes[name] = as_boxes([(x, y, x + w, y + h) for x, y, w, h in faces])
        rows += [f"{name},{','.join(f'{value:g}' for value in box)}" for box in boxes[name]]
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    return Drawn(tmp_path / "in", boxes, tmp_path / "boxes.csv")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_scene(tmp_path)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one random model as unet.safetensors and unet.onnx."""
    folder = tmp_path_factory.mktemp("models")
    save_unet(folder / "unet.safetensors", random_unet(), CONFIG)
    export_onnx(painter(), folder / "unet.onnx")
    return folder
