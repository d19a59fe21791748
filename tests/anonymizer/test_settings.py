"""Settings: what is refused, and when two of them are the same job."""

from dataclasses import replace
from typing import Any

import pytest

from dartblur.anonymizer.methods import Choice, Method
from dartblur.anonymizer.settings import VERIFIER, Settings, make_search, make_work
from dartblur.anonymizer.shape import Shape
from dartblur.blur.block import Block
from dartblur.errors import UsageError

PLAIN = Settings(choice=Choice("block"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detectors": ("yolo",)}, "detector yolo: unknown"),
        ({"score": 0.0}, "score 0: must be between"),
        ({"score": 1.0}, "score 1: must be between"),
        ({"score": float("nan")}, "score nan"),
        ({"min_size": -1.0}, "min-size -1"),
        ({"min_size": float("inf")}, "min-size inf"),
        ({"margin": -0.1}, "margin -0.1"),
        ({"margin": 2.5}, "margin 2.5"),
    ],
)
def test_numbers_out_of_range_are_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        replace(PLAIN, **changes)


def test_another_setting_is_another_job() -> None:
    method = Method(Block(), "block")
    changes: list[dict[str, Any]] = [
        {}, {"detectors": ("mtcnn",)}, {"score": 0.4}, {"min_size": 3.0}, {"margin": 0.2}, {"shape": Shape("ellipse")}, {"shape": Shape("box", 0.1)},
        {"verify": True}, {"keep_metadata": True}, {"write_empty": True}, {"audio": False},
    ]  # fmt: skip
    found = [replace(PLAIN, **change).identity(method) for change in changes]
    assert len({*found, PLAIN.identity(Method(Block(), "block 2"))}) == len(changes) + 1
    assert PLAIN.identity(method) == Settings(choice=Choice("block")).identity(method)


def test_what_is_loaded() -> None:
    work = make_work(replace(PLAIN, detectors=("yunet", "centerface"), score=0.4, min_size=5, margin=0.3, verify=True, write_empty=True))
    assert [(detector.name, detector.score) for detector in work.search.detectors] == [("yunet", 0.4), ("centerface", 0.4)]
    assert (work.search.min_size, work.search.margin, work.write_empty, work.keep_metadata) == (5, 0.3, True, False)
    assert work.verifier is not None
    assert work.verifier.name == VERIFIER
    assert make_work(replace(PLAIN, detectors=())).verifier is None
    assert make_search(replace(PLAIN, detectors=())).detectors == []
