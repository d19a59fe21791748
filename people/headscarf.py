"""Cloth around the whole head: headscarves and hoods. Called by :mod:`people.headwear`."""

from typing import Any

import numpy as np

from people import cut
from people.body import Points
from people.fabric import Fabric, cloth, hue, shade
from people.headform import AROUND, Head, on_head, ring_uv, sample, skull_radius
from people.identity import Identity
from people.outfit import choose
from people.sheet import build, loft, smooth, take


def wrap_cloth(kind: str, person: Identity, outfit: int, rng: np.random.Generator) -> Any:
    """The cloth of a hood (that of the hoodie) or of a headscarf."""
    if kind == "hood":
        return cloth(choose(person, outfit).trim)
    dark = rng.random() < 0.4
    colour = hue(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.3) if dark else rng.uniform(0.45, 0.85))
    return cloth(
        Fabric(
            colour,
            shade(colour, 1.6 if dark else 0.5),
            str(rng.choice(["plain", "plain", "plain", "blossoms", "dots"])),
            0.12,
            "fine",
            0.7,
            int(rng.integers(2**31)),
        )
    )


def wrapped(kind: str, head: Head, rest: Points, posed: Points, material: Any, rng: np.random.Generator) -> list[Any]:
    """Cloth around the head that leaves an oval for the face, and, for a headscarf, a drape over neck and shoulders."""
    hood = kind == "hood"
    middle = np.array([0.0, head.ear[1] - 0.012, head.eye[2] - 0.012 * head.scale])
    grid = skull_radius(head, middle, ears=True, axis=1, floor=head.chin[2] - 0.002)
    azimuth = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    up, side = np.cos(azimuth), np.abs(np.sin(azimuth))
    opening = np.where(up > 0, 0.66 + 0.26 * side**2, 0.98 + 0.0 * side - 0.06 * side**2) + (0.1 + 0.12 * side if hood else 0.0)
    phase = rng.uniform(0, 6.28, 3)
    rows = []
    for share in np.linspace(0, 0.998, 22):
        polar = opening + (np.pi - opening) * share
        radius = np.minimum(sample(grid, azimuth, polar), 0.155 * head.scale)
        fold = 0.0025 * np.sin(azimuth * 7 + 5 * share + phase[0]) + 0.0015 * np.sin(azimuth * 12 - 9 * share + phase[1])
        radius = (
            radius
            + (0.022 if hood else 0.011)
            + fold * (2.2 if hood else 1.0) * np.sin(np.pi * min(share * 1.4, 1))
            + (0.045 * np.sin(np.pi * share**0.8) * np.maximum(up, 0) ** 2 + 0.012 * side * share * (1 - share) if hood else 0.0)
        )
        direction = np.stack([np.sin(azimuth) * np.sin(polar), -np.cos(polar), np.cos(azimuth) * np.sin(polar)], 1)
        rows.append(middle + radius[:, None] * direction)
    lip = [rows[0] + (middle - rows[0]) * 0.05 + [0, 0.004, 0], rows[0] + (rows[0] - middle) * 0.02 - [0, 0.003, 0]]
    made = [on_head(head, "wrap", [*lip, *rows[1:]][::-1], material, thick=0.003, rounds=3)]
    return [*made, _drape(head, rest, posed, material, rng, deep=0.0 if hood else 0.10)]


def _drape(head: Head, rest: Points, posed: Points, material: Any, rng: np.random.Generator, *, deep: float) -> Any:
    """The part of a headscarf that falls from the chin over neck, shoulders and chest (follows the trunk; its top follows the head)."""
    m = cut.marks(rest)
    tights = take("tights", rest, posed)
    azimuth = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    flat = np.stack([np.sin(azimuth), -np.cos(azimuth), np.zeros(AROUND)], 1)
    top = head.place(np.array([[0.0, (head.chin[1] + head.ear[1]) / 2 + 0.01, head.chin[2] + 0.004]]))[0]
    turn = np.arctan2(head.turn[1, 0], head.turn[0, 0])
    front = np.clip(np.cos(azimuth - turn), 0, 1)
    short = (head.ear[1] - head.chin[1]) / 2 + 0.006
    jaw = 0.060 * head.scale * (1 - front) + short * front
    rise = 0.045 * head.scale * (1 - front)
    base = tights.posed[(np.abs(tights.rest[:, 2] - m.front[2]) < 0.03) & (np.abs(tights.rest[:, 0]) < 0.1)].mean(0)
    phase, rows, widest = rng.uniform(0, 6.28, 3), [], np.zeros(AROUND)
    end = base[2] - deep * m.size
    for share in np.linspace(0, 1, 18):
        middle = top + (base - top) * min(share * 1.6, 1.0)
        level = top[2] + (end - top[2]) * share
        near = tights.posed[np.abs(tights.posed[:, 2] - level) < 0.014][:, :2] - middle[:2]
        near = near[np.hypot(near[:, 0], near[:, 1]) < (0.19 if deep else 0.1) * m.size]
        body = (near @ flat[:, :2].T).max(0) if len(near) else np.zeros(AROUND)
        fold = (0.004 + 0.004 * share) * (np.sin(azimuth * 5 + 9 * share + phase[0]) + 0.6 * np.sin(azimuth * 9 - 14 * share + phase[1]))
        widest = np.maximum(np.maximum((body + 0.014) * min(share * 4, 1.0), widest), jaw)
        rows.append(
            np.column_stack(
                [middle[:2] + flat[:, :2] * (widest + fold)[:, None], level + rise * (1 - share) + 0.006 * np.sin(azimuth * 3 + phase[2]) * share]
            )
        )
    surface = smooth(loft(rows[::-1]), 3, 0.4, hold_rim=True)
    return build(surface, "drape", material, uv=ring_uv(surface, head), thick=0.003, outwards=0.0)
