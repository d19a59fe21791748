"""What every plan of a scene keeps, whatever the seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.errors import DartblurError
from dartblur.faces.people.cast import Cast
from dartblur.faces.people.figures import Figure, Rect, free_share
from dartblur.faces.people.library import Library
from dartblur.faces.people.plan import KINDS, Scene, plan_scene
from dartblur.faces.people.view import MIRRORED, window

seeds = st.integers(0, 2**32 - 1)


def check(scene: Scene) -> None:
    view, figures = scene.view, scene.figures
    assert 320 <= view.width <= 512 and 320 <= view.height <= 512
    assert 1 <= len(figures) <= KINDS[scene.kind].people[1]
    assert len({figure.sprite.identity for figure in figures}) == len(figures)
    assert [figure.depth for figure in figures] == sorted((figure.depth for figure in figures), reverse=True)
    for figure in figures:
        sprite, rect = figure.sprite, figure.rect
        assert rect.height <= 1.1 * sprite.height + 1 and figure.depth <= view.place.far
        assert figure.metre == pytest.approx(view.focal / figure.depth, rel=0.03)
        if sprite.feet is None:
            assert rect.bottom >= view.height  # never a floating bust
            assert figure.box[1] >= -1
        else:
            soles = rect.top + sprite.feet * rect.height / sprite.height
            assert soles == pytest.approx(view.horizon + view.place.camera_height * view.focal / figure.depth, abs=1)
            low, high = view.columns(figure.depth)
            assert low - 1 <= figure.middle <= high + 1 and figure.depth >= view.place.near
        x1, y1, x2, y2 = figure.box
        assert x1 < view.width and x2 > 0 and y1 < view.height and y2 > 0
        assert 0 <= figure.defocus <= 0.22 * (y2 - y1) + 1e-9
        if figure.held:
            held = figure.held
            edge = held.rect.left <= 0 if held.flip else held.rect.right >= view.width
            assert edge if held.prop.leaves == "side" else held.rect.bottom >= view.height or held.fade


@given(seeds)
def test_people_stand_on_the_ground_or_leave_the_frame_below(cast: Cast, seed: int) -> None:
    scene = plan_scene(cast, np.random.default_rng(seed))
    check(scene)
    assert scene == plan_scene(cast, np.random.default_rng(seed))


@given(seeds)
def test_people_are_lit_as_their_place_is(lit: Library, seed: int) -> None:
    """The places are lit from the left: a mirrored one from the right, where only small faces could come from light from above."""
    scene = plan_scene(Cast(lit.people, lit.places, lit.props), np.random.default_rng(seed))
    check(scene)
    assert not scene.view.flip and scene.view.light == "left-soft"
    assert {figure.sprite.light for figure in scene.figures} == {"left-soft"}


def test_all_kinds_of_scenes_and_sizes_of_faces_occur(lit: Library) -> None:
    cast = Cast(lit.people, lit.places, lit.props)
    scenes = [plan_scene(cast, np.random.default_rng(seed)) for seed in range(150)]
    assert {scene.kind for scene in scenes} == set(KINDS)
    figures = [figure for scene in scenes for figure in scene.figures]
    heights = np.array([figure.box[3] - figure.box[1] for figure in figures])
    assert heights.min() < 16 and heights.max() > 150 and 18 < np.median(heights) < 50
    assert {figure.sprite.kind for figure in figures} == {"bust", "half", "full"}
    assert 5 < sum(figure.held is not None for figure in figures) < 0.15 * len(figures)
    free = np.array([free_share(f, [o for o in s.figures if o.depth < f.depth], s.view.width, s.view.height) for s in scenes for f in s.figures])
    assert 0.75 < (free >= 0.7).mean() < 0.97 and (free < 0.7).sum() > 20
    assert {scene.view.flip for scene in scenes} == {False} and len({scene.view.place.id for scene in scenes}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_of_one_kind_can_be_asked_for(cast: Cast, kind: str) -> None:
    scenes = [plan_scene(cast, np.random.default_rng(seed), kind) for seed in range(8)]
    assert {scene.kind for scene in scenes} == {kind}
    heights = [figure.box[3] - figure.box[1] for scene in scenes for figure in scene.figures]
    assert np.median(heights) < KINDS[kind].faces[1]


@given(seeds)
def test_nobody_stands_where_the_floor_is_narrower_than_a_person(cast: Cast, seed: int) -> None:
    aisles = tuple(replace(place, left=(505.0, 511.0), right=(519.0, 513.0)) for place in cast.places)
    check(plan_scene(replace(cast, places=aisles), np.random.default_rng(seed)))


def test_a_cast_that_fits_nowhere_is_one_sentence(cast: Cast) -> None:
    dark = Cast(tuple(replace(sprite, light="left-hard") for sprite in cast.people), cast.places, cast.props)
    with pytest.raises(DartblurError, match="nobody in it fits the light and the depths of its places"):
        plan_scene(dark, np.random.default_rng(0))
    distant = Cast(cast.people, tuple(replace(place, near=900.0, far=901.0) for place in cast.places), cast.props)
    with pytest.raises(DartblurError, match="no scene can be made"):
        plan_scene(Cast(tuple(s for s in distant.people if s.kind == "full"), distant.places, ()), np.random.default_rng(0))


@given(st.floats(1, 3), st.floats(0, 1), st.floats(-300, 700), st.booleans(), st.sampled_from([(512, 384), (320, 480), (400, 400)]))
def test_a_window_lies_in_its_place_and_keeps_the_perspective(
    cast: Cast, zoom: float, at: float, horizon: float, flip: bool, size: tuple[int, int]
) -> None:
    place = cast.places[1]
    view = window(place, size, zoom, at, horizon, flip)
    assert 0 <= view.left <= place.width - view.across and 0 <= view.top <= place.height - view.down
    assert view.across / view.down == pytest.approx(size[0] / size[1], rel=0.01)
    depth = 4.0
    row = place.horizon + place.camera_height * place.focal / depth
    assert view.above_ground(0, depth) == pytest.approx((row - view.top) * view.scale)
    low, high = view.columns(place.near)
    assert high - low == pytest.approx((place.right[0] - place.left[0]) * view.scale)
    assert view.light == (MIRRORED[place.light] if flip else place.light)
    straight = window(place, size, zoom, at, horizon, False)
    if flip:
        assert view.columns(depth) == pytest.approx(tuple(view.width - column for column in reversed(straight.columns(depth))))


def test_a_free_share_counts_the_frame_and_nearer_heads(cast: Cast) -> None:
    sprite = next(sprite for sprite in cast.people if sprite.kind == "full")
    figure = Figure(sprite, Rect(100, 100, sprite.width, sprite.height), 3.0)
    assert free_share(figure, [], 512, 512) == 1
    assert free_share(figure, [figure], 512, 512) == 0
    middle = (figure.box[0] + figure.box[2]) / 2
    assert free_share(figure, [], round(middle), 512) == pytest.approx(0.5)
    assert free_share(figure, [replace(figure, rect=Rect(250, 100, sprite.width, sprite.height))], 512, 512) == 1
