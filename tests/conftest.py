"""What holds for every test."""

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.sampledata import Sample, load_sample

# No test asserts a time, so Hypothesis does not either: a loaded machine is no failure.
settings.register_profile("dartblur", deadline=None)
settings.load_profile("dartblur")

# A shell starts what runs in the background deaf to Ctrl-C, and so is what that starts: tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    """Undo what a stage set for its whole process (dartblur.compute.configure): the next test may count on ordinary floats."""
    yield
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sample() -> Sample:
    """A few pictures of data/sample."""
    return load_sample()
