"""A person in a scene: where the sprite lies, and how much of a face others roughly hide. No pixels here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dartblur.faces.people.library import Point, Prop, Sprite

Points = npt.NDArray[np.float64]
"""float64, N x 2, x y in pixels of the scene."""

_GRID = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 8), np.linspace(-0.9, 0.9, 10)), axis=-1).reshape(-1, 2)
_ELLIPSE = _GRID[(_GRID**2).sum(axis=1) <= 1]
"""Points of a face, in half sides of its box from its middle."""
_SHOULDERS = 0.25
"""Metres from a person's middle to the side."""
_HAIR = (0.7, 0.8)
"""Half sides of the head with its hair, in sides of the face box."""


@dataclass(frozen=True)
class Rect:
    """Where a sprite lies: its left and top edge and its size, whole pixels of the scene; the sprite is resized to exactly that."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.top + self.height

    def at(self, point: Point, size: tuple[int, int]) -> Point:
        """Where a ``point`` of a picture of ``size`` (width, height) comes to lie."""
        return self.left + point[0] * self.width / size[0], self.top + point[1] * self.height / size[1]


@dataclass(frozen=True)
class Held:
    """A prop in front of a face; ``flip``: mirrored; ``fade``: its support ends over the person's body, not at the frame."""

    prop: Prop
    rect: Rect
    flip: bool
    fade: bool


@dataclass(frozen=True)
class Figure:
    """One person in a scene.

    Attributes:
        sprite, rect: who, and where.
        depth: metres from the camera.
        gain: linear multipliers of R, G, B.
        defocus: radius of the disk of confusion, pixels.
        motion: way that the person moves while the picture is taken, pixels right and down.
        held: a prop in front of the face, if any.
    """

    sprite: Sprite
    rect: Rect
    depth: float
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    defocus: float = 0.0
    motion: Point = (0.0, 0.0)
    held: Held | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Box of the whole face in pixels of the scene, whatever hides it and wherever the frame ends."""
        size = (self.sprite.width, self.sprite.height)
        x1, y1 = self.rect.at(self.sprite.box[:2], size)
        x2, y2 = self.rect.at(self.sprite.box[2:], size)
        return x1, y1, x2, y2

    @property
    def landmarks(self) -> tuple[Point, ...]:
        """The five landmarks in pixels of the scene."""
        return tuple(self.rect.at(point, (self.sprite.width, self.sprite.height)) for point in self.sprite.landmarks)

    @property
    def metre(self) -> float:
        """Pixels of the scene a metre."""
        return self.sprite.metre * self.rect.height / self.sprite.height

    @property
    def middle(self) -> float:
        """Column of the middle of the body."""
        return self.rect.left + self.rect.width / 2

    def covers(self, points: Points) -> npt.NDArray[np.bool_]:
        """Which of ``points`` head, hair or body hide, roughly: an ellipse above a rectangle."""
        x1, y1, x2, y2 = self.box
        width, height = x2 - x1, y2 - y1
        x, y = points[:, 0], points[:, 1]
        head = ((x - (x1 + x2) / 2) / (_HAIR[0] * width)) ** 2 + ((y - (y1 + y2) / 2 + 0.15 * height) / (_HAIR[1] * height)) ** 2 <= 1
        body = (np.abs(x - self.middle) <= min(_SHOULDERS * self.metre, self.rect.width / 2)) & (y > y2 + 0.1 * height) & (y < self.rect.bottom)
        return np.asarray(head | body)


def free_share(figure: Figure, nearer: Sequence[Figure], width: int, height: int) -> float:
    """The share, 0 to 1, of the face of ``figure`` that lies in the frame and behind none of ``nearer``, roughly."""
    x1, y1, x2, y2 = figure.box
    points = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + _ELLIPSE * np.array([(x2 - x1) / 2, (y2 - y1) / 2])
    free = (points >= 0).all(axis=1) & (points[:, 0] < width) & (points[:, 1] < height)
    for other in nearer:
        free &= ~other.covers(points)
    return float(free.mean())
