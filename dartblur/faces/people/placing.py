"""Placing people in a view: full figures with their soles on the ground, the others with their cut at or below the frame's lower edge.

That one rule is why nobody floats: where a sprite ends, the frame has ended. Who should be hidden behind whom is drawn, not left to chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dartblur.faces.people.figures import Figure, Rect, free_share
from dartblur.faces.people.library import Sprite
from dartblur.faces.people.view import View

LARGEST_SCALE = 1.1
"""Sprites are shrunk; they are enlarged no further than this."""
_SIZES = {"full": (0.0, 48.0), "half": (30.0, 112.0), "bust": (80.0, 246.0)}
"""Heights of faces in pixels for which a kind of sprite may serve."""
_PREFER_FULL_BELOW = 40.0
_LOWEST_EYES = 0.58
"""Share of the frame's height; a sprite whose cut would force the eyes lower gives way to one that reaches further down."""
_LOWEST = (0.72, 0.94)
"""Shares of the frame's height: where the eyes and the chin of somebody who is not a full figure are at the lowest."""
_SOFT_BELOW = 24.0
"""Pixels; nobody sees on a lower face whether a soft light comes from above or from a side."""
_KINDRED = {"top": ("left-soft", "right-soft"), "left-soft": ("top",), "right-soft": ("top",)}
_BANDS = ((0.79, 0.88, 1.0), (0.95, 0.3, 0.75), (1.0, 0.04, 0.3))
"""Up to this draw: the share of a face that is to be free, lowest and highest."""
_CLEAR = _BANDS[0][1:]
_EDGE = 0.05
"""Share of people whose face the frame's edge may cut."""
_TRIES = 30


@dataclass(frozen=True)
class Staging:
    """What is wanted in a scene.

    Attributes:
        view: where.
        faces: heights of the faces in pixels, the largest first.
        kinds: of sprites that may serve.
        sinks: metres by which people may be lower than standing, lowest and highest (sitting; below 0: on a step); not for full figures.
        rows: 1, or 2 where the later half of the faces stands behind the others.
        in_rows: people stand side by side rather than anywhere.
    """

    view: View
    faces: tuple[float, ...]
    kinds: tuple[str, ...]
    sinks: tuple[float, float]
    rows: int = 1
    in_rows: bool = False


def face_metres(people: Sequence[Sprite]) -> float:
    """The middle height of a face in metres: for a size that is wanted before it is known whose face it is."""
    return float(np.median([sprite.face_height / sprite.metre for sprite in people]))


def largest_faces(people: Sequence[Sprite]) -> dict[str, float]:
    """Kind of sprite -> pixels of the highest face that most sprites of that kind may serve for."""
    heights: dict[str, list[float]] = {}
    for sprite in people:
        heights.setdefault(sprite.kind, []).append(sprite.face_height)
    return {kind: min(LARGEST_SCALE * float(np.median(found)), _SIZES[kind][1]) for kind, found in heights.items()}


def place_people(people: Sequence[Sprite], staging: Staging, rng: np.random.Generator) -> list[Figure]:
    """Figures of different identities, the first wanted first; fewer than wanted where nobody fits."""
    placed: list[Figure] = []
    fitting = [sprite for sprite in people if sprite.kind in staging.kinds and sprite.light in {staging.view.light, *_kindred(staging.view.light)}]
    if not fitting:
        return []
    face = face_metres(fitting)
    for index, tall in enumerate(staging.faces):
        draw = rng.random() if placed else 0.0
        band = next(limits[1:] for limits in _BANDS if draw < limits[0])
        edge = bool(rng.random() < _EDGE and len(staging.faces) > 1)
        spare: Figure | None = None
        for _ in range(_TRIES):
            sprite = _choose(fitting, {figure.sprite.identity for figure in placed}, tall, staging, rng)
            figure = sprite and _stand(sprite, tall / face, staging, _wanted_column(index, band, placed, staging, rng), edge, rng)
            if not figure or _in_the_way(figure, placed, staging.view):
                continue
            nearer = [other for other in placed if other.depth <= figure.depth]
            share = free_share(figure, nearer, staging.view.width, staging.view.height)
            if edge or band[0] <= share <= band[1]:
                spare = figure
                break
            if _CLEAR[0] <= share:
                spare = figure
        if spare:
            placed.append(spare)
    return placed


def _kindred(light: str) -> tuple[str, ...]:
    return _KINDRED.get(light, ())


def _choose(fitting: Sequence[Sprite], taken: set[str], tall: float, staging: Staging, rng: np.random.Generator) -> Sprite | None:
    """A sprite of somebody who is not in the scene yet, for a face of ``tall`` pixels; every identity is as likely as another."""
    light = staging.view.light

    def serves(sprite: Sprite) -> bool:
        low, high = _SIZES[sprite.kind]
        lit = sprite.light == light or tall < _SOFT_BELOW
        return lit and low <= tall <= min(high, LARGEST_SCALE * sprite.face_height * 1.05) and sprite.identity not in taken

    found = [sprite for sprite in fitting if serves(sprite)]
    if tall < _PREFER_FULL_BELOW:
        found = [sprite for sprite in found if sprite.kind == "full"] or found
    below = (1 - _LOWEST_EYES) * staging.view.height / tall
    found = [sprite for sprite in found if sprite.feet is not None or sprite.height - sprite.eyes >= below * sprite.face_height] or found
    identities = sorted({sprite.identity for sprite in found})
    if not identities:
        return None
    identity = identities[int(rng.integers(len(identities)))]
    theirs = [sprite for sprite in found if sprite.identity == identity]
    return theirs[int(rng.integers(len(theirs)))]


def _wanted_column(index: int, band: tuple[float, ...], placed: Sequence[Figure], staging: Staging, rng: np.random.Generator) -> float | None:
    """Where the middle of the face is wanted: a place in the row, beside or behind a nearer head, or (None) anywhere."""
    if band != _CLEAR and placed:
        other = placed[int(rng.integers(len(placed)))]
        width = other.box[2] - other.box[0]
        return (other.box[0] + other.box[2]) / 2 + float(rng.choice([-1, 1]) * rng.uniform(0.2, 1.2)) * width
    if not staging.in_rows:
        return None
    front = -(-len(staging.faces) // staging.rows)
    row, first = (front, 0) if index < front else (len(staging.faces) - front, front)
    pitch = staging.view.width / (front + 0.2)
    # The rear row looks through the gaps of the front row.
    start = staging.view.width / 2 - pitch * (row - 1) / 2 + (pitch / 2 if first and row == front else 0)
    return start + pitch * (index - first) + float(rng.normal(0, 0.07)) * pitch


def _stand(sprite: Sprite, metre: float, staging: Staging, column: float | None, edge: bool, rng: np.random.Generator) -> Figure | None:
    """``sprite`` at ``metre`` pixels a metre, or None where it cannot be: too near, too far, enlarged too much, cut above the frame's edge."""
    view, scale = staging.view, metre / sprite.metre
    depth = view.focal / metre
    if scale > LARGEST_SCALE or depth > view.place.far or (sprite.kind == "full" and depth < view.place.near):
        return None
    width, height = max(round(sprite.width * scale), 1), max(round(sprite.height * scale), 1)
    top = _top(sprite, scale, height, depth, staging, rng)
    if top is None:
        return None
    x1, y1, x2, y2 = (scale * value for value in sprite.box)
    if top + y2 > view.height or top + (y2 if edge else y1) < 0:
        return None
    low, high = view.columns(depth) if depth >= view.place.near else (-float(width), float(view.width + width))
    beyond = 0.6 * (x2 - x1) if edge else 0.0
    low, high = max(low, width / 2 - x1 - beyond), min(high, view.width - x2 + width / 2 + beyond)
    if low > high:  # the floor is narrower than the person
        return None
    if edge and column is None:
        column = float(rng.choice([0, view.width]))
    middle = rng.uniform(low, high) if column is None else column - (x1 + x2) / 2 + width / 2
    if not low <= middle <= high:
        return None
    return Figure(sprite, Rect(round(middle - width / 2), top, width, height), depth)


def _top(sprite: Sprite, scale: float, height: int, depth: float, staging: Staging, rng: np.random.Generator) -> int | None:
    """The upper edge of the sprite: soles on the ground, or the cut below the frame and the face inside it; None where that cannot be."""
    view = staging.view
    if sprite.feet is not None:
        return round(view.above_ground(0, depth) - sprite.feet * height / sprite.height)
    metre = sprite.metre * scale
    standing = view.above_ground(sprite.eye_height, depth)
    # Rows of the eyes: low enough for the cut and the brow, high enough for the chin.
    least = max(view.height - (sprite.height - sprite.eyes) * scale, (sprite.eyes - sprite.box[1]) * scale, standing + staging.sinks[0] * metre)
    chin = (sprite.box[3] - sprite.eyes) * scale
    most = min(_LOWEST[0] * view.height, _LOWEST[1] * view.height - chin, standing + staging.sinks[1] * metre)
    if least > most:
        return None
    eyes = least + (most - least) * float(rng.beta(1.2, 2.5))
    return max(round(eyes - sprite.eyes * scale), view.height - height)


def _in_the_way(figure: Figure, placed: Sequence[Figure], view: View) -> bool:
    """Whether ``figure`` would hide the face of somebody behind, or stand where somebody stands."""
    for other in placed:
        if other.depth > figure.depth and free_share(other, [figure], view.width, view.height) < free_share(other, [], view.width, view.height):
            return True
        centre = view.width / 2
        sideways = (other.middle - centre) / other.metre - (figure.middle - centre) / figure.metre
        apart = np.hypot(other.depth - figure.depth, sideways)
        if figure.sprite.kind == other.sprite.kind == "full" and apart < 0.45:
            return True
    return False
