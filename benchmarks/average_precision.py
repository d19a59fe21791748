"""Average precision at the size of WIDER FACE's validation set: ours against the usual Python port, in turn, on the same detections.

    .venv/bin/python benchmarks/average_precision.py --json                  # the whole size: the peer takes minutes
    .venv/bin/python benchmarks/average_precision.py --json --images 300     # a tenth of it

The peer is the plain evaluation that the tests compare with (tests/evaluation/wider_reference.py): what the public Python port does, loop for loop.
Ours includes matching. Both start from the same lists of arrays and measure easy, medium and hard; ours measures `all` too. With the whole size
`ratio` is about 120 on one core (44 s and 0.37 s).
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.evaluation.average_precision import WiderFaceAP
from dartblur.evaluation.counting import DIFFICULTIES, counted_by_height
from dartblur.params import load_params
from tests.evaluation.wider_reference import reference_ap

Floats = npt.NDArray[np.float64]
WIDER_IMAGES = 3226
BATCH = 16


def synthetic(images: int, detections: float, faces: float, seed: int) -> tuple[list[Floats], list[Floats], list[dict[str, torch.Tensor]]]:
    """Pictures with Poisson numbers of detections and faces: half of the detections lie near a face, with better scores than the rest."""
    rng = np.random.default_rng(seed)
    evaluate = load_params(Path(__file__).resolve().parents[1] / "params.yaml").evaluate
    found, annotations, counts = [], [], []
    for _ in range(images):
        number = rng.poisson(faces)
        height = np.exp(rng.uniform(np.log(8), np.log(300), number))
        corner = rng.uniform(0, 1, (number, 2)) * [1024 - 8, 768 - 8]
        boxes = np.concatenate([corner, corner + np.stack([0.8 * height, height], axis=1)], axis=1)
        total = rng.poisson(detections)
        near = np.arange(total) < total // 2 if number else np.zeros(total, np.bool_)
        rows = rng.uniform(0, 700, (total, 4))
        rows[:, 2:] = rows[:, :2] + rng.uniform(10, 100, (total, 1))
        if number:
            chosen = boxes[rng.integers(0, number, int(near.sum()))]
            side = chosen[:, 3:] - chosen[:, 1:2]
            rows[near] = chosen + rng.normal(0, 0.08, chosen.shape) * side
        scores = np.where(near, rng.beta(4, 1, total), rng.beta(1, 6, total))
        found.append(np.hstack([rows, scores[:, None]]))
        annotations.append(boxes)
        counts.append(counted_by_height(torch.from_numpy(boxes), torch.zeros(number, dtype=torch.bool), evaluate))
    return found, annotations, counts


def seconds(work: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--images", type=int, default=WIDER_IMAGES)
    parser.add_argument("--detections", type=float, default=67.0, help="mean number a picture")
    parser.add_argument("--faces", type=float, default=12.3, help="mean number a picture")
    parser.add_argument("--repeats", type=int, default=1, help="interleaved runs of each side, the median counts")
    options = parser.parse_args()
    found, faces, counts = synthetic(options.images, options.detections, options.faces, seed=0)
    tensors = [[torch.from_numpy(part) for part in column] for column in (found, faces)]

    def ours() -> dict[str, float]:
        metric = WiderFaceAP()
        for start in range(0, options.images, BATCH):
            part = slice(start, start + BATCH)
            metric.update(tensors[0][part], tensors[1][part], counts[part])
        return {name: float(value) for name, value in metric.compute().items()}

    def peer() -> dict[str, float]:
        return {name: reference_ap(found, faces, [c[name].numpy() for c in counts]) for name in DIFFICULTIES[:3]}

    ours()  # the first call pays for lazy imports
    times: dict[str, list[float]] = {"peer": [], "ours": []}
    for _ in range(options.repeats):
        peer_seconds, peer_ap = seconds(peer)
        ours_seconds, ours_ap = seconds(ours)
        times["peer"].append(peer_seconds)
        times["ours"].append(ours_seconds)
        difference = max(abs(peer_ap[name] - ours_ap[name]) for name in peer_ap)
        if difference > 1e-4:
            raise SystemExit(f"the two evaluations differ by {difference}: a speed-up of something else is no speed-up")
    medians = {name: statistics.median(values) for name, values in times.items()}
    ap = {name: round(value, 4) for name, value in ours_ap.items()}
    result = {
        "ratio": round(medians["peer"] / medians["ours"], 2),
        "peer": {"name": "plain Python evaluation, easy + medium + hard", "seconds": round(medians["peer"], 3)},
        "ours": {"name": "WiderFaceAP, easy + medium + hard + all, matching included", "seconds": round(medians["ours"], 3)},
        "settings": {
            **{name: getattr(options, name) for name in ("images", "detections", "faces", "repeats")},
            "threads": torch.get_num_threads(),
            "ap": ap,
            "largest_difference": difference,
        },
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(f"peer {medians['peer']:.2f} s, ours {medians['ours']:.2f} s: {result['ratio']} times as fast, AP {ap}")


if __name__ == "__main__":
    main()
