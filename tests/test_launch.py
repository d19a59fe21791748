"""How many processes a training has, and what refuses them."""

import pytest
import torch

from dartblur.errors import UsageError
from dartblur.launch import join_processes, processes_of
from dartblur.params import ComputeParams
from tests.settings import settings


def compute(**keys: object) -> ComputeParams:
    return settings(compute=keys).compute


@pytest.mark.parametrize(("processes", "threads", "expected"), [(0, 1, 1), (0, 2, 2), (3, 2, 3), (1, 8, 1)])
def test_a_cpu_takes_a_process_for_each_thread_unless_told_otherwise(processes: int, threads: int, expected: int) -> None:
    assert processes_of(compute(device="cpu", processes=processes, train_threads=threads)) == expected


def test_a_gpu_takes_one_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert processes_of(compute(device="auto", processes=0, train_threads=2)) == 1
    assert processes_of(compute(device="auto", processes=2, train_threads=2)) == 2


def test_one_process_is_this_one() -> None:
    assert join_processes("cpu", 1) == torch.device("cpu")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match=r"compute\.processes: 2 are wanted and there are 1 GPUs; ask for fewer"):
        join_processes("cuda", 2)
    with pytest.raises(UsageError, match=r"compute\.device: cuda:0 is one GPU, and compute\.processes asks for 2; use cuda or auto"):
        join_processes("cuda:0", 2)
