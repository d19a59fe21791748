"""A training that torchrun is to start begins again under it, once."""

import os
import sys

import pytest

from dartblur.torchrun import OPTIONS, rejoin


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    words: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: words.append([program, *arguments]))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    return words


def test_it_begins_again_under_torchrun(monkeypatch: pytest.MonkeyPatch, started: list[list[str]]) -> None:
    monkeypatch.setenv(OPTIONS, "--standalone --nproc-per-node 2 --rdzv-id 'a run'")
    rejoin("train")
    torchrun = [sys.executable, sys.executable, "-m", "torch.distributed.run"]
    assert started == [[*torchrun, "--standalone", "--nproc-per-node", "2", "--rdzv-id", "a run", "-m", "dartblur.cli", "train"]]


@pytest.mark.parametrize("variables", [{}, {OPTIONS: ""}, {OPTIONS: "--standalone", "LOCAL_WORLD_SIZE": "2"}])
def test_it_stays_where_nobody_asks_or_it_is_there_already(
    monkeypatch: pytest.MonkeyPatch, started: list[list[str]], variables: dict[str, str]
) -> None:
    monkeypatch.delenv(OPTIONS, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    rejoin("train")
    assert started == []
