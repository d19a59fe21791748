"""Spectacles and face masks.

objects = facewear.glasses("round", person, rest, posed) + facewear.face_mask("surgical", person, rest, posed)
"""

from typing import Any

import numpy as np

from people.body import Points
from people.details import tube
from people.fabric import Fabric, cloth, hue, lens, plain
from people.headform import Head, head_of, side_width
from people.identity import Colour, Identity
from people.sheet import Sheet, Values, build, corners, loft, smooth, with_normals

MASKS = ("surgical", "cloth", "ffp2")

# width, height of a lens in metres at scale 1, exponent of its superellipse, widening towards the top, radius of the rim
SHAPES = {
    "round": (0.046, 0.043, 2.0, 0.0, 0.0012),
    "rectangle": (0.052, 0.033, 4.5, 0.03, 0.0021),
    "wayfarer": (0.051, 0.039, 3.2, 0.12, 0.0031),
    "rimless": (0.052, 0.034, 3.2, 0.02, 0.0),
    "aviator": (0.056, 0.047, 2.5, 0.10, 0.0010),
}
FRAMES: dict[str, tuple[Colour, ...]] = {
    "plastic": ((0.008, 0.008, 0.009), (0.06, 0.022, 0.01), (0.02, 0.03, 0.08), (0.12, 0.015, 0.02), (0.25, 0.2, 0.17)),
    "metal": ((0.7, 0.55, 0.3), (0.55, 0.55, 0.56), (0.05, 0.05, 0.05), (0.6, 0.4, 0.3)),
}


def glasses(kind: str, person: Identity, rest: Points, posed: Points) -> list[Any]:
    """Spectacles: one of :data:`people.identity.GLASSES`, or "sunglasses"."""
    rng = np.random.default_rng([person.seed, 51])
    dark = kind == "sunglasses"
    shape = str(rng.choice(["wayfarer", "aviator", "round", "rectangle"])) if dark else kind
    head = head_of(rest, posed)
    frame = _frame(shape, dark, rng)
    glass = _glass(dark, rng)
    outline, depth = _outline(shape, head, _fit(shape, head) * (1.06 if dark else 1.0))
    made = []
    for side in (-1.0, 1.0):
        rim = _on_plane(outline * [side, 1.0], head, depth)
        made.append(build(_disc(head.place(rim), side), "lens", glass, levels=0))
        if SHAPES[shape][4]:
            made.append(tube(head.place(rim), SHAPES[shape][4] * head.scale, frame, cyclic=True))
        made.append(_temple(outline, side, head, depth, shape, frame))
    return made + _bridge(outline, head, depth, shape, frame)


def _frame(shape: str, dark: bool, rng: np.random.Generator) -> Any:
    metal = shape in ("aviator", "rimless") or (shape == "round" and rng.random() < 0.6) or (shape == "rectangle" and rng.random() < 0.4)
    colours = FRAMES["metal" if metal else "plastic"]
    colour = colours[int(rng.choice(len(colours), p=None if metal else [0.45, 0.3, 0.1, 0.07, 0.08]))]
    return plain(colour, 0.28 if metal else 0.3, metallic=0.9 if metal else 0.0, coat=0.0 if metal else 0.3)


def _glass(dark: bool, rng: np.random.Generator) -> Any:
    if not dark:
        return lens((0.965, 0.975, 0.97), 0.0)
    tint = ((0.1, 0.1, 0.11), (0.16, 0.1, 0.06), (0.08, 0.11, 0.08), (0.08, 0.09, 0.16))[int(rng.integers(4))]
    return lens(tint, 0.5, 0.5)


def _fit(shape: str, head: Head) -> float:
    """Factor that makes the frame nearly as wide as the face at the temples."""
    target = side_width(head, head.eye[1] + 0.02, head.eye[2]) - 0.006 * head.scale
    return float(np.clip(2 * (target - 1.01 * head.apart) / (SHAPES[shape][0] * head.scale), 0.95, 1.1 if shape == "aviator" else 1.18))


def _outline(shape: str, head: Head, grow: float) -> tuple[Points, float]:
    """The left lens as N x 2 (x, z) about the middle of the eyes, and the depth y of the lens plane that clears brow and lashes."""
    wide, high, power, widen, _ = SHAPES[shape]
    wide, high = wide * head.scale * grow, high * head.scale * grow
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    u, v = (np.sign(part) * np.abs(part) ** (2 / power) / 2 for part in (np.cos(turn), np.sin(turn)))
    u = u * (1 + widen * v * 2)
    if shape == "aviator":
        v = v - 0.08 * (u > 0) * u - 0.06
        u = u + 0.10 * (v < 0) * v * -1
    middle = max(head.apart * 1.01, wide / 2 + 0.0085 * head.scale)
    outline = np.stack([u * wide + middle, v * high - 0.003 * head.scale], 1)
    near = head.skin[(np.abs(np.abs(head.skin[:, 0]) - middle) < wide / 2) & (np.abs(head.skin[:, 0]) > 0.019 * head.scale)]
    near = near[np.abs(near[:, 2] - head.eye[2] + 0.003) < high / 2 + 0.002]
    flat = near[:, 1] - _bow(near[:, [0, 2]] - [0, head.eye[2]])
    return outline, float(min(flat.min() - 0.003, head.front - 0.009 * head.scale))


def _bow(spots: Points) -> Values:
    """Depth of the spectacles' plane, tilted and bent around the face, at (x, z) about the middle of the eyes."""
    return np.asarray(0.07 * np.abs(spots[:, 0]) + 1.2 * spots[:, 0] ** 2 - 0.12 * spots[:, 1])


def _on_plane(spots: Points, head: Head, depth: float) -> Points:
    return np.stack([spots[:, 0], depth + _bow(spots), head.eye[2] + spots[:, 1]], 1)


def _disc(rim: Points, side: float) -> Sheet:
    """A slightly bulging disc that fills a closed outline."""
    middle, rows = rim.mean(0), []
    normal = np.cross(rim[12] - middle, rim[0] - middle) * side
    normal /= np.linalg.norm(normal)
    for share in (0.999, 0.7, 0.35, 0.01):
        rows.append(middle + (rim - middle) * share + normal * 0.0018 * (1 - share * share))
    return loft(rows)


def _temple(outline: Points, side: float, head: Head, depth: float, shape: str, frame: Any) -> Any:
    """The arm from the rim's outer corner over the ear."""
    corner = outline[:, 0].max()
    high = 0.35 * outline[:, 1].max()
    start = _on_plane(np.array([[corner, high]]), head, depth)[0]
    rear = head.ear[1] - 0.010
    end = np.array([side_width(head, rear, head.ear_top + 0.016) + 0.0005, rear, max(head.ear_top - 0.001, head.eye[2] - 0.004)])
    hinge = start + np.array([0.004 * head.scale, 0.004, 0.0])
    hinge[0] = max(hinge[0], side_width(head, hinge[1] + 0.03, hinge[2]) + 0.001)
    path = [start, hinge - [0.001, 0.003, 0], *(hinge + (end - hinge) * share for share in np.linspace(0.03, 1, 12))]
    for point in path[2:-3]:
        point[0] = max(point[0], side_width(head, point[1], point[2]) + 0.0025) if point[1] < head.ear[1] - 0.03 else point[0]
    path.append(end + np.array([-0.003, 0.007, -0.010]))
    radius = 0.0026 if shape == "wayfarer" else 0.0015
    return tube(head.place(np.array(path) * [side, 1, 1]), radius * head.scale, frame)


def _bridge(outline: Points, head: Head, depth: float, shape: str, frame: Any) -> list[Any]:
    inner = outline[:, 0].min()
    levels = {"aviator": (0.62, 0.1), "round": (0.3,), "wayfarer": (0.45,)}.get(shape, (0.3,))
    radius = {"wayfarer": 0.0024, "rectangle": 0.0016}.get(shape, 0.0012) * head.scale
    made = []
    for level in levels:
        high = level * outline[:, 1].max()
        x = np.linspace(-1, 1, 9) * (inner + 0.001)
        z = high + 0.0035 * head.scale * (1 - (x / inner) ** 2) * (level < 0.6)
        path = _on_plane(np.stack([x, z], 1), head, depth)
        nose = head.skin[(np.abs(head.skin[:, 0]) < 0.01) & (np.abs(head.skin[:, 2] - head.eye[2] - high) < 0.006)]
        forward = max(path[:, 1].min() - (nose[:, 1].min() - 0.0015), 0.0) if len(nose) else 0.0
        path[:, 1] -= min(forward, 0.012) * (1 - (x / x.max()) ** 4)
        made.append(tube(head.place(path), radius, frame))
    return made


def face_mask(kind: str, person: Identity, rest: Points, posed: Points) -> list[Any]:
    """A mask over nose, mouth and chin: one of :data:`MASKS`."""
    rng = np.random.default_rng([person.seed, 52])
    head = head_of(rest, posed)
    surface = _shell(kind, head)
    material = _mask_cloth(kind, rng)
    posed_sheet = with_normals(Sheet(np.hstack([surface.rest, head.place(surface.posed), surface.normal]), surface.faces))
    shell = build(posed_sheet, "mask", material, uv=surface.rest[corners(surface)][:, [0, 2]], thick=0.0016, outwards=0.0)
    rim = surface.points[:, :3].reshape(ROWS, COLUMNS, 3)
    cord = plain((0.7, 0.7, 0.7) if kind != "cloth" or rng.random() < 0.6 else (0.03, 0.03, 0.03), 0.9)
    return [shell, *(_loop(rim[row, column], row > 0, side, head, cord) for row in (1, ROWS - 2) for column, side in ((0, -1.0), (COLUMNS - 1, 1.0)))]


ROWS, COLUMNS = 33, 41


def _mask_cloth(kind: str, rng: np.random.Generator) -> Any:
    if kind == "cloth":
        pattern = str(rng.choice(["plain", "plain", "dots", "blossoms", "stripes", "gingham"]))
        return cloth(
            Fabric(
                hue(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.8)),
                (0.7, 0.7, 0.68),
                pattern,
                0.05,
                "fine",
                0.25,
                int(rng.integers(2**31)),
            )
        )
    colours = {
        "surgical": ((0.36, 0.6, 0.75), (0.3, 0.55, 0.62), (0.74, 0.74, 0.74), (0.02, 0.02, 0.022)),
        "ffp2": ((0.75, 0.75, 0.74), (0.03, 0.03, 0.03)),
    }[kind]
    odds = [0.5, 0.15, 0.2, 0.15] if kind == "surgical" else [0.85, 0.15]
    return cloth(Fabric(colours[int(rng.choice(len(colours), p=odds))], folds=0.12))


def _shell(kind: str, head: Head) -> Sheet:
    """The mask as ROWS x COLUMNS points around a vertical axis, in the frame of the head."""
    axis = np.array([0.0, head.ear[1] - 0.012])
    reach = {"surgical": 1.12, "cloth": 1.12, "ffp2": 1.05}[kind]
    angle = np.linspace(-reach, reach, COLUMNS)
    aside = np.abs(angle) / reach
    scale = head.scale
    top = head.eye[2] - (0.012 + 0.020 * aside**1.3) * scale - 0.004 * scale
    low = head.chin[2] - 0.010 * scale + 0.034 * scale * aside**2
    share = np.linspace(0, 1, ROWS)[:, None]
    high = top + (low - top) * share
    radius = _taut(head, axis, angle, high)
    radius = radius + 0.0035 + _relief(kind, share, aside, scale)
    grid = np.stack([axis[0] + radius * np.sin(angle), axis[1] - radius * np.cos(angle), high], 2)
    return smooth(loft(list(grid), closed=False), 2, 0.35, hold_rim=True)


def _relief(kind: str, share: Points, aside: Values, scale: float) -> Points:
    """What a mask adds to its taut shape: three pleats, the pointed ridge of a respirator, a seam."""
    if kind == "surgical":
        saw = (share * 4.2 - 0.3) % 1.0
        return np.asarray(
            0.0032 * scale * saw * np.clip((share - 0.07) / 0.05, 0, 1) * np.clip((0.93 - share) / 0.05, 0, 1) * np.clip(1.15 - aside, 0, 1)
        )
    bulge = np.sin(np.pi * np.clip(share, 0, 1)) ** 0.8
    if kind == "ffp2":
        return np.asarray(scale * bulge * (0.014 * np.exp(-aside / 0.28) + 0.008 * (1 - aside)))
    return np.asarray(scale * bulge * (0.004 * np.exp(-aside / 0.1) + 0.002))


def _taut(head: Head, axis: Points, angle: Values, high: Points) -> Points:
    """Radii of cloth drawn taut over the face: the hull of each level, blurred from level to level."""
    levels = np.linspace(high.min() - 0.01, high.max() + 0.006, 30)
    ring = np.zeros((30, len(angle)))
    for index, level in enumerate(levels):
        near = head.skin[(np.abs(head.skin[:, 2] - level) < 0.007) & (head.skin[:, 1] < axis[1])][:, :2] - axis
        near = near[np.abs(near[:, 0]) < head.temple + 0.004]
        ring[index] = _hull_radius(near, angle) if len(near) > 3 else 0
    ring[ring.sum(1) == 0] = ring[ring.sum(1) > 0].min()
    for _ in range(3):
        padded = np.pad(ring, ((1, 1), (1, 1)), mode="edge")
        ring = np.maximum(ring * 0.5 + 0.5 * (padded[:-2, 1:-1] + padded[2:, 1:-1]) / 2, ring * 0.985)
        ring = ring * 0.6 + 0.2 * (padded[1:-1, :-2] + padded[1:-1, 2:])
    return np.stack([np.interp(high[:, column], levels, ring[:, column]) for column in range(len(angle))], 1)


def _hull_radius(points: Points, angle: Values) -> Values:
    """Distance from the origin to the convex hull of points (x, y) in the directions ``angle`` from -y: the largest chord that crosses a ray."""
    theta = np.arctan2(points[:, 0], -points[:, 1])
    radius = np.hypot(points[:, 0], points[:, 1])
    bins = np.linspace(-1.4, 1.4, 36)
    place = np.digitize(theta, bins)
    best = np.array(
        [[theta[place == b][k], radius[place == b][k]] for b in range(37) if (place == b).any() for k in [int(radius[place == b].argmax())]]
    )
    t, r = best[:, 0], best[:, 1]
    a, b = np.triu_indices(len(t), 1)
    a, b = np.concatenate([a, np.arange(len(t))]), np.concatenate([b, np.arange(len(t))])
    one, two, gap = angle[:, None] - t[a], t[b] - angle[:, None], np.sin(t[b] - t[a])
    with np.errstate(divide="ignore", invalid="ignore"):
        chord = r[a] * r[b] * gap / (r[a] * np.sin(one) + r[b] * np.sin(two))
    good = (one >= 0) & (two >= 0) & (gap > 1e-6)
    return np.asarray(np.where(good, chord, 0).max(1, initial=0.0).clip(r.min()))


def _loop(corner: Points, low: bool, side: float, head: Head, cord: Any) -> Any:
    """An elastic from a corner of the mask to the ear."""
    low = corner[2] < (head.ear_top + head.ear_low) / 2
    end = np.array([side * (head.temple + 0.003), head.ear[1] + 0.006, (head.ear_low + 0.008) if low else head.ear_top - 0.004])
    path = np.linspace(corner, end, 14)
    for point in path[1:-4]:
        point[0] = side * max(abs(point[0]), side_width(head, point[1], point[2]) + 0.0015) if point[1] < head.ear[1] - 0.026 else point[0]
    return tube(head.place(path), 0.0013, cord)
