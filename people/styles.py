"""The head's hair: how each style is combed, cut and tied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from people import strands
from people.body import Points
from people.identity import Identity
from people.locks import Head, Lock
from people.skin import scalp_area
from people.strands import Growth, Roots, Texture, unit


@dataclass(frozen=True)
class Style:
    """One way to wear hair, lengths in metres.

    Attributes:
        length: at the top; sides: share of it below the temples.
        part: x of the parting in the face frame, or None for hair that radiates from the crown.
        towards: where hair is combed: "part", "forward", "back", "tie" or "out".
        texture: see people.strands.Texture; count: strands; radius: at the root.
        volume: largest distance from the skin, metres.
        level: height in the face frame where the tips are cut, or None.
    """

    length: float
    sides: float
    towards: str
    texture: Texture
    lift: float = 0.3
    gravity: float = 0.15
    part: float | None = None
    level: float | None = None
    fringe: float | None = None
    count: int = 12000
    radius: float = 0.00022
    clear: tuple[float, float] = (0.002, 0.01)
    volume: float = 0.022
    steps: int = 10


FINE = Texture(clump=0.3, frizz=0.0025, spread=0.15)
SLEEK = Texture(clump=0.45, frizz=0.004, spread=0.08)
WAVY = Texture(clump=0.6, frizz=0.004, curl=0.009, turns=2.2, spread=0.1)
CURLS = Texture(clump=0.75, frizz=0.006, curl=0.011, turns=4.0, spread=0.12)
TIGHT = Texture(clump=0.3, frizz=0.006, curl=0.005, turns=5.0, spread=0.22)

STYLES = {
    "buzz": Style(0.007, 0.6, "out", Texture(0.0, 0.001), lift=0.6, gravity=0, count=14000, radius=0.0002, steps=4),
    "crop": Style(0.024, 0.35, "forward", FINE, lift=0.4, count=12000, steps=6),
    "short": Style(0.04, 0.35, "forward", FINE, lift=0.5, count=11000, steps=8, clear=(0.003, 0.014)),
    "side": Style(0.062, 0.38, "part", FINE, lift=0.5, part=0.03, count=11000, clear=(0.004, 0.016)),
    "back": Style(0.085, 0.5, "back", SLEEK, lift=0.5, gravity=0.1, count=11000, clear=(0.005, 0.016)),
    "curly": Style(0.055, 0.6, "forward", CURLS, lift=0.7, count=9000, clear=(0.006, 0.022), volume=0.034, steps=16),
    "receding": Style(0.035, 0.8, "back", FINE, lift=0.3, count=6000, steps=7),
    "bald": Style(0.008, 1.0, "out", Texture(0.0, 0.001), lift=0.5, count=4500, radius=0.0002, steps=4),
    "pixie": Style(0.07, 0.6, "part", FINE, lift=0.4, part=-0.035, fringe=0.03, count=11000, clear=(0.004, 0.016)),
    "bob": Style(0.3, 1.0, "part", SLEEK, lift=0.35, gravity=0.9, part=0.012, level=-0.115, count=14000, clear=(0.006, 0.02), steps=18),
    "shoulder": Style(
        0.36,
        1.0,
        "part",
        Texture(0.5, 0.006, 0.004, 1.5, 0.08),
        lift=0.35,
        gravity=0.9,
        part=-0.02,
        level=-0.17,
        count=14000,
        clear=(0.006, 0.02),
        steps=20,
    ),
    "long": Style(0.5, 1.0, "part", SLEEK, lift=0.3, gravity=0.9, part=0.0, level=-0.3, count=14000, clear=(0.006, 0.018), steps=24),
    "wavy": Style(0.45, 1.0, "part", WAVY, lift=0.4, gravity=0.9, part=0.025, level=-0.24, count=14000, clear=(0.008, 0.02), volume=0.028, steps=28),
    "fringe": Style(
        0.4, 1.0, "part", SLEEK, lift=0.35, gravity=0.9, part=0.0, level=-0.19, fringe=0.022, count=14000, clear=(0.006, 0.018), steps=22
    ),
    "curls": Style(0.26, 1.0, "part", CURLS, lift=0.6, gravity=0.55, part=0.02, level=-0.15, count=13000, clear=(0.01, 0.03), volume=0.045, steps=30),
    "afro": Style(0.045, 0.85, "out", TIGHT, lift=0.95, gravity=0, count=12000, clear=(0.003, 0.035), volume=0.06, steps=16),
    "bun": Style(0.22, 1.0, "tie", Texture(0.3, 0.0015, spread=0.03), lift=0.1, gravity=0, count=14000, clear=(0.003, 0.007), steps=14),
    "ponytail": Style(0.22, 1.0, "tie", Texture(0.3, 0.002, spread=0.03), lift=0.1, gravity=0, count=14000, clear=(0.003, 0.007), steps=14),
    "braids": Style(0.22, 1.0, "tie", Texture(0.92, 0.0006, 0.0012, 7.0, 0.02), lift=0.1, gravity=0, count=11000, clear=(0.003, 0.006), steps=20),
}
CROWN = (0.0, 0.13, 0.105)
KNOT = (0.0, 0.185, 0.045)


def scalp(person: Identity, head: Head, rng: np.random.Generator) -> list[Lock]:
    style = STYLES[person.hair.style]
    density = _density(person, head)
    few = 220 if person.hair.style == "braids" else 900
    guide_roots = strands.sow(head.rest, density, few, rng)
    start = guide_roots.at(head.rest)
    growth = Growth(
        _lengths(style, head, start, rng),
        _comb(style, head, start),
        style.lift,
        style.gravity,
        0.55,
        (*style.clear, style.volume),
        head.point(0, 0, -0.05)[2],
    )
    guides = strands.grow(start, guide_roots.normals, growth, head.tree, style.steps)
    if style.level is not None:
        guides = _cut(guides, head, style, rng)
    roots = strands.sow(head.rest, density, style.count, rng)
    points = strands.children(roots.at(head.rest), start, guides, style.texture, rng)
    locks = [Lock(roots, points, (style.radius, 0.5 * style.radius), True)]
    if style.towards == "tie":
        locks.append(_knot(person, head, roots, style, rng))
    return locks


def _density(person: Identity, head: Head) -> Points:
    area = scalp_area(head.at)
    x, y, z = np.abs(head.at[:, 0]), head.at[:, 1], head.at[:, 2]
    if person.hair.style == "receding":
        back = 0.045 + 0.55 * np.clip(x - 0.012, 0, 0.06) - 1.2 * np.clip(x - 0.05, 0, 1)
        area = area * np.where((z > 0.05) & (y < back), 0.0, 1.0)
        area = area * np.where((z > 0.09) & (y < 0.1), 0.5, 1.0)
    if person.hair.style == "bald":
        area = area * (z < 0.045) * (y > 0.045)
    return np.asarray(area)


def _lengths(style: Style, head: Head, start: Points, rng: np.random.Generator) -> Points:
    """Length a guide: shorter on the sides and the nape by ``style.sides``; a fringe ends above the eyes."""
    at = head.frame(start)
    low = 1 - np.clip((at[:, 2] - 0.02) / 0.05, 0, 1)
    lengths = style.length * (1 - (1 - style.sides) * low) * rng.uniform(0.9, 1.1, len(at))
    if style.fringe is not None:
        front = _is_fringe(at)
        lengths = np.where(front, np.maximum(at[:, 2] - style.fringe, 0.012) * 1.12 + 0.004, lengths)
    return np.asarray(lengths * head.scale)


def _is_fringe(at: Points) -> Any:
    return (at[:, 1] < 0.035) & (np.abs(at[:, 0]) < 0.052) & (at[:, 2] > 0.03)


def _comb(style: Style, head: Head, start: Points) -> Any:
    """The direction field of a style, in metres of the model."""
    at = head.frame(start)
    crown, knot = head.point(*CROWN), head.point(*KNOT)
    side = np.where(at[:, 0] > (style.part or 0.0), 1.0, -1.0)
    front = _is_fringe(at) if style.fringe is not None else np.zeros(len(at), dtype=bool)

    def field(points: Points, share: float) -> Points:
        out = unit(points - head.point(0, 0.08, 0.02))
        if style.towards == "out":
            return out
        if style.towards == "tie":
            return unit(knot - points)
        away = unit(points - crown)
        if style.towards == "forward":
            flow = away + np.array([0.0, -0.25, -0.3])
        elif style.towards == "back":
            flow = np.tile(np.array([0.0, 1.0, 0.05]), (len(points), 1)) + 0.15 * away - np.array([0, 0, 0.7]) * (at[:, 2:3] < 0.05)
        else:
            top = np.clip((head.frame(points)[:, 2:3] - 0.0) / 0.08, 0, 1)
            sideways = np.stack([side, np.full(len(at), 0.35), np.full(len(at), -0.15)], axis=1)
            flow = sideways * top + np.array([0.0, 0.15, -1.0]) * (1 - top)
        flow = unit(flow)
        flow = flow - np.maximum((flow * out).sum(1, keepdims=True) - 0.05, 0) * out  # along the skin, not away from it
        if front.any():
            flow = np.where(front[:, None], np.array([0.0, -0.35, -1.0]) + 0.25 * side[:, None] * np.array([1.0, 0, 0]), flow)
        return unit(flow)

    return field


def _cut(guides: Points, head: Head, style: Style, rng: np.random.Generator) -> Points:
    """Shorten guides so that their tips end at the style's level: each is resampled up to where it crosses the level."""
    count = guides.shape[1]
    heights = head.frame(guides.reshape(-1, 3)).reshape(guides.shape)[..., 2]
    level = (style.level or 0.0) + rng.normal(0, 0.006, len(guides))
    below = heights < level[:, None]
    last = np.where(below.any(1), np.maximum(below.argmax(1), 2), count - 1)
    cut = np.empty_like(guides)
    for index, end in enumerate(last):
        spots = np.linspace(0, end, count)
        base = np.minimum(spots.astype(int), count - 2)
        rest = (spots - base)[:, None]
        cut[index] = guides[index, base] * (1 - rest) + guides[index, base + 1] * rest
    return cut


def _knot(person: Identity, head: Head, roots: Roots, style: Style, rng: np.random.Generator) -> Lock:
    """What hair is tied into: a bun of coiled strands, or a tail that falls from the knot."""
    count, steps = 3000, 22
    centre = head.point(*KNOT)
    share = np.linspace(0, 1, steps)[None, :, None]
    start = unit(rng.normal(0, 1, (count, 3)))
    if person.hair.style == "bun":
        radius = head.scale * rng.uniform(0.8, 1.05, (count, 1, 1)) * 0.036
        axis = unit(np.array([0.2, 1.0, 0.3])[None] + 0.35 * rng.normal(0, 1, (count, 3)))
        u = unit(np.cross(axis, start))
        v = np.cross(axis, u)
        angle = share * np.pi * 1.6 + rng.uniform(0, 6.28, (count, 1, 1))
        tilt = (start * axis).sum(1)[:, None, None]
        points = (
            centre
            + np.array([0, 0.02, 0.01]) * head.scale
            + radius * ((u[:, None] * np.cos(angle) + v[:, None] * np.sin(angle)) * np.sqrt(1 - 0.7 * tilt**2) + axis[:, None] * tilt * 0.8)
        )
    else:
        length = rng.uniform(0.85, 1.05, (count, 1, 1)) * 0.26 * head.scale
        swing = np.array([0.15 * rng.normal(), 0.5, 0.0]) * np.exp(-3 * share) * 0.1 + np.array([0, 0.1, -1.0]) * share
        thick = 0.017 * head.scale * (0.45 + 0.9 * np.sin(np.pi * np.clip(share * 0.8 + 0.1, 0, 1)))
        points = centre + swing * length + start[:, None] * thick * rng.uniform(0.5, 1, (count, 1, 1))
    chosen = roots.take(rng.integers(0, len(roots.corners), count))
    return Lock(_fixed(chosen, points[:, 0], head.rest), points, (style.radius, 0.5 * style.radius), True)


def _fixed(roots: Roots, starts: Points, rest: Points) -> Roots:
    """Roots whose place is not on the skin: weights are kept, and the first point of the strand moves with the head as the root does."""
    middle = np.argmin(((rest[:13380] - starts.mean(0)) ** 2).sum(1))
    return Roots(np.full_like(roots.corners, middle), np.full_like(roots.weights, 1 / 3), roots.normals)
