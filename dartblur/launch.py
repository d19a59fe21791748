"""Several processes for one training: lightning-fabric starts them, or finds those that torchrun started."""

import logging
import os

import torch

from dartblur.compute import pick_device
from dartblur.errors import UsageError


def join_processes(device: str, processes: int) -> torch.device:
    """Start the processes of a training, or take this one's place among them, and say where it computes.

    The command runs again in every further process; the functions of :mod:`dartblur.processes` exchange sums from then on (gloo on CPUs, NCCL on
    GPUs). With one process nothing happens.

    Args:
        device: ``compute.device``. processes: ``compute.processes``; what torchrun says goes before it.

    Raises:
        UsageError: one GPU was named for several processes, or there are fewer GPUs than processes.
    """
    started = int(os.environ.get("LOCAL_WORLD_SIZE", "0"))  # set by torchrun
    if max(processes, started) == 1 or (started == 0 and processes == 1):
        return pick_device(device)
    chosen = pick_device(device)
    if chosen.index is not None:
        raise UsageError(f"compute.device: {device} is one GPU, and compute.processes asks for {processes}; use cuda or auto")
    if chosen.type == "cuda" and torch.cuda.device_count() < (started or processes):
        raise UsageError(f"compute.processes: {started or processes} are wanted and there are {torch.cuda.device_count()} GPUs; ask for fewer")
    from lightning_fabric import Fabric  # takes seconds

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets at every start

    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    fabric = Fabric(accelerator=chosen.type, devices=started or processes, num_nodes=nodes, strategy="ddp")
    fabric.launch()
    place: torch.device = fabric.device
    return place
