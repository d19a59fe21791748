"""Hair of one person: grown once in the rest pose and carried along by every pose."""

from __future__ import annotations

from typing import Any

import numpy as np

from people import strands
from people.body import LEFT_EYE, RIGHT_EYE, Points, head_motion, parts
from people.facialhair import beard, brows
from people.identity import Colour, Identity
from people.locks import Head, Lock
from people.mesh import make_hair
from people.shader import Graph
from people.skin import face_frame
from people.styles import scalp


def grow_hair(person: Identity, rest: Points) -> list[Lock]:
    """All hair of a person in the rest pose."""
    rng = np.random.default_rng([person.seed, 7])
    left, right = rest[LEFT_EYE].mean(0), rest[RIGHT_EYE].mean(0)
    head = Head(
        rest, face_frame(rest, parts()["body"].vertices), float(np.linalg.norm(left - right)) / 0.059, (left + right) / 2, strands.body_tree(rest)
    )
    return [*scalp(person, head, rng), *brows(person, head, rng), *beard(person, head, rng)]


def add_hair(person: Identity, locks: list[Lock], rest: Points, posed: Points, keep_scalp: Any = None, every: int = 1) -> list[Any]:
    """Put the hair on a posed body; ``keep_scalp`` maps points at rest (N x 3) to booleans: scalp strands with a point outside are left out.

    Small figures get one strand in ``every``, and thicker ones.
    """
    turn, shift = head_motion(rest, posed)
    trunk_turn, trunk_shift = _trunk_motion(rest, posed)
    chin = rest[LEFT_EYE, 2].mean() - 0.115
    material, brow = hair_material(person.hair.colour, person.age), brow_material(person)
    made = []
    for number, lock in enumerate(locks):
        points, roots = lock.points[::every], lock.roots.take(slice(None, None, every))
        root, tip = (every**0.5 * radius for radius in lock.radii)
        if lock.scalp and keep_scalp is not None:
            wanted = keep_scalp(points.reshape(-1, 3)).reshape(points.shape[:2]).all(1)
            points, roots = points[wanted], roots.take(wanted)
        if not len(points):
            continue
        carried = points @ turn.T + shift
        carried += (roots.at(posed) - carried[:, 0])[:, None]
        if lock.scalp:  # hair below the chin lies on the trunk and follows it half way
            share = 0.75 * np.clip((chin - points[..., 2]) / 0.1, 0, 1)[..., None]
            carried = carried * (1 - share) + (points @ trunk_turn.T + trunk_shift) * share
        made.append(make_hair(f"hair{number}", carried, root, tip, brow if lock.brow else material))
    return made


def _trunk_motion(rest: Points, posed: Points) -> tuple[Points, Points]:
    low, high = rest[LEFT_EYE, 2].mean() - 0.45, rest[LEFT_EYE, 2].mean() - 0.28
    chest = np.flatnonzero((rest[:13380, 2] > low) & (rest[:13380, 2] < high) & (np.abs(rest[:13380, 0]) < 0.12))
    before, after = rest[chest], posed[chest]
    u, _, vt = np.linalg.svd((before - before.mean(0)).T @ (after - after.mean(0)))
    turn = vt.T @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(vt.T @ u.T)))]) @ u.T
    return turn, after.mean(0) - turn @ before.mean(0)


def hair_material(colour: Colour, age: int) -> Any:
    """Hair of one colour, each strand a little lighter or darker."""
    graph = Graph("hair")
    chance = graph.node("HairInfo").outputs["Random"]
    dark, light = (tuple(min(1.0, factor * value) for value in colour) for factor in (0.65, 1.35))
    strand = graph.mix(chance, dark, light)
    if age > 45:  # single grey hairs
        strand = graph.mix(graph.ramp(chance, 0.8, 0.84), strand, (0.4, 0.39, 0.37))
    # Cheaper than the physical hair model and as good at the size of a face: a matt strand under a sheen along the fibre.
    matt = graph.node("BsdfDiffuse", {"Color": strand}).outputs[0]
    sheen = graph.node(
        "BsdfHair", {"Color": graph.mix(0.75, strand, (0.25, 0.25, 0.25)), "RoughnessU": 0.25, "RoughnessV": 0.6}, component="Reflection"
    ).outputs[0]
    return graph.surface(graph.node("MixShader", {0: 0.3, 1: matt, 2: sheen}).outputs[0])


def brow_material(person: Identity) -> Any:
    """Brows are darker than the head's hair, but never black on fair people."""
    graph = Graph("brow")
    return graph.surface(
        graph.node(
            "BsdfDiffuse", {"Color": tuple(0.45 * value + 0.1 * skin for value, skin in zip(person.hair.colour, person.skin, strict=True))}
        ).outputs[0]
    )
