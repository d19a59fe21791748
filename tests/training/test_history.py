import json

from dartblur.training.history import History
from dartblur.training.resumable import Step


def test_a_row_is_the_mean_over_the_steps_that_have_a_term() -> None:
    history = History()
    history.add(Step(1, "detector", {"detector": 3.0}))
    history.add(Step(2, "adversarial", {"review": 8.0, "detector": 1.0}))
    history.add(Step(3, "adversarial", {"review": 6.0, "detector": 2.0}))
    history.close_round(3, {})
    assert history.rows == [{"step": 3.0, "detector": 2.0, "review": 7.0}]
    assert not history.sums
    history.add(Step(4, "warm", {"restore": 5.0}))
    history.close_round(4, {"probe": 0.5})
    assert history.rows[1:] == [{"step": 4.0, "restore": 5.0, "probe": 0.5}]


def test_one_that_comes_back_from_a_checkpoint_goes_on_to_the_same_rows() -> None:
    """Cut off after every step, in the middle of a round too."""
    steps = [Step(1, "warm", {"total": 0.1, "restore": 1 / 3}), Step(2, "warm", {"restore": 0.2, "total": 0.7}), Step(3, "warm", {"total": 1e-9})]
    whole, cut = History(), History()
    for number, step in enumerate(steps, start=1):
        whole.add(step)
        cut.add(step)
        described = json.loads(json.dumps(cut.describe(), sort_keys=True))
        cut = History(described["history"], described["sums"])
        if number > 1:
            whole.close_round(number, {})
            cut.close_round(number, {})
    assert cut.rows == whole.rows
    assert [row["step"] for row in cut.rows] == [2, 3]
