"""Hats, helmets, headscarves and hoods, fitted to the skull with room for hair.

objects = headwear.hat("beanie", person, rest, posed)
what = headwear.hides_hair("beanie"); point, normal = headwear.rim("beanie", person, rest)
"""

from typing import Any

import numpy as np

from people import headscarf
from people.body import Points
from people.details import tube
from people.fabric import Fabric, cloth, hue, plain, shade
from people.headform import AROUND, Head, head_of, on_head, sample, skull_radius
from people.identity import Identity
from people.sheet import Values

HATS = ("cap", "beanie", "sunhat", "helmet", "headscarf", "hood")
RIMS = {
    "cap": (0.050, 0.006),
    "beanie": (0.040, -0.022),
    "sunhat": (0.046, 0.002),
    "helmet": (0.046, -0.004),
    "headscarf": (0.06, -0.1),
    "hood": (0.06, -0.1),
}
"""Height of the rim over the eyes at forehead and nape, metres at scale 1."""


def hides_hair(kind: str) -> str:
    """Which hair must be left out: "all", or "top": what lies above the plane of :func:`rim`."""
    return "all" if kind in ("headscarf", "hood") else "top"


def rim(kind: str, person: Identity, rest: Points) -> tuple[Points, Points]:
    """A point and the upward normal of the plane, in the rest pose, above which hair is hidden."""
    return _plane(kind, head_of(rest, rest))


def _plane(kind: str, head: Head) -> tuple[Points, Points]:
    front, back = (head.eye[2] + high * head.scale for high in RIMS[kind])
    start, end = head.skin[:, 1].min() + 0.03, head.skin[head.skin[:, 2] > head.eye[2], 1].max()
    normal = np.array([0.0, -(back - front), end - start])
    return np.array([0.0, start, front]), normal / np.linalg.norm(normal)


def hat(kind: str, person: Identity, rest: Points, posed: Points, outfit: int = 0) -> list[Any]:
    """Something on the head: one of :data:`HATS`."""
    rng = np.random.default_rng([person.seed, 53, HATS.index(kind)])
    head = head_of(rest, posed)
    if kind in ("headscarf", "hood"):
        return headscarf.wrapped(kind, head, rest, posed, headscarf.wrap_cloth(kind, person, outfit, rng), rng)
    return {"cap": _cap, "beanie": _beanie, "sunhat": _sunhat, "helmet": _helmet}[kind](head, rng)


def _crown(kind: str, head: Head, rows: int, away: Any) -> tuple[list[Points], Points]:
    """Rows from rim to pole in the frame of the head, and the outward directions of the rim.

    ``away(azimuth, share)`` is the distance from the skull; share 0 is the rim, 1 the pole.
    """
    point, normal = _plane(kind, head)
    ys = head.skin[head.skin[:, 2] > head.eye[2] + 0.02, 1]
    middle = np.array([0.0, (ys.min() + ys.max()) / 2, 0.0])
    middle[2] = point[2] - normal[1] * (middle[1] - point[1]) / normal[2]
    grid = skull_radius(head, middle, ears=False, axis=2, floor=head.eye[2] - 0.06)
    azimuth = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    flat = np.stack([np.sin(azimuth), -np.cos(azimuth), np.zeros(AROUND)], 1)
    tilt = -normal[1] / normal[2] * flat[:, 1]
    made = []
    for share in np.linspace(0, 0.995, rows):
        lift = np.arctan(tilt) * (1 - share) + np.pi / 2 * share
        radius = sample(grid, azimuth, np.pi / 2 - lift) + np.broadcast_to(away(azimuth, share), AROUND)
        made.append(middle + radius[:, None] * (flat * np.cos(lift)[:, None] + np.outer(np.sin(lift), [0, 0, 1])))
    return made, flat


def _wool(rng: np.random.Generator, weave: str, patterns: tuple[str, ...]) -> Fabric:
    dark = rng.random() < 0.4
    colour = hue(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.12, 0.3) if dark else rng.uniform(0.4, 0.85))
    return Fabric(colour, hue(rng.random(), 0.4, 0.8 if dark else 0.3), str(rng.choice(patterns)), 0.05, weave, 0.35, int(rng.integers(2**31)))


def _beanie(head: Head, rng: np.random.Generator) -> list[Any]:
    wool = _wool(rng, "knit", ("plain", "plain", "stripes", "heather"))
    slouch = float(rng.uniform(0.0, 0.03)) * head.scale

    def away(azimuth: Values, share: float) -> Values:
        lumps = 0.002 * np.sin(azimuth * 5 + 7 * share) * share
        return np.asarray(0.013 + 0.014 * np.sin(share * np.pi) + slouch * share**2 * (0.7 - 0.5 * np.cos(azimuth)) + lumps)

    rows, flat = _crown("beanie", head, 20, away)
    made = [on_head(head, "beanie", rows, cloth(wool))]
    high = 0.05 * head.scale
    cuff = [
        rows[0] + flat * out + [0, 0, up * high]
        for out, up in ((0.001, 0.0), (0.005, -0.03), (0.0075, 0.1), (0.008, 0.5), (0.0065, 0.9), (0.003, 1.0), (-0.004, 0.98))
    ]
    same = Fabric(wool.colour if rng.random() < 0.7 else wool.second, weave="knit", folds=0.2)
    made.append(on_head(head, "cuff", cuff, cloth(same), rounds=0))
    if rng.random() < 0.25:
        made.append(_pompon(head, rows[-1].mean(0), cloth(Fabric(wool.second, weave="fleece", folds=1.0)), rng))
    return made


def _pompon(head: Head, top: Points, material: Any, rng: np.random.Generator) -> Any:
    azimuth = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rows = []
    for polar in np.linspace(0.05, np.pi - 0.05, 14)[::-1]:
        radius = (0.026 + rng.uniform(-0.005, 0.005, 24)) * head.scale
        rows.append(
            top
            + [0, 0, 0.018]
            + radius[:, None] * np.stack([np.sin(azimuth) * np.sin(polar), -np.cos(azimuth) * np.sin(polar), np.full(24, np.cos(polar))], 1)
        )
    return on_head(head, "pompon", rows, material, thick=0.0, rounds=0)


def _visor(rim_row: Points, head: Head, length: float, half: float, droop: float) -> list[Points]:
    """A peak: rows from the rim outwards over azimuths up to ``half`` on both sides."""
    span = np.linspace(-1, 1, 31)
    azimuth = span * half
    index = (azimuth / (2 * np.pi) * AROUND) % AROUND
    low = np.floor(index).astype(int)
    share = (index - low)[:, None]
    base = rim_row[low % AROUND] * (1 - share) + rim_row[(low + 1) % AROUND] * share
    reach = length * head.scale * np.sqrt(np.clip(1 - np.abs(span) ** 2.6, 0, 1))
    rows = []
    for step in np.linspace(0, 1, 9):
        out = np.stack([0.25 * np.sin(azimuth), -np.ones(31), np.zeros(31)], 1) * (reach * step)[:, None]
        fall = droop * head.scale * step * (reach / reach.max()) * (0.35 + 0.9 * (base[:, 0] / head.temple) ** 2)
        rows.append(base + out - np.outer(fall, [0, 0, 1]) + [0, 0, 0.002])
    return rows


def _cap(head: Head, rng: np.random.Generator) -> list[Any]:
    drill = _wool(rng, "denim", ("plain",))
    rows, _ = _crown(
        "cap",
        head,
        18,
        lambda azimuth, share: 0.009 + 0.016 * np.sin(min(share * 1.3, 1.0) * np.pi / 2) + 0.006 * share * np.cos(azimuth) * (1 - share),
    )
    peak = drill.colour if rng.random() < 0.65 else drill.second
    made = [
        on_head(head, "cap", rows, cloth(drill)),
        on_head(head, "peak", _visor(rows[0], head, 0.07, 1.05, 0.03), cloth(Fabric(peak, weave="denim", folds=0.05)), closed=False, rounds=0),
    ]
    seam = plain(shade(drill.colour, 0.6), 0.9)
    for azimuth in range(0, AROUND, AROUND // 6 + 1):
        made.append(tube(head.place(np.array([row[azimuth] for row in rows])), 0.0011, seam))
    return [
        *made,
        on_head(
            head,
            "button",
            [
                rows[-1].mean(0) + (ring - rows[-1].mean(0)) * k + [0, 0, h]
                for ring, k, h in ((rows[-2], 0.9, 0.0), (rows[-2], 0.8, 0.004), (rows[-2], 0.05, 0.005))
            ],
            cloth(Fabric(peak)),
            thick=0.0,
            rounds=0,
        ),
    ]


def _sunhat(head: Head, rng: np.random.Generator) -> list[Any]:
    straw = bool(rng.random() < 0.6)
    colour = (
        hue(rng.uniform(0.09, 0.13), rng.uniform(0.25, 0.5), rng.uniform(0.65, 0.85))
        if straw
        else hue(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.85))
    )
    material = cloth(
        Fabric(colour, shade(colour, 0.6), "heather" if straw else "plain", 0.05, "knit" if straw else "denim", 0.2, int(rng.integers(2**31)))
    )
    rows, flat = _crown("sunhat", head, 18, lambda azimuth, share: 0.012 + 0.016 * min(share * 2, 1.0))
    wide, phase, droop = float(rng.uniform(0.065, 0.1)) * head.scale, rng.uniform(0, 6.28, 2), float(rng.uniform(0.1, 0.4))
    azimuth = np.arange(AROUND) / AROUND * 2 * np.pi
    wave = 0.006 * np.sin(2 * azimuth + phase[0]) + 0.004 * np.sin(3 * azimuth + phase[1])
    brim = [rows[0] + flat * (wide * step) + np.outer(wave * step - droop * wide * step**1.5, [0, 0, 1]) for step in np.linspace(0, 1, 9)]
    band = [rows[0] + flat * 0.0035 + [0, 0, up * head.scale] + (rows[3] - rows[0]) * [1, 1, 0] * up / 0.12 for up in (0.001, 0.01, 0.02, 0.028)]
    ribbon = cloth(Fabric(hue(rng.random(), 0.6, float(rng.uniform(0.1, 0.5))), folds=0.1))
    return [on_head(head, "crown", rows, material), on_head(head, "brim", brim, material), on_head(head, "band", band, ribbon, thick=0.002, rounds=0)]


def _helmet(head: Head, rng: np.random.Generator) -> list[Any]:
    if rng.random() < 0.5:
        shell = plain(((0.75, 0.5, 0.02), (0.75, 0.74, 0.7), (0.7, 0.16, 0.02), (0.03, 0.12, 0.4))[int(rng.integers(4))], 0.3, coat=0.3)
        rows, _ = _crown(
            "helmet",
            head,
            20,
            lambda azimuth, share: 0.026 + 0.012 * np.sin(share * np.pi / 2) + 0.005 * np.exp(-((np.sin(azimuth) / 0.12) ** 2)) * min(share * 2, 1),
        )
        lip = [rows[0] + (rows[0] - rows[0].mean(0)) * [1, 1, 0] * out + [0, 0, up] for out, up in ((0.0, 0.004), (0.05, 0.001), (0.11, -0.003))]
        return [
            on_head(head, "shell", rows, shell),
            on_head(head, "lip", lip, shell),
            on_head(head, "peak", _visor(rows[0], head, 0.05, 0.95, 0.02), shell, closed=False, rounds=0),
            *_straps(head, rows[0]),
        ]
    colour = hue(rng.random(), rng.uniform(0.1, 0.85), rng.uniform(0.2, 0.85))
    rows, _ = _crown("helmet", head, 24, lambda azimuth, share: 0.024 + 0.018 * np.sin(share * np.pi / 2))
    made = [on_head(head, "foam", rows, plain((0.012, 0.012, 0.013), 0.7), rounds=0)]
    shell = plain(colour, 0.25, coat=0.4)
    made.append(on_head(head, "edge", [rows[k] + (rows[k] - rows[12].mean(0)) * 0.045 for k in (1, 2, 3, 4)], shell, thick=0.006, rounds=0))
    for side in range(-3, 4):
        path = []
        for lean in np.linspace(-1.15, 1.15, 15):
            index = round((0 if lean < 0 else AROUND / 2) + (side if lean < 0 else -side) * AROUND / 26) % AROUND
            row = (1 - abs(lean) / 1.2) * 22
            low = int(row)
            path.append(rows[low][index] * (1 - row + low) + rows[low + 1][index] * (row - low))
        ridge = smooth_path(np.array(path)) + np.array([side * 0.006, 0, 0.004])
        half = np.array([0.0095, 0, 0]) * head.scale
        made.append(
            on_head(
                head,
                "ridge",
                [ridge - half, ridge - half * 0.6 + [0, 0, 0.006], ridge + half * 0.6 + [0, 0, 0.006], ridge + half],
                shell,
                thick=0.006,
                closed=False,
                rounds=0,
            )
        )
    return made + _straps(head, rows[0])


def smooth_path(points: Points) -> Points:
    """A path with each inner point moved towards its neighbours, three times."""
    for _ in range(3):
        points[1:-1] = points[1:-1] / 2 + (points[:-2] + points[2:]) / 4
    return points


def _straps(head: Head, edge: Points) -> list[Any]:
    """Chin straps from the rim past the ears to below the chin."""
    web, made = plain((0.015, 0.015, 0.016), 0.8), []
    for side, index in ((1.0, int(AROUND * 0.23)), (-1.0, int(AROUND * 0.77))):
        below = np.array([side * 0.012, head.chin[1] + 0.03, head.chin[2] - 0.008])
        path = np.linspace(edge[index], below, 16)
        for point in path[2:-1]:
            near = head.skin[(np.abs(head.skin[:, 2] - point[2]) < 0.01) & (np.abs(head.skin[:, 1] - point[1]) < 0.01)]
            wide = np.abs(near[:, 0]).max() if len(near) else 0.0
            point[0] = side * max(abs(point[0]) if len(near) == 0 else wide + 0.003, 0.004)
        made.append(tube(head.place(smooth_path(path)), 0.0035, web))
    return made
