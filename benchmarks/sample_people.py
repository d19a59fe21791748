"""Are the sample people people? Ready detectors must find their faces, and a recogniser must tell them apart.

    .venv/bin/python benchmarks/sample_people.py                              # data/sample, about four minutes on one core
    .venv/bin/python benchmarks/sample_people.py --max-images 40 --detectors yunet centerface
    .venv/bin/python benchmarks/sample_people.py --data data/canonical --json

Any canonical data set with the columns identity, role and visible will do. Detectors see the pictures as they are, at their usual score
threshold (printed). A face counts where at least 0.7 of it is seen: from 32 pixels of height for detectors, from 80 for the recogniser. Found is
a face that a detection of its own overlaps with IoU 0.5; a detection on a face that does not count is neither right nor wrong.

The exit status is 1 where a bar is missed: yunet and centerface find 0.90, mtcnn 0.80, and over at least 200 pairs of one person the recogniser
has a verification AUC of 0.95. A pair is a gallery face and a probe face; its band is that of the smaller one.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.detector.detections import Detections, FaceDetector
from dartblur.detector.pretrained import DETECTORS, load_detector
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.recognition import Recogniser, verification_auc
from dartblur.faces.boxes import as_boxes, iou
from dartblur.faces.dataset import SPLITS, FaceDataset, Picture

Bools = npt.NDArray[np.bool_]
IOU = 0.5
VISIBLE = 0.7
DETECTOR_BANDS = (32, 48, 80, 128)
RECOGNISER_BANDS = (80, 112, 160)
BARS = {"yunet": 0.90, "centerface": 0.90, "mtcnn": 0.80}
AUC_BAR = 0.95
SAME_PAIRS = 200


def faces_of(data: FaceDataset) -> pd.DataFrame:
    """The faces of a set with their height and whether they count; one row each."""
    missing = [column for column in ("identity", "role", "visible") if column not in data.table]
    if missing:
        raise UsageError(f"{data.root}: lacks the columns {', '.join(missing)}, so it cannot be judged; take data/sample")
    table = data.table[data.table["x1"].notna()]
    height = table["y2"] - table["y1"]
    return table.assign(height=height, seen=~table["ignore"] & (table["visible"] >= VISIBLE))


def band_names(bands: tuple[int, ...]) -> list[str]:
    return [f"{low}-{high}" for low, high in itertools.pairwise(bands)] + [f"{bands[-1]}+"]


def bands_of(heights: npt.NDArray[np.float64], bands: tuple[int, ...]) -> list[tuple[str, Bools]]:
    index = np.searchsorted(bands, heights, side="right") - 1
    return [(name, index == number) for number, name in enumerate(band_names(bands))]


def match(found: Detections, boxes: npt.NDArray[np.float64], counts: Bools) -> tuple[Bools, int]:
    """Which faces are found, and how many detections are on none: best detection first, each takes the free face that it overlaps most."""
    taken = np.zeros(len(boxes), np.bool_)
    wrong = 0
    overlaps = iou(found.boxes, boxes)
    for row in overlaps:
        free = np.where(taken, 0.0, row)
        if len(boxes) and free.max() >= IOU:
            taken[free.argmax()] = True
        elif not (row[~counts] >= IOU).any():
            wrong += 1
    return taken, wrong


def judge_detector(detector: FaceDetector, data: FaceDataset, pictures: list[Picture], faces: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    hits, heights, wrong, seconds = [], [], 0, 0.0
    for picture in pictures:
        image = data.read(picture)
        start = time.perf_counter()
        found = detector.detect(image)
        seconds += time.perf_counter() - start
        rows = faces.get(picture.name)
        boxes = as_boxes([] if rows is None else rows[["x1", "y1", "x2", "y2"]])
        counts = np.zeros(0, np.bool_) if rows is None else (rows["seen"] & (rows["height"] >= DETECTOR_BANDS[0])).to_numpy(np.bool_)
        taken, more = match(found, boxes, counts)
        wrong += more
        hits.append(taken[counts])
        heights.append((boxes[:, 3] - boxes[:, 1])[counts])
    hit, height = np.concatenate(hits), np.concatenate(heights)
    right = int(hit.sum())
    bar = BARS.get(detector.name)
    share = share_of(hit)
    return {
        "score": detector.score,
        "found": {"all": share, **{name: share_of(hit[flags]) for name, flags in bands_of(height, DETECTOR_BANDS)}},
        "faces": {"all": len(hit), **{name: int(flags.sum()) for name, flags in bands_of(height, DETECTOR_BANDS)}},
        "precision": round(right / (right + wrong), 4) if right + wrong else None,
        "ms_a_picture": round(1000 * seconds / max(1, len(pictures)), 1),
        "bar": bar,
        "passed": bar is None or (share is not None and share >= bar),
    }


def share_of(flags: Bools) -> float | None:
    return round(float(flags.mean()), 4) if len(flags) else None


def judge_recogniser(data: FaceDataset, pictures: list[Picture], faces: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    recogniser = Recogniser()
    rows, points, seconds = [], [], 0.0
    for picture in pictures:
        table = faces.get(picture.name)
        if table is None:
            continue
        table = table[table["seen"] & (table["height"] >= RECOGNISER_BANDS[0]) & (table["identity"] != "") & (table["role"] != "")]
        if len(table):
            image = data.read(picture)
            start = time.perf_counter()
            points.append(recogniser.embed(image, table[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)))
            seconds += time.perf_counter() - start
            rows.append(table)
    if not rows:
        return {"auc": {"all": None}, "same_pairs": {"all": 0}, "different_pairs": {"all": 0}, "faces": 0, "passed": False}
    table, points_of = pd.concat(rows, ignore_index=True), np.concatenate(points)
    gallery, probe = (np.flatnonzero(table["role"] == role) for role in ("gallery", "probe"))
    distance = np.linalg.norm(points_of[gallery][:, None] - points_of[probe][None], axis=2)  # (G, P)
    identity, split, height = (table[column].to_numpy() for column in ("identity", "split", "height"))
    same = identity[gallery][:, None] == identity[probe][None]
    smaller = np.minimum(height[gallery][:, None], height[probe][None]).astype(np.float64)
    groups = {
        "all": np.ones_like(same),
        **{name: (split[gallery] == name)[:, None] & (split[probe] == name)[None] for name in SPLITS},
        **dict(bands_of(smaller, RECOGNISER_BANDS)),
    }
    auc = {name: auc_of(distance[flags & same], distance[flags & ~same]) for name, flags in groups.items()}
    pairs = {name: int((flags & same).sum()) for name, flags in groups.items()}
    return {
        "auc": auc,
        "same_pairs": pairs,
        "different_pairs": {name: int((flags & ~same).sum()) for name, flags in groups.items()},
        "faces": len(table),
        "people": int(table["identity"].nunique()),
        "ms_a_face": round(1000 * seconds / len(table), 1),
        "bar": {"auc": AUC_BAR, "same_pairs": SAME_PAIRS},
        "passed": auc["all"] is not None and auc["all"] >= AUC_BAR and pairs["all"] >= SAME_PAIRS,
    }


def auc_of(same: npt.NDArray[np.float64], different: npt.NDArray[np.float64]) -> float | None:
    return round(verification_auc(same, different), 4) if len(same) and len(different) else None


def line(name: str, values: Iterable[Any]) -> str:
    return f"{name:<12}" + "".join(f"{'-' if value is None else value:>10}" for value in values)


def judge(options: argparse.Namespace) -> dict[str, Any]:
    data = FaceDataset(options.data)
    faces = {str(name): rows for name, rows in faces_of(data).groupby("image")}
    pictures = data.pictures()
    if options.max_images:
        pictures = pictures[:: max(1, -(-len(pictures) // options.max_images))]
    detectors: dict[str, Any] = {}
    print(f"{len(pictures)} pictures of {options.data}; share of faces found by height in pixels, faces seen to {VISIBLE} and more, IoU {IOU}")
    for name in options.detectors:
        detectors[name] = figures = judge_detector(load_detector(name), data, pictures, faces)
        if len(detectors) == 1:
            print(line("", ["score", *figures["faces"], "precision", "ms", "bar"]))
            print(line("faces", ["", *figures["faces"].values()]))
        values = [figures["score"], *figures["found"].values(), figures["precision"], figures["ms_a_picture"], figures["bar"]]
        print(line(name, values) + ("" if figures["passed"] else "   MISSED"), flush=True)
    recogniser = judge_recogniser(data, pictures, faces)
    print(f"\nverification of gallery and probe faces, {recogniser['faces']} faces; bar {AUC_BAR} over {SAME_PAIRS} pairs of one person")
    print(line("", recogniser["auc"]))
    for label, key in (("AUC", "auc"), ("same", "same_pairs"), ("different", "different_pairs")):
        print(line(label, recogniser[key].values()) + ("   MISSED" if key == "auc" and not recogniser["passed"] else ""))
    passed = all(figures["passed"] for figures in [*detectors.values(), recogniser])
    return {"data": str(options.data), "pictures": len(pictures), "detectors": detectors, "recogniser": recogniser, "passed": passed}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--data", type=Path, default=Path("data/sample"))
    parser.add_argument("--detectors", nargs="*", default=list(DETECTORS), choices=list(DETECTORS))
    parser.add_argument("--max-images", type=int, default=0, help="as many pictures at most, evenly spread; 0 is all")
    options = parser.parse_args()
    try:
        result = judge(options)
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    if options.json:
        print(json.dumps(result))
    raise SystemExit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
