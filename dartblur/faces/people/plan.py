"""The plan of a scene: which place, who stands where, what they hold, what is sharp. Drawn from a random generator; no pixels here."""

from dataclasses import dataclass, replace

import numpy as np

from dartblur.errors import DartblurError
from dartblur.faces.people.cast import Cast
from dartblur.faces.people.figures import Figure
from dartblur.faces.people.finish import Finish, draw_finish
from dartblur.faces.people.hold import hold_something
from dartblur.faces.people.library import Point
from dartblur.faces.people.placing import Staging, face_metres, largest_faces, place_people
from dartblur.faces.people.view import View, window

Range = tuple[float, float]

_EYES = 1.57
"""Metres from the ground to the eyes, about."""
_ATTEMPTS = 60
_HOLDS = 0.12
"""Share of the larger faces with something in front."""
_HELD_FROM = 40.0
"""Pixels; a lower face has nothing in front."""
_LARGEST_DEFOCUS = (8.0, 0.22)
"""A person's disk of confusion has at most this radius: pixels, and face heights."""
_MOVING = (0.05, 0.18)
"""Shares: scenes in which people move, and of the people in one those that do."""


@dataclass(frozen=True)
class Kind:
    """A kind of scene.

    Attributes:
        weight: how often, relative to the others.
        people: fewest and most.
        faces: lowest and highest face in pixels.
        zoom: see ``view.window``.
        horizon: its row as a share of the height; for scenes of near people that of the eyes of the first.
        sinks: metres that people who do not stand on visible ground are lower than standing.
        background: radius of the disk of confusion at the rear, pixels.
        sprites: kinds of sprites that may appear.
    """

    weight: float
    people: tuple[int, int]
    faces: Range
    zoom: Range
    horizon: Range
    sinks: Range
    background: Range
    sprites: tuple[str, ...]


KINDS = {
    "portrait": Kind(0.4, (1, 2), (80, 220), (1.3, 2.3), (0.34, 0.5), (-0.1, 0.5), (2.5, 11), ("bust", "half")),
    "group": Kind(0.22, (3, 6), (30, 105), (1.15, 2.0), (0.3, 0.48), (-0.1, 0.45), (0.8, 5), ("half", "bust")),
    "walk": Kind(0.18, (2, 8), (12, 44), (1.0, 1.9), (0.28, 0.48), (0.0, 0.0), (0, 0.7), ("full",)),
    "crowd": Kind(0.2, (8, 12), (12, 44), (1.0, 1.7), (0.25, 0.45), (-0.1, 0.25), (0, 1.6), ("full", "half")),
}
ANY = "any"


@dataclass(frozen=True)
class Scene:
    """Everything that decides the pixels of a scene.

    Attributes:
        kind: a key of :data:`KINDS`.
        view: place, window, size.
        figures: the people, the farthest first.
        background: radius of the disk of confusion of the place, pixels.
        finish: what lens, sensor and file format do.
    """

    kind: str
    view: View
    figures: tuple[Figure, ...]
    background: float
    finish: Finish


def plan_scene(cast: Cast, rng: np.random.Generator, kind: str = ANY) -> Scene:
    """Draw a scene: 320 to 512 pixels a side, 1 to 12 people of different identities, one at least.

    Args:
        kind: a key of :data:`KINDS`, or :data:`ANY`, which draws one.

    Raises:
        DartblurError: the cast allows no scene: no sprite has the light of a place, or nobody fits where people may stand.
    """
    names = list(KINDS) if kind == ANY else [kind]
    weights = np.array([KINDS[name].weight for name in names])
    for _ in range(_ATTEMPTS):
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        staging = _draw_staging(cast, name, _draw_size(name, rng), rng)
        figures = place_people(cast.people, staging, rng) if staging else []
        if staging and len(figures) >= min(KINDS[name].people[0], len({sprite.identity for sprite in cast.people})):
            figures = [_hand_over(figure, cast, staging.view, rng) for figure in figures]
            figures, background = _focus(figures, name, staging.view, rng)
            ordered = tuple(sorted(figures, key=lambda figure: -figure.depth))
            return Scene(name, staging.view, ordered, background, draw_finish(staging.view.light, rng))
    raise DartblurError("no scene can be made of this sprite library: nobody in it fits the light and the depths of its places")


def _draw_size(kind: str, rng: np.random.Generator) -> tuple[int, int]:
    """Width and height: mostly landscape, more often upright for portraits."""
    draw = rng.random()
    if draw < 0.15:
        side = int(rng.integers(40, 57)) * 8
        return side, side
    short = int(rng.integers(40, 49)) * 8
    long = int(np.clip(round(short * rng.choice([4 / 3, 1.5, 1.25]) / 8) * 8, 320, 512))
    return (short, long) if draw < (0.45 if kind == "portrait" else 0.22) else (long, short)


def _log_uniform(bounds: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def _draw_staging(cast: Cast, name: str, size: tuple[int, int], rng: np.random.Generator) -> Staging | None:
    """A view, and the faces that are wanted in it; None where the cast has no sprite for that kind of scene."""
    kind = KINDS[name]
    height = size[1]
    place = cast.places[int(rng.integers(len(cast.places)))]
    count = int(rng.integers(kind.people[0], kind.people[1] + 1))
    if name == "portrait":
        count = 1 if rng.random() < 0.5 else 2
    zoom, at, flip = _log_uniform(kind.zoom, rng), float(rng.random()), bool(rng.random() < 0.5)
    rows = 2 if name == "group" and count >= 4 and rng.random() < 0.6 else 1
    serving = [sprite for sprite in cast.people if sprite.kind in kind.sprites]
    if not serving:
        return None
    faces = _draw_faces(name, count, rows, size, largest_faces(serving), rng)
    horizon = float(rng.uniform(*kind.horizon)) * height
    if name in {"portrait", "group"}:
        # The eyes of the first person are to lie there: what is near leaves the frame below, wherever the horizon of the place is.
        horizon -= (place.camera_height - _EYES + float(rng.uniform(0, kind.sinks[1]))) * faces[0] / face_metres(serving)
    view = window(place, size, zoom, at, horizon, flip)
    return Staging(view, tuple(faces), kind.sprites, kind.sinks, rows, in_rows=name == "group")


def _draw_faces(name: str, count: int, rows: int, size: tuple[int, int], largest: dict[str, float], rng: np.random.Generator) -> list[float]:
    """Wanted heights of faces, the largest first, none above what a kind of sprite gives (``largest``)."""
    low, high = KINDS[name].faces
    width, height = size
    high = min(high, largest.get("full", high) if name in {"walk", "crowd"} else max(largest.values()))
    low = min(low, high)
    if name == "portrait":
        first = _log_uniform((low, max(min(high, 0.56 * height, 0.5 * width), low)), rng)
        return [first, *(max(first * rng.uniform(0.7, 1.0), 60) for _ in range(count - 1))]
    if name == "group":
        first = _log_uniform((low, max(min(high, 0.62 * width * rows / count), low)), rng)
        front = -(-count // rows)
        return [first * (1 if place < front else 0.86) * float(np.exp(rng.normal(0, 0.04))) for place in range(count)]
    faces = [_log_uniform((low, high), rng) for _ in range(count)]
    if name == "crowd" and "half" in largest:  # a few who are near, and leave the frame below
        faces[:2] = [_log_uniform((min(38, largest["half"]), min(100, largest["half"])), rng) for _ in range(2)]
    return sorted(faces, reverse=True)


def _hand_over(figure: Figure, cast: Cast, view: View, rng: np.random.Generator) -> Figure:
    """``figure``, now and then with something in front of the face, and with the colour of the place's light."""
    colour = np.array(view.place.tint) * view.place.exposure * np.exp(rng.normal(0, 0.06)) * (1 + rng.normal(0, 0.012, 3))
    red, green, blue = (float(value) for value in colour)
    figure = replace(figure, gain=(red, green, blue))
    if figure.box[3] - figure.box[1] >= _HELD_FROM and rng.random() < _HOLDS:
        return replace(figure, held=hold_something(figure, cast.props, view, rng))
    return figure


def _focus(figures: list[Figure], name: str, view: View, rng: np.random.Generator) -> tuple[list[Figure], float]:
    """Depth of field and motion: the people with their blur, and the blur of the background."""
    near_people = name in {"portrait", "group"}
    focused = figures[0] if near_people and rng.random() < 0.93 else figures[int(rng.integers(len(figures)))]
    rear = float(rng.uniform(*KINDS[name].background))
    if rng.random() < 0.12:  # a wide aperture, or the focus somewhere else
        rear = max(rear, float(rng.uniform(1.5, 5)))
    sharp = 1 / focused.depth
    # Radius = aperture * |1/z - 1/focus|; where the focus lies near the rear, the aperture stays finite.
    aperture = rear / max(abs(1 / view.place.far - sharp), 0.3 * sharp)
    moving = rng.random() < _MOVING[0]
    done = []
    for figure in figures:
        tall = figure.box[3] - figure.box[1]
        defocus = min(aperture * abs(1 / figure.depth - sharp), _LARGEST_DEFOCUS[0], _LARGEST_DEFOCUS[1] * tall)
        done.append(replace(figure, defocus=defocus, motion=_motion(tall, rng) if moving and rng.random() < _MOVING[1] else (0.0, 0.0)))
    return done, aperture * abs(1 / view.place.far - sharp)


def _motion(tall: float, rng: np.random.Generator) -> Point:
    """The way a face of ``tall`` pixels moves while the picture is taken: mostly sideways."""
    way, angle = float(rng.uniform(0.05, 0.22)) * tall, float(rng.normal(0, 0.35))
    return way * float(np.cos(angle)), way * float(np.sin(angle))
