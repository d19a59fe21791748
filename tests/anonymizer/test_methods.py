"""What hides a face, by name."""

import threading
from pathlib import Path

import numpy as np
import pytest

from dartblur.anonymizer.methods import NAMES, Choice, load_method
from dartblur.blur.dartblur import DartBlur
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.pixelate import Pixelate
from dartblur.blur.swap import Averages
from dartblur.errors import UsageError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.faces.dataset import FaceDataset
from tests.blur.samples import noise

BOX = as_boxes([[10, 8, 40, 44]])
PACKAGE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_every_method_hides_the_box_and_nothing_else(name: str, models: Path) -> None:
    method = load_method(Choice(name, str(models / "unet.onnx")))  # type: ignore[arg-type]
    image = noise()
    hidden = method.anonymizer.anonymize(image, BOX)
    inside = mask_of(BOX, image.shape[1], image.shape[0])
    assert np.array_equal(hidden[~inside], image[~inside])
    assert np.abs(hidden[inside].astype(int) - image[inside]).mean() > 20
    assert method.label.startswith(name)


def test_the_model_of_the_package() -> None:
    method = load_method(Choice())
    assert isinstance(method.anonymizer, OnnxDartBlur)
    assert method.label.startswith("dartblur small ")
    with pytest.raises(UsageError, match="device: the model of the package"):
        load_method(Choice(device="cuda"))


def test_a_model_in_a_file(models: Path) -> None:
    one, other = (load_method(Choice(model=str(models / f"unet.{suffix}"))) for suffix in ("onnx", "safetensors"))
    assert isinstance(one.anonymizer, OnnxDartBlur)
    assert isinstance(other.anonymizer, DartBlur)
    # Of the same pre-blur, which is rounded otherwise before an ONNX model here and there: a random network makes much of a grey level.
    blurred = other.anonymizer.preblur.anonymize(noise(), BOX)
    images = [model.repaint(blurred, BOX).astype(int) for model in (one.anonymizer, other.anonymizer)]
    assert np.abs(images[0] - images[1]).max() <= 1
    assert one.label != other.label


def test_strength() -> None:
    gaussian, pixelate = (load_method(Choice(name, strength=2.0)).anonymizer for name in ("gaussian", "pixelate"))
    assert isinstance(gaussian, Gaussian)
    assert gaussian.strength == 2.0
    assert isinstance(pixelate, Pixelate)
    assert pixelate.cells == 4


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice("swirl"), "method swirl: unknown"),  # type: ignore[arg-type]
        (Choice("gaussian", strength=0.0), "strength 0: must be above 0"),
        (Choice("gaussian", strength=float("nan")), "strength nan: must be above 0"),
        (Choice("block", strength=2.0), "strength: block takes none"),
        (Choice("dartblur", strength=2.0), "strength: dartblur takes none; a model is trained for one"),
        (Choice(model="gone.onnx"), "gone.onnx: no such model"),
        (Choice(model="gone.safetensors"), "gone.safetensors: no such model"),
        (Choice(model="champion"), "model champion: not a file"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(choice: Choice, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_method(choice)


def test_onnx_runs_on_the_cpu(models: Path) -> None:
    with pytest.raises(UsageError, match="a model in ONNX runs on the CPU"):
        load_method(Choice(model=str(models / "unet.onnx"), device="cuda"))


def test_swap_from_several_threads(sample_face: tuple[np.ndarray, np.ndarray]) -> None:
    image, boxes = sample_face
    method = load_method(Choice("swap")).anonymizer
    wanted = method.anonymize(image, boxes)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(np.array_equal(method.anonymize(image, boxes), wanted))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


@pytest.fixture
def sample_face() -> tuple[np.ndarray, np.ndarray]:
    data = FaceDataset(PACKAGE / "data/sample")
    picture = data.pictures("val")[0]
    return data.read(picture), picture.boxes


def test_the_averaged_faces_of_the_package_are_those_of_the_sample() -> None:
    shipped = Averages.load(PACKAGE / "dartblur/weights/averages.png")
    made = Averages.of(FaceDataset(PACKAGE / "data/sample"), 0)
    assert np.array_equal(shipped.faces, np.rint(made.faces))
