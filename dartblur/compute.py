"""Which device computes, with how many threads, and in the same order every time."""

import ctypes
import os
import sys

import cv2
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from dartblur.errors import UsageError


def configure(threads: int) -> None:
    """Make torch repeatable in this process: a fixed number of threads (sums depend on it) and deterministic kernels only.

    OpenCV, onnxruntime with it (:func:`~dartblur.optional.onnx_session`) and the linear algebra of numpy get as many threads. Subnormal floats are
    flushed to zero: on a CPU they cost more than the arithmetic. Call it before the first tensor operation, so that torch's worker threads inherit
    the setting.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    threadpool_limits(threads, user_api="blas")
    torch.use_deterministic_algorithms(True)
    # cuBLAS reads it at its first product; without it torch refuses to multiply matrices on a GPU in deterministic mode.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Deterministic or not, nothing here reads memory that it did not write; by default torch would fill all of it first.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a training step frees for the next one; returned to the system, every page of it has to be zeroed again.

    A sixth of a detector's step on a CPU (docs/experiments.md). Elsewhere than on glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _LARGE)
        mallopt(_MMAP_THRESHOLD, _LARGE)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGE = 1 << 30


def in_half(precision: str, device: torch.device) -> bool:
    """Whether ``precision`` asks for bfloat16: ``bf16``, or ``auto`` on a device that is made for it. Another CPU would run it many times slower."""
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return precision == "bf16" or (precision == "auto" and able)


def mixed(precision: str, device: torch.device) -> torch.autocast:
    """The context in which convolutions run in bfloat16, where ``precision`` says so (:func:`in_half`)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=in_half(precision, device))


def computes_in(convolution: nn.Conv2d, x: Tensor) -> torch.dtype:
    """The type that a convolution of ``x`` runs in: that of autocast where it is on, otherwise its weights' own.

    A depthwise one with a stride or a wide kernel keeps its own on a CPU, which takes 3 to 15 times as long for its gradient in half precision.
    """
    kind = x.device.type
    slow = kind == "cpu" and convolution.groups > 1 and (convolution.stride[0] > 1 or convolution.kernel_size[0] > 3)
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) and not slow else convolution.weight.dtype


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
