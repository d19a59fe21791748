import subprocess
import sys
from collections.abc import Iterator

import cv2
import pytest
import torch

from dartblur.compute import computes_in, configure, pick_device
from dartblur.errors import UsageError


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before, before_opencv = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before)
    cv2.setNumThreads(before_opencv)


def test_a_process_is_made_repeatable() -> None:
    configure(2)
    assert torch.get_num_threads() == 2
    assert cv2.getNumThreads() == 2
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert float(torch.tensor(1e-40) * 1) == 0  # subnormal
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_that_was_freed_is_taken_again_without_a_page_fault() -> None:
    program = """
import resource, torch
from dartblur.compute import configure
configure(1)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(40 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(*[faults() for _ in range(40)])
"""
    first, *later = map(int, subprocess.check_output([sys.executable, "-c", program], text=True).split())
    # The heap grows a few times more, until a hole is left that the small allocations between do not break.
    assert sum(later[-20:]) < first / 10


@pytest.mark.parametrize(
    ("groups", "stride", "kernel", "half"), [(1, 1, 3, True), (1, 2, 5, True), (4, 1, 3, True), (4, 2, 3, False), (4, 1, 5, False)]
)
def test_a_convolution_runs_in_half_precision_where_a_cpu_has_a_fast_gradient_of_it(groups: int, stride: int, kernel: int, half: bool) -> None:
    convolution, x = torch.nn.Conv2d(4, 4, kernel, stride, groups=groups), torch.zeros(1, 4, 8, 8)
    assert computes_in(convolution, x) == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert computes_in(convolution, x) == (torch.bfloat16 if half else torch.float32)


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match=r"compute\.device: cuda:99 was asked for, but torch sees \d+ CUDA devices; use auto or cpu"):
        pick_device("cuda:99")
