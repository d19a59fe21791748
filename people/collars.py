"""What is sewn to a neckline: collars, hoods and scarves, swept around the neck from the rim of the garment."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from people.body import Points
from people.cut import Marks
from people.sheet import Sheet, Values, build, loft, loops, smooth

COUNT = 72
"""Places around the neck at which a collar is given; the angle 0 is the front, +90 degrees the person's left."""


@dataclass(frozen=True)
class Neck:
    """The rim of a neckline in the frame of the trunk.

    Attributes:
        angle: COUNT angles, radians, from just right of the front all around the nape; the frame's x, y are those of rest.
        rim: COUNT x 3 points of the rim at rest pose.
        bulk: radius of the neck and what lies on it at ``angle`` (rows) and at heights ``heights`` (columns).
        turn, shift: carry the frame to the pose.
    """

    angle: Values
    rim: Points
    middle: Points
    heights: Values
    bulk: Points
    turn: Points
    shift: Points


def motion(before: Points, after: Points) -> tuple[Points, Points]:
    """Rotation and shift that carry one set of points to another."""
    u, _, vt = np.linalg.svd((before - before.mean(0)).T @ (after - after.mean(0)))
    turn = vt.T @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(vt.T @ u.T)))]) @ u.T
    return turn, after.mean(0) - turn @ before.mean(0)


def neck_of(garment: Sheet, bulk: Sheet, m: Marks, *, gap: float = 0.0) -> Neck:
    """The neck of a garment.

    Args:
        bulk: surface of the neck that collars must not enter.
        gap: angle on each side of the front that is left open, radians.
    """
    trunk = (bulk.rest[:, 2] < m.front[2] - 0.02) & (np.abs(bulk.rest[:, 0]) < 0.08) & (bulk.rest[:, 2] > m.waist)
    turn, shift = motion(bulk.rest[trunk], bulk.posed[trunk])
    rims = [loop for loop in loops(garment) if np.abs(garment.rest[loop, 0].mean()) < 0.02 and np.ptp(garment.rest[loop, 0]) > 0.04]
    loop = max(rims, key=lambda found: float(garment.rest[found, 2].mean()))
    rim = (garment.posed[loop] - shift) @ turn
    middle = np.array([0.0, (m.front[1] + m.back[1]) / 2, 0.0])
    angle = np.linspace(gap, 2 * np.pi - gap, COUNT, endpoint=gap > 0)
    heights = np.arange(m.front[2] - 0.06, m.neck[2] + 0.14, 0.006)
    return Neck(angle, _around(rim, middle, angle), middle, heights, _bulk((bulk.posed - shift) @ turn, middle, angle, heights), turn, shift)


def _polar(points: Points, middle: Points) -> tuple[Values, Values]:
    x, y = points[:, 0] - middle[0], points[:, 1] - middle[1]
    return np.arctan2(x, -y) % (2 * np.pi), np.hypot(x, y)


def _around(points: Points, middle: Points, angle: Values) -> Points:
    theta, _ = _polar(points, middle)
    order = np.argsort(theta)
    return np.stack([np.interp(angle, theta[order], points[order, column], period=2 * np.pi) for column in range(3)], 1)


def _bulk(points: Points, middle: Points, angle: Values, heights: Values) -> Points:
    near = (points[:, 2] > heights[0] - 0.01) & (points[:, 2] < heights[-1] + 0.01) & (np.abs(points[:, 0]) < 0.1)
    theta, radius = _polar(points[near], middle)
    turn = np.abs((theta[None] - angle[:, None] + np.pi) % (2 * np.pi) - np.pi) < 0.2
    bulk = np.zeros((len(angle), len(heights)))
    for column, height in enumerate(heights):
        weight = turn & (np.abs(points[near][:, 2] - height) < 0.009)[None]
        bulk[:, column] = np.where(weight, np.minimum(radius, 0.1)[None], 0).max(1, initial=0.0)
    return bulk


def sweep(neck: Neck, rows: list[tuple[Any, Any]], *, clear: float = 0.004, slide: float = 0.0) -> list[Points]:
    """Rows of posed points around the neck.

    Args:
        rows: (outwards, up) in metres from the rim, numbers or one an angle.
        clear: least distance from the neck.
        slide: share by which the first row's height is levelled to its mean.
    """
    outward = np.stack([np.sin(neck.angle), -np.cos(neck.angle), np.zeros(COUNT)], 1)
    base = neck.rim.copy()
    base[:, 2] += slide * (base[:, 2].mean() - base[:, 2])
    made = []
    for away, up in rows:
        points = base + outward * np.broadcast_to(away, COUNT)[:, None]
        points[:, 2] += up
        least = np.array([np.interp(z, neck.heights, line) for z, line in zip(points[:, 2], neck.bulk, strict=True)])
        radius = np.hypot(points[:, 0] - neck.middle[0], points[:, 1] - neck.middle[1])
        push = np.maximum(least + clear - radius, 0) * (radius < 0.11)
        made.append((points + outward * push[:, None]) @ neck.turn.T + neck.shift)
    return made


def wrap_uv(rows: int, length: float, high: float, *, closed: bool) -> Points:
    """Texture coordinates of a loft, one a polygon corner: metres around and across."""
    across = COUNT if closed else COUNT - 1
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(rows - 1), np.arange(across), indexing="ij"))
    u, v = length / COUNT, high / max(rows - 1, 1)
    return np.stack(
        [np.stack([j * u, i * v], 1), np.stack([(j + 1) * u, i * v], 1), np.stack([(j + 1) * u, (i + 1) * v], 1), np.stack([j * u, (i + 1) * v], 1)],
        1,
    ).reshape(-1, 2)


def _made(name: str, rows: list[Points], material: Any, *, thick: float, closed: bool, rounds: int = 1) -> Any:
    surface = smooth(loft(rows, closed=closed), rounds, 0.4, hold_rim=True)
    return build(surface, name, material, uv=wrap_uv(len(rows), 0.42, 0.012 * len(rows), closed=closed), thick=thick, outwards=0.0)


def shirt_collar(neck: Neck, m: Marks, material: Any, *, open_: float) -> list[Any]:
    """A stand and a leaf that folds down over it; the leaf's points are longest at the front (``neck`` has a gap there)."""
    back = np.clip((1 - np.cos(neck.angle)) / 2, 0, 1)
    front = np.exp(-((np.minimum(neck.angle, 2 * np.pi - neck.angle) / 0.45) ** 2))
    stand = m.size * (0.017 + 0.011 * back) * (1 - 0.2 * front)
    leaf = m.size * (0.036 + 0.006 * back + 0.032 * front)
    flare = m.size * (0.010 + 0.014 * front * open_)
    inner = sweep(neck, [(0.0, -0.006), (-0.004, stand * 0.5), (-0.008, stand), (-0.006, stand + 0.004), (-0.002, stand + 0.003)])
    outer = sweep(neck, [(0.0005 + flare * share, stand - leaf * share) for share in (0.2, 0.45, 0.75, 1.0)], clear=0.008)
    return [_made("collar", inner + outer, material, thick=0.0022, closed=False)]


def band_collar(neck: Neck, m: Marks, material: Any, high: float) -> list[Any]:
    """A stand-up collar, as of a kurta or a zipped jacket."""
    back = np.clip((1 - np.cos(neck.angle)) / 2, 0, 1)
    up = m.size * high * (0.85 + 0.25 * back)
    rows = sweep(neck, [(0.001, -0.006), (0.001, up * 0.4), (0.002, up * 0.75), (0.003, up)])
    return [_made("stand", rows, material, thick=0.003, closed=False)]


def roll_collar(neck: Neck, m: Marks, material: Any, high: float) -> list[Any]:
    """A turtleneck: a tube up the neck that is folded over outside."""
    up = m.size * high
    wave = 0.0015 * np.sin(neck.angle * 3 + 1)
    inner = sweep(neck, [(0.0, -0.006)]) + sweep(neck, [(0.0, up * 0.4), (0.0, up * 0.8), (0.002 + wave, up), (0.005, up + 0.003)], slide=0.5)
    outer = sweep(
        neck, [(0.008 + wave, up), (0.010 - wave, up * 0.7), (0.011 + wave, up * 0.35), (0.010, up * 0.05), (0.005, up * 0.02)], clear=0.01, slide=0.3
    )
    return [_made("roll", inner + outer, material, thick=0.003, closed=True)]


def hood_down(neck: Neck, m: Marks, material: Any, rng: np.random.Generator) -> list[Any]:
    """The hood of a hoodie lying on the shoulders: a roll that grows towards the nape."""
    back = np.clip((1 - np.cos(neck.angle)) / 2, 0, 1) ** 1.2
    lump = 1 + 0.12 * np.sin(neck.angle * 4 + rng.uniform(0, 6)) + 0.08 * np.sin(neck.angle * 7 + rng.uniform(0, 6))
    thick, high = m.size * (0.008 + 0.05 * back) * lump, m.size * (0.022 + 0.03 * back)
    rows = [(0.0, -0.008), (-0.002, high * 0.5), (thick * 0.15, high * 0.95), (thick * 0.5, high * 1.12), (thick * 0.9, high * 0.8)]
    rows += [
        (thick * 1.15, high * 0.25),
        (thick * 1.15, -0.02 - 0.03 * back),
        (thick * 0.8, -0.035 - 0.055 * back),
        (thick * 0.2, -0.04 - 0.06 * back),
    ]
    return [_made("hood", sweep(neck, rows, clear=0.006), material, thick=0.004, closed=True, rounds=2)]


def scarf(neck: Neck, m: Marks, material: Any, rng: np.random.Generator) -> list[Any]:
    """A scarf wound around the neck: two soft rolls, the lower one wider, and an end that hangs down in front."""
    made = []
    for low, thick, phase in ((-0.030, 0.040, 0.0), (0.012, 0.031, 2.0)):
        fold = 1 + 0.16 * np.sin(neck.angle * 5 + phase + rng.uniform(0, 6)) + 0.1 * np.sin(neck.angle * 9 + rng.uniform(0, 6))
        front = 0.018 * np.cos(neck.angle + 0.4 * (phase - 1)) * m.size
        half = thick * m.size * fold
        turns = np.linspace(-0.5, 2 * np.pi - 0.5, 13)
        rows = [
            (
                half * (0.5 - 0.55 * np.cos(t)) + 0.003 * np.sin(4 * t - 3 * neck.angle) + front * 0.5,
                low - front + 1.05 * half * np.sin(t) + 0.004 * np.sin(5 * t + 2 * neck.angle + phase),
            )
            for t in turns
        ]
        made.append(_made("scarf", sweep(neck, rows, slide=0.6), material, thick=0.0, closed=True, rounds=1))
    return made
