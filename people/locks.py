"""Hair as it is before it is posed: strands with their roots, and the head they grow on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mathutils.bvhtree import BVHTree

from people.body import Points
from people.strands import Roots


@dataclass(frozen=True)
class Lock:
    """Strands of one kind at rest: roots, S x P x 3 points, radii in metres, whether they lie on the scalp (a hat covers those) or are brows."""

    roots: Roots
    points: Points
    radii: tuple[float, float]
    scalp: bool
    brow: bool = False


@dataclass(frozen=True)
class Head:
    """What hair grows on: the body at rest, positions in the face frame (see people.skin), its scale and origin in metres, a search tree."""

    rest: Points
    at: Points
    scale: float
    origin: Points
    tree: BVHTree

    def point(self, x: float, y: float, z: float) -> Points:
        """A point of the face frame in metres of the model."""
        return np.asarray(self.origin + self.scale * np.array([x, y, z]))

    def frame(self, points: Points) -> Points:
        """Points of the model in the face frame."""
        return np.asarray((points - self.origin) / self.scale)
