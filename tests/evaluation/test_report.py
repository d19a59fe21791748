import re
from typing import Any

import pytest

from dartblur.evaluation.report import checks_of, headline, render, verdict
from dartblur.evaluation.tables import DASH

PNG = b"\x89PNG\r\n\x1a\nnot really"


def arm(ap: float, std: float | None = 0.01) -> dict[str, Any]:
    figure = {"mean": ap, "std": std, "seeds": [ap]}
    return {
        "ap": dict.fromkeys(("easy", "medium", "hard", "all"), figure),
        "ap_self": dict.fromkeys(("easy", "medium", "hard", "all"), figure),
        "gap": {"mean": 0.9 - ap, "std": std},
        "suppression": {"mean": None, "std": None, "reason": "gap(gaussian) is 0.0000"},
        "shortcut": {"mean": -0.0001, "std": std},
        "paired": {"clean": {"difference": ap - 0.9, "ci": None, "p": None, "reason": "one seed has no spread"}},
        "ap_frozen": {"retinaface": 0.5},
        "convenience": {"l1": 7.25, "psnr": None, "psnr_reason": "every face equals the ordinary blur: infinite", "ssim": 0.9, "outside_changed": 0},
        "privacy": None,
        "privacy_reason": "attacks are not part of this version",
    }


def metrics(**more: Any) -> dict[str, Any]:
    return {
        "protocol": {"dataset": "faces", "input_size": 128, "seeds": [0, 1], "view": {"mode": "crop"}, "nothing": None},
        "arms": {"clean": arm(0.9), "gaussian": arm(0.7), "dartblur": arm(0.85)},
        "gate": {"passed": False, "reasons": ["arms.dartblur.convenience.l1: 7.25 is above"]},
        "model": {"name": "dartblur", "version": "4", "aliases": ["challenger"]},
        **more,
    }


def test_the_verdict_comes_first() -> None:
    html = render(metrics(), None, [])
    assert html.index("Not promoted") < html.index("7.25 is above") < html.index("Artifact suppression") < html.index("Protocol")


def test_a_missing_figure_is_a_dash_with_a_numbered_reason() -> None:
    html = render(metrics(), None, [])
    for reason in (
        "gap(gaussian) is 0.0000",
        "every face equals the ordinary blur: infinite",
        "attacks are not part of this version",
        "not measured",
    ):
        (number,) = re.findall(rf'<li id="note-(\d+)">{re.escape(reason)}</li>', html)
        assert re.search(rf'{DASH}<sup><a href="#note-{number}">', html)
    assert "nan" not in html.lower().replace("dominan", "")


def test_spreads_and_figures_as_written() -> None:
    html = render(metrics(), None, [])
    assert "0.850 <small>± 0.010</small>" in html
    assert "-0.000" not in html
    assert "One seed" in render(metrics(protocol={"seeds": [0]}), None, [])


def test_the_champion_it_was_held_against() -> None:
    margin = {"metric": "arms.dartblur.suppression.mean", "axis": "utility", "better": "higher", "ok": True, "reason": None, "spread": 0.01}
    floor = {"metric": "x", "axis": "privacy", "direction": "max", "bound": 1.0, "value": None, "ok": False, "reason": "x: null"}
    gate = {
        **{"passed": False, "reasons": ["x: null"], "floors": [floor], "champion": "2"},
        "margins": [{**margin, "gain": 0.02, "value": 0.75, "champion": 0.7}, {**margin, "gain": -1.0, "value": 0.75, "champion": None, "ok": False}],
    }
    html = render(metrics(gate=gate), None, [])
    assert "Against champion 2" in html
    assert "0.02 higher at least" in html
    assert "1 worse at most" in html
    assert "Against champion" not in render(metrics(gate={**gate, "margins": [], "champion": None}), None, [])


def test_intervals_families_and_sizes_as_they_were_measured() -> None:
    value = metrics()
    ours = value["arms"]["dartblur"]
    ours["privacy"] = {"parrot": {"auc": 0.826, "ci": [0.71, 0.85], "by_height": {"80-112": {"auc": 0.9}, "160-up": {"auc": None, "reason": "one"}}}}
    ours["paired"] = {"clean": {"difference": -0.2, "ci": [-0.26, -0.16], "p": 0.00312}}
    ours["transfer"] = {"centernet": {"suppression": {"mean": 0.84, "std": 0.01}, "transfer_ratio": 1.13}}
    html = render(value, None, [])
    for text in (
        "0.83 <small>0.71 to 0.85</small>",
        "-0.200 <small>-0.260 to -0.160</small>",
        ">0.0031<",
        "centernet",
        "80 to 112",
        "160 and more",
        "0.90",
    ):
        assert text in html
    assert "80 to 112" not in render(metrics(), None, [])


def test_slices_of_what_the_annotations_know() -> None:
    value = metrics()
    reason = "too few: less than 50 faces of the test views count as occlusion heavy"
    few = {"mean": None, "std": None, "reason": reason}
    value["arms"]["dartblur"]["slices"] = {"occlusion_none": {"mean": 0.8125, "std": 0.01}, "occlusion_heavy": few}
    assert "By occlusion" not in render(value, None, [])
    value["protocol"]["faces_counted"] = {"all": 300, "occlusion_none": 260, "occlusion_heavy": 40, "blur_clear": 0}
    html = render(value, None, [])
    assert "By occlusion" in html
    assert "0.812 <small>± 0.010</small>" in html
    assert reason in html
    assert "By blur" not in html


def test_a_suppression_is_told_first_only_at_matched_privacy() -> None:
    value = metrics()
    assert headline(value)[0] == ("Suppression", DASH, "not at matched privacy, where alone a suppression counts")
    value["arms"]["dartblur"]["matched"] = {"suppression": {"mean": 0.74, "std": 0.02}, "auc": 0.79, "gaussian_auc": 0.88}
    assert headline(value)[0][1] == "0.74 ± 0.02"
    assert headline(value)[2][1:] == ("0.79", "AUC, Gaussian 0.88, 0.5 is guessing")


def test_a_section_without_a_figure_is_one_row() -> None:
    assert render(metrics(), None, []).count("every arm") == 1


def test_nothing_is_fetched_and_text_is_escaped() -> None:
    hostile = "<script>alert('x')</script>"
    value = metrics(model={"name": hostile, "version": "1", "aliases": [hostile]})
    value["arms"][hostile] = arm(0.5)
    value["protocol"]["dataset"] = hostile
    value["gate"]["reasons"].append(hostile)
    validation = {
        "facts": {hostile: hostile},
        "checks": [{"name": hostile, "severity": "warning", "success": False, "count": 1, "examples": [hostile]}],
    }
    html = render(value, validation, [(hostile, PNG), ("history", PNG)])
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"https?://", html)
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"#][^"]*)"', html))


def test_same_input_same_page() -> None:
    pictures = [("faces_worst", PNG), ("average_precision", PNG + b"1")]
    assert render(metrics(), {"checks": []}, pictures) == render(metrics(), {"checks": []}, pictures[::-1])


@pytest.mark.parametrize(
    ("passed", "aliases", "kind"),
    [(False, ["challenger"], "refused"), (True, ["challenger", "champion"], "promoted"), (True, ["challenger"], "passed")],
)
def test_verdicts(passed: bool, aliases: list[str], kind: str) -> None:
    found = verdict(metrics(gate={"passed": passed, "reasons": []}, model={"name": "m", "version": "2", "aliases": aliases}))
    assert found.kind == kind
    assert "m version 2" in found.text


def test_a_missing_metric_of_the_gate_is_explained() -> None:
    path = "arms.dartblur.privacy.parrot.auc"
    gate = {"passed": False, "reasons": [f"{path}: null"], "floors": [{"metric": path, "value": None, "reason": f"{path}: null"}]}
    assert verdict(metrics(gate=gate)).reasons == (f"{path}: null (attacks are not part of this version)",)


def test_without_gate_and_model_nothing_is_promoted() -> None:
    assert verdict({}).kind == "refused"
    assert "Not promoted" in render({}, None, [])


def test_failed_checks_come_first_critical_ones_before_warnings() -> None:
    rows = checks_of(
        {
            "checks": [
                {"name": "a", "severity": "critical", "success": True},
                {"name": "b", "severity": "warning", "success": False, "examples": list(range(9))},
                {"name": "c", "severity": "critical", "success": False, "count": 2},
            ]
        }
    )
    assert [row["name"] for row in rows] == ["c", "b", "a"]
    assert rows[1]["examples"] == ["0", "1", "2"]
    assert rows[1]["count"] is None
