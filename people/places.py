"""Render the backgrounds, one by one; ``python -m people`` runs it.

A place is drawn from (seed, index), rendered without people and noted in <out>/places/<id>.json; finished ones are skipped. The light of a place is
measured with a grey ball where people stand, relative to the neutral rig of the same name, so that a compositor can match a person to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from people import halls, interiors, outdoors
from people.blender import Stage, add_camera, empty_scene, render_array, render_png
from people.interiors import Walk
from people.light import light_person
from people.records import file_hash, write_record
from people.shots import RIGS
from people.surfaces import Surface

SIZE = (1024, 704)
SAMPLES = 8
GREY = 0.35  # albedo of the ball that stands for a face
BUILDERS: dict[str, tuple[Callable[[Stage, str], Walk], int]] = {
    "living": (interiors.living, 3),
    "street": (outdoors.street, 7),
    "office": (interiors.office, 3),
    "park": (outdoors.park, 5),
    "class": (interiors.classroom, 3),
    "cafe": (interiors.cafe, 3),
    "square": (outdoors.square, 3),
    "hall": (interiors.hall, 2),
    "shop": (halls.shop, 3),
    "library": (halls.library, 2),
    "field": (outdoors.field, 3),
    "kitchen": (interiors.kitchen, 3),
    "gym": (halls.gym, 2),
}


def listing() -> list[tuple[str, str, str]]:
    """All places as (id, kind, light), the lights dealt out in turn."""
    kinds = [(kind, k) for kind, (_, count) in BUILDERS.items() for k in range(count)]
    return [(f"{kind}{k:03d}", kind, RIGS[i % len(RIGS)]) for i, (kind, k) in enumerate(kinds)]


def grey_ball(scene: Any, at: tuple[float, float, float]) -> Any:
    """A matt grey ball of a head's size."""
    made = Surface(1.0, 0.0)
    ball = Stage(scene, np.random.default_rng(0)).ball((0.11, 0.11, 0.11), at, made.done((GREY,) * 3))
    ball.visible_diffuse = ball.visible_glossy = False
    return ball


def ball_light(scene: Any, at: tuple[float, float, float]) -> np.ndarray:
    """Mean linear colour of a grey ball at a position, seen from the front."""
    ball, render = grey_ball(scene, at), scene.render
    kept = render.resolution_x, render.resolution_y, render.film_transparent, scene.camera, scene.cycles.samples
    render.resolution_x = render.resolution_y = 40
    render.film_transparent, scene.cycles.samples, scene.cycles.use_denoising = True, 48, False
    eye = add_camera(scene, (at[0], at[1] - 0.6, at[2]), focal=40 * 0.6 / 0.26, horizon=20)
    pixels = render_array(scene)
    bpy.data.objects.remove(eye)
    scene.cycles.use_denoising = True
    bpy.data.objects.remove(ball)
    render.resolution_x, render.resolution_y, render.film_transparent, scene.camera, scene.cycles.samples = kept
    rows, columns = np.mgrid[:40, :40] - 19.5
    return np.asarray(pixels[np.hypot(rows, columns) < 15, :3].mean(axis=0))


def neutral_light(rig: str) -> float:
    """What the grey ball shows under the neutral person rig: the mean of three draws."""
    values = []
    for k in range(3):
        scene = empty_scene(40, 40, samples=64)
        light_person(scene, rig, np.random.default_rng(k))
        values.append(ball_light(scene, (0.0, 0.0, 1.55)).mean())
    return float(np.mean(values))


def expose(scene: Any, walk: Walk, neutral: float) -> tuple[list[float], float]:
    """Choose the picture's exposure and return tint and exposure of a person in it."""
    person = ball_light(scene, (0.0, min(walk.near + 1.2, walk.far), 1.55))
    kept, scene.render.resolution_percentage = scene.cycles.samples, 12
    scene.cycles.samples = 12
    picture = np.minimum(render_array(scene)[..., :3], 1.5 * person.mean() / GREY)
    scene.render.resolution_percentage, scene.cycles.samples = 100, kept
    wanted = 0.6 * neutral / person.mean() + 0.4 * 0.25 / picture.mean()  # mostly for the person, a little for the picture's mean
    relative = float(np.clip(person.mean() * wanted / neutral, 0.6, 1.2))
    scene.view_settings.exposure = float(np.log2(relative * neutral / person.mean()))
    return [round(float(c), 4) for c in person / person.mean()], round(relative, 4)


def columns(walk: Walk, depth: float, focal: float) -> tuple[float, float]:
    """The columns between which people may stand at a depth, inside the picture."""
    left, right = (float(np.clip(SIZE[0] / 2 + x * focal / depth, 0, SIZE[0])) for x in (walk.left, walk.right))
    return round(left, 1), round(right, 1)


def build(seed: int, index: int) -> tuple[Any, dict[str, Any], Walk]:
    """Build a place; returns its scene, the part of its record that the camera gives, and the floor people may stand on."""
    name, kind, rig = listing()[index]
    rng = np.random.default_rng([seed, index])
    scene = empty_scene(*SIZE, samples=SAMPLES, seed=seed)
    focal = SIZE[0] / 2 / np.tan(np.radians(rng.uniform(48, 66)) / 2)
    height, horizon = round(float(rng.uniform(1.35, 1.68)), 3), round(float(rng.uniform(0.37, 0.5) * SIZE[1]), 1)
    walk = BUILDERS[kind][0](Stage(scene, rng, Matrix()), rig)
    add_camera(scene, (0.0, 0.0, height), focal=focal, horizon=horizon)
    (left_near, right_near), (left_far, right_far) = columns(walk, walk.near, focal), columns(walk, walk.far, focal)
    record = {"id": name, "file": f"places/{name}.png", "kind": kind, "size": list(SIZE), "light": rig}
    record |= {"horizon": horizon, "camera_height": height, "focal": round(float(focal), 2), "near": round(walk.near, 3), "far": round(walk.far, 3)}
    record |= {"left": [left_near, left_far], "right": [right_near, right_far]}
    return scene, record, walk


def render(out: Path, seed: int, index: int, neutral: dict[str, float]) -> dict[str, Any]:
    """Render a place unless it is finished; returns its record."""
    name, _, rig = listing()[index]
    note, file = out / "places" / f"{name}.json", out / "places" / f"{name}.png"
    if note.exists() and file.exists():
        return dict(json.loads(note.read_text()))
    if rig not in neutral:
        neutral[rig] = neutral_light(rig)
    scene, record, walk = build(seed, index)
    tint, exposure = expose(scene, walk, neutral[rig])
    render_png(scene, file)
    record |= {"tint": tint, "exposure": exposure, "sha256": file_hash(file)}
    write_record(note, record)
    return record
