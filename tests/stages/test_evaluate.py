import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dartblur.blur.gaussian import Gaussian
from dartblur.detector.checkpoint import save_detector
from dartblur.detector.retinaface import RetinaFace
from dartblur.errors import DartblurError
from dartblur.evaluation import counting
from dartblur.evaluation.convenience import FaceConvenience
from dartblur.faces.boxes import as_boxes, mask_of
from dartblur.faces.dataset import IMAGES, write_table
from dartblur.media.images import write_image
from dartblur.params import Params, parse_params
from dartblur.stages import evaluate, frozen, paths, report
from tests.makedata import drawn_picture
from tests.settings import delivered

ROOT = Path(__file__).resolve().parents[2]
ARMS = ["clean", "gaussian", "dartblur"]


def small_params() -> Params:
    data = delivered()
    data["evaluate"].update(arms=ARMS, seeds=[0, 1], test_views=12, frozen=["yunet"], transfer=[])
    data["view"].update(size=64, face_min=16, face_max=40)
    data["detector"].update(backbone="mobilenet025", init="scratch", channels=8)
    return parse_params(data)


def write_arms(pictures: int = 3) -> None:
    """Validation pictures only: clean, blurred, and blurred with noise inside the boxes."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number in range(pictures):
        name = f"val/{number}.png"
        clean, faces = drawn_picture(rng, size=96, faces=2)
        boxes = as_boxes([(x, y, x + w, y + h) for x, y, w, h in faces])
        blurred = Gaussian(1.0).anonymize(clean, boxes)
        noisy = np.clip(blurred.astype(int) + rng.integers(-5, 6, blurred.shape), 0, 255).astype(np.uint8)
        ours = np.where(mask_of(boxes, 96, 96)[..., None], noisy, clean)
        for arm, image in zip(ARMS, (clean, blurred, ours), strict=True):
            write_image(paths.ARMS / arm / IMAGES / name, image)
        common = {"image": name, "file": name, "width": 96, "height": 96, "sha256": hashlib.sha256(name.encode()).hexdigest(), "split": "val"}
        unknown = dict.fromkeys(("blur", "occlusion", "pose", "expression", "illumination"), -1)
        rows += [{**common, **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)), "ignore": False, **unknown} for box in boxes.tolist()]
    for arm in ARMS:
        write_table(paths.ARMS / arm, pd.DataFrame(rows))


def write_downstream() -> None:
    paths.DOWNSTREAM.mkdir(parents=True)
    for arm, ap in zip(ARMS, (0.9, 0.6, 0.8), strict=True):
        for seed in (0, 1):
            figures = {"easy": None, **dict.fromkeys(("medium", "hard", "all"), ap + 0.02 * seed)}
            result = {"arm": arm, "seed": seed, "ap": figures, "ap_self": dict.fromkeys(figures, 0.91)}
            (paths.DOWNSTREAM / f"{arm}-{seed}.json").write_text(json.dumps(result))


def write_privacy(holds: bool) -> None:
    """What the stage privacy leaves: the attack on every arm, and whether dartblur is matched."""
    missing = {"parrot": None, "parrot_reason": "not there"}
    arms = {arm: {"off_the_shelf": {"auc": auc}, **missing} for arm, auc in zip(ARMS, (1.0, 0.7, 0.71), strict=True)}
    evidence = {"strength": 2.0, "attacker": "off_the_shelf", "auc": 0.71, "gaussian_auc": 0.7, "difference": 0.01, "ci": [-0.01, 0.03]}
    found = {"matched": holds, **({} if holds else {"reason": "easier to recognise"}), **evidence, "tolerance": 0.02}
    paths.PRIVACY.write_text(json.dumps({"protocol": {"people": 7}, "arms": arms, "matched": found}))


def write_transfer(*values: float) -> None:
    paths.TRANSFER.mkdir()
    for arm, ap in zip(ARMS, values, strict=True):
        for seed in (0, 1):
            figures = dict.fromkeys(("easy", "medium", "hard", "all"), ap)
            result = {"detector": "centernet", "arm": arm, "seed": seed, "ap": figures, "ap_self": figures}
            (paths.TRANSFER / f"centernet-{arm}-{seed}.json").write_text(json.dumps(result))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(counting, "LEAST_FACES", 3)
    params = small_params()
    write_arms()
    write_downstream()
    write_privacy(True)
    torch.manual_seed(0)
    save_detector(paths.DETECTOR, RetinaFace(params.detector.backbone, params.detector.channels), params.detector, {})
    for arm in ARMS:
        frozen.run(params, arm)
    return params


def outputs() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (paths.EVALUATION, *sorted(paths.FIGURES.iterdir()))}


def test_evaluation_and_report(project: Params, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.run(project)
    first = outputs()
    result = json.loads(first[str(paths.EVALUATION)])
    assert list(result["arms"]) == ARMS
    ours = result["arms"]["dartblur"]
    assert ours["suppression"]["mean"] == pytest.approx(2 / 3, abs=1e-6)
    assert ours["ap"]["easy"]["mean"] is None
    assert ours["ap"]["easy"]["reason"]
    assert 0 <= ours["ap_frozen"]["retinaface"] <= 1
    assert 0 <= ours["ap_frozen"]["yunet"] <= 1
    assert ours["paired"]["clean"]["difference"] == pytest.approx(-0.1)
    assert list(result["arms"]["clean"]["paired"]) == ["gaussian"]
    assert ours["failures"] is None
    assert ours["failures_reason"]
    assert 0 < ours["convenience"]["l1"] < 6
    assert ours["convenience"]["outside_changed"] == 0
    assert {key: ours["matched"][key] for key in ("strength", "attacker", "auc", "gaussian_auc")} == {
        "strength": 2.0, "attacker": "off_the_shelf", "auc": 0.71, "gaussian_auc": 0.7,
    }  # fmt: skip
    assert ours["matched"]["suppression"] == ours["suppression"]
    assert ours["matched"]["ci"] == [-0.01, 0.03]
    assert "matched" not in result["arms"]["clean"]
    assert [arm["privacy"]["off_the_shelf"]["auc"] for arm in result["arms"].values()] == [1.0, 0.7, 0.71]
    assert ours["privacy"]["parrot"] is None
    assert result["protocol"]["privacy"] == {"people": 7}
    blurred = result["arms"]["gaussian"]["convenience"]
    assert (blurred["l1"], blurred["psnr"], blurred["ssim"]) == (0.0, None, pytest.approx(1.0))
    assert result["protocol"]["pictures"] == 3
    assert result["protocol"]["faces"] == 6
    assert 3 <= result["protocol"]["faces_counted"]["all"] <= 6  # each once, in however many of the twelve views it is
    assert result["protocol"]["faces_counted"]["occlusion_none"] == 0
    assert result["protocol"]["difficulties"]["easy"] == project.evaluate.easy_height
    assert ours["slices"]["occlusion_none"]["reason"] == "not measured"
    assert {Path(name).name for name in first} == {"evaluation.json", "average_precision.png", "faces_best.png", "faces_worst.png"}
    evaluate.run(project)
    assert outputs() == first

    gate = {"passed": True, "reasons": []}
    metrics = {**result, "gate": gate, "model": {"name": "dartblur", "version": "1", "aliases": ["champion"]}}
    paths.METRICS.write_text(json.dumps(metrics))
    paths.DARTBLUR.mkdir(parents=True)
    report.HISTORY.write_text("epoch,review,cycle,rate\n1,3.5,,0.1\n2,3.0,1.5,0.1\n")
    report.run(project)
    page = paths.INDEX.read_bytes()
    assert page.count(b"data:image/png;base64,") == 4
    report.run(project)
    assert paths.INDEX.read_bytes() == page
    report.print_summary(metrics)
    printed = capsys.readouterr().out
    assert "Promoted." in printed
    assert "0.67" in printed
    assert "reports/index.html" in printed


def test_where_privacy_is_not_matched_no_suppression_counts(project: Params) -> None:
    write_privacy(False)
    evaluate.run(project)
    ours = json.loads(paths.EVALUATION.read_bytes())["arms"]["dartblur"]
    assert ours["matched"] is None
    assert ours["matched_reason"] == "easier to recognise"
    assert ours["suppression"]["mean"] is not None


@pytest.mark.parametrize("text", [None, "{}", '{"protocol": {}, "arms": {"clean": {}}, "matched": {}}'])
def test_the_attack_of_other_arms_is_refused(project: Params, text: str | None) -> None:
    paths.PRIVACY.unlink() if text is None else paths.PRIVACY.write_text(text)
    with pytest.raises(DartblurError, match=r"privacy\.json: (cannot be read|does not hold the arms clean, gaussian, dartblur).*`dartblur privacy`"):
        evaluate.run(project)


def test_too_few_faces_give_no_average_precision(project: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "LEAST_FACES", 7)
    params = project.model_copy(update={"evaluate": project.evaluate.model_copy(update={"transfer": ["centernet"]})})
    write_transfer(0.8, 0.4, 0.5)
    evaluate.run(params)
    ours = json.loads(paths.EVALUATION.read_bytes())["arms"]["dartblur"]
    for figures in (ours, ours["transfer"]["centernet"]):
        assert figures["ap"]["all"]["mean"] is figures["ap_self"]["all"]["mean"] is None
        assert figures["ap"]["all"]["seeds"] == [None, None]
        assert figures["ap"]["all"]["reason"].startswith("too few: less than ")
        assert all(figures[name]["mean"] is None and figures[name]["reason"] for name in ("gap", "suppression", "shortcut"))
    assert ours["paired"]["clean"]["difference"] is None
    assert ours["matched"]["suppression"]["mean"] is None
    assert {name: ours["ap_frozen"][name] for name in ("retinaface", "yunet")} == {"retinaface": None, "yunet": None}
    assert ours["ap_frozen"]["yunet_reason"] == "too few faces of the test views count"
    assert ours["convenience"]["l1"] > 0  # which is no figure of a detector


def test_official_lists_are_the_rule_where_they_are(project: Params) -> None:
    for arm in ARMS:
        table = pd.read_parquet(paths.ARMS / arm / "annotations.parquet")
        write_table(paths.ARMS / arm, table.assign(easy=table.index < 4, medium=True, hard=True, occlusion=2))
    evaluate.run(project)
    protocol = json.loads(paths.EVALUATION.read_bytes())["protocol"]
    counted = protocol["faces_counted"]
    assert protocol["difficulties"] == {"rule": "the official lists of WIDER FACE", "all": "every face that is not marked as ignored"}
    assert counted["medium"] == counted["hard"] == counted["all"] == counted["occlusion_heavy"] > counted["easy"] >= 3


def test_another_family_of_detectors(project: Params) -> None:
    evaluate.run(project)
    assert all(arm["transfer"] is None and arm["transfer_reason"] for arm in json.loads(paths.EVALUATION.read_bytes())["arms"].values())
    params = project.model_copy(update={"evaluate": project.evaluate.model_copy(update={"transfer": ["centernet"]})})
    remedy = r"centernet-clean-0\.json: .* `dartblur downstream clean 0 --detector centernet`"
    with pytest.raises(DartblurError, match=remedy):
        evaluate.run(params)
    write_transfer(0.8, 0.4, 0.5)
    evaluate.run(params)
    result = json.loads(paths.EVALUATION.read_bytes())
    ours = result["arms"]["dartblur"]["transfer"]["centernet"]
    assert list(ours) == ["ap", "ap_self", "slices", "gap", "suppression", "shortcut", "transfer_ratio"]
    assert ours["suppression"]["mean"] == pytest.approx(0.25)
    assert ours["transfer_ratio"] == pytest.approx(0.25 / (2 / 3), abs=1e-5)
    assert "transfer_ratio" not in result["arms"]["clean"]["transfer"]["centernet"]
    assert result["protocol"]["transfer"] == ["centernet"]
    (paths.TRANSFER / "centernet-clean-0.json").write_text('{"detector": "centernet", "arm": "clean", "seed": 0, "skipped": "off"}')
    with pytest.raises(DartblurError, match=remedy):  # what is left of a run with the family switched off
        evaluate.run(params)


def test_a_missing_training_is_named_with_its_remedy(project: Params) -> None:
    (paths.DOWNSTREAM / "dartblur-1.json").unlink()
    with pytest.raises(DartblurError, match=r"dartblur-1\.json: cannot be read .* `dartblur downstream dartblur 1`"):
        evaluate.run(project)


@pytest.mark.parametrize("text", ["{", "[]", '{"arm": "clean", "seed": 1, "ap": {}, "ap_self": {}}', '{"arm": "clean", "seed": 0}'])
def test_a_foreign_result_is_refused(project: Params, text: str) -> None:
    (paths.DOWNSTREAM / "clean-0.json").write_text(text)
    with pytest.raises(DartblurError, match=r"clean-0\.json: (not |holds no JSON object)"):
        evaluate.run(project)


def test_arms_must_hold_the_same_pictures(project: Params) -> None:
    shutil.rmtree(paths.ARMS / "dartblur")
    full = pd.read_parquet(paths.ARMS / "clean" / "annotations.parquet")
    write_table(paths.ARMS / "dartblur", full[full["image"] != "val/0.png"])
    shutil.copytree(paths.ARMS / "gaussian" / IMAGES, paths.ARMS / "dartblur" / IMAGES)
    with pytest.raises(DartblurError, match="other validation pictures"):
        evaluate.run(project)


def test_arms_must_be_of_the_same_size(project: Params) -> None:
    write_image(paths.ARMS / "dartblur" / IMAGES / "val/0.png", np.zeros((90, 96, 3), np.uint8))
    with pytest.raises(DartblurError, match="not of the clean picture's size"):
        evaluate.run(project)


def test_examples_are_of_different_pictures_and_large_where_they_can_be() -> None:
    def face(picture: str, side: int, l1: float) -> FaceConvenience:
        return FaceConvenience(picture, (0, 0, side, side), l1, 30.0, 0.9)

    faces = [face("a", 40, 9.0), face("a", 40, 8.0), face("b", 20, 5.0), face("c", 4, 99.0)]
    assert [f.l1 for f in evaluate.examples(faces, lambda f: -f.l1)] == [9.0, 5.0]
    assert [f.l1 for f in evaluate.examples(faces, lambda f: f.l1, number=1)] == [5.0]
    assert [f.l1 for f in evaluate.examples(faces[3:], lambda f: f.l1)] == [99.0]


def test_the_report_needs_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DartblurError, match=r"metrics\.json: cannot be read"):
        report.run(small_params())
    paths.METRICS.parent.mkdir()
    for text in ("{", "[]"):
        paths.METRICS.write_text(text)
        with pytest.raises(DartblurError, match=r"metrics\.json: (not readable as JSON|holds no JSON object)"):
            report.run(small_params())


def test_a_broken_history_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,review\n1,much\n")
    with pytest.raises(DartblurError, match="not a number"):
        report.read_history(path)
