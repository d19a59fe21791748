"""The Gaussian against numbers of the method and against a plain numpy implementation."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.blur.gaussian import Gaussian, kernel_sigma, kernel_size
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import Image
from tests.blur.samples import noise
from tests.makedata import drawn_picture


def reference(image: npt.NDArray[np.uint8], sigmas: tuple[float, float], sides: tuple[int, int]) -> npt.NDArray[np.float64]:
    """A Gaussian of x and y sigma and kernel sides, mirrored at the borders with the edge pixel repeated (c b a | a b c | c b a)."""
    result = image.astype(np.float64)
    for axis, sigma, side in ((1, sigmas[0], sides[0]), (0, sigmas[1], sides[1])):
        offsets = np.arange(side) - side // 2
        weights = np.exp(-(offsets**2) / (2 * sigma**2))
        length = result.shape[axis]
        places = (np.arange(length)[:, None] + offsets) % (2 * length)
        places = np.where(places < length, places, 2 * length - 1 - places)
        matrix = np.zeros((length, length))
        for row in range(length):
            np.add.at(matrix[row], places[row], weights / weights.sum())
        result = np.moveaxis(np.tensordot(matrix, result, axes=(1, axis)), 0, axis)
    return result


@pytest.mark.parametrize(
    ("side", "strength", "kernel", "sigma"),
    [(100, 1.0, 51, 8.0), (100, 2.0, 101, 15.5), (100, 4.0, 201, 30.5), (100, 0.5, 25, 4.1), (200, 1.0, 101, 15.5), (40, 1.0, 21, 3.5)],
)
def test_the_method_s_numbers(side: int, strength: float, kernel: int, sigma: float) -> None:
    assert kernel_size(side, strength) == kernel
    assert kernel_sigma(kernel) == pytest.approx(sigma)


@given(st.integers(1, 4000), st.floats(0.1, 20))
def test_a_kernel_is_odd_and_never_does_nothing(side: int, strength: float) -> None:
    kernel = kernel_size(side, strength)
    assert kernel % 2 == 1
    assert kernel >= 3
    assert abs(kernel - max(side * strength / 2, 3)) <= 1
    assert kernel <= kernel_size(side + 1, strength)
    assert kernel_sigma(kernel) >= 0.8


def test_sigma_is_about_eight_hundredths_of_the_face() -> None:
    for side in range(60, 1000, 7):
        assert kernel_sigma(kernel_size(side, 1.0)) / side == pytest.approx(0.08, abs=0.01)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("width", "height"), [(60, 80), (100, 100), (3, 3), (4, 90), (90, 5), (31, 17)])
def test_agrees_with_numpy_on_a_picture(width: int, height: int, strength: float, exact: bool) -> None:
    image, _ = drawn_picture(np.random.default_rng(0), 120, 3)
    hidden = Gaussian(strength, exact=exact).anonymize(image, as_boxes([(10, 12, 10 + width, 12 + height)]))
    sides = (kernel_size(width, strength), kernel_size(height, strength))
    expected = reference(image[12 : 12 + height, 10 : 10 + width], (kernel_sigma(sides[0]), kernel_sigma(sides[1])), sides)
    found = hidden[12 : 12 + height, 10 : 10 + width]
    coarse = not exact and kernel_sigma(max(sides)) > 5
    assert np.abs(found - expected).max() <= (1.5 if coarse else 1)
    assert abs(float((found - expected).mean())) < (0.15 if coarse else 0.1)
    if not exact:
        assert np.mean(found != np.rint(expected)) < (0.25 if coarse else 0.01)


@pytest.mark.parametrize("strength", [1.0, 3.0])
@pytest.mark.parametrize(("width", "height"), [(400, 380), (401, 90), (37, 333), (499, 3)])
def test_on_a_coarser_grid_large_boxes_keep_their_grey_levels(width: int, height: int, strength: float) -> None:
    image = drawn_picture(np.random.default_rng(1), 500, 3)[0]
    sides = (kernel_size(width, strength), kernel_size(height, strength))
    expected = reference(image[:height, :width], (kernel_sigma(sides[0]), kernel_sigma(sides[1])), sides)
    found = Gaussian(strength, exact=False).anonymize(image, as_boxes([(0, 0, width, height)]))[:height, :width]
    assert np.abs(found - expected).max() <= 1.5
    assert abs(float((found - expected).mean())) < 0.15


@given(st.integers(1, 120), st.integers(1, 120), st.floats(0.1, 4))
def test_floating_point_differs_by_a_grey_level_or_so(width: int, height: int, strength: float) -> None:
    image, boxes = noise(120, 120), as_boxes([(0, 0, width, height)])
    exact, fast = (Gaussian(strength, exact=exact).anonymize(image, boxes).astype(int) for exact in (True, False))
    assert np.abs(exact - fast).max() <= 4  # noise, and strips a pixel wide, are the worst
    assert np.abs(exact - fast)[:height, :width].mean() < 1.5


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("side", [1, 2])
def test_the_smallest_sides_are_blurred_with_their_neighbours(side: int, exact: bool) -> None:
    image = noise()
    hidden = Gaussian(exact=exact).anonymize(image, as_boxes([(10, 10, 10 + side, 10 + side)]))
    expected = reference(image[9 : 11 + side, 9 : 11 + side], (0.8, 0.8), (3, 3))[1:-1, 1:-1]
    assert np.abs(hidden[10 : 10 + side, 10 : 10 + side] - expected).max() <= 1


@pytest.mark.parametrize("exact", [True, False])
def test_nothing_outside_the_box_enters(exact: bool) -> None:
    boxes = as_boxes([(10, 10, 40, 40)])
    one, other = noise(), noise(seed=1)
    other[10:40, 10:40] = one[10:40, 10:40]
    blur = Gaussian(exact=exact)
    assert np.array_equal(blur.anonymize(one, boxes)[10:40, 10:40], blur.anonymize(other, boxes)[10:40, 10:40])


def test_a_stronger_blur_is_smoother() -> None:
    image, boxes = noise(), as_boxes([(0, 0, 50, 50)])
    spreads = [float(Gaussian(strength).anonymize(image, boxes)[:50, :50].std()) for strength in (0.1, 1.0, 2.0, 8.0)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 2 < spreads[0]


def test_where_boxes_overlap_the_largest_one_stands() -> None:
    image = noise()
    large, small = (5, 5, 45, 45), (30, 30, 50, 48)

    def blurred(*boxes: tuple[int, ...]) -> Image:
        return Gaussian().anonymize(image, as_boxes(boxes))

    both = blurred(large, small)
    assert np.array_equal(both[5:45, 5:45], blurred(large)[5:45, 5:45])
    assert np.array_equal(both[45:48, 30:50], blurred(small)[45:48, 30:50])
