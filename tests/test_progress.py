import pytest

from dartblur.progress import progress_bar


def test_where_nobody_looks_on_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("train: steps", 2) as show:
        show(1, "loss 0.5")
        show(2, "")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_title_count_and_note(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("train: steps", 7) as show:
        show(7, "loss 0.5")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(word in captured.err for word in ("train: steps", "7/7", "loss 0.5"))
