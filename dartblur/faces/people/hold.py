"""Things in front of a face: a cup at the mouth, a telephone, a hand."""

from collections.abc import Sequence

import numpy as np

from dartblur.faces.people.figures import Figure, Held, Rect
from dartblur.faces.people.library import Point, Prop
from dartblur.faces.people.placing import LARGEST_SCALE
from dartblur.faces.people.view import MIRRORED, View

_SPOTS = {
    "cup": ("mouth",),
    "microphone": ("chin",),
    "phone": ("cheek", "eye"),
    "book": ("mouth", "nose"),
    "hand": ("mouth", "cheek", "eye", "nose"),
}
"""Where a kind of prop is laid; any spot for a kind that is not listed."""
_TRIES = 12


def hold_something(figure: Figure, props: Sequence[Prop], view: View, rng: np.random.Generator) -> Held | None:
    """A prop on the face of ``figure`` whose support reaches the frame's edge or the person's body; None where none does.

    Light from the right side is preferred, and a mirrored prop has its light mirrored.
    """
    for attempt in range(_TRIES if props else 0):
        prop = props[int(rng.integers(len(props)))]
        flip = bool(rng.random() < 0.5)
        lit = (MIRRORED[prop.light] if flip else prop.light) == view.light
        if lit or attempt >= _TRIES // 2:
            held = _lay(prop, flip, figure, view, rng)
            if held:
                return held
    return None


def _lay(prop: Prop, flip: bool, figure: Figure, view: View, rng: np.random.Generator) -> Held | None:
    scale = figure.metre / prop.metre
    if scale > LARGEST_SCALE:
        return None
    width, height = max(round(prop.width * scale), 1), max(round(prop.height * scale), 1)
    x, y = _spot(prop.kind, figure, rng)
    grip = (prop.width - prop.grip[0]) if flip else prop.grip[0]
    rect = Rect(round(x - grip * width / prop.width), round(y - prop.grip[1] * height / prop.height), width, height)
    if prop.leaves == "side":
        reaches = rect.left <= 0 if flip else rect.right >= view.width
        return Held(prop, rect, flip, False) if reaches else None
    if rect.bottom >= view.height:
        return Held(prop, rect, flip, False)
    # Over the chest: the support is taken to go on along the body.
    chin = figure.box[3]
    on_body = rect.bottom > chin + 0.08 * figure.metre and abs(rect.left + rect.width / 2 - figure.middle) < 0.15 * figure.metre
    return Held(prop, rect, flip, True) if on_body else None


def _spot(kind: str, figure: Figure, rng: np.random.Generator) -> Point:
    """A point of the face in pixels of the scene, with some jitter."""
    left_eye, right_eye, nose, left_mouth, right_mouth = (np.array(point) for point in figure.landmarks)
    mouth = (left_mouth + right_mouth) / 2
    left = rng.random() < 0.5
    eye, corner = (left_eye, left_mouth) if left else (right_eye, right_mouth)
    spots = {"mouth": mouth, "nose": nose, "eye": eye, "cheek": (eye + 2 * corner) / 3 + 0.5 * (corner - mouth), "chin": mouth + 0.6 * (mouth - nose)}
    names = _SPOTS.get(kind, tuple(spots))
    jitter = rng.normal(0, 0.05, 2) * (figure.box[3] - figure.box[1])
    x, y = spots[names[int(rng.integers(len(names)))]] + jitter
    return float(x), float(y)
