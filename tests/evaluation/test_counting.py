import numpy as np
import torch

from dartblur.evaluation.counting import DIFFICULTIES, LISTS, counted, counted_by_height, too_few
from dartblur.faces.boxes import as_boxes
from dartblur.faces.dataset import Picture
from dartblur.params import load_params


def test_counted_by_height_are_cumulative() -> None:
    heights = [60.0, 50.0, 30.0, 10.0, 9.0, 80.0]
    faces = torch.tensor([[0, 0, 5, h] for h in heights])
    evaluate = load_params().evaluate.model_copy(update={"easy_height": 50.0, "medium_height": 30.0, "hard_height": 10.0})
    counts = counted_by_height(faces, torch.tensor([False] * 5 + [True]), evaluate)
    assert [int(counts[name].sum()) for name in DIFFICULTIES] == [2, 3, 4, 5]
    assert not any(bool(flags[-1]) for flags in counts.values())


def test_official_lists_and_attributes_follow_a_face_into_the_view() -> None:
    # Four faces, of which the view shows the last three; the second of those is ignored there.
    whole = Picture(
        "p",
        "p",
        100,
        100,
        as_boxes([[0, 0, 5, 60]] * 4),
        np.zeros(4, np.bool_),
        {"occlusion": np.array([2, 0, 1, -1]), "blur": np.array([2, 2, 0, 2])},
        {"easy": np.array([True, False, True, True]), "medium": np.array([True] * 4), "hard": np.array([True] * 4)},
    )
    boxes, ignored = torch.zeros(3, 4), torch.tensor([False, True, False])
    counts = counted(whole, np.array([1, 2, 3]), boxes, ignored, load_params().evaluate)
    assert tuple(counts) == LISTS
    assert {name: flags.tolist() for name, flags in counts.items() if flags.any()} == {
        "easy": [False, False, True],
        "medium": [True, False, True],
        "hard": [True, False, True],
        "all": [True, False, True],
        "occlusion_none": [True, False, False],
        "blur_heavy": [True, False, True],
    }


def test_too_few() -> None:
    assert too_few({"easy": 49, "medium": 50, "all": 700, "blur_heavy": 0}) == {"easy", "blur_heavy"}
