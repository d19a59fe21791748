"""The head as smooth radii: what hats, scarves, masks and spectacles are fitted to. Everything is in the frame of the head at rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from people.body import LEFT_EYE, RIGHT_EYE, Points, head_motion
from people.sheet import Sheet, Values, build, joint, loft, smooth

AROUND = 64
"""Azimuths of a hat, from the front towards the person's left."""


@dataclass(frozen=True)
class Head:
    """A head.

    Attributes:
        eye: middle between the eyeballs; ``apart`` half the distance of the pupils; ``front`` y of the eyeballs' front.
        scale: 1 for pupils 62 mm apart.
        temple: half width of the skull above the ears.
        ear: place of the outermost point of the left ear; ``ear_top``, ``ear_low`` heights of its ends.
        chin: lowest front point of the jaw.
        skin: vertices of head and neck, N x 3, with the expression of the pose, in the frame of the rest pose.
        turn, shift: carry the frame to the pose.
    """

    eye: Points
    apart: float
    front: float
    scale: float
    temple: float
    ear: Points
    ear_top: float
    ear_low: float
    chin: Points
    skin: Points
    turn: Points
    shift: Points

    def place(self, points: Points) -> Points:
        """Points of the frame in the pose."""
        return points @ self.turn.T + self.shift


def head_of(rest: Points, posed: Points) -> Head:
    """The head of a person in a pose (vertices of the model)."""
    left, right = rest[LEFT_EYE], rest[RIGHT_EYE]
    eye = (left.mean(0) + right.mean(0)) / 2
    turn, shift = head_motion(rest, posed)
    near = np.flatnonzero(rest[:13380, 2] > joint(rest, "neck")[2] - 0.03)
    skin, still = (posed[near] - shift) @ turn, rest[near]
    apart = float(abs(left[:, 0].mean() - right[:, 0].mean()) / 2)
    scale = float(np.clip(apart / 0.031, 0.78, 1.15))
    above = still[still[:, 2] > eye[2] + 0.045 * scale]
    temple = float(np.abs(above[:, 0]).max())
    side = still[(np.abs(still[:, 2] - eye[2] + 0.015) < 0.045) & (still[:, 1] > eye[1] + 0.04) & (still[:, 0] > 0)]
    ear = side[side[:, 0].argmax()]
    flap = side[(side[:, 0] > temple + 0.003) & (np.abs(side[:, 1] - ear[1]) < 0.03)]
    spread = flap[:, 2] if len(flap) > 5 else np.array([eye[2] - 0.05, eye[2] + 0.01])
    middle = skin[np.abs(skin[:, 0]) < 0.012]
    front = middle[middle[:, 1] < middle[:, 1].min() + 0.045 * scale]
    chin = front[front[:, 2].argmin()]
    return Head(
        eye,
        apart,
        float(min(left[:, 1].min(), right[:, 1].min())),
        scale,
        temple,
        ear,
        float(spread.max()),
        float(spread.min()),
        chin,
        skin,
        turn,
        shift,
    )


def skull_radius(head: Head, middle: Points, *, ears: bool, axis: int, floor: float) -> Points:
    """Radii about ``middle``, 48 azimuths x 32 polar angles, smoothed.

    Args:
        ears: whether what stands out beyond the skull counts.
        axis: 2: polar angle from +z, azimuth from the front (-y) towards +x; 1: polar angle from the front, azimuth from up (+z) towards +x.
        floor: heights below are left out.
    """
    points = head.skin[head.skin[:, 2] > floor]
    if not ears:
        points = points[np.abs(points[:, 0]) < head.temple + 0.002]
    step = points - middle
    radius = np.linalg.norm(step, axis=1)
    pole = step[:, 2] if axis == 2 else -step[:, 1]
    azimuth = np.arctan2(step[:, 0], -step[:, 1] if axis == 2 else step[:, 2]) % (2 * np.pi)
    polar = np.arccos(np.clip(pole / radius, -1, 1))
    grid = np.zeros((48, 32))
    np.maximum.at(grid, ((azimuth / (2 * np.pi) * 48).astype(int) % 48, np.minimum((polar / np.pi * 32).astype(int), 31)), radius)
    while (grid == 0).any():
        known = (grid > 0).astype(float)
        around, count = (sum(np.roll(values, shift, 0) for shift in (-1, 0, 1)) for values in (grid, known))
        around, count = (np.pad(values, ((0, 0), (1, 1)), mode="edge") for values in (around, count))
        around, count = (values[:, :-2] + values[:, 1:-1] + values[:, 2:] for values in (around, count))
        grid = np.where(grid > 0, grid, around / np.maximum(count, 1))
    for _ in range(4):
        padded = np.pad(grid, ((0, 0), (1, 1)), mode="edge")
        grid = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
        grid = (np.roll(grid, 1, 0) + 2 * grid + np.roll(grid, -1, 0)) / 4
    grid[:, 0], grid[:, -1] = grid[:, 0].mean(), grid[:, -1].mean()
    return grid


def sample(grid: Points, azimuth: Values, polar: Values) -> Values:
    """Bilinear look-up in a grid of :func:`skull_radius`."""
    a, p = (azimuth / (2 * np.pi) * 48 - 0.5) % 48, np.clip(polar / np.pi * 32 - 0.5, 0, 30.999)
    i, j = np.floor(a).astype(int), np.floor(p).astype(int)
    u, v = a - i, p - j
    i, k = i % 48, (i + 1) % 48
    return np.asarray((grid[i, j] * (1 - u) + grid[k, j] * u) * (1 - v) + (grid[i, j + 1] * (1 - u) + grid[k, j + 1] * u) * v)


def side_width(head: Head, y: float, z: float) -> float:
    """Half width of the head at depth y and height z."""
    near = head.skin[(np.abs(head.skin[:, 1] - y) < 0.012) & (np.abs(head.skin[:, 2] - z) < 0.012)]
    return float(np.abs(near[:, 0]).max()) if len(near) else head.temple


def ring_uv(surface: Sheet, head: Head) -> Points:
    """Metres around and up."""
    rest = surface.rest
    u = np.arctan2(rest[:, 0], -(rest[:, 1] - head.ear[1] + 0.01)) * 0.1
    corner = np.array(surface.faces)
    uv = np.stack([u[corner], rest[:, 2][corner]], 2)
    jump = np.ptp(uv[..., 0], axis=1) > 0.3
    uv[..., 0] = np.where(jump[:, None] & (uv[..., 0] < 0), uv[..., 0] + 0.2 * np.pi, uv[..., 0])
    return uv.reshape(-1, 2)


def on_head(head: Head, name: str, rows: list[Points], material: Any, *, thick: float = 0.003, closed: bool = True, rounds: int = 1) -> Any:
    """An object through rows of points in the frame of the head, carried to the pose."""
    flat = smooth(loft(rows, closed=closed), rounds, 0.3, hold_rim=True) if rounds else loft(rows, closed=closed)
    uv = ring_uv(flat, head)
    return build(Sheet(np.hstack([flat.rest, head.place(flat.posed), flat.normal]), flat.faces), name, material, uv=uv, thick=thick, outwards=0.0)
