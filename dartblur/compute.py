"""Which device computes, with how many threads, and in the same order every time."""

import torch

from dartblur.errors import UsageError


def configure(threads: int) -> None:
    """Make torch repeatable in this process: a fixed number of threads (sums depend on it) and deterministic kernels only.

    Subnormal floats are flushed to zero: on a CPU they cost more than the arithmetic. Call it before the first tensor operation, so that torch's
    worker threads inherit the setting.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Deterministic or not, nothing here reads memory that it did not write; by default torch would fill all of it first.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False


def mixed(precision: str, device: torch.device) -> torch.autocast:
    """The context in which convolutions run in bfloat16, where ``precision`` says so: ``bf16``, or ``auto`` on a device that is made for it.

    A CPU without bfloat16 arithmetic would run it many times slower.
    """
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16" or (precision == "auto" and able))


def pick_device(name: str) -> torch.device:
    """The device of ``compute.device``: ``auto`` is CUDA where there is one.

    Raises:
        UsageError: CUDA was asked for and is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"compute.device: {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu")
    return device
