"""WiderFaceAP against two packages that know nothing of it: COCO's own evaluation and its fast twin.

The rules agree where every face counts, faces lie apart, and every score is a threshold of its own. COCO averages the precision over fixed recalls;
at recalls in the middle of the steps between one face and the next that average is the area under the curve.
"""

import contextlib
import io
from typing import Any

import faster_coco_eval
import numpy as np
import numpy.typing as npt
import pycocotools.coco
import pycocotools.cocoeval
import pytest
import torch

from dartblur.evaluation.average_precision import WiderFaceAP

Floats = npt.NDArray[np.float64]
CELL, SIDE = 60, 5
"""Faces stand on a grid of SIDE x SIDE cells of so many pixels."""


def drawn(seed: int, pictures: int) -> tuple[list[Floats], list[Floats]]:
    """Detections and faces: some faces found, some twice, some not, and detections of nothing; no score twice."""
    rng = np.random.default_rng(seed)
    scores = iter(rng.permutation(999)[: pictures * SIDE * SIDE * 2] / 1000 + 0.0005)
    found, faces = [], []
    for _ in range(pictures):
        rows, boxes = [], []
        for cell in rng.permutation(SIDE * SIDE)[:12]:
            corner = np.array([cell % SIDE, cell // SIDE]) * CELL + rng.uniform(5, 10, 2)
            box = np.concatenate([corner, corner + rng.uniform(20, 40, 2)])
            kind = rng.integers(4)
            if kind < 3:
                boxes.append(box)
            rows += [[*(box + rng.normal(0, 2, 4)), next(scores)] for _ in range((0, 1, 2, 1)[kind])]
        found.append(np.array(rows, np.float64).reshape(-1, 5))
        faces.append(np.array(boxes, np.float64).reshape(-1, 4))
    return found, faces


def of_coco(coco: Any, evaluation: Any, found: list[Floats], faces: list[Floats]) -> float:
    """AP at IoU 0.5 as COCO has it."""

    def entry(number: int, image: int, box: Floats, **more: float) -> dict[str, Any]:
        x1, y1, x2, y2 = (float(value) for value in box)
        area = (x2 - x1) * (y2 - y1)
        return {"id": number, "image_id": image, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": 0, **more}

    truth = [(image, box) for image, boxes in enumerate(faces, start=1) for box in boxes]
    guesses = [(image, row) for image, rows in enumerate(found, start=1) for row in rows]
    images = [{"id": image, "width": CELL * SIDE, "height": CELL * SIDE, "file_name": f"{image}.png"} for image in range(1, len(faces) + 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco()
        known.dataset = {
            "info": {},
            "images": images,
            "categories": [{"id": 1, "name": "face"}],
            "annotations": [entry(number, image, box) for number, (image, box) in enumerate(truth, start=1)],
        }
        known.createIndex()
        answers = known.loadRes([entry(number, image, row[:4], score=float(row[4])) for number, (image, row) in enumerate(guesses, start=1)])
        judged = evaluation(known, answers, "bbox")
        judged.params.iouThrs = np.array([0.5])
        judged.params.recThrs = (np.arange(len(truth)) + 0.5) / len(truth)
        judged.params.maxDets = [1, 10, 1000]
        judged.params.areaRng, judged.params.areaRngLbl = [[0, 1e10]], ["all"]
        judged.evaluate()
        judged.accumulate()
    return float(np.mean(judged.eval["precision"][0, :, 0, 0, -1]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("coco", "evaluation"),
    [
        pytest.param(pycocotools.coco.COCO, pycocotools.cocoeval.COCOeval, id="pycocotools"),
        pytest.param(faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster, id="faster-coco-eval"),
    ],
)
def test_equals_coco_where_the_rules_agree(coco: Any, evaluation: Any, seed: int) -> None:
    found, faces = drawn(seed, 15)
    metric = WiderFaceAP()
    counts = [torch.ones(len(boxes), dtype=torch.bool) for boxes in faces]
    metric.update([torch.from_numpy(rows) for rows in found], [torch.from_numpy(boxes) for boxes in faces], counts)
    ours = float(metric.compute()["all"])
    assert 0.3 < ours < 0.9
    assert ours == pytest.approx(of_coco(coco, evaluation, found, faces), abs=1e-4)
