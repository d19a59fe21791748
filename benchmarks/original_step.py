"""The original implementation's adversarial step, the peer of benchmarks/train_step.py.

    peer = OriginalStep.from_checkout(Path("DartBlur"))   # JaNg2333/DartBlur at 28cdf76, its own lines; needs benchmarks/requirements.txt
    peer = OriginalStep.rebuilt()                         # the same work on our modules, where no checkout is at hand
    terms = peer.step(make_batch(views=4, size=256, share=0.1))

One step is what its second-order epoch does with one batch: U on the four objectives, then fg. Run as a program, this file times the rebuilt
form beside the checkout, step by step in turn (`ratio` is checkout over rebuilt; the rebuilt form must not be the slower one by much):

    DARTBLUR_ORIGINAL=<checkout> .venv/bin/python benchmarks/original_step.py --size 256 --views 4 --json

Where its conventions differ from ours (each is in :class:`Settings`; ``Settings.ours(params)`` sets them all to ours, and then the terms agree):

- T(x): detections from a raw logit of 0.01 on, NMS at 0.45, not cut at the view's borders; ours from a probability on, after softmax.
- A face gets its best anchor at any overlap; ours from an IoU of 0.2. A view without positives teaches nothing; ours background.
- The inner loss and fg's own step are smoothed as well.
- Corners of the mask are rounded down.
- The U-Net ends in tanh(out + input).
- The inner Adam has epsilon 1e-8 beside the root (with gradients masked where the second moment is 0); fg' takes the statistics of the inner pass.
- fg's step sees the updated U's pictures.

Not settable, and seldom seen in the terms: hard negatives are ranked by their loss, ours by the margin of the logits. That is the same order until
the loss of the confident ones is nothing in single precision; where faces cover so much that these are drawn too, and the loss is smoothed, chance
decides by a few thousandths. Without effect on the terms: no cap on candidates and detections (ours 400 and 100 a view); landmarks are decoded,
matched and regressed, and left out of the sum.
"""

import argparse
import copy
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.original.batch import LoaderBatch, StepBatch, make_batch
from benchmarks.original.checkout import Checkout
from benchmarks.original.rebuilt import Rebuilt
from benchmarks.original.settings import Settings
from benchmarks.original.weights import Learner, State
from dartblur.blur.unet import UNet
from dartblur.detector.retinaface import RetinaFace
from dartblur.detector.weights import load_wider
from dartblur.errors import DartblurError

__all__ = ["LoaderBatch", "Networks", "OriginalStep", "Settings", "StepBatch", "find_checkout", "make_batch", "start_networks"]


class Engine(Protocol):
    """What runs a step: :class:`Checkout` or :class:`Rebuilt`."""

    learners: dict[str, Learner]
    """U (``unet``) and fg (``detector``)."""

    def run(self, batch: StepBatch, given: Tensor | None) -> dict[str, float]:
        """One step; the terms. With ``given`` that is g(x)."""
        ...

    def anonymised(self) -> Tensor:
        """g(x) of the last step in grey levels, R G B."""
        ...


@dataclass(frozen=True)
class Networks:
    """What both sides start from: U, f and fg. A peer copies them."""

    unet: UNet
    frozen: RetinaFace
    detector: RetinaFace


def start_networks(seed: int = 0) -> Networks:
    """The networks that the original starts from: a U-Net of width 32 and five levels, f trained on WIDER FACE, and fg a copy of f."""
    torch.manual_seed(seed)
    unet = UNet(32, 5)
    # A last convolution of zeros, as ours starts, would leave the layers before it without gradients.
    last = unet.up[-1].get_submodule("second")
    assert isinstance(last, nn.Conv2d)
    nn.init.normal_(last.weight, std=0.01)
    frozen = RetinaFace("mobilenet025", 64)
    load_wider(frozen)
    return Networks(unet, frozen, copy.deepcopy(frozen))


class OriginalStep:
    """The peer, ready to take steps.

    Attributes:
        name: which peer it is, for the record.
        settings: the conventions it follows.
    """

    def __init__(self, name: str, settings: Settings, engine: Engine) -> None:
        self.name, self.settings, self._engine = name, settings, engine

    @classmethod
    def from_checkout(
        cls, folder: Path, networks: Networks | None = None, settings: Settings | None = None, device: torch.device | None = None
    ) -> "OriginalStep":
        """The original's own lines, from a checkout of its repository.

        Args:
            networks: whose weights it gets; the U-Net of width 32 and five levels, the detectors mobilenet025 with 64 channels.

        Raises:
            UsageError: there is no checkout, or the package higher is missing.
        """
        start, settings = networks or start_networks(), settings or Settings()
        engine = Checkout(folder, start.unet, start.frozen, start.detector, settings, device or torch.device("cpu"))
        return cls("original implementation, its checkout", settings, engine)

    @classmethod
    def rebuilt(cls, networks: Networks | None = None, settings: Settings | None = None, device: torch.device | None = None) -> "OriginalStep":
        """The same work on copies of our modules, networks of any size."""
        start, settings = networks or start_networks(), settings or Settings()
        engine = Rebuilt(start.unet, start.frozen, start.detector, settings, device or torch.device("cpu"))
        return cls("original implementation, rebuilt on our modules", settings, engine)

    def step(self, batch: StepBatch, anonymised: Tensor | None = None) -> dict[str, float]:
        """Take U's step and then fg's.

        Args:
            anonymised: a g(x) that somebody else has computed, (B, 3, S, S) grey levels, R G B: the terms are of it, and U stays as it is.

        Returns:
            The terms review, process, posthoc, cycle and detector (fg's own loss).
        """
        return self._engine.run(batch, anonymised)

    @property
    def anonymised(self) -> Tensor:
        """g(x) of the last step, (B, 3, S, S) grey levels, R G B, on the CPU; there must have been one."""
        return self._engine.anonymised().cpu()

    @property
    def state(self) -> State:
        """The weights and Adam's moments of U and fg: ``unet.<name>``, ``detector.<name>``, names as in our modules. A peer takes another's."""
        return {f"{network}.{name}": value for network, learner in self._engine.learners.items() for name, value in learner.read().items()}

    @state.setter
    def state(self, state: State) -> None:
        for network, learner in self._engine.learners.items():
            learner.write({name.removeprefix(f"{network}."): value for name, value in state.items() if name.startswith(f"{network}.")})


def find_checkout() -> Path | None:
    """The checkout to run: the folder that DARTBLUR_ORIGINAL names, else .work/original below the project; None where neither is one."""
    folder = Path(os.environ.get("DARTBLUR_ORIGINAL") or Path(__file__).parents[1] / ".work" / "original")
    return folder if (folder / "trainer.py").is_file() else None


def seconds(peer: OriginalStep, batch: StepBatch) -> tuple[float, float]:
    """Wall-clock and processor time of one step. Reading the terms waits for the device."""
    start = time.perf_counter(), time.process_time()
    peer.step(batch)
    return time.perf_counter() - start[0], time.process_time() - start[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--size", type=int, default=128, help="side of a view in pixels")
    parser.add_argument("--views", type=int, default=2, help="views a batch")
    parser.add_argument("--share", type=float, default=0.1, help="of a view that its faces cover")
    parser.add_argument("--repeats", type=int, default=3, help="steps of each form, in turn, after one to warm up; the median counts")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device, folder, networks = torch.device(options.device), find_checkout(), start_networks()
    peers = {"rebuilt": OriginalStep.rebuilt(networks, device=device)}
    if folder is not None:
        try:
            peers["checkout"] = OriginalStep.from_checkout(folder, networks, device=device)
        except DartblurError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(error.exit_code) from error
    batch = make_batch(options.views, options.size, options.share)
    for peer in peers.values():
        peer.step(batch)
    times = [{name: seconds(peer, batch) for name, peer in peers.items()} for _ in range(options.repeats)]
    wall, busy = ({name: statistics.median(row[name][kind] for row in times) for name in peers} for kind in (0, 1))
    ratios = [values["checkout"] / values["rebuilt"] if "checkout" in values else None for values in (wall, busy)]
    for name, peer in peers.items():
        print(f"{peer.name}: {wall[name]:.2f} s a step, {busy[name]:.2f} s of processor time")
    if options.json:
        given = {key: value for key, value in vars(options).items() if key != "json"}
        settings = {**given, "threads": torch.get_num_threads(), "conventions": asdict(peers["rebuilt"].settings)}
        print(json.dumps({"ratio": ratios[0], "ratio_processor_time": ratios[1], "seconds": wall, "processor_seconds": busy, "settings": settings}))


if __name__ == "__main__":
    main()
