"""The command doctor: a verdict that agrees with what `anonymize` would do, as text and as JSON, without heavy imports."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dartblur import __version__
from dartblur.anonymizer import doctor
from dartblur.anonymizer.picture import Work
from dartblur.anonymizer.settings import Settings
from dartblur.cli import app
from dartblur.errors import DartblurError
from tests.anonymizer.clients import work_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which the default model can be loaded, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREFECT_API_URL", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "make_work", lambda settings: work_of())
    return tmp_path


def test_a_machine_on_which_it_works(works: Path) -> None:
    report = doctor.examine(params=works / "params.yaml")
    assert report.fit
    found = {finding.name: finding for finding in report.findings}
    assert found["trial"].detail == "a box of a grey picture was hidden with block"
    assert {"python", "cores", "memory", "disk", "gpu", "numpy", "torch", "averages.png", "MLflow", "Prefect", "S3"} <= found.keys()
    assert found["cores"].detail[0].isdigit()
    assert list(works.iterdir()) == []  # nothing was made
    headings = [finding.about for finding in report.findings]
    assert len(set(headings)) == 1 + sum(one != other for one, other in pairwise(headings))  # each stands together


def test_a_machine_on_which_it_does_not(works: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Work:
        raise DartblurError("the module onnxruntime is not installed; install the extra dartblur[weights]")

    monkeypatch.setattr(doctor, "make_work", broken)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "!!  trial" in result.output
    assert "the module onnxruntime is not installed" in result.output
    assert result.output.endswith("dartblur anonymize does not work here: mend what is marked !!\n")
    as_json = CliRunner().invoke(app, ["doctor", "--json"])
    assert (as_json.exit_code, json.loads(as_json.output)["fit"]) == (1, False)


def test_json_and_text_say_the_same(works: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    told = json.loads(result.output)
    assert (told["version"], told["fit"]) == (__version__, True)
    text = CliRunner().invoke(app, ["doctor"])
    assert text.exit_code == 0
    assert text.output.startswith(f"dartblur {__version__}\n")
    for finding in told["findings"]:
        assert finding.keys() == {"about", "name", "detail", "good", "needed"}
        assert finding["name"] in text.output


def test_what_is_not_installed_is_no_fault_of_anonymize(works: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PARTS", {"nonsense": ("no-such-package",)})
    report = doctor.examine(params=works / "params.yaml")
    assert report.fit
    assert [finding.detail for finding in report.findings if not finding.good] == ["not installed"]
    assert "--  no-such-package" in doctor.tell(report)


def test_torch_is_asked_only_if_wanted(works: Path) -> None:
    assert not [finding for finding in doctor.examine(params=works / "params.yaml").findings if finding.name == "torch devices"]
    (asked,) = [finding for finding in doctor.examine(True, works / "params.yaml").findings if finding.name == "torch devices"]
    assert asked.detail.startswith("cpu")


def test_a_driver_that_does_not_answer(works: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = works / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(works))
    (gpu,) = [finding for finding in doctor.examine(params=works / "params.yaml").findings if finding.name == "gpu"]
    assert (gpu.good, gpu.detail) == (False, "the NVIDIA driver does not answer (CalledProcessError)")
    program.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559 MiB'\n")
    (gpu,) = [finding for finding in doctor.examine(params=works / "params.yaml").findings if finding.name == "gpu"]
    assert (gpu.good, gpu.detail) == (True, "NVIDIA H100, 81559 MiB")


def test_nothing_heavy_is_imported() -> None:
    code = "import sys; from dartblur.anonymizer.doctor import examine; examine(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert not {"torch", "mlflow", "prefect", "dvc", "great_expectations", "fastapi", "av"} & set(loaded)
