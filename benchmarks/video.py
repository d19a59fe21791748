"""A film of ten seconds anonymised: ``dartblur anonymize`` beside deface, on the same file in turn; frames in which a face is still to be seen.

    .venv/bin/python benchmarks/video.py --json

1280 x 720 with moving faces of people who do not exist (scenes of data/sample) and sound. Every side is a process of its own with all its start-up,
at its defaults. `ratio` is deface's time over ours. A face is `uncovered` in a frame where its fine detail is still that of the source: the
correlation of the two, without what is coarser than 0.03 of its side, in the middle of its box, is above one half. `sound` says whether the
packets of sound are those of the source, byte for byte, and at the same times.

The exit status is 1 where ours leaves a face uncovered or changes the sound.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.anonymize import Side, faster, figures, interleaved
from benchmarks.peers import films
from benchmarks.peers.films import Film
from benchmarks.peers.process import Run, environment, run
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.images import Image

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".work" / "peers"
SEEN = 0.5
"""Correlation of fine detail from which a face is to be seen."""
_FINE = 0.03
"""Standard deviation, in face sides, of a Gaussian; what is left of a face without what it keeps is fine detail. An ordinary blur's has 0.08."""
_MIDDLE = 0.15
"""Of a box's sides that is left out on each side: hair and background."""


def ours(film: Film, out: Path, scratch: Path) -> Side:
    """``dartblur anonymize`` on the film."""

    def turn() -> tuple[Run, int]:
        out.unlink(missing_ok=True)
        taken = run([Path(sys.executable).parent / "dartblur", "anonymize", film.path, out], scratch / "ours.log")
        return taken, len(film.boxes)

    return Side("dartblur anonymize, its defaults", turn)


def deface(bin_folder: Path, film: Film, out: Path, scratch: Path, backend: str) -> Side:
    """deface on the film, with its sound."""

    def turn() -> tuple[Run, int]:
        out.unlink(missing_ok=True)
        taken = run([bin_folder / "deface", "--backend", backend, "--keep-audio", "--output", out, film.path], scratch / "deface.log")
        return taken, len(film.boxes)

    return Side(f"deface 1.5.0, its defaults and --keep-audio, backend {backend}", turn)


def frames(path: Path) -> Iterator[Image]:
    """The decoded frames of a film, uint8, H x W x 3, RGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield cast(Image, frame.to_ndarray(format="rgb24"))


def sound(path: Path) -> list[tuple[bytes, Fraction]]:
    """The packets of sound: bytes, and when each is heard, in seconds."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [(bytes(packet), (packet.pts or 0) * packet.time_base) for packet in packets]


def detail(before: Image, after: Image, box: Boxes) -> float:
    """How far the fine detail of a face (4) in ``after`` is that of ``before``: a correlation, 0 where there is no detail."""
    x1, y1, x2, y2 = box
    across, down = _MIDDLE * (x2 - x1), _MIDDLE * (y2 - y1)
    part = (slice(max(int(y1 + down), 0), int(y2 - down)), slice(max(int(x1 + across), 0), int(x2 - across)))
    sigma = max(_FINE * float(min(x2 - x1, y2 - y1)), 0.7)
    fine = []
    for image in (before, after):
        grey = cv2.cvtColor(np.ascontiguousarray(image[part]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine.append((grey - cv2.GaussianBlur(grey, (0, 0), sigma)).ravel())
    norm = float(np.linalg.norm(fine[0]) * np.linalg.norm(fine[1]))
    return float(fine[0] @ fine[1]) / norm if norm > 0 else 0.0


def uncovered(film: Film, out: Path) -> dict[str, Any]:
    """Faces that are still to be seen in an anonymised copy of the film."""
    found, bare = [], 0
    for boxes, before, after in zip_longest(film.boxes, frames(film.path), frames(out)):
        if boxes is None or before is None or after is None or before.shape != after.shape:
            raise DartblurError(f"{out.name}: has other frames than the film; nothing can be said of its faces")
        values = [detail(before, after, box) for box in boxes]
        found += values
        bare += any(value > SEEN for value in values)
    kept = {"detail_median": round(float(np.median(found)), 3), "detail_most": round(max(found), 3)}
    return {"frames": bare, "faces": sum(value > SEEN for value in found), "of_faces": len(found), **kept}


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    film = films.make(ROOT / "data/sample", WORK, options.seconds)
    bin_folder = environment("deface", ROOT / "benchmarks/requirements-deface.txt", WORK)
    outs = {"peer": scratch / "deface.mp4", "ours": scratch / "ours.mp4"}
    mine = ours(film, outs["ours"], scratch)
    mine.turn()  # the first one compiles our modules and reads the disk
    peer = faster([deface(bin_folder, film, outs["peer"], scratch, backend) for backend in ("opencv", "onnxrt")])
    result = figures({"peer": peer, "ours": mine}, interleaved({"peer": peer, "ours": mine}, options.rounds))
    for name, out in outs.items():
        result[name]["uncovered"] = uncovered(film, out)
        result[name]["bytes"] = out.stat().st_size
    result["ours"]["sound_is_the_source_s"] = sound(outs["ours"]) == sound(film.path)
    result["settings"] = {"rounds": options.rounds, "cores": len(os.sched_getaffinity(0)), "film": film.about()}
    if options.keep:
        for name, out in outs.items():
            options.keep.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(out, options.keep / f"{name}.mp4")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--seconds", type=int, default=films.SECONDS, help="length of the film")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side, after one to warm up; the median counts")
    parser.add_argument("--keep", type=Path, help="a folder for the films that were made")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(options, Path(folder))
    except DartblurError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    for name in ("peer", "ours"):
        side, seen = result[name], result[name]["uncovered"]
        print(f"{side['name']}: {side['pictures_per_second']} frames a second, {side['peak_memory_mib']} MiB")
        print(f"  {seen['frames']} frames with an uncovered face, {seen['faces']} of {seen['of_faces']} faces; detail kept {seen['detail_median']}")
    print(f"ours is {result['ratio']} times as fast ({result['ratio_processor_time']} in processor time)")
    print(f"its sound is {'' if result['ours']['sound_is_the_source_s'] else 'NOT '}that of the source, byte for byte")
    if options.json:
        print(json.dumps(result))
    raise SystemExit(0 if result["ours"]["sound_is_the_source_s"] and not result["ours"]["uncovered"]["frames"] else 1)


if __name__ == "__main__":
    main()
