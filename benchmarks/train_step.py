"""Our adversarial step beside the original's: same weights, same batch, same architecture, step by step in turn.

    .venv/bin/python benchmarks/train_step.py --json               # faces on a tenth of the picture, and on all of it (ratio_full)
    .venv/bin/python benchmarks/train_step.py --json --share 1.0   # one share alone

The peer is benchmarks/original_step.py: its own lines where there is a checkout, else the same work on our modules (`peer` says which), each in its
own conventions. Both sides have the U-Net of width 32 and five levels, RetinaFace on mobilenet025 with the weights trained on WIDER FACE as f and
fg; U sees each face at its own scale. Ours runs in the precision of the default recipe (U's convolutions in bfloat16 where the device is made for
it), the original in 32-bit floats; `ratio_fp32` is with ours in them too. Our additions are off, since the original has none. A step starts from a
batch's pictures and boxes: the peer's mask and anchors are in its time, our tiles and anchors in ours. `ratio` is the peer's time over ours,
`memory_ratio` our memory over the peer's: the peak that a step adds to the networks' own.

Before any figure the terms are compared: from the same weights and moments, at the same g(x) and in our conventions, they must agree to 1e-3.
"""

import argparse
import itertools
import json
import multiprocessing
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.original.weights import Learner, State, as_it_is
from benchmarks.original_step import Networks, OriginalStep, Settings, StepBatch, find_checkout, make_batch, start_networks
from dartblur.blur.tiles import tiles_of
from dartblur.compute import configure
from dartblur.detector.anchors import FaceBatch
from dartblur.detector.families import RETINAFACE
from dartblur.detector.training import channels_last, train_detector
from dartblur.detector.views import Views
from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset
from dartblur.params import AdditionWeights, ObjectiveWeights, Params, PoolParams, WarmParams, load_params
from dartblur.training.trainer import Batch, Trainer

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
SHARE = 0.1
TERMS = ("review", "process", "posthoc", "cycle", "detector")
TOLERANCE = 1e-3
"""Largest relative difference of a term: with more, the two sides do not do the same."""
MEMORY_STEPS = 2
"""The second step has Adam's moments."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; ``share`` is one share."""

    size: int
    views: int
    share: float
    repeats: int
    threads: int
    device: torch.device
    precision: str
    original: Path | None

    def batch(self) -> StepBatch:
        """The batch of all steps."""
        return make_batch(self.views, self.size, self.share)


def params_of(options: Options) -> Params:
    """params.yaml with the original's architecture, four objectives and clip, and review without a free budget, so that it is compared too."""
    params = load_params(ROOT / "params.yaml")
    train = {
        "weights": ObjectiveWeights(review=1.0, process=1.0, posthoc=1.0, cycle=1.0),
        "additions": AdditionWeights(restore=0.0, seam=0.0, features=0.0, realism=0.0),
        "warm": WarmParams(steps=0, near_steps=0, batch=2, learning_rate=1e-3),
        "pool": PoolParams(size=1, restart=0),
        "budget": 0.0,
        "gradient_clip": 500.0,
        "batch": options.views,
    }
    sections: dict[str, dict[str, Any]] = {
        "compute": {"precision": options.precision},
        "view": {"size": options.size},
        "detector": {"backbone": "mobilenet025", "init": "scratch", "channels": 64},
        "unet": {"width": 32, "depth": 5, "face_min": 8, "face_max": options.size, "init": "scratch"},
        "train": train,
    }
    return params.model_copy(update={name: getattr(params, name).model_copy(update=keys) for name, keys in sections.items()})


class Ours:
    """A trainer with given weights, and one batch that it steps on again and again."""

    def __init__(self, networks: Networks, batch: StepBatch, options: Options) -> None:
        self.params, device = params_of(options), options.device
        # Nothing stays in memory between two batches: a large data set is read from its files too.
        views = Views([FaceDataset(SAMPLE), FaceDataset(SAMPLE)], "train", self.params.view, cache_bytes=0)
        frozen = RETINAFACE.new(self.params.detector, 0)
        frozen.load_state_dict(networks.frozen.state_dict())
        self.trainer = Trainer(self.params, views, channels_last(frozen), device)
        self.trainer.unet.load_state_dict(networks.unet.state_dict())
        self.trainer.pool.members[0].load_state_dict(networks.detector.state_dict())
        self._pictures = [part.contiguous(memory_format=torch.channels_last) for part in (batch.clean, batch.blurred)]
        self._mask, self._boxes, self._size, self._device = batch.mask, batch.boxes, batch.size, device

    def batch(self) -> Batch:
        """As Trainer makes one of drawn views."""
        clean, blurred = (part.to(self._device) for part in self._pictures)
        tiles = [tiles_of(boxes.numpy(), self._size, self._size, self.trainer.config.tiles) for boxes in self._boxes]
        annotated = self.trainer.judges.targets(FaceBatch.of(self._boxes, device=self._device))
        return Batch(clean, blurred, self._mask.to(self._device), tiles, annotated)

    def step(self) -> dict[str, float]:
        """U's step and fg's, in deterministic kernels only, as the project trains."""
        with deterministic():
            return self.trainer.adversarial_step(self.batch(), 0)

    @torch.no_grad()
    def anonymised(self) -> Tensor:
        """g(x) as U is now, on the CPU."""
        with deterministic():
            return self.trainer._paint(self.batch()).views.cpu().contiguous()

    @property
    def state(self) -> State:
        """Weights and moments, under the names that a peer takes them by."""
        member, optimizer = self.trainer.pool.take(0)
        owners = {"unet": (self.trainer.unet, self.trainer.unet_optimizer), "detector": (member, optimizer)}
        return {
            f"{owner}.{name}": value
            for owner, (network, adam) in owners.items()
            for name, value in Learner(network, adam, {name: name for name in network.state_dict()}, as_it_is).read().items()
        }

    def drawing_seconds(self, repeats: int) -> float:
        """Median time that a batch of as many views takes to be read, cut out and matched to anchors."""
        times = []
        for turn in range(repeats + 1):
            start = time.perf_counter()
            self.trainer._batch(turn)
            _wait(self._device)
            times.append(time.perf_counter() - start)
        return statistics.median(times[1:])


@contextmanager
def deterministic() -> Iterator[None]:
    """Our side trains so; the original does not, and pays nothing for it."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions on a GPU without TensorFloat-32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def peer_of(options: Options, networks: Networks, settings: Settings) -> OriginalStep:
    """The original's side: the checkout that was named or found, else the rebuilt form."""
    folder = options.original or find_checkout()
    if folder is None:
        return OriginalStep.rebuilt(networks, settings, options.device)
    return OriginalStep.from_checkout(folder, networks, settings, options.device)


def side_of(name: str, options: Options, batch: StepBatch, networks: Networks) -> Callable[[], dict[str, float]]:
    """A step of ``ours`` or of the ``peer``, ready to be taken."""
    if name == "ours":
        return Ours(networks, batch, options).step
    peer = peer_of(options, networks, Settings(budget=0.0))
    return lambda: peer.step(batch)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(step: Callable[[], dict[str, float]], device: torch.device) -> tuple[float, float]:
    """Wall-clock and processor time of one step."""
    _wait(device)
    start = time.perf_counter(), time.process_time()
    step()
    _wait(device)
    return time.perf_counter() - start[0], time.process_time() - start[1]


def compare_terms(ours: Ours, options: Options, batch: StepBatch, networks: Networks) -> dict[str, Any]:
    """One step of each side from our present weights and moments, on our g(x), in our conventions.

    On a GPU in full 32-bit floats: TensorFloat-32, in which both sides are timed, has ten bits, and rounds each side's convolutions otherwise.

    Raises:
        SystemExit: they do not agree.
    """
    peer = peer_of(options, networks, Settings.ours(ours.params, second_forward=False))
    peer.state = ours.state
    with full_precision():
        theirs, values = peer.step(batch, anonymised=ours.anonymised()), ours.step()
    differences = {name: abs(values[name] - theirs[name]) / max(abs(theirs[name]), 1e-6) for name in TERMS}
    largest = max(differences.values())
    if not largest < TOLERANCE:
        raise SystemExit(f"the terms differ by up to {largest:.1e} ({differences}): a speed-up of something else is no speed-up")
    return {"ours": {name: values[name] for name in TERMS}, "peer": {name: theirs[name] for name in TERMS}, "largest_difference": largest}


def peak_memory(name: str, options: Options) -> float:
    """MiB that the steps of one side take at most, above what its networks take before the first; on a CPU of the process, which is to be fresh."""
    configure(options.threads)
    torch.use_deterministic_algorithms(False)
    step = side_of(name, options, options.batch(), start_networks())
    if options.device.type == "cuda":
        _wait(options.device)
        torch.cuda.reset_peak_memory_stats(options.device)
        before = torch.cuda.memory_allocated(options.device)
    else:
        # Linux alone tells the peak of this process without that of the one that started it; 5 sets it back to what is resident now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _resident("VmRSS")
    for _ in range(MEMORY_STEPS):
        step()
    _wait(options.device)
    after = torch.cuda.max_memory_allocated(options.device) if options.device.type == "cuda" else _resident("VmHWM")
    return (after - before) / 2**20


def _resident(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def peak_memories(options: Options) -> dict[str, float | None]:
    """Of both sides, each in a process of its own; None where the system does not tell."""
    if options.device.type == "cpu" and not Path("/proc/self/clear_refs").exists():
        return {"peer": None, "ours": None}
    peaks: dict[str, float | None] = {}
    for name in ("peer", "ours"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            peaks[name] = fresh.submit(peak_memory, name, options).result()
    return peaks


def outside_device(ours: Ours, step: float, drawing: float, device: torch.device) -> float:
    """The share of a training step (draw a batch, step on it) in which the device has nothing to do; on a CPU that of drawing the batch."""
    if device.type == "cpu":
        return drawing / (step + drawing)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        ours.step()
        _wait(device)
    busy = sum(float(event.self_device_time_total) for event in trace.key_averages() if event.device_type.name == "CUDA") / 1e6
    return max(0.0, 1 - busy / (step + drawing))


def detector_rate(params: Params, options: Options) -> float:
    """Pictures a second of a detector's training, batches drawn from data/sample."""
    views = Views([FaceDataset(SAMPLE)], "train", params.view, cache_bytes=0)
    short = params.detector.model_copy(update={"steps": options.repeats + 1})
    moments: list[float] = []
    with tempfile.TemporaryDirectory() as work, deterministic():
        train_detector(
            RETINAFACE, views, short, 0, options.device, Path(work), lambda *_: moments.append(time.perf_counter()), precision=options.precision
        )
    return short.batch / statistics.median(late - early for early, late in itertools.pairwise(moments))


def measure(options: Options) -> dict[str, Any]:
    """Everything about one share."""
    networks, batch = start_networks(), options.batch()
    ours, peer = Ours(networks, batch, options), peer_of(options, networks, Settings(budget=0.0))
    sides: dict[str, Callable[[], dict[str, float]]] = {"peer": lambda: peer.step(batch), "ours": ours.step}
    if options.precision != "fp32":
        sides["fp32"] = Ours(networks, batch, replace(options, precision="fp32")).step
    for step in sides.values():  # the first one makes Adam's moments
        step()
    terms = compare_terms(ours, options, batch, networks)
    times = [{name: seconds(step, options.device) for name, step in sides.items()} for _ in range(options.repeats)]
    wall, busy = ({name: statistics.median(row[name][kind] for row in times) for name in sides} for kind in (0, 1))
    memory = peak_memories(options)
    drawing = ours.drawing_seconds(options.repeats)
    tiles = [tile.size**2 for view in ours.batch().tiles for tile in view]
    result: dict[str, Any] = {"ratio": wall["peer"] / wall["ours"], "ratio_processor_time": busy["peer"] / busy["ours"]}
    if "fp32" in sides:
        result |= {"ratio_fp32": wall["peer"] / wall["fp32"], "ratio_fp32_processor_time": busy["peer"] / busy["fp32"]}
    names = {"peer": peer.name, "ours": "Trainer.adversarial_step"}
    for name, what in names.items():
        peak = memory[name]
        result[name] = {
            "name": what,
            "seconds": round(wall[name], 4),
            "processor_seconds": round(busy[name], 4),
            "memory_mib": None if peak is None else round(peak, 1),
        }
    return {
        **result,
        "memory_ratio": memory["ours"] / memory["peer"] if memory["peer"] and memory["ours"] else None,
        "terms": terms,
        "drawing_seconds": round(drawing, 4),
        "outside_device": outside_device(ours, wall["ours"], drawing, options.device),
        "share": {"asked": options.share, "masked": batch.share, "tiles": sum(tiles) / batch.mask.numel()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--size", type=int, default=256, help="side of a view in pixels")
    parser.add_argument("--views", type=int, default=4, help="views a batch")
    parser.add_argument("--share", type=float, help=f"of a view that its faces cover ({SHARE}; then 1.0 is measured beside it, as ratio_full)")
    parser.add_argument("--repeats", type=int, default=3, help="steps of each side, in turn, after one to warm up; the median counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"], help="of our side; the original knows fp32 alone")
    parser.add_argument("--original", type=Path, help="a checkout of the original (else DARTBLUR_ORIGINAL, .work/original, or the rebuilt form)")
    given = parser.parse_args()
    common = {name: getattr(given, name) for name in ("size", "views", "repeats", "threads", "precision", "original")}
    options = Options(**common, share=given.share or SHARE, device=torch.device(given.device))
    configure(options.threads)
    torch.use_deterministic_algorithms(False)
    try:
        result = measure(options)
        if given.share is None:
            full = measure(Options(**common, share=1.0, device=options.device))
            result |= {"ratio_full": full["ratio"], "memory_ratio_full": full["memory_ratio"], "full": full}
        result["img_s"] = detector_rate(params_of(options), options)
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    # A path would say where somebody works; `peer` says what was run.
    known = {name: value for name, value in vars(given).items() if name not in ("json", "original")}
    result["settings"] = {**known, "share": options.share, "torch": torch.__version__, "detector_batch": params_of(options).detector.batch}
    if given.json:
        print(json.dumps(result))
        return
    for part in filter(None, (result, result.get("full"))):
        peer, ours = part["peer"], part["ours"]
        print(f"{peer['name']}, faces on {part['share']['masked']:.0%}: {peer['seconds']:.2f} s a step, ours {ours['seconds']:.2f} s")
        single = f" ({part['ratio_fp32']:.2f} in fp32)" if "ratio_fp32" in part else ""
        print(f"  ratio {part['ratio']:.2f}{single}; memory {peer['memory_mib']} and {ours['memory_mib']} MiB")
    print(f"a detector trains on {result['img_s']:.1f} pictures a second; outside the device: {result['outside_device']:.1%} of a step")


if __name__ == "__main__":
    main()
