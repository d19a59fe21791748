"""The stage ``evaluate``: everything that is measured of the arms, in one JSON, and the pictures that the report shows."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartblur.errors import DartblurError
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.media.files import atomic_path, read_json, write_json
from dartblur.params import BLURRED, CLEAN, OURS, EvaluateParams, Params
from dartblur.progress import progress_bar
from dartblur.stages import paths
from dartblur.stages.arm import FAILURES
from dartblur.stages.frozen import SCORES, F

if TYPE_CHECKING:
    from dartblur.evaluation.convenience import Convenience, FaceConvenience

DECIMALS = 6
"""Figures are rounded to this, which hides the last bits of a sum and nothing that anyone would read."""
TOO_FEW = "too few faces of the test views count"
SHOWN_FACES = 4
SHOWN_SIDE = 16
"""Faces with a shorter side below this are not shown as examples where larger ones are there: enlarged, they show nothing."""


def run(params: Params) -> None:
    """Measure every arm and write reports/evaluation.json and reports/figures/.

    Raises:
        DartblurError: an arm or the result of a training is missing or unreadable, or the arms do not hold the same pictures.
    """
    from dartblur.compute import configure
    from dartblur.evaluation.counting import too_few
    from dartblur.evaluation.detection import faces_counted
    from dartblur.evaluation.paired import paired
    from dartblur.evaluation.suppression import leave_out, summarise
    from dartblur.evaluation.transfer import transfer

    configure(params.compute.threads)
    names: list[str] = [*params.evaluate.arms]
    privacy = _privacy(names)
    datasets = {arm: FaceDataset(paths.ARMS / arm) for arm in names}
    faces = faces_counted(datasets[CLEAN], params)
    few = too_few(faces)
    results = [leave_out(_downstream(arm, seed), few) for arm in names for seed in params.evaluate.seeds]
    others = {family: [leave_out(result, few) for result in trainings] for family, trainings in _transfer(params).items()}
    frozen = {arm: _frozen(arm, params, few) for arm in names}
    convenience = _convenience(datasets, params.train.budget)
    trained = summarise(results)
    transferred = transfer(others, trained)
    arms = {
        arm: {
            **trained[arm],
            **transferred[arm],
            "paired": {other: paired(results, arm, other) for other in (CLEAN, BLURRED) if other != arm},
            **(_matched(privacy["matched"], trained[arm]["suppression"]) if arm == OURS else {}),
            **frozen[arm],
            "convenience": convenience[arm].summary(),
            "privacy": privacy["arms"][arm],
            **_failures(arm),
        }
        for arm in names
    }
    with atomic_path(paths.FIGURES) as folder:
        _draw(folder, datasets, arms, convenience[OURS])
    write_json(paths.EVALUATION, rounded({"protocol": {**_protocol(datasets[CLEAN], params, faces), "privacy": privacy["protocol"]}, "arms": arms}))


def rounded(value: Any) -> Any:
    """``value`` with every float rounded to :data:`DECIMALS`; dicts and lists are walked."""
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(value, DECIMALS) + 0.0 if isinstance(value, float) else value  # + 0.0: never -0.0


def _downstream(arm: str, seed: int, family: str | None = None) -> dict[str, Any]:
    """One training's result, checked for what is read of it; of RetinaFace, or of another ``family``."""
    remedy = f"train that detector with `dartblur downstream {arm} {seed}{f' --detector {family}' if family else ''}`"
    path = paths.TRANSFER / f"{family}-{arm}-{seed}.json" if family else paths.DOWNSTREAM / f"{arm}-{seed}.json"
    result = read_json(path, remedy)
    complete = isinstance(result.get("ap"), dict) and isinstance(result.get("ap_self"), dict)
    if not complete or (result.get("detector"), result.get("arm"), result.get("seed")) != (family, arm, seed):
        raise DartblurError(f"{path}: not the result of arm {arm}, seed {seed}; {remedy}")
    return result


def _transfer(params: Params) -> dict[str, list[dict[str, Any]]]:
    """Family -> results of its trainings, for the families that ``evaluate.transfer`` names."""
    arms, seeds = (CLEAN, BLURRED, OURS), params.evaluate.seeds
    return {family: [_downstream(arm, seed, family) for arm in arms for seed in seeds] for family in params.evaluate.transfer}


def _privacy(arms: list[str]) -> dict[str, Any]:
    """reports/privacy.json, checked for what is read of it."""
    remedy = "measure it again with `dartblur privacy`"
    result = read_json(paths.PRIVACY, remedy)
    complete = all(isinstance(result.get(key), dict) for key in ("protocol", "arms", "matched"))
    if not complete or not set(arms) <= result["arms"].keys():
        raise DartblurError(f"{paths.PRIVACY}: does not hold the arms {', '.join(arms)}; {remedy}")
    return result


def _failures(arm: str) -> dict[str, Any]:
    """Of the arm swap, how many faces it could not replace and blurred instead; other arms do not fail."""
    if arm != "swap":
        return {"failures": None, "failures_reason": "only a replacement can fail"}
    counted = read_json(paths.ARMS / arm / FAILURES, "make the arm again with `dartblur arm swap`")
    return {"failures": {**counted, "share": counted["failed"] / counted["faces"] if counted["faces"] else None}}


def _matched(found: dict[str, Any], suppression: Mapping[str, Any]) -> dict[str, Any]:
    """The suppression at matched privacy, with what it rests on; where privacy is not matched no suppression counts, and the reason says why."""
    if not found.get("matched"):
        return {"matched": None, "matched_reason": found.get("reason", "no reason was given")}
    evidence = {key: value for key, value in found.items() if key not in ("matched", "strength")}
    return {"matched": {"strength": found["strength"], "suppression": suppression, **evidence}}


def _frozen(arm: str, params: Params, few: Collection[str]) -> dict[str, Any]:
    """AP of the detectors that nobody trains on the arm, checked for what is read of it; none where ``few`` holds its list, of all faces."""
    remedy = f"look again with `dartblur frozen {arm}`"
    path = paths.FROZEN / f"{arm}.json"
    result = read_json(path, remedy)
    if result.get("arm") != arm or not {F, *params.evaluate.frozen} <= result.get("ap", {}).keys():
        raise DartblurError(f"{path}: does not hold the detectors {', '.join([F, *params.evaluate.frozen])} on {arm}; {remedy}")
    reasons = {f"{name}_reason": reason for name, reason in result["reasons"].items()}
    ap = result["ap"]
    if "all" in few:
        ap, reasons = dict.fromkeys(ap), {**{f"{name}_reason": TOO_FEW for name in ap}, **reasons}
    return {"ap_frozen": {**ap, **reasons}, **({"ap_frozen_broken": result["broken"]} if result["broken"] else {})}


def _convenience(datasets: Mapping[str, FaceDataset], budget: float) -> "dict[str, Convenience]":
    """Every arm beside the ordinary blur, on every picture of the validation split."""
    from dartblur.evaluation.convenience import Convenience

    by_name = {arm: {picture.name: picture for picture in dataset.pictures("val")} for arm, dataset in datasets.items()}
    for arm, pictures in by_name.items():
        if pictures.keys() != by_name[CLEAN].keys():
            raise DartblurError(f"{datasets[arm].root}: holds other validation pictures than {datasets[CLEAN].root}; make the arms again")
    result = {arm: Convenience(budget) for arm in datasets}
    with progress_bar("evaluate: review convenience", len(by_name[CLEAN])) as show:
        for done, (name, picture) in enumerate(by_name[CLEAN].items(), start=1):
            images = {arm: datasets[arm].read(by_name[arm][name]) for arm in datasets}
            for arm, image in images.items():
                if image.shape != images[CLEAN].shape:
                    raise DartblurError(f"{datasets[arm].path(by_name[arm][name])}: not of the clean picture's size; make the arm again")
                result[arm].add(name, image, images[BLURRED], images[CLEAN], picture.boxes)
            show(done, "")
    return result


def _protocol(dataset: FaceDataset, params: Params, faces: Mapping[str, int]) -> dict[str, Any]:
    """How the figures came about: enough to repeat them."""
    from dartblur.evaluation.average_precision import THRESHOLDS

    pictures = dataset.pictures("val")
    source = Path(params.data.source)
    evaluate, detector = params.evaluate, params.detector
    trained_on = "WIDER FACE" if detector.init == "wider" else "the clean training split"
    return {
        "dataset": source.name if source.is_absolute() else str(source),  # where a folder lies on somebody's disk is nobody's business
        "dataset_sha256": _fingerprint(dataset, pictures),
        "split": "val",
        "pictures": len(pictures),
        "faces": sum(len(picture.boxes) for picture in pictures),
        "faces_counted": dict(faces),
        "difficulties": _difficulties(pictures, evaluate),
        "input_size": params.view.size,
        "view": params.view.model_dump(),
        "test_views": evaluate.test_views,
        "iou": evaluate.iou,
        "average_precision": f"WIDER FACE rules, {THRESHOLDS} thresholds, all-point interpolation",
        "score_floor": detector.score_floor,
        "nms_iou": detector.nms_iou,
        "max_detections": detector.max_detections,
        "seeds": list(evaluate.seeds),
        "spread": "sample standard deviation over seeds",
        "detector": {
            "backbone": detector.backbone,
            "init": detector.init,
            "steps": detector.steps,
            "batch": detector.batch,
            "learning_rate": detector.learning_rate,
        },
        "transfer": list(evaluate.transfer),
        "frozen_detectors": {
            F: f"{detector.backbone}, trained on {trained_on}",
            **{name: f"ready, detections from a score of {SCORES[name]:g}" for name in evaluate.frozen},
        },
        "preblur_strength": params.preblur.strength,
        "review_strength": 1.0,
        "review_budget": params.train.budget,
        "review": "mean over faces of the validation split, inside the box, against the ordinary Gaussian blur; SSIM window 11 x 11, sigma 1.5",
        "block_value": evaluate.block_value,
        "pixelate_cells": evaluate.pixelate_cells,
    }


def _difficulties(pictures: Sequence[Picture], evaluate: EvaluateParams) -> dict[str, Any]:
    """By what a face is easy, medium or hard."""
    everything = {"all": "every face that is not marked as ignored"}
    if all(picture.official for picture in pictures):
        return {"rule": "the official lists of WIDER FACE", **everything}
    floors = {"easy": evaluate.easy_height, "medium": evaluate.medium_height, "hard": evaluate.hard_height}
    return {"rule": "face height in pixels of the view, cumulative", **floors, **everything}


def _fingerprint(dataset: FaceDataset, pictures: list[Picture]) -> str:
    """Names the validation split by content: sha256 over names and boxes."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.name} {picture.width} {picture.height} {picture.boxes.tolist()} {picture.ignore.tolist()}\n".encode())
    return digest.hexdigest()


def _draw(folder: Path, datasets: Mapping[str, FaceDataset], arms: Mapping[str, Any], ours: "Convenience") -> None:
    from dartblur.evaluation.figures import draw_average_precision, draw_faces, face_tile

    draw_average_precision(arms, folder / "average_precision.png")
    pictures = {arm: {picture.name: picture for picture in datasets[arm].pictures("val")} for arm in (CLEAN, BLURRED, OURS)}
    for file, key in (("faces_worst.png", lambda face: -face.l1), ("faces_best.png", lambda face: face.l1)):
        rows = []
        for face in examples(ours.faces, key):
            images = [datasets[arm].read(pictures[arm][face.picture]) for arm in pictures]
            rows.append((face, [face_tile(image, face.box) for image in images]))
        if rows:
            draw_faces(rows, list(pictures), folder / file)


def examples(faces: "list[FaceConvenience]", key: "Callable[[FaceConvenience], float]", number: int = SHOWN_FACES) -> "list[FaceConvenience]":
    """The first ``number`` faces by ``key``, at most one a picture, small ones only where there are no others."""
    large = [face for face in faces if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) >= SHOWN_SIDE]
    chosen: dict[str, FaceConvenience] = {}
    for face in sorted(large or faces, key=lambda face: (key(face), face.picture, face.box)):
        chosen.setdefault(face.picture, face)
        if len(chosen) == number:
            break
    return list(chosen.values())
