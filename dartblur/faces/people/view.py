"""A window of a place as a camera: where in the scene something stands at a depth, and how large it is.

The camera looks level, so all lengths at depth z metres are scaled by ``focal / z`` and the ground at that depth lies at
``horizon + camera_height * focal / z``.
"""

from dataclasses import dataclass

import numpy as np

from dartblur.faces.people.library import Place

MIRRORED = {"top": "top", "left-soft": "right-soft", "right-soft": "left-soft", "left-hard": "right-hard", "right-hard": "left-hard"}
"""Light in a picture -> light in its mirror image."""


@dataclass(frozen=True)
class View:
    """A window of a place, resized to a scene.

    Attributes:
        place: the background.
        left, top, across, down: the window in pixels of the place.
        width, height: of the scene in pixels.
        flip: the scene is the mirror image.
    """

    place: Place
    left: int
    top: int
    across: int
    down: int
    width: int
    height: int
    flip: bool

    @property
    def scale(self) -> float:
        """Pixels of the scene for one of the place."""
        return self.height / self.down

    @property
    def light(self) -> str:
        """Where the light comes from in the scene."""
        return MIRRORED[self.place.light] if self.flip else self.place.light

    @property
    def horizon(self) -> float:
        """Row of the horizon, maybe outside the scene."""
        return (self.place.horizon - self.top) * self.scale

    @property
    def focal(self) -> float:
        """Focal length in pixels of the scene: pixels a metre times depth."""
        return self.place.focal * self.scale

    def above_ground(self, height: float, depth: float) -> float:
        """Row of a point ``height`` metres above the ground at ``depth`` metres."""
        return self.horizon + (self.place.camera_height - height) * self.focal / depth

    def columns(self, depth: float) -> tuple[float, float]:
        """Columns between which a person at ``depth`` may stand."""
        near, far = 1 / self.place.near, 1 / self.place.far
        share = float(np.clip((1 / depth - far) / (near - far), 0, 1))  # 1 at near
        low, high = (far_at + share * (near_at - far_at) for near_at, far_at in (self.place.left, self.place.right))
        low, high = ((column - self.left) * self.scale for column in (low, high))
        return (self.width - high, self.width - low) if self.flip else (low, high)


def window(place: Place, size: tuple[int, int], zoom: float, at: float, horizon: float, flip: bool) -> View:
    """The view of ``place`` that is nearest to what is wanted and lies inside it.

    Args:
        place: the background.
        size: width and height of the scene.
        zoom: 1 shows as much of the place as can be, 2 half of that each way.
        at: where the window lies from left (0) to right (1).
        horizon: wanted row of the horizon in the scene.
        flip: mirror it.
    """
    width, height = size
    scale = max(width / place.width, height / place.height) * max(zoom, 1.0)
    across, down = min(max(round(width / scale), 1), place.width), min(max(round(height / scale), 1), place.height)
    top = round(place.horizon - horizon * down / height)
    return View(place, round(at * (place.width - across)), int(np.clip(top, 0, place.height - down)), across, down, width, height, flip)
