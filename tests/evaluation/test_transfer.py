import pytest

from dartblur.evaluation.suppression import summarise
from dartblur.evaluation.transfer import NOT_TRAINED, SWITCHED_OFF, transfer

Results = list[dict[str, object]]


def trainings(**ap: float | None) -> Results:
    """Two seeds an arm, AP the same for every difficulty."""
    names = ("easy", "medium", "hard", "all")
    return [
        {"arm": arm, "seed": seed, "ap": dict.fromkeys(names, value), "ap_self": dict.fromkeys(names, 0.9)}
        for arm, value in ap.items()
        for seed in (0, 1)
    ]


MAIN = summarise(trainings(clean=0.9, block=0.0, gaussian=0.1, dartblur=0.5))


def test_figures_of_each_arm_and_the_ratio_of_ours() -> None:
    results = trainings(clean=0.8, gaussian=0.2, dartblur=0.35)
    found = transfer({"centernet": results}, MAIN)
    assert list(found) == ["clean", "block", "gaussian", "dartblur"]
    own = summarise(results)
    assert found["clean"] == {"transfer": {"centernet": own["clean"]}}
    assert found["block"] == {"transfer": None, "transfer_reason": NOT_TRAINED}
    ours = found["dartblur"]["transfer"]["centernet"]
    assert {key: ours[key] for key in own["dartblur"]} == own["dartblur"]
    assert ours["suppression"]["mean"] == pytest.approx(0.25)
    assert ours["transfer_ratio"] == pytest.approx(0.25 / 0.5)
    assert "transfer_ratio_reason" not in ours


def test_switched_off() -> None:
    assert transfer({}, MAIN) == {arm: {"transfer": None, "transfer_reason": SWITCHED_OFF} for arm in MAIN}


@pytest.mark.parametrize(
    ("main", "own", "reason"),
    [
        ({"clean": 0.9, "gaussian": 0.9, "dartblur": 0.5}, {"clean": 0.8, "gaussian": 0.2, "dartblur": 0.3}, "no suppression of RetinaFace: gap"),
        (
            {"clean": 0.9, "gaussian": 0.1, "dartblur": 0.5},
            {"clean": 0.8, "gaussian": None, "dartblur": 0.3},
            "no suppression of this family: no seed",
        ),
        ({"clean": 0.9, "gaussian": 0.1, "dartblur": 0.1}, {"clean": 0.8, "gaussian": 0.2, "dartblur": 0.3}, "there is nothing to transfer"),
        ({"clean": 0.9, "gaussian": 0.1, "dartblur": 0.0}, {"clean": 0.8, "gaussian": 0.2, "dartblur": 0.1}, "-0.1250, below 0.01"),
    ],
)
def test_a_ratio_that_says_nothing_is_none_with_its_reason(main: dict[str, float], own: dict[str, float | None], reason: str) -> None:
    ours = transfer({"centernet": trainings(**own)}, summarise(trainings(**main)))["dartblur"]["transfer"]["centernet"]
    assert ours["transfer_ratio"] is None
    assert reason in ours["transfer_ratio_reason"]
