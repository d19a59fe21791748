"""Stage distill: a small model that is as near to its teacher as it says, and an interrupted run that goes on to the same bytes."""

import re
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dartblur.blur.dartblur import DartBlur, save_unet
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.weights import PEOPLE
from dartblur.errors import UsageError
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.media.files import file_sha256
from dartblur.media.tensors import load_tensors
from dartblur.params import Params
from dartblur.stages import distill
from dartblur.stages.paths import CANONICAL, WORK
from dartblur.training import run as loop
from dartblur.training.distiller import Distiller
from dartblur.training.resumable import Step
from tests.blur.samples import HEIGHT, WIDTH, noise, random_unet
from tests.stages.conftest import MakeParams

TEACHER = DartBlurConfig(width=4, depth=3, strength=1.2, context=0.5, face_min=16, face_max=24)
OUT = Path("out/small.onnx")
SETTINGS: dict[str, Any] = {"width": 16, "depth": 3, "steps": 5, "near_steps": 2, "batch": 2, "learning_rate": 1e-3, "context_in_use": 0.1}


@pytest.fixture
def params(tiny: MakeParams) -> Params:
    return tiny(distill=SETTINGS)


@pytest.fixture
def teacher(workplace: Path) -> Path:
    path = workplace / "teacher.safetensors"
    save_unet(path, random_unet(TEACHER), TEACHER)
    return path


def test_it_writes_a_model_and_the_weights_that_it_came_from(teacher: Path, params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    distill.run(params, teacher, CANONICAL, OUT)
    model, original = OnnxDartBlur.load(OUT), DartBlur.load(OUT.with_suffix(".safetensors"))
    assert model.config == original.config == replace(TEACHER, width=16, depth=3, context=0.1, network="small")
    _, about = load_tensors(OUT.with_suffix(".safetensors"))
    assert {"seed": 0, "teacher": file_sha256(teacher), **SETTINGS}.items() <= about.items()
    image, boxes = noise(), as_boxes([(5, 5, 45, 40)])
    blurred, mask = model.preblur.anonymize(image, boxes), mask_of(boxes, WIDTH, HEIGHT)
    painted = model.repaint(blurred, boxes)
    assert np.array_equal(painted[~mask], image[~mask])
    assert np.abs(painted.astype(int) - original.repaint(blurred, boxes))[mask].mean() < 2
    sentence = r"out/small\.onnx: (\S+) grey levels from its teacher inside the boxes; 8-bit integers move it by (\S+)\n"
    said = re.fullmatch(sentence, capsys.readouterr().out)
    assert said is not None
    assert float(said[1]) > 1 > float(said[2]) > 0
    assert sorted(path.name for path in OUT.parent.iterdir()) == ["small.onnx", "small.safetensors"]
    assert not list(WORK.glob("distill*"))


def test_an_interrupted_one_goes_on_to_the_same_bytes(teacher: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = Path("whole.onnx"), Path("parts.onnx")
    distill.run(params, teacher, CANONICAL, whole)
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    advance = Distiller.advance
    for stop in (2, 4):  # at the end of the first part, and within the second
        with monkeypatch.context() as patch:

            def until(self: Distiller, stop: int = stop) -> Step:
                if self.done == stop:
                    raise KeyboardInterrupt
                return advance(self)

            patch.setattr(Distiller, "advance", until)
            with pytest.raises(KeyboardInterrupt):
                distill.run(params, teacher, CANONICAL, parts)
            assert not parts.exists()
    distill.run(params, teacher, CANONICAL, parts)
    assert parts.read_bytes() == whole.read_bytes()
    assert parts.with_suffix(".safetensors").read_bytes() == whole.with_suffix(".safetensors").read_bytes()


def test_without_a_teacher_it_learns_from_the_package_at_the_strength_of_the_settings(workplace: Path, tiny: MakeParams) -> None:
    distill.run(tiny(preblur={"strength": 1.7, "context": 0.5}, distill={**SETTINGS, "depth": 4, "steps": 1, "near_steps": 1}), None, CANONICAL, OUT)
    _, about = load_tensors(OUT.with_suffix(".safetensors"))
    with as_file(files("dartblur") / PEOPLE) as path:
        assert about["teacher"] == file_sha256(path)
    assert OnnxDartBlur.load(OUT).config.strength == 1.7


def test_what_cannot_be_learned_from_is_one_sentence(workplace: Path, params: Params) -> None:
    with pytest.raises(UsageError, match=r"nothing\.safetensors: no checkpoint there"):
        distill.run(params, Path("nothing.safetensors"), CANONICAL, OUT)
    with pytest.raises(UsageError, match=r"small\.pt: give a name that ends in \.onnx"):
        distill.run(params, None, CANONICAL, Path("small.pt"))
    assert not OUT.parent.exists()
