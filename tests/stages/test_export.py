"""dartblur export: from what was trained here, from a file, from the registry."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dartblur.blur.dartblur import DartBlur, save_unet
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.blur.quantise import MEAN_DIFFERENCE
from dartblur.blur.repaint import DartBlurConfig
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import as_boxes
from dartblur.params import RegistryParams
from dartblur.stages import export, ingest, paths
from tests.blur.samples import calm_unet
from tests.makedata import make_wider
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, evaluation, fresh_registry, noise, write_model
from tests.registry.test_promote import submit
from tests.settings import settings
from tests.stages.conftest import MakeParams

__all__ = ["empty_store"]  # a fixture
pytestmark = MLFLOW_WARNINGS

BOXES = as_boxes([(5, 5, 45, 40)])


def same(exported: Path, weights: Path) -> bool:
    model, original = OnnxDartBlur.load(exported), DartBlur.load(weights)
    blurred = model.preblur.anonymize(noise(), BOXES)
    ours, theirs = model.repaint(blurred, BOXES), original.repaint(blurred, BOXES)
    return bool(np.abs(ours.astype(int) - theirs).max() <= 1)


def test_every_kind_of_model(empty_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_registry(tmp_path, empty_store) as registry:
        params = settings().model_copy(update={"registry": registry})
        first, second = write_model(tmp_path / "first.safetensors", 1), write_model(paths.MODEL, 2)
        assert not same_models(first, second)
        submit(registry, first, evaluation())
        for model, weights in ((None, second), ("1", first), ("champion", first), ("first.safetensors", first)):
            export.run(params, Path("out.onnx"), model)
            assert same(Path("out.onnx"), weights)
            assert capsys.readouterr().out.startswith("out.onnx: opset 18, differs from the original by at most ")
            Path("out.onnx").unlink()


def same_models(one: Path, other: Path) -> bool:
    return np.array_equal(DartBlur.load(one).anonymize(noise(), BOXES), DartBlur.load(other).anonymize(noise(), BOXES))


def test_a_registration_keeps_it(registry_with_model: RegistryParams, tmp_path: Path) -> None:
    import mlflow

    from dartblur.registry.tracking import connect

    client = connect(registry_with_model)
    run_id = client.get_model_version(registry_with_model.name, "1").run_id
    kept = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/dartblur.onnx", dst_path=str(tmp_path))
    assert same(Path(kept), tmp_path / "first.safetensors")


@pytest.fixture
def registry_with_model(empty_store: Path, tmp_path: Path) -> RegistryParams:
    with fresh_registry(tmp_path, empty_store) as registry:
        submit(registry, write_model(tmp_path / "first.safetensors", 1), evaluation())
    return registry


@pytest.mark.parametrize(
    ("out", "model", "words"),
    [
        ("out.pt", None, "give a name that ends in .onnx"),
        ("out.onnx", None, "no checkpoint there"),
        ("out.onnx", "gone.safetensors", "gone.safetensors: no checkpoint there"),
        ("out.onnx", "7", "dartblur has no version 7"),
        ("out.onnx", "champion", "dartblur has no version champion"),
    ],
)
def test_no_model_no_file(empty_store: Path, tmp_path: Path, out: str, model: str | None, words: str) -> None:
    with fresh_registry(tmp_path, empty_store) as registry, pytest.raises(UsageError, match=words):
        export.run(settings().model_copy(update={"registry": registry}), Path(out), model)
    assert not (tmp_path / out).exists()


def test_files_that_are_gone_are_named(registry_with_model: RegistryParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "mlruns")
    with pytest.raises(DartblurError, match="dartblur version 1: "):
        export.run(settings().model_copy(update={"registry": registry_with_model}), Path("out.onnx"), "1")
    assert not Path("out.onnx").exists()


def test_in_integers(tiny: MakeParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The ranges come from faces of the data set; it says how near it is, and a set with too few faces is refused."""
    monkeypatch.chdir(tmp_path)
    make_wider(Path("source"), 80, size=96, faces=2)
    ingest.run(tiny())
    config = DartBlurConfig(width=4, depth=3, strength=1.0, context=0.25, face_min=16, face_max=24)
    save_unet(Path("unet.safetensors"), calm_unet(config), config)
    export.run(tiny(), Path("out.onnx"), "unet.safetensors", paths.CANONICAL)
    sentence = r"out\.onnx: opset 18, 8-bit integers, (\S+) grey levels from the original inside the boxes"
    said = re.fullmatch(sentence, capsys.readouterr().out.splitlines()[-1])
    assert said is not None
    assert 0 < float(said[1]) <= MEAN_DIFFERENCE["unet"]
    assert OnnxDartBlur.load(Path("out.onnx")).config == config
    Path("out.onnx").unlink()
    shutil.rmtree("source")
    make_wider(Path("source"), 8, size=96, faces=1)
    ingest.run(tiny())
    with pytest.raises(UsageError, match=r"data/canonical: has \d+ faces of its train split that a tile fits around; 48 are needed"):
        export.run(tiny(), Path("out.onnx"), "unet.safetensors", paths.CANONICAL)
    assert not Path("out.onnx").exists()
