"""The pixels of a planned scene, and the truth about its faces, measured on the masks of the sprites as they lie in it.

Layers are laid from far to near in linear light, premultiplied, so that a soft edge mixes light and not codes; the background has no people in it,
so a sharp person before a blurred background has no halo.
"""

from dataclasses import dataclass

import numpy as np

from dartblur.faces.boxes import as_boxes, clip
from dartblur.faces.dataset import LANDMARKS
from dartblur.faces.people.figures import Figure, Rect
from dartblur.faces.people.finish import Finish, finished
from dartblur.faces.people.optics import Linear, defocused, grown, moved, premultiplied, resize, to_linear
from dartblur.faces.people.pixels import PixelStore
from dartblur.faces.people.plan import Scene
from dartblur.faces.people.view import View
from dartblur.media.images import Image

IGNORED_BELOW = 0.3
"""A face of which less is visible does not count."""
_OCCLUSION = (0.95, 0.7)
"""WIDER FACE's classes: none from the first share visible, heavy below the second."""
_BLUR = (0.02, 0.05)
"""WIDER FACE's classes: standard deviation of all blur in face heights, up to which a face is clear, up to which blurred normally."""
_ATYPICAL = (40.0, 25.0, 30.0)
"""Degrees of yaw, pitch and roll beyond which a pose is atypical."""
_FADE = 0.12
"""Share of a prop's height over which a support ends on the body."""


@dataclass(frozen=True)
class Face:
    """The truth about one face of a scene.

    Attributes:
        figure: whose it is and where.
        box: x1 y1 x2 y2 in pixels, cut at the frame, not empty.
        visible: share of the face that one sees, 0 to 1.
        blur: WIDER FACE's class.
        extreme: the illumination is.
    """

    figure: Figure
    box: tuple[float, float, float, float]
    visible: float
    blur: int
    extreme: bool

    def row(self) -> dict[str, str | float | bool]:
        """The columns of the annotation table that belong to a face, in the vocabulary of ``faces.dataset``."""
        sprite = self.figure.sprite
        angles = zip((sprite.yaw, sprite.pitch, sprite.roll), _ATYPICAL, strict=True)
        points = zip(LANDMARKS, self.figure.landmarks, strict=True)
        return {
            **dict(zip(("x1", "y1", "x2", "y2"), self.box, strict=True)),
            "ignore": self.visible < IGNORED_BELOW,
            "blur": self.blur,
            "occlusion": sum(self.visible < bound for bound in _OCCLUSION),
            "pose": int(any(abs(angle) > bound for angle, bound in angles)),
            "expression": int(sprite.exaggerated),
            "illumination": int(self.extreme),
            "identity": sprite.identity,
            "role": sprite.role,
            "visible": self.visible,
            "sprite": sprite.id,
            **{f"{name}_{axis}": value for name, point in points for axis, value in zip("xy", point, strict=True)},
        }


@dataclass
class _Seen:
    """A face while nearer layers are laid over it: ``whole`` is the sum of its mask, ``mask`` (H x W) what one still sees inside the frame."""

    figure: Figure
    whole: float
    rows: slice
    columns: slice
    mask: Linear


def compose(scene: Scene, store: PixelStore, rng: np.random.Generator) -> tuple[Image, tuple[Face, ...]]:
    """The scene as the camera writes it, uint8 H x W x 3 R G B before compression, and its faces, the farthest first.

    A face whose box lies outside the frame is left out; one that is wholly hidden inside it is not, for it must be anonymised too.

    Raises:
        DartblurError: a picture of the library is missing or not the one it should be.
    """
    canvas = _background(scene.view, scene.background, store)
    seen: list[_Seen] = []
    for figure in scene.figures:
        pixels, mask = store.person(figure.sprite)
        if figure.sprite.feet is not None:
            _shade_ground(canvas, figure, scene.view)
        body = resize(premultiplied(pixels), figure.rect.width, figure.rect.height)
        _lay(canvas, seen, _blurred(body, figure, onward=figure.sprite.feet is None), figure)
        seen.append(_face_of(figure, resize(mask.astype(np.float32) / np.float32(255), figure.rect.width, figure.rect.height), scene.view))
        if figure.held:
            _lay(canvas, seen, _thing(figure, store), figure)
    faces = (_judge(entry, scene.view, scene.finish) for entry in seen)
    return finished(canvas, scene.finish, rng), tuple(face for face in faces if face)


@dataclass(frozen=True)
class _Layer:
    """Premultiplied light, H x W x 4, and where its first pixel lies in the scene."""

    light: Linear
    left: int
    top: int


def _background(view: View, radius: float, store: PixelStore) -> Linear:
    """The window of the place as the scene's canvas: linear light, H x W x 3."""
    part = store.place(view.place)[view.top : view.top + view.down, view.left : view.left + view.across]
    light = to_linear(part[:, ::-1] if view.flip else part)
    return np.ascontiguousarray(defocused(resize(light, view.width, view.height), radius))


def _blurred(light: Linear, figure: Figure, onward: bool, rect: Rect | None = None) -> _Layer:
    """``light`` as lens and motion spread it, with the margin that this needs; ``onward``: it goes on below its last row."""
    rect = rect or figure.rect
    x, y = figure.motion
    margin = int(np.ceil(figure.defocus + np.hypot(x, y) / 2)) + 1
    spread = moved(defocused(grown(light, margin, onward), figure.defocus), x, y)
    return _Layer(spread, rect.left - margin, rect.top - margin)


def _thing(figure: Figure, store: PixelStore) -> _Layer:
    """What ``figure`` holds."""
    held = figure.held
    assert held is not None  # noqa: S101 - the caller has looked
    pixels = store.prop(held.prop)
    light = resize(premultiplied(pixels[:, ::-1] if held.flip else pixels), held.rect.width, held.rect.height)
    if held.fade:
        rows = np.arange(held.rect.height, 0, -1, dtype=np.float32) - 0.5
        light *= np.clip(rows / (_FADE * held.rect.height), 0, 1)[:, None, None]
    return _blurred(light, figure, onward=not held.fade and held.prop.leaves == "below", rect=held.rect)


def _overlap(left: int, top: int, light: Linear, height: int, width: int) -> tuple[slice, slice, Linear]:
    """Rows and columns of the frame that a layer covers, maybe none, and the layer's part there."""
    y1, y2 = np.clip([top, top + light.shape[0]], 0, height).tolist()
    x1, x2 = np.clip([left, left + light.shape[1]], 0, width).tolist()
    return slice(y1, y2), slice(x1, x2), light[y1 - top : y2 - top, x1 - left : x2 - left]


def _lay(canvas: Linear, seen: list[_Seen], layer: _Layer, figure: Figure) -> None:
    """Lay ``layer`` over ``canvas``, in the colour of the figure's light, and over the faces that lie there already; both in place."""
    rows, columns, light = _overlap(layer.left, layer.top, layer.light, *canvas.shape[:2])
    if light.size == 0:
        return
    through = 1 - light[:, :, 3:]
    part = canvas[rows, columns]
    part *= through
    part += light[:, :, :3] * np.array(figure.gain, np.float32)
    for entry in seen:
        y1, y2 = max(rows.start, entry.rows.start), min(rows.stop, entry.rows.stop)
        x1, x2 = max(columns.start, entry.columns.start), min(columns.stop, entry.columns.stop)
        if y1 < y2 and x1 < x2:
            mine = entry.mask[y1 - entry.rows.start : y2 - entry.rows.start, x1 - entry.columns.start : x2 - entry.columns.start]
            mine *= through[y1 - rows.start : y2 - rows.start, x1 - columns.start : x2 - columns.start, 0]


def _shade_ground(canvas: Linear, figure: Figure, view: View) -> None:
    """A soft shadow where somebody stands, drawn into ``canvas``: an ellipse on the ground, longer away from light that comes from a side."""
    side = {"left": 1, "right": -1}.get(view.light.partition("-")[0], 0)
    across = figure.metre * (0.27 if side == 0 else 0.34)
    along = max(across * view.place.camera_height / figure.depth, 1.0)
    sprite, rect = figure.sprite, figure.rect
    row = rect.top + (sprite.feet or 0) * rect.height / sprite.height
    column = figure.middle + 0.1 * side * figure.metre
    y1, y2 = np.clip([int(row - 3 * along), int(row + 3 * along) + 1], 0, view.height).tolist()
    x1, x2 = np.clip([int(column - 3 * across), int(column + 3 * across) + 1], 0, view.width).tolist()
    rows = (np.arange(y1, y2, dtype=np.float32) + 0.5 - row) / along
    columns = (np.arange(x1, x2, dtype=np.float32) + 0.5 - column) / across
    depth = np.float32(0.6 if view.light.endswith("hard") else 0.45)
    canvas[y1:y2, x1:x2] *= (1 - depth * np.exp(-(rows**2)[:, None] - (columns**2)[None])).astype(np.float32)[:, :, None]


def _face_of(figure: Figure, mask: Linear, view: View) -> _Seen:
    """The face of ``figure``, ``mask`` H x W x 2 as in ``PixelStore.person`` at its size in the scene, before anything lies over it."""
    rows, columns, part = _overlap(figure.rect.left, figure.rect.top, mask, view.height, view.width)
    return _Seen(figure, float(mask[:, :, 0].sum(dtype=np.float64)), rows, columns, part[:, :, 1].copy())


def _judge(entry: _Seen, view: View, finish: Finish) -> Face | None:
    """What is to say about a face once everything lies over it; None where its box is outside the frame."""
    x1, y1, x2, y2 = (float(value) for value in clip(as_boxes([entry.figure.box]), view.width, view.height)[0])
    if x1 >= x2 or y1 >= y2:
        return None
    visible = float(np.clip(entry.mask.sum(dtype=np.float64) / entry.whole, 0, 1)) if entry.whole > 0 else 0.0
    tall = entry.figure.box[3] - entry.figure.box[1]
    # A disk of radius r has the standard deviation r / 2 on each axis, an even way w has w / sqrt(12).
    spread = np.sqrt(finish.lens**2 + (entry.figure.defocus / 2) ** 2 + np.hypot(*entry.figure.motion) ** 2 / 12) / tall
    return Face(entry.figure, (x1, y1, x2, y2), visible, sum(int(spread > bound) for bound in _BLUR), finish.extreme)
