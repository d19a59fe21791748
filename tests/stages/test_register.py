"""Stage register: the same files give the same reports/metrics.json, whatever the gate says."""

import json
import shutil
from pathlib import Path

import pytest

from dartblur.errors import DartblurError
from dartblur.params import Params, RegistryParams, load_params
from dartblur.registry import aliases
from dartblur.stages import paths, register
from tests.registry.conftest import MLFLOW_WARNINGS, empty_store, evaluation, fresh_registry, write_model

__all__ = ["empty_store"]  # a fixture
pytestmark = MLFLOW_WARNINGS

ROOT = Path(__file__).resolve().parents[2]
FLOORS = [{"metric": "arms.dartblur.suppression.mean", "min": 0.5, "axis": "utility"}]
MARGINS = [{"metric": "arms.dartblur.suppression.mean", "better": "higher", "gain": 0.02, "axis": "utility"}]


def settings(registry: RegistryParams) -> Params:
    """The project's params with one floor and a registry of the test's own."""
    params = load_params(ROOT / "params.yaml")
    return params.model_copy(update={"registry": registry, "gate": params.gate.model_validate({"floors": FLOORS, "margins": MARGINS})})


def lay_out(folder: Path, suppression: float | None) -> None:
    shutil.copy(ROOT / "requirements.lock", folder)
    write_model(folder / "models/dartblur/unet.safetensors")
    (folder / register.TRAINING).write_text("{}")
    (folder / paths.REPORTS).mkdir(exist_ok=True)
    (folder / paths.EVALUATION).write_text(json.dumps(evaluation(suppression)))


@pytest.mark.parametrize(("suppression", "passed", "names"), [(0.8, True, ["challenger", "champion"]), (None, False, ["challenger"])])
def test_metrics_are_the_evaluation_with_gate_and_model(
    empty_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suppression: float | None, passed: bool, names: list[str]
) -> None:
    texts = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        with fresh_registry(folder, empty_store) as registry:
            lay_out(folder, suppression)
            register.run(settings(registry))
            texts.append(paths.METRICS.read_text())
            register.run(settings(registry))
            assert paths.METRICS.read_text() == texts[-1]
            (version,) = aliases.history(registry)
    assert texts[0] == texts[1]
    metrics = json.loads(texts[0])
    assert {key: metrics[key] for key in evaluation()} == evaluation(suppression)
    assert metrics["model"] == {"name": "dartblur", "version": "1", "aliases": names}
    assert metrics["gate"]["passed"] is passed
    assert set(metrics["gate"]) == {"passed", "reasons", "floors", "champion", "margins"}
    assert ("gate: passed" if passed else "gate: not passed") in capsys.readouterr().out
    assert {"git_revision", "git_dirty", "dvc_lock_md5", "data_md5", "profile"} <= set(version.tags)


@pytest.mark.parametrize(("text", "words"), [(None, "run `dvc repro evaluate`"), ("{", "not readable as JSON"), ("[]", "no JSON object")])
def test_an_evaluation_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "reports").mkdir()
        paths.EVALUATION.write_text(text)
    with pytest.raises(DartblurError, match=words):
        register.run(load_params(ROOT / "params.yaml"))
