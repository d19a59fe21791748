"""How many annotated faces `dartblur anonymize` finds with its default settings, beside deface with its own, on the same pictures in turn.

    .venv/bin/python benchmarks/recall.py FOLDER...                          # any layout that dartblur reads, all pictures
    .venv/bin/python benchmarks/recall.py --json --ours yunet yunet+centerface --max-images 100 FOLDER
    .venv/bin/python benchmarks/recall.py                                    # 60 pictures of data/sample

A face counts from 16 pixels of height; one that is marked as ignored, or smaller, is neither to be found nor wrong to find. `found` is the share of
faces that a detection of its own overlaps with IoU 0.4, `covered` the share of which detections cover 0.8 and more, `hidden` the same of what each
tool hides by default: deface an ellipse in the box enlarged by its mask scale, dartblur the box with its margin. `precision` is the share of
detections that are on a face; a second one on the same face is wrong.

Then both look at pictures of 1280 x 720 in turn (`--speed 0` leaves it out): `ratio` is deface's median time over ours. Decoding is in neither.
The exit status is 1 where the first of `--ours` has less recall or less precision than deface.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dartblur.detector.detections import Detections, FaceDetector
from dartblur.detector.finder import DETECTED_MARGIN, load_finder, merge
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, intersection, iou
from dartblur.faces.formats import SourcePicture, read_source
from dartblur.media.images import Image, read_image, write_image

ROOT = Path(__file__).resolve().parents[1]
SAMPLE, SAMPLE_IMAGES = ROOT / "data" / "sample", 60
PEER = "deface"
IOU, COVERED = 0.4, 0.8
LEAST = 16
"""Height in pixels from which a face counts."""
BANDS = (16, 24, 32, 64)
SPEED_SIZE = (1280, 720)
GRID = 32
"""Points along each side of a face at which it is covered or not."""

Bools = npt.NDArray[np.bool_]


class Deface:
    """deface's own detector in its own process."""

    def __init__(self) -> None:
        program = [sys.executable, str(Path(__file__).with_name("peers") / "deface_boxes.py")]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.settings = self._read()

    def boxes(self, path: Path) -> tuple[Boxes, float]:
        """Its boxes in a picture, best first, and the seconds of its detector."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer = self._read()
        rows = np.asarray(answer["boxes"], np.float64).reshape(-1, 5)
        return rows[np.argsort(-rows[:, 4], kind="stable"), :4], answer["seconds"]

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            words = (self._process.communicate()[1].strip().splitlines() or ["no word"])[-1]
            raise DartblurError(f"deface ended: {words}")
        return json.loads(line)


@contextmanager
def deface() -> Iterator[Deface]:
    peer = Deface()
    try:
        yield peer
    finally:
        peer.end()


class Ours:
    """One of our detectors as anonymising uses it, or several of them, whose faces are put together."""

    def __init__(self, name: str) -> None:
        self.detectors: list[FaceDetector] = [load_finder(part) for part in name.split("+")]
        self.settings = {detector.name: detector.score for detector in self.detectors}

    def boxes(self, image: Image) -> tuple[Boxes, float]:
        """Boxes in a picture, best first, and seconds."""
        start = time.perf_counter()
        found = [detector.detect(image) for detector in self.detectors]
        if len(found) > 1:
            together = (np.concatenate([one.boxes for one in found]), np.concatenate([one.scores for one in found]))
            found = [Detections.of(*merge(*together, np.zeros(len(together[1]), np.bool_)), image)]
        return found[0].boxes, time.perf_counter() - start


@dataclass
class Tally:
    """What a tool did in one folder; a row a face that counts."""

    heights: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, boxes: Boxes, masks: Boxes, ellipse: bool, faces: Boxes, counts: Bools) -> None:
        """Count one picture: detections (best first), what is hidden for them, and all annotated faces."""
        taken, right, wrong = match(boxes, faces, counts)
        self.right, self.wrong = self.right + right, self.wrong + wrong
        self.heights += (faces[counts, 3] - faces[counts, 1]).tolist()
        self.found += taken[counts].tolist()
        self.covered += [cover(face, boxes, False) >= COVERED for face in faces[counts]]
        self.hidden += [cover(face, masks, ellipse) >= COVERED for face in faces[counts]]

    def figures(self) -> dict[str, Any]:
        """The shares, and those by height."""
        heights = np.array(self.heights)
        low, high = np.array(BANDS), np.array([*BANDS[1:], np.inf])
        bands = {f"{a}-{b:g}": (heights >= a) & (heights < b) for a, b in zip(low, high, strict=True)}
        return {
            **{name: share(np.array(getattr(self, name))) for name in ("found", "covered", "hidden")},
            "precision": round(self.right / (self.right + self.wrong), 4) if self.right + self.wrong else None,
            "false_alarms": self.wrong,
            "found_by_height": {name: share(np.array(self.found)[flags]) for name, flags in bands.items()},
            "ms": round(1000 * statistics.median(self.seconds), 1),
        }


def match(boxes: Boxes, faces: Boxes, counts: Bools) -> tuple[Bools, int, int]:
    """Which faces are found, and how many detections are right and wrong: best first, each takes the free face that it overlaps most."""
    taken = np.zeros(len(faces), np.bool_)
    right = wrong = 0
    overlaps, own = iou(boxes, faces), intersection(boxes, faces)
    sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for index, row in enumerate(overlaps):
        free = np.where(taken | ~counts, 0.0, row)
        if free.max(initial=0) >= IOU:
            taken[free.argmax()] = True
            right += 1
        elif not ((row >= IOU) | (own[index] >= 0.5 * sizes[index]))[~counts].any():
            wrong += 1
    return taken, right, wrong


def cover(face: npt.NDArray[np.float64], boxes: Boxes, ellipse: bool) -> float:
    """Share of a face's box that lies in one of ``boxes``, or in the ellipses in them."""
    steps = (np.arange(GRID) + 0.5) / GRID
    x, y = face[0] + steps * (face[2] - face[0]), face[1] + steps * (face[3] - face[1])
    inside = np.zeros((GRID, GRID), np.bool_)
    for x1, y1, x2, y2 in boxes:
        if ellipse:
            across, down = (2 * x - x1 - x2) / max(x2 - x1, 1e-9), (2 * y - y1 - y2) / max(y2 - y1, 1e-9)
            inside |= across[None] ** 2 + down[:, None] ** 2 <= 1
        else:
            inside |= ((y >= y1) & (y < y2))[:, None] & ((x >= x1) & (x < x2))[None]
    return float(inside.mean())


def grown(boxes: Boxes, margin: float) -> Boxes:
    return np.asarray(boxes + margin * np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1], np.float64)


def share(flags: Bools) -> float | None:
    return round(float(flags.mean()), 4) if len(flags) else None


def annotated(picture: SourcePicture, image: Image) -> tuple[Boxes, Bools]:
    """The faces of a picture (N x 4) and which of them count."""
    scale = np.array(image.shape[1::-1] * 2) if picture.relative else np.ones(4)
    faces = as_boxes([face.box for face in picture.faces]) * scale
    sides = faces[:, 2:] - faces[:, :2]
    ignored = np.array([face.ignore for face in picture.faces], np.bool_)
    return faces, ~ignored & (sides > 0).all(axis=1) & (sides[:, 1] >= LEAST)


def judge(folder: Path, tools: dict[str, Ours], peer: Deface, limit: int) -> dict[str, Any]:
    pictures = read_source(folder).pictures
    if limit:
        pictures = pictures[:: max(1, -(-len(pictures) // limit))]
    tallies = {name: Tally() for name in (*tools, PEER)}
    for picture in pictures:
        image = read_image(picture.path)
        faces, counts = annotated(picture, image)
        for name, tool in tools.items():
            boxes, seconds = tool.boxes(image)
            tallies[name].add(boxes, grown(boxes, DETECTED_MARGIN), False, faces, counts)
            tallies[name].seconds.append(seconds)
        boxes, seconds = peer.boxes(picture.path)
        tallies[PEER].add(boxes, grown(boxes, peer.settings["mask_scale"] - 1), True, faces, counts)
        tallies[PEER].seconds.append(seconds)
    return {"pictures": len(pictures), "faces": len(tallies[PEER].heights), **{name: tally.figures() for name, tally in tallies.items()}}


def race(pictures: Sequence[Path], tools: dict[str, Ours], peer: Deface) -> dict[str, float]:
    """Median milliseconds a picture of 1280 x 720, all tools in turn on each."""
    times: dict[str, list[float]] = {name: [] for name in (*tools, PEER)}
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate([pictures[0], *pictures]):
            image = np.asarray(cv2.resize(read_image(path), SPEED_SIZE), np.uint8)
            write_image(Path(folder) / "picture.png", image)
            taken = {name: tool.boxes(image)[1] for name, tool in tools.items()}
            taken[PEER] = peer.boxes(Path(folder) / "picture.png")[1]
            if number:  # the first pays for what is done once
                for name, seconds in taken.items():
                    times[name].append(seconds)
    return {name: round(1000 * statistics.median(values), 1) for name, values in times.items()}


def show(folder: Path, figures: dict[str, Any], names: Sequence[str]) -> None:
    print(f"\n{folder.name}: {figures['pictures']} pictures, {figures['faces']} faces of {LEAST} pixels and more")
    bands = list(figures[PEER]["found_by_height"])
    columns = ["found", "covered", "hidden", "precision", "false_alarms", "ms"]
    print(f"{'':<20}" + "".join(f"{name:>13}" for name in (*columns, *bands)))
    for name in names:
        values = [*(figures[name][column] for column in columns), *figures[name]["found_by_height"].values()]
        print(f"{name:<20}" + "".join(f"{'-' if value is None else value:>13}" for value in values), flush=True)


def at_least(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return all((ours[name] or 0) >= (theirs[name] or 0) for name in ("found", "precision"))


def run(options: argparse.Namespace) -> dict[str, Any]:
    tools = {name: Ours(name) for name in options.ours}
    folders, limit = (options.folders, options.max_images) if options.folders else ([SAMPLE], options.max_images or SAMPLE_IMAGES)
    with deface() as peer:
        print(f"{PEER} {peer.settings}; dartblur { {name: tool.settings for name, tool in tools.items()} }, OpenCV threads {cv2.getNumThreads()}")
        results = {}
        for folder in folders:
            results[folder.name] = figures = judge(folder, tools, peer, limit)
            show(folder, figures, [*tools, PEER])
        speed = None
        if options.speed:
            paths = [picture.path for folder in folders for picture in read_source(folder).pictures]
            speed = race(paths[:: max(1, len(paths) // options.speed)][: options.speed], tools, peer)
            print(f"\n{SPEED_SIZE[0]} x {SPEED_SIZE[1]}, milliseconds a picture: {speed}")
    first = options.ours[0]
    return {
        "ratio": round(speed[PEER] / speed[first], 2) if speed else None,
        "peer": {"name": PEER, "ms": speed and speed[PEER], **{name: figures[PEER] for name, figures in results.items()}},
        "ours": {"name": first, "ms": speed and speed[first], **{name: figures[first] for name, figures in results.items()}},
        "others": {name: {folder: figures[name] for folder, figures in results.items()} for name in options.ours[1:]},
        "settings": {
            "peer": peer.settings,
            "scores": {name: tool.settings for name, tool in tools.items()},
            "margin": DETECTED_MARGIN,
            "threads": cv2.getNumThreads(),
            "iou": IOU,
            "least_height": LEAST,
            "counts": {name: {key: figures[key] for key in ("pictures", "faces")} for name, figures in results.items()},
            "speed": {"size": SPEED_SIZE, "pictures": options.speed},
        },
        "passed": all(at_least(figures[first], figures[PEER]) for figures in results.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folders", nargs="*", type=Path, help="annotated pictures; without one, some of data/sample")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--ours", nargs="+", default=["yunet"], metavar="NAME", help="detectors, several joined by +; the first is judged")
    parser.add_argument("--max-images", type=int, default=0, help="as many pictures of a folder at most, evenly spread; 0 is all")
    parser.add_argument("--speed", type=int, default=20, help="pictures whose time is taken at 1280 x 720")
    parser.add_argument("--threads", type=int, default=0, help="threads of our detectors; 0 is as many as OpenCV takes. deface takes all cores")
    options = parser.parse_args()
    if options.threads:
        cv2.setNumThreads(options.threads)
    try:
        result = run(options)
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    if options.json:
        print(json.dumps(result))
    raise SystemExit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
