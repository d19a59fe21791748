"""Things that grow: trees, bushes, hedges, potted plants and grass, all of leaves that are small quads."""

from __future__ import annotations

import numpy as np

from people.blender import Matrix, Stage, Vector, towards_matrix
from people.surfaces import Surface, dimmer, hsv, mottled, plain, wood


def leaf_material(rng: np.random.Generator, hue: float = 0.27) -> object:
    """Green that varies from tree to tree and from leaf to leaf; a little light shines through."""
    made = Surface(0.55, 0.3)
    base = hsv(hue + rng.uniform(-0.05, 0.03), rng.uniform(0.45, 0.75), rng.uniform(0.38, 0.6))
    made.set(made.shader, {"Subsurface Weight": 0.0})
    return made.done(made.mix(dimmer(base, 0.45), dimmer(base, 1.5), made.noise(7.0, 2.0)))


def leaf_quads(rng: np.random.Generator, centres: np.ndarray, length: float, width: float, droop: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Leaves at (n, 3) centres in random directions: points (4n, 3) and faces (n, 4), each leaf a kite."""
    count = len(centres)
    along = rng.normal(size=(count, 3))
    along[:, 2] -= droop
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, rng.normal(size=(count, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    size = rng.uniform(0.6, 1.3, (count, 1))
    along, across = along * size * length / 2, across * size * width / 2
    points = np.stack([centres - along, centres + across, centres + along, centres - across], axis=1).reshape(-1, 3)
    return points, np.arange(4 * count).reshape(-1, 4)


def tree(stage: Stage, height: float, *, leaves: int = 2600, hue: float = 0.27) -> list[object]:
    """A broad-leaved tree; returns its parts, which can be planted again."""
    rng = stage.rng
    bark = wood(hsv(0.08, 0.35, rng.uniform(0.3, 0.45)), along="z", roughness=0.9)
    parts = [stage.cylinder(0.035 * height, 0.5 * height, (0, 0, 0), bark, top=0.55, sides=9)]
    clumps = []
    for k in range(int(rng.integers(9, 14))):
        turn, rise = rng.uniform(0, 6.28), rng.uniform(0.05, 0.5)
        reach = height * rng.uniform(0.1, 0.27) * (1.0 if k else 0.0)
        tip = Vector((reach * np.cos(turn), reach * np.sin(turn), height * (0.42 + rise)))
        foot = Vector((0, 0, height * rng.uniform(0.3, 0.48)))
        branch = stage.cylinder(1.0, 1.0, (0, 0, 0), bark, top=0.3, sides=7)
        branch.matrix_world = stage.frame @ towards_matrix(foot, tip) @ Matrix.Diagonal((0.012 * height, 0.012 * height, 1, 1))
        parts.append(branch)
        clumps.append(tip)
    where = rng.integers(len(clumps), size=leaves)
    shell = rng.normal(size=(leaves, 3))
    shell *= (rng.uniform(0.3, 1.0, (leaves, 1)) ** 0.5) * height * 0.15 / np.linalg.norm(shell, axis=1, keepdims=True)
    centres = np.array([tuple(c) for c in clumps])[where] + shell * (1, 1, 0.75)
    crown = stage.mesh(*leaf_quads(rng, centres, 0.06 * height**0.6, 0.035 * height**0.6), leaf_material(rng, hue))
    return [*parts, crown]


def replant(stage: Stage, parts: list[object], x: float, y: float, turn: float, scale: float = 1.0) -> None:
    """Place a copy of a thing made in the same frame elsewhere; meshes are shared."""
    back = stage.frame.inverted()
    for part in parts:
        stage.moved(x, y, 0, turn, scale=scale).place(part.data, back @ part.matrix_world)  # type: ignore[attr-defined]


def hedge(stage: Stage, length: float, depth: float, height: float) -> None:
    """A clipped hedge along x."""
    rng = stage.rng
    count = int(420 * length * height)
    centres = rng.uniform((-length / 2, -depth / 2, 0.02), (length / 2, depth / 2, height), (count, 3))
    side = rng.random(count)
    centres[side < 0.55, 1] = -depth / 2 + rng.normal(0, 0.03, (side < 0.55).sum())
    centres[side > 0.75, 2] = height + rng.normal(0, 0.03, (side > 0.75).sum())
    stage.mesh(*leaf_quads(rng, centres, 0.11, 0.07), leaf_material(rng))
    stage.box((length * 0.98, depth * 0.85, height * 0.96), (0, 0.03, 0), plain(hsv(0.26, 0.6, 0.16), 0.9))


def bush(stage: Stage, radius: float, *, flowers: bool = False) -> None:
    """A round bush, with flowers or not."""
    rng = stage.rng
    for count, material, size in ((900, leaf_material(rng), 0.1), (110 if flowers else 0, plain(hsv(rng.uniform(0.75, 1.15), 0.7, 0.9)), 0.07)):
        if count:
            shell = rng.normal(size=(count, 3))
            shell *= radius * rng.uniform(0.75, 1.0, (count, 1)) / np.linalg.norm(shell, axis=1, keepdims=True)
            shell[:, 2] = np.abs(shell[:, 2]) * 1.1
            stage.mesh(*leaf_quads(rng, shell, size, size * 0.6), material)
    stage.ball((radius * 0.8, radius * 0.8, radius * 0.85), (0, 0, 0), plain(hsv(0.26, 0.6, 0.14), 0.9))


def long_leaves(stage: Stage, count: int, length: float, width: float, material: object, *, bend: float = 0.6, foot: float = 0.0) -> None:
    """A rosette of bent leaves from one point at height `foot`: each a strip of six points that narrows."""
    rng, points, faces = stage.rng, [], []
    steps = np.linspace(0, 1, 7)
    for _ in range(count):
        turn, lean, size = rng.uniform(0, 6.28), rng.uniform(0.15, 0.75), rng.uniform(0.6, 1.0) * length
        out = size * (lean * steps + bend * lean * steps**2)
        up = size * (steps * (1 - 0.4 * lean) - bend * lean * steps**2.2)
        wide = width * np.sin(np.pi * np.clip(steps * 0.9 + 0.08, 0, 1)) / 2
        start = len(points)
        for o, u, w in zip(out, up, wide, strict=True):
            middle, side = np.array([o * np.cos(turn), o * np.sin(turn), u + foot]), np.array([-np.sin(turn), np.cos(turn), 0.0]) * w
            points += [middle - side, middle + side + (0, 0, 0.15 * w)]
        faces += [[start + 2 * k, start + 2 * k + 1, start + 2 * k + 3, start + 2 * k + 2] for k in range(len(steps) - 1)]
    stage.mesh(np.array(points), faces, material, smooth=True)


def potted_plant(stage: Stage, height: float) -> None:
    """A plant in a pot, of long leaves or like a small tree."""
    rng = stage.rng
    pot = plain(hsv(rng.choice([0.05, 0.08, 0.6, 0.0]), rng.uniform(0, 0.6), rng.uniform(0.3, 0.9)), 0.5)
    wide = 0.09 + 0.08 * height
    stage.cylinder(wide, 0.25 * height, (0, 0, 0), pot, top=1.25)
    stage.cylinder(wide * 1.15, 0.01, (0, 0, 0.25 * height - 0.005), plain((0.05, 0.035, 0.025), 0.9))
    green = leaf_material(rng, 0.3)
    if rng.random() < 0.6:
        long_leaves(stage, int(rng.integers(16, 34)), 0.8 * height, 0.09 * height**0.5, green, foot=0.25 * height)
        return
    stage.cylinder(0.02, 0.5 * height, (0, 0, 0.2 * height), wood(hsv(0.08, 0.4, 0.35), along="z"))
    shell = rng.normal(size=(320, 3)) * (0.16, 0.16, 0.17) * height + (0, 0, 0.75 * height)
    stage.mesh(*leaf_quads(rng, shell, 0.17 * height**0.5, 0.09 * height**0.5, 0.8), green)


def lawn(stage: Stage, x: tuple[float, float], y: tuple[float, float], *, tufts: int = 500, blade: float = 0.07) -> None:
    """Ground with grass: a mottled plane and tufts of blades, denser nearby; `x` and `y` are its spans."""
    rng = stage.rng
    base = hsv(rng.uniform(0.18, 0.25), rng.uniform(0.42, 0.62), rng.uniform(0.4, 0.52))
    ground = mottled(dimmer(base, 0.5), dimmer(base, 1.4), 9.0, bump=0.6)
    stage.box((x[1] - x[0], y[1] - y[0], 0.1), ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, -0.1), ground)
    count = 900
    feet = np.concatenate([rng.normal(0, 0.4, (count, 2)), np.zeros((count, 1))], axis=1)
    tips = feet + np.concatenate([rng.normal(0, 0.35 * blade, (count, 2)), rng.uniform(0.4, 1.2, (count, 1)) * blade], axis=1)
    across = np.concatenate([rng.normal(0, 0.006, (count, 2)), np.zeros((count, 1))], axis=1)
    points = np.stack([feet - across, feet + across, tips], axis=1).reshape(-1, 3)
    made = Surface(0.6, 0.2)
    colour = made.mix(dimmer(base, 0.6), dimmer(base, 1.7), made.noise(4.0, 4.0))
    patch = stage.mesh(points, np.arange(3 * count).reshape(-1, 3), made.done(colour))
    for _ in range(tufts):
        depth = y[0] + (y[1] - y[0]) * rng.random() ** 1.7
        stage.moved(rng.uniform(*x), depth, 0, rng.uniform(0, 360), scale=rng.uniform(0.8, 1.4)).place(patch.data, Matrix())
