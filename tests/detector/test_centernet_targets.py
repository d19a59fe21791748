import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dartblur.detector.centernet_targets import BOX_WEIGHT, CORE, STRIDE, CenterTargets, center_loss, center_targets, decode, encode

CPU = torch.device("cpu")
SIZE = 64
face = st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(0.5, 60), st.floats(0.5, 60)).map(
    lambda b: [b[0], b[1], min(b[0] + b[2], SIZE), min(b[1] + b[3], SIZE)]
)
flagged = st.lists(st.tuples(face, st.booleans()), max_size=5)


def targets_of(*views: list[tuple[list[float], bool]]) -> CenterTargets:
    faces = [torch.tensor([box for box, _ in view]).reshape(-1, 4) for view in views]
    ignored = [torch.tensor([flag for _, flag in view], dtype=torch.bool) for view in views]
    return center_targets(faces, ignored, (SIZE, SIZE), CPU)


@given(st.lists(face, min_size=1, max_size=6))
def test_decode_inverts_encode(faces: list[list[float]]) -> None:
    boxes = torch.tensor(faces)
    cells, values = encode(boxes)
    assert ((values[:, :2] >= 0) & (values[:, :2] <= 1)).all()
    torch.testing.assert_close(decode(cells, values), boxes, atol=1e-3, rtol=1e-4)


def test_an_untrained_network_cannot_ask_for_an_infinite_box() -> None:
    assert torch.isfinite(decode(torch.zeros(3, 2), torch.full((3, 4), 1e4))).all()


def slow_targets(view: list[tuple[list[float], bool]]) -> tuple[list[list[float]], list[list[bool]], list[list[float]]]:
    """The rule of center_targets() in plain loops: heat, counts, and (row, column, height of the bump, face) of each cell that learns a box."""
    cells = SIZE // STRIDE
    heat, counts = [[0.0] * cells for _ in range(cells)], [[True] * cells for _ in range(cells)]
    learning = []
    for row in range(cells):
        for column in range(cells):
            owner: list[float] = []
            for (x1, y1, x2, y2), ignored in view:
                if ignored:
                    beside = (column + 1) * STRIDE <= x1 or column * STRIDE >= x2 or (row + 1) * STRIDE <= y1 or row * STRIDE >= y2
                    counts[row][column] &= beside
                    continue
                middle = (min(int((x1 + x2) / 8), cells - 1), min(int((y1 + y2) / 8), cells - 1))
                sigma = [(0.54 * side / STRIDE + 1) / 6 for side in (x2 - x1, y2 - y1)]
                bump = math.exp(-(((column - middle[0]) / sigma[0]) ** 2 + ((row - middle[1]) / sigma[1]) ** 2) / 2)
                if bump > heat[row][column]:
                    heat[row][column], owner = bump, [x1, y1, x2, y2]
            if owner and heat[row][column] >= CORE:
                learning.append([row, column, heat[row][column], *owner])
    counted = [[counts[row][column] or heat[row][column] == 1 for column in range(cells)] for row in range(cells)]
    return heat, counted, learning


@given(flagged, flagged)
def test_targets_equal_the_plain_loops(first: list[tuple[list[float], bool]], second: list[tuple[list[float], bool]]) -> None:
    # In single precision, so that a centre on the border of two cells goes the same way in both.
    views = [[([float(np.float32(value)) for value in box], flag) for box, flag in view] for view in (first, second)]
    found = targets_of(*views)
    assert found.faces == sum(not flag for view in views for _, flag in view)
    for index, view in enumerate(views):
        heat, counts, learning = slow_targets(view)
        np.testing.assert_allclose(found.heat[index].numpy(), heat, atol=2e-6)
        assert found.counts[index].tolist() == counts
        mine = found.cells[:, 0] == index
        rows = {(row, column): (bump, face) for row, column, bump, *face in learning}
        boxes, shares = decode(found.cells[mine, 1:], found.boxes[mine]), found.shares[mine]
        # Two bumps equally high, or one within rounding of the core's edge, may go either way.
        edge = sum(abs(bump - CORE) < 1e-5 for bump, _ in rows.values())
        assert abs(len(boxes) - len(rows)) <= edge
        totals: dict[tuple[float, ...], float] = {}
        for (row, column), box, share in zip(found.cells[mine, 1:].tolist(), boxes.tolist(), shares.tolist(), strict=True):
            candidates = [face for face, flag in view if not flag]
            nearest = min(candidates, key=lambda face: max(abs(a - b) for a, b in zip(box, face, strict=True)))
            assert box == pytest.approx(nearest, abs=2e-3)
            assert (row, column) in rows or heat[row][column] == pytest.approx(CORE, abs=1e-5)
            assert share > 0
            totals[tuple(nearest)] = totals.get(tuple(nearest), 0.0) + share
        assert all(total == pytest.approx(1, abs=1e-5) for total in totals.values()) or len(totals) < sum(not flag for _, flag in view)


def test_cells_around_a_centre_learn_its_box_by_the_height_of_the_bump() -> None:
    found = targets_of([([8.0, 8.0, 33.0, 33.0], False), ([44.0, 44.0, 52.0, 52.0], False)])
    faces = decode(found.cells[:, 1:], found.boxes)
    large = faces[:, 0] < 20
    assert found.cells[large, 1:].tolist() == [[4, 5], [5, 4], [5, 5], [5, 6], [6, 5]]
    assert found.cells[~large, 1:].tolist() == [[12, 12]]
    torch.testing.assert_close(faces[large], torch.tensor([[8.0, 8.0, 33.0, 33.0]]).expand(5, 4))
    heights = found.heat[tuple(found.cells[large].T)]
    torch.testing.assert_close(found.shares[large], heights / heights.sum())
    assert found.shares[~large].tolist() == [1.0]


def as_maps(targets: CenterTargets) -> torch.Tensor:
    """Boxes and shares of the first view as maps, (5, h, w)."""
    maps = torch.zeros(5, *targets.heat.shape[1:])
    _, row, column = targets.cells.unbind(dim=1)
    maps[:, row, column] = torch.cat([targets.boxes, targets.shares[:, None]], dim=1).T
    return maps


def test_a_mirrored_view_has_mirrored_targets() -> None:
    boxes = torch.tensor([[10.0, 8.0, 31.0, 40.0], [40.0, 30.0, 45.0, 37.0]])  # centres within their cells, not between two
    mirrored = torch.stack([SIZE - boxes[:, 2], boxes[:, 1], SIZE - boxes[:, 0], boxes[:, 3]], dim=1)
    flags = [torch.tensor([False, True])]
    straight, turned = (center_targets([faces], flags, (SIZE, SIZE), CPU) for faces in (boxes, mirrored))
    torch.testing.assert_close(turned.heat, straight.heat.flip(2))
    assert torch.equal(turned.counts, straight.counts.flip(2))
    straight_maps, turned_maps = (as_maps(found) for found in (straight, turned))
    learning = straight_maps[4] > 0
    assert learning.sum() > 1
    straight_maps[0] = torch.where(learning, 1 - straight_maps[0], 0.0)
    torch.testing.assert_close(turned_maps, straight_maps.flip(2))


def test_a_face_without_width_at_the_far_border_stays_inside() -> None:
    found = targets_of([([64.0, 64.0, 64.0, 64.0], False)])
    assert [0, 15, 15] in found.cells.tolist()
    assert torch.isfinite(found.boxes).all()


def test_an_empty_view_is_background_and_teaches_it() -> None:
    found = targets_of([], [([1.0, 1.0, 9.0, 9.0], True)])
    assert not found.heat.any()
    assert found.counts[0].all()
    assert found.counts[1].logical_not().nonzero().tolist() == [[row, column] for row in range(3) for column in range(3)]
    assert len(found.cells) == found.faces == 0
    heat = torch.zeros(2, 16, 16, requires_grad=True)
    values = torch.zeros(2, 4, 16, 16, requires_grad=True)
    loss = center_loss(heat, values, found)
    torch.testing.assert_close(loss.detach(), torch.tensor((2 * 256 - 9) * 0.25 * math.log(2)))
    by_heat, by_values = torch.autograd.grad(loss, (heat, values))
    assert ((by_heat > 0) == found.counts).all()
    assert not by_values.any()


def slow_loss(heat: torch.Tensor, values: torch.Tensor, targets: CenterTargets) -> float:
    """The loss in plain loops."""
    total = 0.0
    for view, row, column in np.ndindex(*heat.shape):
        if targets.counts[view, row, column]:
            score, wanted = 1 / (1 + math.exp(-float(heat[view, row, column]))), float(targets.heat[view, row, column])
            total -= (1 - score) ** 2 * math.log(score) if wanted == 1 else (1 - wanted) ** 4 * score**2 * math.log(1 - score)
    for (view, row, column), box, share in zip(targets.cells.tolist(), targets.boxes.tolist(), targets.shares.tolist(), strict=True):
        total += BOX_WEIGHT * share * sum(abs(float(values[view, k, row, column]) - box[k]) for k in range(4))
    return total / max(targets.faces, 1)


EXAMPLES: dict[str, list[list[tuple[list[float], bool]]]] = {
    "faces": [[([4.0, 6.0, 30.0, 41.0], False), ([33.0, 10.0, 39.0, 17.0], False), ([20.0, 30.0, 60.0, 64.0], True)], []],
    "two in one cell": [[([8.0, 8.0, 16.0, 16.0], False), ([9.0, 9.0, 16.0, 16.0], False)], [([0.0, 0.0, 64.0, 64.0], False)]],
    "none": [[], []],
}


def example(name: str) -> tuple[torch.Tensor, torch.Tensor, CenterTargets]:
    generator = torch.Generator().manual_seed(0)
    heat, values = (torch.randn(2, *more, 16, 16, generator=generator, dtype=torch.float64) for more in ((), (4,)))
    found = targets_of(*EXAMPLES[name])
    return heat, values, CenterTargets(found.heat.double(), found.counts, found.cells, found.boxes.double(), found.shares.double(), found.faces)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_loss_equals_the_plain_loops(name: str) -> None:
    heat, values, targets = example(name)
    torch.testing.assert_close(float(center_loss(heat, values, targets)), slow_loss(heat, values, targets), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    heat, values, targets = example(name)
    direction = torch.Generator().manual_seed(1)
    along = [torch.randn(t.shape, generator=direction, dtype=torch.float64) for t in (heat, values)]
    heat, values = heat.requires_grad_(), values.requires_grad_()
    gradient = torch.autograd.grad(center_loss(heat, values, targets), (heat, values))
    step = 1e-6
    with torch.no_grad():
        ends = [float(center_loss(heat + sign * step * along[0], values + sign * step * along[1], targets)) for sign in (1, -1)]
    slope = sum(float((g * a).sum()) for g, a in zip(gradient, along, strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


def test_perfect_maps_have_no_loss() -> None:
    _, values, targets = example("faces")
    values = values.clone()
    view, row, column = targets.cells.unbind(dim=1)
    values[view, :, row, column] = targets.boxes
    sure = torch.where(targets.heat == 1, 40.0, -40.0).double()
    assert float(center_loss(sure, values, targets)) < 1e-9
    assert float(center_loss(-sure, values, targets)) > 10
