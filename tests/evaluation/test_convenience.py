import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dartblur.evaluation.convenience import Convenience, measure_faces, outside_changed

Image = npt.NDArray[np.uint8]


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(0).integers(40, 200, (60, 80, 3), dtype=np.uint8)


BOXES = np.array([[10.0, 10.0, 30.0, 40.0], [60.0, 50.0, 90.0, 70.0]])  # the second sticks out of the picture


def test_hand_computed(picture: Image) -> None:
    moved = picture.copy()
    moved[10:40, 10:30] += 10
    moved[50:60, 60:80, 0] += 30
    faces = measure_faces("a", moved, picture, BOXES)
    assert [face.box for face in faces] == [(10, 10, 30, 40), (60, 50, 80, 60)]
    assert [face.l1 for face in faces] == pytest.approx([10.0, 10.0])
    assert [face.psnr for face in faces] == pytest.approx([10 * math.log10(255**2 / 100), 10 * math.log10(255**2 / 300)])
    assert all(0.5 < face.ssim < 1 for face in faces)


def test_ssim_is_that_of_the_whole_picture_inside_the_box(picture: Image) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    other = np.random.default_rng(1).integers(0, 255, picture.shape, dtype=np.uint8)
    batches = [torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None] for image in (other, picture)]
    _, full = structural_similarity_index_measure(batches[0], batches[1], data_range=255.0, return_full_image=True)
    faces = measure_faces("a", other, picture, BOXES)
    assert faces[0].ssim == pytest.approx(float(full[..., 10:40, 10:30].mean()), abs=1e-5)
    assert faces[1].ssim == pytest.approx(float(full[..., 50:60, 60:80].mean()), abs=1e-5)


def test_equal_pictures_have_no_psnr(picture: Image) -> None:
    convenience = Convenience(budget=20)
    convenience.add("a", picture, picture, picture, BOXES)
    assert convenience.summary() == {
        "l1": 0.0,
        "psnr": None,
        "psnr_reason": "every face equals the ordinary blur: infinite",
        "ssim": pytest.approx(1.0),
        "within_budget": 1.0,
        "outside_changed": 0,
    }


def test_summary_weighs_faces_equally(picture: Image) -> None:
    moved = picture.copy()
    moved[10:40, 10:30] += 30
    convenience = Convenience(budget=20)
    convenience.add("a", moved, picture, picture, BOXES)
    summary = convenience.summary()
    assert summary["l1"] == pytest.approx(15)
    assert summary["psnr"] == pytest.approx(10 * math.log10(255**2 / 450))
    assert summary["within_budget"] == 0.5
    assert len(convenience.faces) == 2


def test_without_faces_there_is_a_reason(picture: Image) -> None:
    convenience = Convenience(budget=20)
    convenience.add("a", picture, picture, picture, np.zeros((0, 4)))
    summary = convenience.summary()
    assert summary["l1"] is None
    assert "no face" in summary["l1_reason"]
    assert summary["outside_changed"] == 0


def test_pixels_outside_are_counted_once(picture: Image) -> None:
    changed = picture.copy()
    changed[0, 0] += 1
    changed[0, 1, 2] += 1
    changed[15, 15] += 1  # inside a box
    assert outside_changed(changed, picture, BOXES) == 2


def test_tiny_pictures_and_faces() -> None:
    tiny = np.full((3, 4, 3), 90, np.uint8)
    (face,) = measure_faces("a", tiny + 5, tiny, np.array([[1.2, 1.2, 1.3, 1.3]]))
    assert face.box == (1, 1, 2, 2)
    assert face.l1 == 5
    assert measure_faces("a", tiny, tiny, np.array([[9.0, 9.0, 12.0, 12.0]])) == []


def test_shapes_must_agree(picture: Image) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_faces("a", picture[1:], picture, BOXES)
    with pytest.raises(ValueError, match="cannot be compared"):
        outside_changed(picture[1:], picture, BOXES)
