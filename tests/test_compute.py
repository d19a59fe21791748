from collections.abc import Iterator

import pytest
import torch

from dartblur.compute import configure, pick_device
from dartblur.errors import UsageError


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_process_is_made_repeatable() -> None:
    configure(2)
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert float(torch.tensor(1e-40) * 1) == 0  # subnormal
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match=r"compute\.device: cuda:99 was asked for, but torch sees \d+ CUDA devices; use auto or cpu"):
        pick_device("cuda:99")
