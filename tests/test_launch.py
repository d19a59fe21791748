"""Where a training computes, and what refuses several processes."""

import pytest
import torch

from dartblur.errors import UsageError
from dartblur.launch import join_processes


def test_one_process_is_this_one() -> None:
    assert join_processes("cpu", 1) == torch.device("cpu")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match=r"compute\.processes: 2 are wanted and there are 1 GPUs; ask for fewer"):
        join_processes("cuda", 2)
    with pytest.raises(UsageError, match=r"compute\.device: cuda:0 is one GPU, and compute\.processes asks for 2; use cuda or auto"):
        join_processes("cuda:0", 2)
