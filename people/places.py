"""Render the backgrounds: python -m people.places --out data/sprites --seed 0 [--only 3,4] [--quick]

A place is drawn from (seed, index), rendered without people and noted in <out>/places/<id>.json; finished ones are skipped. The light of a place is
measured with a grey ball where people stand, relative to the neutral rig of the same name, so that a compositor can match a person to it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from people import halls, interiors, outdoors
from people.blender import Stage, add_camera, empty_scene, render_array, render_png
from people.interiors import Walk
from people.light import RIGS, light_person
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


def build(seed: int, index: int, quick: bool = False) -> tuple[Any, dict[str, Any], Walk]:
    """Build a place; returns its scene, the part of its record that the camera gives, and the floor people may stand on."""
    name, kind, rig = listing()[index]
    rng = np.random.default_rng([seed, index])
    scene = empty_scene(*SIZE, samples=6 if quick else SAMPLES, seed=seed)
    focal = SIZE[0] / 2 / np.tan(np.radians(rng.uniform(48, 66)) / 2)
    height, horizon = round(float(rng.uniform(1.35, 1.68)), 3), round(float(rng.uniform(0.37, 0.5) * SIZE[1]), 1)
    walk = BUILDERS[kind][0](Stage(scene, rng, Matrix()), rig)
    add_camera(scene, (0.0, 0.0, height), focal=focal, horizon=horizon)
    (left_near, right_near), (left_far, right_far) = columns(walk, walk.near, focal), columns(walk, walk.far, focal)
    record = {"id": name, "file": f"places/{name}.png", "kind": kind, "size": list(SIZE), "light": rig}
    record |= {"horizon": horizon, "camera_height": height, "focal": round(float(focal), 2), "near": round(walk.near, 3), "far": round(walk.far, 3)}
    record |= {"left": [left_near, left_far], "right": [right_near, right_far]}
    return scene, record, walk


def render(out: Path, seed: int, index: int, neutral: dict[str, float], *, quick: bool = False) -> dict[str, Any]:
    """Render a place unless it is finished; returns its record."""
    name, _, rig = listing()[index]
    note, file = out / "places" / f"{name}.json", out / "places" / f"{name}.png"
    if note.exists() and file.exists():
        return dict(json.loads(note.read_text()))
    start = time.perf_counter()
    if rig not in neutral:
        neutral[rig] = neutral_light(rig)
    scene, record, walk = build(seed, index, quick)
    built = time.perf_counter()
    tint, exposure = expose(scene, walk, neutral[rig])
    if quick:
        scene.render.resolution_percentage = 36
    render_png(scene, file)
    record |= {"tint": tint, "exposure": exposure, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    note.write_text(json.dumps(record) + "\n")
    sys.stdout.write(
        f"{name} {rig}: built {built - start:.1f} s, all {time.perf_counter() - start:.1f} s, {len(scene.objects)} objects, {tint} {exposure}\n"
    )
    sys.stdout.flush()
    return record


def main() -> None:
    """Render the places and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/sprites"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="indices, divided by commas; no table is written then")
    parser.add_argument("--quick", action="store_true", help="half size, few samples, to look at")
    args = parser.parse_args()
    (args.out / "places").mkdir(parents=True, exist_ok=True)
    chosen = [int(i) for i in args.only.split(",")] if args.only else list(range(len(listing())))
    neutral: dict[str, float] = {}
    records = [render(args.out.resolve(), args.seed, i, neutral, quick=args.quick) for i in chosen]
    if not args.only:
        (args.out / "places.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


if __name__ == "__main__":
    main()
