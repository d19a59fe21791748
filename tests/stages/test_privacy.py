"""The stage privacy, and the same attack on any folder of people from the command line."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dartblur.blur.dartblur import UNET_FILE, save_unet
from dartblur.blur.repaint import DartBlurConfig
from dartblur.cli import app
from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation import verification
from dartblur.evaluation.identities import Identities
from dartblur.faces.dataset import read_table
from dartblur.params import Params
from dartblur.stages import paths, privacy
from dartblur.stages.restorer import ABOUT
from tests.blur.samples import random_unet
from tests.knownpeople import write_people
from tests.sampledata import Sample, sample_part
from tests.stages.conftest import MakeParams

ROOT = Path(__file__).resolve().parents[2]
ARMS = ["clean", "gaussian", "dartblur"]
ATTACKERS = ("off_the_shelf", "parrot", "restoration")
CONFIG = DartBlurConfig(width=4, depth=3, strength=2.0, context=0.5, face_min=16, face_max=40)


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that figures of four people are given: rendering twenty takes too long for a test."""
    monkeypatch.setattr(verification, "LEAST_IDENTITIES", 2)
    monkeypatch.setattr(verification, "LEAST_FACES", 4)


def params_of(tiny: MakeParams, workers: int = 1, arms: Sequence[str] = ARMS, **keys: Any) -> Params:
    known = {"identities": "known", "max_faces": 8, "bootstrap": 100, "teachers": "teachers", **keys}
    return tiny(evaluate={"arms": [*arms]}, compute={"workers": workers}, privacy=known)


@pytest.fixture(scope="module")
def made(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_people(folder / "known", sample, 6)
    write_people(folder / "teachers", sample, 4)
    sample_part(folder / paths.SAMPLE, 60)
    for arm, network in (("clean", False), ("gaussian", True)):
        path = folder / paths.RESTORERS / arm
        path.mkdir(parents=True)
        (path / ABOUT).write_text(json.dumps({"arm": arm, "steps": int(network), "reason": "said why"}))
        if network:
            save_unet(path / UNET_FILE, random_unet(CONFIG), CONFIG)
    save_unet(folder / paths.MODEL, random_unet(CONFIG), CONFIG)
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


@pytest.fixture
def project(made: Path) -> Iterator[Path]:
    with chdir(made):
        yield made


@pytest.mark.usefixtures("few_are_enough")
def test_the_arms_are_attacked(project: Path, tiny: MakeParams) -> None:
    privacy.run(params_of(tiny))
    first = paths.PRIVACY.read_bytes()
    found = json.loads(first)
    assert list(found) == ["protocol", "arms", "matched"]
    assert list(found["arms"]) == ARMS
    protocol = found["protocol"]
    assert (protocol["identities"], protocol["people"], protocol["faces"], protocol["bootstrap"]) == ("known", 4, 8, 100)
    assert protocol["alignment"] == "known to the attacker: from the clean picture"
    for attackers in found["arms"].values():
        figures = attackers["off_the_shelf"]
        assert {
            "auc",
            "ci",
            "rank1",
            "rank1_ci",
            "chance",
            "auc_same_arm",
            "rank1_same_arm",
            "accepted",
            "by_height",
            "against_gaussian",
        } <= figures.keys()
        assert 0 <= figures["rank1"] <= 1
        assert {"auc", "ci", "rank1", "learned", "gain", "disjoint"} <= attackers["parrot"].keys()
    restored = {arm: attackers["restoration"] for arm, attackers in found["arms"].items()}
    assert restored["clean"]["auc"] == found["arms"]["clean"]["off_the_shelf"]["auc"]  # nothing to restore
    assert 0 <= restored["gaussian"]["auc"] <= 1
    assert restored["dartblur"] is None
    assert found["arms"]["dartblur"]["restoration_reason"].startswith("no network was trained to restore it")
    assert protocol["parrot"] == {"teachers": "teachers", "faces": 8}
    assert found["arms"]["clean"]["off_the_shelf"]["auc"] >= 0.9
    # Four people are too few for an interval, and so for a match.
    assert found["arms"]["clean"]["off_the_shelf"]["ci"] is None
    gaussian, ours = (found["arms"][arm]["off_the_shelf"] for arm in ("gaussian", "dartblur"))
    strongest = max(("off_the_shelf", "parrot"), key=lambda name: found["arms"]["dartblur"][name]["auc"])
    assert gaussian["against_gaussian"]["difference"] == gaussian["against_gaussian"]["same_arm"]["difference"] == 0
    assert ours["against_gaussian"]["difference"] == pytest.approx(ours["auc"] - gaussian["auc"], abs=2e-6)
    matched = found["matched"]
    assert (matched["matched"], matched["strength"], matched["attacker"]) == (False, 2.0, strongest)
    known = [found["arms"][arm][strongest]["auc"] for arm in ("dartblur", "gaussian")]
    assert [matched["auc"], matched["gaussian_auc"], matched["tolerance"]] == [*known, 0.02]
    assert "4 people with two faces to compare are too few" in matched["reason"]
    privacy.run(params_of(tiny, workers=2))
    assert paths.PRIVACY.read_bytes() == first


@pytest.mark.usefixtures("few_are_enough")
def test_any_folder_is_attacked_from_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(project / paths.REPORTS, ignore_errors=True)
    # The teachers of params.yaml are the sample people, who are not here.
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("teachers: data/sample", "teachers: teachers"))
    result = CliRunner().invoke(app, ["privacy", "known", "--strengths", "1,3", "--max-people", "2", "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert list(measured["arms"]) == ["clean", "block", "pixelate", "swap", "gaussian 1", "gaussian 3", "dartblur 2"]
    assert measured["protocol"]["people"] == 2
    assert measured["arms"]["gaussian 1"]["off_the_shelf"]["against_gaussian"]["difference"] == 0
    assert not paths.PRIVACY.exists()
    privacy.show(measured, as_json=False)
    table = capsys.readouterr().out
    assert "2 people, 4 faces of" in table
    assert "2 pairs of one person, 2 of two." in table
    for arm in measured["arms"]:
        assert arm in table
    assert all(heading in table for heading in ("AUC", "95 %", "rank-1", "parrot", "restored"))
    assert "—: no network was trained to restore it" in table
    assert max(map(len, table[table.index("arm") : table.index("Clean gallery")].splitlines())) <= 80


def test_an_interval_is_written_and_central_boxes_are_owned_up_to(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"auc": 0.71234, "ci": [0.6, 0.8], "rank1": 0.25, "chance": 0.1, "auc_same_arm": 0.9}
    attackers = {"off_the_shelf": figures, "parrot": {"auc": 0.81, "auc_same_arm": 0.82}, "restoration": None, "restoration_reason": "no time"}
    protocol = {"people": 9, "faces": 30, "same_pairs": 5, "different_pairs": 7, "central_boxes": 3}
    heights = {"min": 50.2, "median": 90.0, "max": 120.7}
    privacy.show({"protocol": {**protocol, "face_height": heights}, "arms": {"block": attackers}}, as_json=False)
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("0.712", "0.600-0.800", "0.250", "0.810", "0.820", "50 to 121 pixels (median 90)", "—: no time"))
    assert "No face was found in 3 pictures: the box is their centre." in printed


def test_strengths_are_numbers() -> None:
    assert privacy.parse_strengths("1,2.5, 3,1") == [1.0, 2.5, 3.0]
    for text in ("", "one", "1,,2", "0", "1,nan", "21", "inf"):
        with pytest.raises(UsageError, match=r"--strengths .*: give numbers from 0\.1 to 20"):
            privacy.parse_strengths(text)


def test_what_is_missing_is_one_sentence(project: Path, tiny: MakeParams) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no such folder; give a data set with identities"):
        privacy.run(params_of(tiny, identities="nowhere"))
    with pytest.raises(DartblurError, match=r"known: no pair of two people to compare among 1 people"):
        privacy.run(params_of(tiny, max_faces=2))
    with pytest.raises(UsageError, match=r"no\.safetensors: no checkpoint there"):
        privacy.measure(params_of(tiny), Path("known"), [], [Path("no.safetensors")], None, "clean")


def test_of_a_data_set_only_the_people_of_val_are_attacked_unless_told_otherwise(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_table(sample_part(project / "data-set", 16))
    people = {split: set(table.loc[(table["split"] == split) & (table["role"] != ""), "identity"]) for split in ("train", "val")}
    seen: list[set[str]] = []

    def note(identities: Identities, *rest: object) -> object:
        seen.append({face.person for face in identities.faces})
        raise DartblurError("enough")

    monkeypatch.setattr(privacy, "_attacked", note)
    for more in ([], ["--split", "all"]):
        assert CliRunner().invoke(app, ["privacy", "data-set", *more]).exit_code == 1
    few, all_of_them = seen
    assert few
    assert few <= people["val"]
    assert all_of_them > few
    assert all_of_them & people["train"]


def test_two_models_of_one_strength_are_told_apart(project: Path, tiny: MakeParams, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def note(identities: object, arms: dict[str, Any], *rest: object) -> object:
        seen.extend(arms)
        raise DartblurError("enough")

    monkeypatch.setattr(privacy, "_attacked", note)
    with pytest.raises(DartblurError, match="enough"):
        privacy.measure(params_of(tiny), Path("known"), [1.0], [paths.MODEL, paths.MODEL], 2, "clean")
    assert seen[-2:] == ["dartblur 2", f"dartblur 2 ({paths.MODEL})"]


def test_without_a_model_there_is_nothing_to_match(made: Path, tmp_path: Path, tiny: MakeParams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"models/dartblur/unet\.safetensors: no checkpoint there; train one first"):
        privacy.run(params_of(tiny, identities=str(made / "known")))
    assert not paths.PRIVACY.exists()


def test_too_few_people_are_no_figure_nor_is_another_tool_s_arm(project: Path, tiny: MakeParams) -> None:
    privacy.run(params_of(tiny, arms=["clean", "deface", "gaussian", "dartblur"]))
    found = json.loads(paths.PRIVACY.read_bytes())
    assert list(found["arms"]) == ["clean", "deface", "gaussian", "dartblur"]
    foreign = found["arms"].pop("deface")
    assert foreign == {key: value for name in foreign if name in ATTACKERS for key, value in ((name, None), (f"{name}_reason", privacy.FOREIGN))}
    assert len(foreign) == 6
    reason = "too few: 4 people and 8 faces, a figure needs 20 and 50"
    for attackers in found["arms"].values():
        for name in ATTACKERS:
            assert attackers[name] is None
            assert attackers[f"{name}_reason"] == reason
    assert found["matched"] == {"matched": False, "reason": reason, "strength": 2.0}


@pytest.mark.usefixtures("few_are_enough")
def test_nobody_teaches_what_is_asked_of_him(project: Path, tiny: MakeParams) -> None:
    privacy.run(params_of(tiny, teachers="known"))
    assert json.loads(paths.PRIVACY.read_bytes())["protocol"]["parrot"]["faces"] == 0


@pytest.mark.usefixtures("few_are_enough")
def test_another_tool_with_a_command_hides_the_people_itself(project: Path, tiny: MakeParams) -> None:
    """One that copies hides nobody: its figures are those of the clean pictures."""
    params = params_of(tiny, arms=["clean", "gaussian", "dartblur", "copy"])
    params = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"commands": {"copy": "cp -r {input}/. {output}"}})})
    privacy.run(params)
    arms = json.loads(paths.PRIVACY.read_bytes())["arms"]
    assert arms["copy"]["off_the_shelf"]["auc"] == arms["clean"]["off_the_shelf"]["auc"]
    assert arms["copy"]["parrot"]["auc"] is not None
    assert arms["copy"]["restoration_reason"] == privacy.UNTRAINED
    assert not list(paths.WORK.glob("people-*"))
