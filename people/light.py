"""Five light rigs around a person at the origin who faces -y (camera at -y, z up, metres); left is the image's left, -x.

    from people.light import light_person
    from people.shots import RIGS
    light_person(bpy.context.scene, "left-soft", np.random.default_rng(0))

Neutral white. A matt sphere of albedo 0.35 at head height has a mean of about 0.35 in linear light on its lit front: mid skin lies near sRGB 160.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from people.shots import RIGS

AIM = Vector((0.0, 0.0, 1.55))  # the light is aimed at, and measured on, the face


@dataclass(frozen=True)
class Key:
    """A key light: azimuth off the camera axis and elevation in degrees, strengths in units of "white is 1", distance and size in metres."""

    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    strength: tuple[float, float]
    fill: tuple[float, float]
    rim: tuple[float, float]
    distance: float = 3.2
    size: tuple[float, float] = (2.0, 2.4)


KEYS = {
    "top": Key((-18, 18), (46, 58), (0.72, 0.86), (0.52, 0.62), (0.15, 0.3), 4.0, (4.5, 3.5)),
    "soft": Key((42, 58), (14, 28), (1.1, 1.3), (0.3, 0.44), (0.25, 0.55)),
    "hard": Key((30, 48), (28, 42), (1.12, 1.3), (0.26, 0.38), (0.2, 0.5)),
}


def direction(azimuth: float, elevation: float) -> Vector:
    """Unit vector from the face towards a light; azimuth in degrees from the camera axis (-y), positive towards the image's right (+x)."""
    a, e = np.radians([azimuth, elevation])
    return Vector((float(np.sin(a) * np.cos(e)), float(-np.cos(a) * np.cos(e)), float(np.sin(e))))


def add_light(scene: Any, name: str, kind: str, towards: Vector, *, at: Vector = AIM, distance: float = 3.0) -> Any:
    """Add a light that shines from `at + distance * towards` to `at`; it is seen in reflections (catchlights) but not by the camera."""
    data = bpy.data.lights.new(name, kind)
    lamp = bpy.data.objects.new(name, data)
    lamp.location = at + towards * distance
    lamp.rotation_mode = "QUATERNION"
    lamp.rotation_quaternion = towards.to_track_quat("Z", "Y")
    lamp.visible_camera = False
    scene.collection.objects.link(lamp)
    return lamp


def add_area(scene: Any, name: str, towards: Vector, irradiance: float, distance: float, size: tuple[float, float]) -> Any:
    """Add a rectangular light; `irradiance` 1 makes a white card that faces it white. Watts follow from E = P / (pi d^2) and white = E / pi."""
    lamp = add_light(scene, name, "AREA", towards, distance=distance)
    lamp.data.shape, lamp.data.size, lamp.data.size_y = "RECTANGLE", size[0], size[1]
    lamp.data.energy = irradiance * np.pi**2 * (distance**2 + 0.25 * size[0] * size[1])
    return lamp


def add_sun(scene: Any, name: str, towards: Vector, irradiance: float, angle: float) -> Any:
    """Add a sun of an angular diameter in degrees; `irradiance` 1 makes a white card that faces it white."""
    lamp = add_light(scene, name, "SUN", towards)
    lamp.data.energy, lamp.data.angle = irradiance * np.pi, float(np.radians(angle))
    return lamp


def set_sky(scene: Any, above: tuple[float, float, float], below: tuple[float, float, float]) -> Any:
    """Give the scene a world that runs from `below` (nadir) to `above` (zenith) in linear light, sampled coarsely, as it is so plain."""
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    tree = world.node_tree
    place, part, ramp = (tree.nodes.new(f"ShaderNode{k}") for k in ("TexCoord", "SeparateXYZ", "MapRange"))
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    ramp.inputs["From Min"].default_value, ramp.inputs["From Max"].default_value = -0.6, 0.9
    mix.inputs["A"].default_value, mix.inputs["B"].default_value = (*below, 1.0), (*above, 1.0)
    tree.links.new(place.outputs["Generated"], part.inputs[0])
    tree.links.new(part.outputs["Z"], ramp.inputs["Value"])
    tree.links.new(ramp.outputs["Result"], mix.inputs["Factor"])
    tree.links.new(mix.outputs["Result"], tree.nodes["Background"].inputs["Color"])
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 64
    scene.world = world
    return world


def light_person(scene: Any, rig: str, rng: np.random.Generator) -> None:
    """Light a person at the origin with one of `RIGS`; azimuth, elevation, ratio and rim vary a little with `rng`.

    Raises: ValueError, when the rig has another name.
    """
    if rig not in RIGS:
        raise ValueError(f"unknown light {rig!r}: choose one of {', '.join(RIGS)}")
    side = {"left": -1.0, "right": 1.0}.get(rig.split("-", maxsplit=1)[0], float(rng.choice([-1.0, 1.0])))
    key = KEYS[rig.rsplit("-", maxsplit=1)[-1]]
    azimuth, elevation, strength, fill, rim = (float(rng.uniform(*span)) for span in (key.azimuth, key.elevation, key.strength, key.fill, key.rim))
    towards = direction(side * azimuth, elevation)
    if rig.endswith("hard"):
        add_sun(scene, "key", towards, strength, angle=float(rng.uniform(0.6, 2.5)))
    else:
        add_area(scene, "key", towards, strength, key.distance, key.size)
    add_area(scene, "rim", direction(side * float(rng.uniform(-160, -130)), 35.0), rim, 3.0, (1.0, 1.6))
    if not rig.endswith("hard"):  # a large weak card near the camera: the second, dim catchlight of a room
        add_area(scene, "card", direction(-side * 25.0, 8.0), 0.12, 4.0, (3.0, 2.0))
    set_sky(scene, (fill * 1.25,) * 3, (fill * 0.55,) * 3)
