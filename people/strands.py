"""Strands of hair as arrays: roots on the skin, guides that are combed, fall and keep out of the body, and children that follow the guides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from people.body import Points, parts


@dataclass(frozen=True)
class Roots:
    """Points on the skin: corners of the triangle (R x 3 indices into the body), barycentric weights (R x 3), and unit normals (R x 3) at rest."""

    corners: Any
    weights: Points
    normals: Points

    def at(self, points: Points) -> Points:
        """Where the roots are when the body's vertices are ``points``, R x 3."""
        return np.asarray((points[self.corners] * self.weights[..., None]).sum(1))

    def take(self, index: Any) -> Roots:
        """Some of the roots."""
        return replace(self, corners=self.corners[index], weights=self.weights[index], normals=self.normals[index])


def triangles() -> Any:
    """The body's quads, each as two triangles, T x 3."""
    quads = np.array([face if len(face) == 4 else (*face, face[0]) for face in parts()["body"].faces])
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def sow(rest: Points, density: Points, count: int, rng: np.random.Generator) -> Roots:
    """Draw ``count`` roots on the body, as likely as area times ``density`` (one value a vertex of the body, 0..1; below 0.3 nothing grows)."""
    corners = triangles()
    share = density[corners].mean(1)
    share = np.where(share < 0.3, 0.0, share)
    some = np.flatnonzero(share)
    a, b, c = (rest[corners[some, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    area = np.linalg.norm(cross, axis=1)
    chosen = rng.choice(len(some), size=count, p=area * share[some] / (area * share[some]).sum())
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return Roots(corners[some[chosen]], weights, cross[chosen] / area[chosen, None])


@dataclass(frozen=True)
class Growth:
    """How guides grow.

    Attributes:
        length: of each guide, metres, G.
        comb: direction field: (points G x 3, share grown 0..1) to unit vectors G x 3.
        lift: share of the skin's normal at the root; gravity, hold: weight of falling and of the direction so far.
        clear: least distance from the skin at the root's end and at the tip's, and the largest above ``free``, metres.
        free: height in metres below which hair hangs as it falls.
    """

    length: Points
    comb: Any
    lift: float = 0.3
    gravity: float = 0.2
    hold: float = 0.6
    clear: tuple[float, float, float] = (0.002, 0.008, 0.02)
    free: float = 0.0


def unit(vectors: Points) -> Points:
    """Vectors of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def grow(start: Points, normals: Points, growth: Growth, body: BVHTree, steps: int) -> Points:
    """Grow guides from their roots, G x steps x 3."""
    spots = np.empty((len(start), steps, 3))
    spots[:, 0] = start
    heading = unit(growth.lift * normals + (1 - growth.lift) * growth.comb(start, 0.0))
    down = np.array([0.0, 0.0, -1.0])
    for step in range(1, steps):
        share = step / (steps - 1)
        heading = unit(growth.hold * heading + (1 - growth.hold) * growth.comb(spots[:, step - 1], share) + growth.gravity * share * down)
        ahead = spots[:, step - 1] + heading * (growth.length / (steps - 1))[:, None]
        spots[:, step] = hug(ahead, body, growth.clear[0] + (growth.clear[1] - growth.clear[0]) * share, growth.clear[2], growth.free)
        heading = unit(spots[:, step] - spots[:, step - 1])
    return spots


def hug(points: Points, body: BVHTree, least: float, most: float, free: float) -> Points:
    """Move points inside the body or nearer to it than ``least`` to that distance, and those above ``free`` and farther than ``most`` to that."""
    moved = points.copy()
    for index, point in enumerate(points):
        at, normal, _, away = body.find_nearest(Vector(point), 0.3)
        if at is None:
            continue
        height = (Vector(point) - at).dot(normal)
        if height < least:
            moved[index] = at + normal * least
        elif away > most and point[2] > free:
            moved[index] = at + (Vector(point) - at) * (most / away)
    return moved


def body_tree(points: Points) -> BVHTree:
    """Search tree of the body's surface."""
    return BVHTree.FromPolygons(points[:13380].tolist(), triangles().tolist())


@dataclass(frozen=True)
class Texture:
    """How children differ from their guides: clumping to one guide (0..1, at the tip), frizz and curl radius in metres, turns of a curl, spread."""

    clump: float = 0.35
    frizz: float = 0.002
    curl: float = 0.0
    turns: float = 3.0
    spread: float = 0.12


def children(roots: Points, guide_roots: Points, guides: Points, texture: Texture, rng: np.random.Generator) -> Points:
    """One strand a root, shaped like the three nearest guides, S x P x 3."""
    near, weights = _nearest(roots, guide_roots)
    offsets = guides - guides[:, :1]
    share = np.linspace(0, 1, guides.shape[1])
    blended = (offsets[near] * weights[..., None, None]).sum(1)
    pull = texture.clump * share[None, :, None] ** 1.5
    towards = guides[near[:, 0]] - roots[:, None]  # strands of a clump end where its guide ends
    shape = blended * (1 - pull) + towards * pull
    shape = shape * (1 + rng.normal(0, texture.spread, (len(roots), 1, 1)).clip(-0.4, 0.3))
    shape = shape + rng.normal(0, 1, (len(roots), 1, 3)) * texture.frizz * share[None, :, None]
    wobble = rng.normal(0, 0.12 * texture.frizz, shape.shape)
    wobble[:, 0] = 0
    if texture.curl:
        phase = rng.uniform(0, 2 * np.pi, len(guides))[near[:, 0]][:, None] + rng.normal(0, 0.4, (len(roots), 1))
        angle = 2 * np.pi * texture.turns * share[None] + phase
        circle = np.stack([np.cos(angle), np.sin(angle), 0.4 * np.sin(angle + 1)], axis=-1)
        shape = shape + texture.curl * circle * np.minimum(1, 4 * share)[None, :, None]
    return np.asarray(roots[:, None] + shape + wobble)


def _nearest(roots: Points, guide_roots: Points) -> tuple[Any, Points]:
    """Indices of the three nearest guides and their weights, both S x 3, in slices to bound the memory."""
    near, away = [], []
    for part in np.array_split(roots, max(1, len(roots) // 2000)):
        distance = ((part[:, None] - guide_roots[None]) ** 2).sum(-1)
        index = np.argpartition(distance, 3, axis=1)[:, :3]
        measured = np.take_along_axis(distance, index, axis=1)
        order = np.argsort(measured, axis=1)
        near.append(np.take_along_axis(index, order, axis=1))
        away.append(np.take_along_axis(measured, order, axis=1))
    weights = 1 / (np.concatenate(away) + 1e-6)
    return np.concatenate(near), weights / weights.sum(1, keepdims=True)
