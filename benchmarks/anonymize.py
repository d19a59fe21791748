"""A folder of pictures anonymised: ``dartblur anonymize`` beside deface, and, with boxes given, beside the original DartBlur's scripts.

    .venv/bin/python benchmarks/anonymize.py --json
    DARTBLUR_ORIGINAL=<checkout> .venv/bin/python benchmarks/anonymize.py --json --rounds 5

Every side is a process of its own with all its start-up, run as a user runs it, in turn on the same 1280 x 720 JPEGs with 1 to 20 faces (mosaics of
data/sample). Ours has its defaults: the built-in detector and the learned blur; deface 1.5.0 too, in an environment of its own below .work/peers
(benchmarks/requirements-deface.txt), with the backend that is the faster one here. `ratio` is deface's time over ours, `peak_memory_mib` is ours.

`boxes_ratio` is about the user's own boxes instead of a detector, with a U-Net of the original's size (width 32, five levels, weights at random) on
both sides: the original's scripts (pre-blur, then the U-Net on the whole picture squashed to 768 x 768) from a checkout of JaNg2333/DartBlur at
28cdf76, else the same work on our modules; `boxes.peer` says which. Ours is exported in 8-bit integers (`dartblur export --integers`);
`boxes_ratio_floats` is the same network exported in floats, `boxes.ratio_default_model` the small one of the package. `shares` say where our time
goes, on one thread; decoding and encoding are the floor that no anonymiser gets under.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers import mosaics
from benchmarks.peers.mosaics import Mosaics
from benchmarks.peers.process import Run, environment, run
from benchmarks.peers.shares import milliseconds
from dartblur.errors import DartblurError

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".work" / "peers"
SMALL = "small"
"""The model that lies in the package."""
WIDTH, DEPTH = 32, 5
"""Of the original's U-Net."""
_WITHHELD = 1
"""How ours ends when a picture was not written; such a picture does not count as done."""


@dataclass(frozen=True)
class Side:
    """One program: a turn of it runs it once, with nothing of an earlier turn in its way, and says how many pictures it has made."""

    name: str
    turn: Callable[[], tuple[Run, int]]


def ours(pictures: Path, scratch: Path, options: list[str | Path], name: str) -> Side:
    """``dartblur anonymize`` on a folder."""
    out = scratch / "out"

    def turn() -> tuple[Run, int]:
        shutil.rmtree(out, ignore_errors=True)
        taken = run([Path(sys.executable).parent / "dartblur", "anonymize", pictures, out, *options], scratch / "ours.log", (0, _WITHHELD))
        return taken, len(list(out.glob("*.jpg")))

    return Side(name, turn)


def deface(bin_folder: Path, pictures: Mosaics, scratch: Path, backend: str) -> Side:
    """deface on a folder; it writes beside what it reads."""

    def turn() -> tuple[Run, int]:
        folder = mosaics.copied(pictures, scratch / "deface")
        taken = run([bin_folder / "deface", "--backend", backend, folder], scratch / "deface.log")
        return taken, len(list(folder.glob("*_anonymized.jpg")))

    return Side(f"deface 1.5.0, its defaults, backend {backend}", turn)


def faster(sides: list[Side]) -> Side:
    """The one that takes less time, by one turn of each, which warms up the disk cache too."""
    return min(sides, key=lambda side: side.turn()[0].seconds)


def interleaved(sides: Mapping[str, Side], rounds: int) -> dict[str, list[tuple[Run, int]]]:
    """Some turns of each side, in turn."""
    taken: dict[str, list[tuple[Run, int]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            taken[name].append(side.turn())
    return taken


def figures(sides: Mapping[str, Side], taken: Mapping[str, list[tuple[Run, int]]]) -> dict[str, Any]:
    """Ratios of ``peer`` to ``ours`` in time for a picture, and what each took; medians of the turns."""

    def median(name: str, value: Callable[[Run], float]) -> float:
        return statistics.median(value(one) / max(made, 1) for one, made in taken[name])

    wall, busy = ({name: median(name, value) for name in sides} for value in (lambda one: one.seconds, lambda one: one.processor_seconds))
    result: dict[str, Any] = {"ratio": round(wall["peer"] / wall["ours"], 2), "ratio_processor_time": round(busy["peer"] / busy["ours"], 2)}
    for name, side in sides.items():
        peaks = [one.memory_mib for one, _ in taken[name] if one.memory_mib is not None]
        result[name] = {
            "name": side.name,
            "pictures_per_second": round(1 / wall[name], 2),
            "seconds_a_picture": round(wall[name], 4),
            "processor_seconds_a_picture": round(busy[name], 4),
            "peak_memory_mib": round(max(peaks), 1) if peaks else None,
            "pictures": [made for _, made in taken[name]],
        }
    return result


def packaged() -> bool:
    """Whether the package has its small model."""
    return files("dartblur").joinpath("weights/small.onnx").is_file()


def exported(scratch: Path) -> Path:
    """The U-Net of the package as an ONNX file, where there is no small model."""
    from dartblur.blur.dartblur import DartBlur
    from dartblur.blur.export import export_onnx

    path = scratch / "people.onnx"
    export_onnx(DartBlur.load(ROOT / "dartblur/weights/people.safetensors"), path)
    return path


@dataclass(frozen=True)
class OriginalSize:
    """A U-Net of the original's size with weights at random: for its scripts, and exported for ours."""

    weights: Path
    floats: Path
    integers: Path

    @classmethod
    def make(cls, scratch: Path, tiles: Mapping[str, Any]) -> "OriginalSize":
        """Below ``scratch``; ``tiles`` say how ours lays tiles."""
        from benchmarks.original_step import start_networks
        from dartblur.blur.dartblur import DartBlur, save_unet
        from dartblur.blur.export import export_onnx
        from dartblur.blur.repaint import DartBlurConfig
        from dartblur.stages.export import write_integers

        made = cls(*(scratch / name for name in ("original.safetensors", "original.onnx", "integers.onnx")))
        save_unet(made.weights, start_networks().unet, DartBlurConfig(WIDTH, DEPTH, 1.0, **tiles))
        export_onnx(DartBlur.load(made.weights), made.floats)
        write_integers(made.floats, made.integers, ROOT / "data/sample")
        return made


def against_deface(options: argparse.Namespace, pictures: Mosaics, model: str | Path, scratch: Path) -> dict[str, Any]:
    """Detection and the learned blur, beside deface."""
    bin_folder = environment("deface", ROOT / "benchmarks/requirements-deface.txt", WORK)
    mine = ours(pictures.folder, scratch, [] if model == SMALL else ["--model", model], f"dartblur anonymize, its defaults, model {_name(model)}")
    mine.turn()  # the first one compiles our modules and reads the disk
    sides = {"peer": faster([deface(bin_folder, pictures, scratch, backend) for backend in ("opencv", "onnxrt")]), "ours": mine}
    return figures(sides, interleaved(sides, options.rounds))


def against_original(options: argparse.Namespace, model: str | Path, scratch: Path) -> dict[str, Any]:
    """Boxes given, a U-Net of the original's size, beside its scripts."""
    from benchmarks.peers.original_folder import OriginalFolder

    pictures = mosaics.make(ROOT / "data/sample", WORK, options.boxes_pictures)
    tiles = {"context": options.context, "face_min": 24, "face_max": options.face_max}
    network = OriginalSize.make(scratch, tiles)
    folder = scratch / "original"
    folder.mkdir()
    peer = OriginalFolder(pictures.folder, pictures.annotations, pictures.boxes, network.weights, folder, options.original)

    def turn() -> tuple[Run, int]:
        return peer.run(scratch / "original.log"), len(list(peer.out.glob("*.jpg")))

    def with_boxes(model: str | Path, what: str) -> Side:
        given: list[str | Path] = ["--detector", "none", "--annotations", pictures.annotations, "--model", model]
        return ours(pictures.folder, scratch, given, f"dartblur anonymize, boxes given, {what}")

    size = f"U-Net of width {WIDTH}, depth {DEPTH}"
    sides = {"peer": Side(peer.name, turn), "ours": with_boxes(network.integers, f"{size}, 8-bit integers")}
    others = {"floats": with_boxes(network.floats, f"{size}, floats"), "default_model": with_boxes(model, f"model {_name(model)}")}
    taken = interleaved(sides | others, options.boxes_rounds)
    result = figures(sides, taken)
    for name in others:
        seconds = statistics.median(one.seconds / max(made, 1) for one, made in taken[name])
        result[f"ratio_{name}"] = round(result["peer"]["seconds_a_picture"] / seconds, 2)
    return {**result, "tiles": tiles, "pictures": pictures.about()}


def where_time_goes(pictures: Mosaics, model: str | Path, scratch: Path) -> dict[str, Any]:
    """Our steps in milliseconds a picture and as shares, with the detector and with boxes given."""
    from dartblur.anonymizer.command import share_cores
    from dartblur.anonymizer.methods import Choice
    from dartblur.anonymizer.settings import Settings, make_work

    share_cores(2)  # a thread for each of two pictures at a time; here there is one
    result: dict[str, Any] = {}
    for name, given in (("detector", None), ("boxes", pictures.boxes)):
        settings = Settings(Choice(model=str(model)), detectors=("yunet",) if given is None else ())
        taken = milliseconds(pictures.folder, scratch / "shares", make_work(settings), given)
        total = sum(taken.values())
        result[name] = {
            "milliseconds": {step: round(value, 2) for step, value in taken.items()},
            "share": {step: round(value / total, 3) for step, value in taken.items()},
            "decode_and_encode": round((taken["decode"] + taken["encode"]) / total, 3),
        }
    return result


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All figures."""
    pictures = mosaics.make(ROOT / "data/sample", WORK, options.pictures)
    model = options.model or (SMALL if packaged() else exported(scratch))
    result = against_deface(options, pictures, model, scratch)
    result["peak_memory_mib"] = result["ours"]["peak_memory_mib"]
    if options.boxes_rounds:
        boxes = against_original(options, model, scratch)
        result |= {"boxes_ratio": boxes["ratio"], "boxes_ratio_floats": boxes["ratio_floats"], "boxes": boxes}
    result["shares"] = where_time_goes(pictures, model, scratch)
    # A path would say where somebody works.
    known = {name: value for name, value in vars(options).items() if name not in ("json", "original", "model")}
    result["settings"] = {**known, "model": _name(model), "cores": len(os.sched_getaffinity(0)), "pictures": pictures.about()}
    return result


def _name(model: str | Path) -> str:
    return model if isinstance(model, str) else model.name


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--pictures", type=int, default=40, help="in the folder, with 1 to 20 faces each")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side, after one to warm up; the median counts")
    parser.add_argument("--boxes-pictures", type=int, default=20, help="in the folder beside the original, which takes seconds for each")
    parser.add_argument("--boxes-rounds", type=int, default=2, help="turns of each side there; 0 leaves it out")
    parser.add_argument("--context", type=float, default=0.125, help="of the U-Net of the original's size: surroundings of a face that it sees")
    parser.add_argument("--face-max", type=int, default=96, help="of the same: larger faces are shrunk to so many pixels")
    parser.add_argument("--model", type=Path, help="an .onnx for our side, instead of the small one of the package")
    parser.add_argument("--original", type=Path, help="a checkout of the original (else DARTBLUR_ORIGINAL, .work/original, or the rebuilt form)")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(options, Path(folder))
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    for what, part in (("detector", result), ("boxes given", result.get("boxes"))):
        if part:
            print(f"{what}: {part['peer']['name']}: {part['peer']['pictures_per_second']} pictures a second")
            print(f"  ours {part['ours']['pictures_per_second']}, {part['ratio']} times as fast ({part['ratio_processor_time']} in processor time)")
    for what, part in result["shares"].items():
        print(f"{what}: {part['milliseconds']} ms a picture; decoding and encoding are {part['decode_and_encode']:.0%}")
    print(f"peak memory of ours {result['peak_memory_mib']} MiB")
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
