"""Brows and beards."""

from __future__ import annotations

import numpy as np

from people import strands
from people.body import Points
from people.identity import Identity
from people.locks import Head, Lock
from people.skin import beard_area, brow_area, lip_share
from people.strands import unit


def brows(person: Identity, head: Head, rng: np.random.Generator) -> list[Lock]:
    density = brow_area(head.at)
    count = int(1100 * person.hair.brow)
    roots = strands.sow(head.rest, _fine(density), count, rng)
    start = roots.at(head.rest)
    at = head.frame(start)
    keep = brow_area(at) > rng.uniform(0.12, 0.75, count) / person.hair.brow
    roots, start, at = roots.take(keep), start[keep], at[keep]
    outward = np.sign(at[:, :1]) * np.array([1.0, 0.0, 0.0])
    along = np.clip((np.abs(at[:, :1]) - 0.012) / 0.035, 0, 1)
    heading = unit(outward * (0.35 + along) + np.array([0, 0, 1.0]) * (0.85 - 1.15 * along) + 0.35 * roots.normals + rng.normal(0, 0.12, start.shape))
    length = head.scale * rng.uniform(0.005, 0.0085, (len(start), 1, 1))
    share = np.linspace(0, 1, 4)[None, :, None]
    points = start[:, None] + heading[:, None] * length * share - roots.normals[:, None] * 0.2 * length * share**2
    return [Lock(roots, points, (0.00016, 0.00008), False, True)]


def _fine(density: Points) -> Points:
    """The mask is thinner than the mesh's polygons: sow around it and let the caller thin out."""
    return np.asarray(np.where(density > 0.02, 1.0, 0.0))


def beard(person: Identity, head: Head, rng: np.random.Generator) -> list[Lock]:
    kind = person.hair.beard
    if kind == "none":
        return []
    count, length = {
        "stubble": (5000, 0.0018),
        "moustache": (2200, 0.009),
        "goatee": (3200, 0.009),
        "full": (9000, float(rng.uniform(0.006, 0.016))),
    }[kind]
    density = beard_area(head.at) * (1 - lip_share())
    x, z = np.abs(head.at[:, 0]), head.at[:, 2]
    lip = (x < 0.032) & (z > -0.072)
    if kind == "moustache":
        density = density * lip
    elif kind == "goatee":
        density = density * (x < 0.03)
    roots = strands.sow(head.rest, density, count, rng)
    start = roots.at(head.rest)
    outward = np.sign(head.frame(start)[:, :1]) * np.array([1.0, 0, 0])
    heading = unit(0.45 * roots.normals + np.array([0, -0.1, -0.8]) + 0.25 * outward + rng.normal(0, 0.22, start.shape))
    share = np.linspace(0, 1, 5)[None, :, None]
    size = head.scale * length * rng.uniform(0.6, 1.15, (count, 1, 1))
    points = start[:, None] + heading[:, None] * size * share + rng.normal(0, 0.06 * length, (count, 5, 3)) * share
    return [Lock(roots, points, (0.00014, 0.00008), False)]
