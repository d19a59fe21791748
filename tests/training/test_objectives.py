import pytest
import torch
from pydantic import ValidationError

from dartblur.params import ObjectiveWeights
from dartblur.training.objectives import Terms, review


def test_review_is_free_within_the_budget_and_counts_masked_pixels_alone() -> None:
    blurred = torch.full((2, 3, 4, 4), 100.0)
    mask = torch.zeros(2, 1, 4, 4)
    mask[:, :, :2] = 1
    painted = blurred.clone()
    painted[0, :, :2] += 30.0  # SmoothL1 of 30 is 29.5
    painted[:, :, 2:] += 200.0  # outside the mask: not looked at
    torch.testing.assert_close(review(painted, blurred, mask, 20.0), torch.tensor((29.5 - 20.0) / 2))
    assert review(painted, blurred, mask, 29.5) == 0
    assert review(painted, blurred, torch.zeros_like(mask), 0.0) == 0


def test_review_is_the_mean_over_pictures_of_the_excess_not_the_excess_of_the_mean() -> None:
    blurred, mask = torch.zeros(2, 3, 2, 2), torch.ones(2, 1, 2, 2)
    painted = blurred.clone()
    painted[0] = 40.5
    assert float(review(painted, blurred, mask, 20.0)) == 10.0


def test_terms_have_the_names_of_their_weights() -> None:
    terms = Terms(process=torch.tensor(10.0))
    assert [name for name, _ in terms.items()] == list(ObjectiveWeights.model_fields)
    assert [name for name, value in terms.items() if value is not None] == ["process"]


def test_switching_everything_off_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one objective"):
        ObjectiveWeights(review=0.0, process=0.0, posthoc=0.0, cycle=0.0)
