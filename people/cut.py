"""The tailor's marks: fields over rest positions whose zero lines are necklines, hems, armholes and lapels. All in metres, > 0 inside the garment."""

from dataclasses import dataclass

import numpy as np

from people.body import Points
from people.sheet import Sheet, Values, joint


@dataclass(frozen=True)
class Marks:
    """Places on the body at rest.

    Attributes:
        size: the person's scale: 1 for an adult of 1.7 m.
        neck: middle of the neck's root; ``front``, ``back`` the pit of the throat and the nape on the surface.
        shoulder, elbow, wrist: of the left arm (x > 0).
        crotch, knee, ankle: heights.
        waist: height of the belt.
    """

    size: float
    neck: Points
    front: Points
    back: Points
    shoulder: Points
    elbow: Points
    wrist: Points
    crotch: float
    knee: float
    ankle: float
    waist: float


def marks(rest: Points) -> Marks:
    """The marks of a person at rest (all of the model's vertices)."""
    neck, clavicle, hip = joint(rest, "neck"), joint(rest, "l-clavicle"), joint(rest, "l-upper-leg")
    tights = rest[15328:18002]
    middle = tights[np.abs(tights[:, 0]) < 0.02]
    low, high = clavicle[2] + 0.012, neck[2] + 0.005
    front = middle[middle[:, 1] < neck[1]]
    back = middle[middle[:, 1] > neck[1]]
    front, back = front[np.abs(front[:, 2] - low).argmin()], back[np.abs(back[:, 2] - high).argmin()]
    pelvis = joint(rest, "pelvis")[2]
    return Marks(
        size=float(np.linalg.norm(neck - joint(rest, "pelvis")) / 0.5),
        neck=neck,
        front=np.array([0.0, front[1], low]),
        back=np.array([0.0, back[1], high]),
        shoulder=joint(rest, "l-scapula"),
        elbow=joint(rest, "l-elbow"),
        wrist=joint(rest, "l-hand"),
        crotch=float(hip[2] - 0.075 * (pelvis / 0.84)),
        knee=float(joint(rest, "l-knee")[2]),
        ankle=float(joint(rest, "l-ankle")[2]),
        waist=float(hip[2] + 0.07),
    )


def mirrored(points: Points) -> Points:
    """Points with x made positive."""
    return points * [1, 1, 1] * np.where(points[:, :1] < 0, [[-1, 1, 1]], [[1, 1, 1]])


def sleeve(points: Points, m: Marks) -> Values:
    """How far along the arm a point lies: 0 shoulder, 1 elbow, 2 wrist."""
    p = mirrored(points)
    upper, lower = m.elbow - m.shoulder, m.wrist - m.elbow
    one = (p - m.shoulder) @ upper / (upper @ upper)
    two = (p - m.elbow) @ lower / (lower @ lower)
    return np.asarray(np.minimum(one, 1.0) + np.maximum(two, 0.0))


def armhole(points: Points, m: Marks) -> Values:
    """> 0 on the arm, < 0 on the trunk."""
    p = mirrored(points)
    pit = m.shoulder + 0.27 * (m.elbow - m.shoulder) + [0, 0, -0.02]
    below = np.maximum(pit[2] - p[:, 2], 0)
    above = np.maximum(p[:, 2] - pit[2], 0)
    return np.asarray(p[:, 0] - pit[0] - 0.4 * below + 0.06 * above)


def collar_line(points: Points, m: Marks, *, wide: float = 0.072, drop: float = 0.0) -> Values:
    """A round neckline: a cylinder of half width ``wide`` about the neck, above a plane from the nape to ``drop`` below the pit of the throat."""
    front = m.front - [0, 0, drop]
    along = m.back - front
    normal = np.array([0.0, -along[2], along[1]]) / np.hypot(along[1], along[2])
    plane = -(points - front) @ normal
    middle = (m.front[1] + m.back[1]) / 2
    half = (m.back[1] - m.front[1]) / 2 + 0.012
    wide = wide * m.size
    ring = (np.hypot(points[:, 0] / wide, (points[:, 1] - middle) / half) - 1) * wide
    return np.asarray(_soft_max(plane, np.minimum(ring, 0.06), 0.006))


def v_line(points: Points, m: Marks, *, drop: float, wide: float = 0.062) -> Values:
    """A V whose tip lies ``drop`` below the pit of the throat and whose arms meet the round neckline ``wide`` beside the middle."""
    drop, wide = drop * m.size, wide * m.size
    rise = (drop + 0.035 * m.size) / wide
    arms = (m.front[2] - drop + rise * np.abs(points[:, 0]) - points[:, 2]) / np.hypot(1, rise)
    behind = points[:, 1] - m.neck[1] + 0.004
    return np.asarray(np.maximum(arms, behind))


def scoop_line(points: Points, m: Marks, *, drop: float, wide: float) -> Values:
    """A deep round neckline: a parabola through ``drop`` below the throat."""
    drop, wide = drop * m.size, wide * m.size
    bowl = (m.front[2] - drop + (drop + 0.03) * (points[:, 0] / wide) ** 2 - points[:, 2]) * 0.8
    return np.asarray(np.maximum(bowl, points[:, 1] - m.neck[1] + 0.004))


def neckline(points: Points, m: Marks, neck: str) -> Values:  # noqa: PLR0911 a table of cuts
    """The neckline of one of :data:`people.outfit.NECKS`."""
    if neck == "tank":
        round_ = collar_line(points, m, wide=0.078, drop=0.02)
        return np.minimum(round_, scoop_line(points, m, drop=0.075, wide=0.078))
    if neck == "scoop":
        return np.minimum(collar_line(points, m, wide=0.098, drop=0.02), scoop_line(points, m, drop=0.055, wide=0.09))
    if neck == "v":
        return np.minimum(collar_line(points, m, wide=0.075), v_line(points, m, drop=0.085))
    if neck == "blazer":
        return np.minimum(collar_line(points, m, wide=0.074, drop=0.02), v_line(points, m, drop=0.27, wide=0.07))
    if neck in ("shirt", "polo"):
        return np.minimum(collar_line(points, m, wide=0.062), v_line(points, m, drop=0.055, wide=0.045))
    if neck == "kurta":
        return np.minimum(collar_line(points, m, wide=0.062), v_line(points, m, drop=0.09, wide=0.014))
    if neck == "zip":
        return np.minimum(collar_line(points, m, wide=0.064), v_line(points, m, drop=0.05, wide=0.03))
    return collar_line(points, m, wide={"crew": 0.078, "hoodie": 0.082, "turtleneck": 0.06, "buttoned": 0.062}.get(neck, 0.074), drop=0.006)


def straps(points: Points, m: Marks) -> Values:
    """Armholes of a tank top: > 0 on the trunk inside the shoulder straps."""
    p = mirrored(points)
    pit = m.shoulder + 0.22 * (m.elbow - m.shoulder)
    above = np.clip((p[:, 2] - pit[2] + 0.09) / 0.14, 0, 1)
    edge = pit[0] - 0.010 - 0.022 * m.size * above**0.7
    return np.asarray(np.where(p[:, 2] > pit[2] - 0.09, edge - p[:, 0], -armhole(points, m)))


def drape(sheet: Sheet, m: Marks, slack: float) -> Values:
    """How far cloth that hangs from chest and shoulder blades stands off the trunk, metres, a point; 0 on the arms."""
    rest = sheet.rest
    trunk = (armhole(rest, m) < 0) & (rest[:, 2] > m.crotch - 0.02)
    axis = (m.front[1] + m.back[1]) / 2 + 0.01
    angle = np.arctan2(rest[:, 0], -(rest[:, 1] - axis)) % (2 * np.pi)
    radius = np.hypot(rest[:, 0], rest[:, 1] - axis)
    top = m.shoulder[2] - 0.03
    i = (angle / (2 * np.pi) * 40).astype(int) % 40
    j = np.clip(((top - rest[:, 2]) / (top - m.crotch + 0.02) * 36).astype(int), 0, 35)
    grid = np.zeros((36, 40))
    np.maximum.at(grid, (j[trunk], i[trunk]), radius[trunk])
    for _ in range(2):
        grid = np.maximum(grid, 0.98 * np.maximum(np.roll(grid, 1, 1), np.roll(grid, -1, 1)) * (grid == 0))
    hang = grid.copy()
    for row in range(1, 36):
        hang[row] = np.maximum(hang[row], hang[row - 1] * 0.996 - 0.0004)
    gap = (hang - grid) * slack
    for axis_ in (0, 1, 0, 1, 1):
        padded = np.pad(gap, ((1, 1), (0, 0)), mode="edge")
        gap = (padded[:-2] + padded[1:-1] + padded[2:]) / 3 if axis_ == 0 else (np.roll(gap, 1, 1) + gap + np.roll(gap, -1, 1)) / 3
    return np.where(trunk, gap[j, i], 0.0)


def creases(rest: Points, m: Marks, rng: np.random.Generator) -> Values:
    """Folds of worn cloth, about -1..1: slanting ones on the trunk, rings at the elbows."""
    total = np.zeros(len(rest))
    for _ in range(7):
        direction = rng.normal(size=3) * [1.0, 0.7, 0.6]
        wave = direction / np.linalg.norm(direction) * rng.uniform(25, 70)
        total += np.sin(rest @ wave + rng.uniform(0, 6.28)) * np.sin(rest @ rng.normal(0, 6, 3) + rng.uniform(0, 6.28))
    along = sleeve(rest, m)
    arm = np.clip(armhole(rest, m) / 0.05, 0, 1)
    bend = np.exp(-(((along - 1.0) / 0.28) ** 2)) + 0.4 * np.clip(along - 1.5, 0, 1)
    rings = np.sin(along * 34 + 2.2 * np.sin(rest @ [18, 30, 9]) + rng.uniform(0, 6.28))
    calm = np.clip((m.shoulder[2] + 0.02 - rest[:, 2]) / 0.12, 0.15, 1)
    return np.asarray(total / 2.6 * calm * (1 - 0.6 * arm) + arm * rings * bend * 0.8)


def _soft_max(a: Values, b: Values, width: float) -> Values:
    high = np.maximum(a, b)
    return np.asarray(high + width * np.log1p(np.exp(-np.abs(a - b) / width)))
