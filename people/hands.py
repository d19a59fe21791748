"""Hands for the props: the forearm and hand of the parametric model anny, posed by finger angles.

A hand's frame: the origin in the palm's middle, z along the hand towards the fingers, the palm looks towards -y (to the camera).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import anny
import numpy as np
import torch

from people.blender import Matrix, Stage
from people.furniture import fabric
from people.surfaces import Colour, Surface, dimmer, hsv, plain

FINGERS = (2, 3, 4, 5)


@dataclass(frozen=True)
class Grip:
    """Angles in degrees: of the three joints of the fingers from index to little finger, of the thumb's three, and how far the fingers spread."""

    curl: dict[int, tuple[float, float, float]] = field(default_factory=dict)
    thumb: tuple[float, float, float] = (0, 0, 0)
    spread: float = 0.0


def even(first: float, second: float, third: float) -> dict[int, tuple[float, float, float]]:
    """All fingers alike, the little one a bit more."""
    return {f: (first + 3 * (f - 3), second + 2 * (f - 3), third) for f in FINGERS}


FIST = (78.0, 95.0, 55.0)
GRIPS = {
    "open": Grip(even(4, 8, 5), (0, 0, 5), 5),
    "wave": Grip(even(-2, 10, 8), (-8, 0, 0), 10),
    "fist": Grip(even(*FIST), (35, 35, 35)),
    "point": Grip({**even(*FIST), 2: (2, 5, 3)}, (35, 35, 35)),
    "two": Grip({**even(*FIST), 2: (0, 4, 3), 3: (0, 4, 3)}, (40, 40, 40), 9),
    "hold": Grip(even(18, 32, 22), (30, 12, 10)),
    "wrap": Grip(even(38, 48, 30), (40, 20, 15)),
}


@lru_cache(maxsize=1)
def model() -> Any:
    """The body model, built once."""
    return anny.Anny(rig="makehuman", topology="anny-quads", local_changes="all", facial_actions="all", phenotypes="all")


def turn_about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation matrix about an axis (3 x 3)."""
    return np.array(Matrix.Rotation(np.radians(degrees), 3, tuple(axis / np.linalg.norm(axis))))


def hand_points(grip: Grip, phenotype: dict[str, float]) -> tuple[np.ndarray, list[list[int]], np.ndarray]:
    """Points in the hand's frame (n x 3), faces, and the share along the forearm for each point (0 elbow, 1 wrist and beyond)."""
    body = model()
    bone = {name: i for i, name in enumerate(body.bone_labels)}
    with torch.inference_mode():
        rest = body(phenotype_kwargs=phenotype)
        heads, tails = (rest[k][0].double().numpy() for k in ("rest_bone_heads", "rest_bone_tails"))
        knuckle = {f: heads[bone[f"finger{f}-1.L"]] for f in (1, *FINGERS)}
        wrist, elbow = heads[bone["wrist.L"]], heads[bone["lowerarm01.L"]]
        up = (knuckle[3] - wrist) / np.linalg.norm(knuckle[3] - wrist)
        across = knuckle[5] - knuckle[2]
        palm = np.cross(up, across)
        palm *= np.sign((tails[bone["finger1-3.L"]] - knuckle[3]) @ palm) / np.linalg.norm(palm)
        across = np.cross(palm, up) * np.sign(np.cross(palm, up) @ across)
        out = body(pose_parameters=bones(body, bone, grip, heads, tails, up, palm, across), phenotype_kwargs=phenotype)
    start, stood = (rest[k][0].double().numpy() for k in ("rest_vertices", "vertices"))
    points = out["vertices"][0].double().numpy() - (stood - start).mean(axis=0)  # the model moves its root; bones are told in the rest frame
    along = (start - elbow) @ (wrist - elbow) / ((wrist - elbow) @ (wrist - elbow))
    kept = (along > 0.25) & (start[:, 0] > elbow[0] * 0.9)
    faces = [face for face in (list(map(int, f)) for f in body.faces) if all(kept[v] for v in face)]
    used = np.unique(np.concatenate(faces))
    place = {int(v): k for k, v in enumerate(used)}
    frame = np.stack([np.cross(-palm, up), -palm, up])  # rows: x, y, z of the hand's frame; the palm looks towards -y
    local = (points[used] - (wrist + knuckle[3]) / 2) @ frame.T
    return local, [[place[v] for v in face] for face in faces], along[used]


def bones(
    body: Any, bone: dict[str, int], grip: Grip, heads: np.ndarray, tails: np.ndarray, up: np.ndarray, palm: np.ndarray, across: np.ndarray
) -> torch.Tensor:
    """Pose parameters of a grip; rotations are about axes of the world, each on top of its parent's."""
    pose = torch.eye(4, dtype=body.dtype)[None, None].repeat(1, len(bone), 1, 1)

    def put(name: str, matrix: np.ndarray) -> None:
        pose[0, bone[name], :3, :3] = torch.from_numpy(matrix).to(pose.dtype)

    flex = np.cross(up, palm)  # turning about it moves the fingers towards the palm
    spin = np.sign(np.cross(palm, up) @ across)  # turning about the palm's normal by it moves a finger towards the little finger
    for finger in FINGERS:
        angles = grip.curl.get(finger, (0.0, 0.0, 0.0))
        for joint, angle in enumerate(angles, start=1):
            matrix = turn_about(flex, angle)
            if joint == 1:
                matrix = matrix @ turn_about(palm, spin * (grip.spread - 0.28 * angles[0]) * (finger - 3.2))  # fists close
            put(f"finger{finger}-{joint}.L", matrix)
    thumb = tails[bone["finger1-3.L"]] - heads[bone["finger1-2.L"]]
    for joint, angle in enumerate(grip.thumb, start=1):
        goal = palm if joint == 1 else across + 0.4 * palm
        put(f"finger1-{joint}.L", turn_about(np.cross(thumb, goal), angle))
    return pose


def skin(colour: Colour) -> Any:
    """Skin with a little subsurface light, redder in patches."""
    made = Surface(0.48, 0.35)
    made.set(made.shader, {"Subsurface Weight": 0.12, "Subsurface Radius": (0.01, 0.004, 0.002), "Subsurface Scale": 0.5})
    red = (colour[0] * 1.02, colour[1] * 0.78, colour[2] * 0.74)
    tone = made.mix(dimmer(colour, 1.04), red, made.noise(38.0, 3.0, contrast=1.2))
    made.bump(made.noise(420.0, 3.0), 0.12, 0.002)
    return made.done(tone)


def skin_colour(rng: np.random.Generator) -> Colour:
    """A skin tone from very dark to very light."""
    depth = rng.uniform()
    return hsv(0.055 + 0.015 * rng.uniform(), 0.62 - 0.32 * depth, 0.36 + 0.56 * depth)


def add_hand(stage: Stage, grip: str, *, mirror: bool = False, sleeve: float = 0.55) -> None:
    """Add a hand in the stage's frame; `sleeve` is the share of the forearm that a sleeve covers."""
    rng = stage.rng
    phenotype = {"gender": float(rng.uniform()), "age": float(rng.uniform(0.5, 0.8)), "weight": float(rng.uniform(0.35, 0.65)), "muscle": 0.5}
    points, faces, along = hand_points(GRIPS[grip], phenotype)
    if mirror:
        points, faces = points * (-1, 1, 1), [face[::-1] for face in faces]
    hand = stage.mesh(points, faces, skin(skin_colour(rng)), smooth=True)
    smooth(hand, 2)
    if sleeve > along.min():
        cloth = fabric(rng) if rng.random() < 0.7 else plain(hsv(0.1, 0.05, rng.uniform(0.1, 0.9)), 0.9)
        smooth(stage.mesh(*tube(points, along, sleeve, rng), cloth, smooth=True), 1)


def tube(points: np.ndarray, along: np.ndarray, end: float, rng: np.random.Generator) -> tuple[np.ndarray, list[list[int]]]:
    """A sleeve around the forearm up to the share `end`: rings of 20 points, wider than the arm, with folds; the last ring turns inwards."""
    steps, angles = np.linspace(along.min() - 0.05, end, 9), np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rings = []
    for step in [*steps, end - 0.01]:
        near = points[np.abs(along - np.clip(step, along.min() + 0.05, None)) < 0.07]
        middle, radius = (near.min(axis=0) + near.max(axis=0)) / 2, np.ptp(near[:, :2], axis=0) / 2
        radius = radius + 0.009 + 0.006 * (end - step) + 0.0025 * rng.normal() - (0.006 if len(rings) == len(steps) else 0.0)
        fold = 1 + 0.03 * np.sin(3 * angles + 6 * step) + 0.02 * rng.normal(size=20)
        height = near[:, 2].mean() + (step - np.clip(step, along.min() + 0.05, None)) * 0.25
        rings.append(
            np.stack([middle[0] + radius[0] * fold * np.cos(angles), middle[1] + radius[1] * fold * np.sin(angles), 0 * angles + height], axis=1)
        )
    faces = [[20 * r + k, 20 * r + (k + 1) % 20, 20 * (r + 1) + (k + 1) % 20, 20 * (r + 1) + k] for r in range(len(rings) - 1) for k in range(20)]
    return np.concatenate(rings), faces


def smooth(thing: Any, levels: int) -> None:
    """Subdivide for the render."""
    modifier = thing.modifiers.new("smooth", "SUBSURF")
    modifier.levels = modifier.render_levels = levels
