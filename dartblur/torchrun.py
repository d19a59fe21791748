"""The stage train under torchrun, where the environment asks for it: several GPUs, several machines, restarts of processes that died."""

import os
import shlex
import sys

OPTIONS = "DARTBLUR_TORCHRUN"
"""Variable with torchrun's options, such as ``--standalone --nproc-per-node 2``."""


def rejoin(command: str) -> None:
    """Begin this command again under torchrun, if :data:`OPTIONS` asks for it and torchrun has not started this process already.

    DVC's command of the stage stays what it is, so that dvc.lock does not depend on the machine.
    """
    options = os.environ.get(OPTIONS)
    if not options or "LOCAL_WORLD_SIZE" in os.environ:
        return
    sys.stdout.flush()
    words = [sys.executable, "-m", "torch.distributed.run", *shlex.split(options), "-m", "dartblur.cli", command]
    os.execv(sys.executable, words)  # noqa: S606  as a program with a list of words, as everywhere
