"""The notebook of the documentation runs as it stands."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_anonymize(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    cells = json.loads((ROOT / "docs/anonymize.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102  the project's own notebook
    said = capsys.readouterr().out.splitlines()
    assert "faces" in said[0]
    assert int(said[0].split()[0]) > 0
    assert any(line.startswith("None no face found") for line in said)
    assert sum(line.endswith("faces hidden") for line in said) >= 6
    assert [face.kept for face in names["kept"].faces].count(True) >= 1
