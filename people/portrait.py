"""Render the sprites of one person: each is a PNG with alpha, a mask of the face and a JSON record (people/README.md says what is in it)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from PIL import Image

from people import clothes, facewear, hair, headwear
from people.blender import empty_scene, render_png
from people.body import LEFT_EYE, RIGHT_EYE, Body, Points, head_motion
from people.identity import Identity, draw
from people.light import light_person
from people.locks import Lock
from people.records import file_hash, write_record
from people.shader import Graph
from people.shots import EXAGGERATED, FACE_PIXELS, Shot, draw_shots
from people.skin import add_head, face_frame
from people.truth import Camera, face_box, face_cover, face_region, landmarks

EYE_HEIGHT = 1.6  # the eyes are put here, where the lights are aimed
SAMPLES = {"bust": 6, "half": 6, "full": 10}
STRANDS = {"bust": 1, "half": 2, "full": 5}
"""Kind -> one strand of hair is rendered in so many."""
CUT = {"bust": 0.33, "half": 0.86, "full": 9.0}
"""Kind -> how far below the eyes an adult's sprite ends, metres."""
MARGIN = 5  # pixels
TURNED = 35  # degrees; faces turned farther, and those behind sunglasses, are neither gallery nor probe: they do not show who it is


@dataclass(frozen=True)
class Figure:
    """A person in one pose at the origin: vertices at rest and posed, and the size of the head relative to an adult's."""

    person: Identity
    rest: Points
    posed: Points
    size: float


def pose_figure(body: Body, person: Identity, shot: Shot) -> Figure:
    """Pose a person with the middle of the eyes at (0, 0, EYE_HEIGHT)."""
    rest, posed = body.vertices(person), body.vertices(person, shot.pose)
    eyes = posed[LEFT_EYE.start : RIGHT_EYE.stop].mean(0)
    size = float(np.linalg.norm(rest[LEFT_EYE].mean(0) - rest[RIGHT_EYE].mean(0))) / 0.059
    return Figure(person, rest, posed - eyes + np.array([0.0, 0.0, EYE_HEIGHT]), size)


def build(figure: Figure, shot: Shot, locks: list[Lock]) -> tuple[Any, Any, list[Any]]:
    """Put the person into the scene. Returns the skin's object, the body's vertices it is made of, and what does not hide the face."""
    person, rest, posed = figure.person, figure.rest, figure.posed
    clothes.dress(person, rest, posed, shot.outfit)
    bare = ~clothes.covered(person, rest, shot.outfit) | (face_frame(rest, slice(0, 13380))[:, 2] > -0.16)  # a hood never takes the chin
    reach = CUT[shot.kind] * figure.size + 0.15
    bare &= posed[:13380, 2] > EYE_HEIGHT - reach
    skin, kept = add_head(person, rest, posed, bare, levels=1)
    hair.add_hair(person, locks, rest, posed, _keep_scalp(figure, shot), STRANDS[shot.kind])
    clear: list[Any] = []
    if shot.hat:
        headwear.hat(shot.hat, person, rest, posed, shot.outfit)
    if shot.face_mask:
        facewear.face_mask(shot.face_mask, person, rest, posed)
    if shot.glasses:
        made = facewear.glasses(shot.glasses, person, rest, posed)
        clear = [] if shot.glasses == "sunglasses" else made
    return skin, kept, clear


def _keep_scalp(figure: Figure, shot: Shot) -> Any:
    """Which points of the scalp's hair a hat leaves, as a function of positions at rest."""
    if shot.hat is None or headwear.hides_hair(shot.hat) == "none":
        return None
    if headwear.hides_hair(shot.hat) == "all":
        return lambda points: np.zeros(len(points), dtype=bool)
    point, normal = headwear.rim(shot.hat, figure.person, figure.rest)
    return lambda points: (points - np.asarray(point)) @ np.asarray(normal) < 0


def frame_camera(scene: Any, figure: Figure, shot: Shot) -> Camera:
    """A camera at eye height that shows the figure from the top of the hair down to the kind's cut, as wide as it is."""
    scale = FACE_PIXELS[shot.kind] / (0.178 * figure.size)
    focal = scale * shot.distance
    points = np.concatenate([_outline(thing) for thing in scene.objects if thing.type in ("MESH", "CURVES")])
    bottom = EYE_HEIGHT - CUT[shot.kind] * figure.size
    if shot.kind == "full":
        bottom = float(points[:, 2].min()) - 0.01
    seen = points[points[:, 2] > bottom]
    camera = Camera(shot.distance, EYE_HEIGHT, focal, (0.0, 0.0), (1, 1))
    pixels = camera.project(seen)
    left, top = pixels.min(0) - MARGIN
    right = pixels[:, 0].max() + MARGIN
    low = (EYE_HEIGHT - bottom) * focal / shot.distance + (MARGIN if shot.kind == "full" else 0)
    size = (math.ceil(right - left), math.ceil(low - top))
    camera = Camera(shot.distance, EYE_HEIGHT, focal, (-float(left), size[1] - low), size)
    _add_camera(scene, camera)
    return camera


def _outline(thing: Any) -> Points:
    """Points that bound an object, N x 3; hair is thinned out."""
    if thing.type == "CURVES":
        values = np.empty(len(thing.data.points) * 3, dtype=np.float32)
        thing.data.attributes["position"].data.foreach_get("vector", values)
        spots = values.reshape(-1, 3)[::5].astype(float)
        return np.asarray(np.clip(spots, np.percentile(spots, 0.05, axis=0), np.percentile(spots, 99.95, axis=0)))
    values = np.empty(len(thing.data.vertices) * 3, dtype=np.float32)
    thing.data.vertices.foreach_get("co", values)
    turn = np.array(thing.matrix_world)
    return np.asarray(values.reshape(-1, 3).astype(float) @ turn[:3, :3].T + turn[:3, 3])


def _add_camera(scene: Any, camera: Camera) -> None:
    width, height = camera.size
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width, data.clip_start = "HORIZONTAL", 36.0, 0.05
    data.lens = camera.focal / width * 36.0
    data.shift_x, data.shift_y = (width / 2 - camera.centre[0]) / width, (camera.centre[1] - height / 2) / width
    thing = bpy.data.objects.new("camera", data)
    thing.location, thing.rotation_euler = (0.0, -camera.distance, camera.height), (math.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(thing)
    scene.camera = thing


def visible_cover(scene: Any, skin: Any, region: Points, clear: list[Any], path: Path) -> Any:
    """Coverage of the part of the face that one sees, H x W uint8: the scene again, flat white where the skin is face, black elsewhere."""
    layer = skin.data.attributes.new("face", "FLOAT", "POINT")
    layer.data.foreach_set("value", region.astype(np.float32))
    graph = Graph("cover")
    material = graph.surface(graph.node("Emission", {"Color": graph.attribute("face").outputs["Fac"]}).outputs[0])
    scene.view_layers[0].material_override = material
    for thing in clear:
        thing.hide_render = True
    for thing in scene.objects:  # eyes are face
        if thing.name.startswith(("eyes", "lashes", "teeth", "tongue")):
            thing.data.attributes.new("face", "FLOAT", "POINT").data.foreach_set("value", np.ones(len(thing.data.vertices), dtype=np.float32))
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 4, False, 0
    scene.view_settings.view_transform = "Raw"
    render_png(scene, path)
    seen = np.asarray(Image.open(path).convert("RGBA"), dtype=np.uint16)

    return (seen[..., 0] * seen[..., 3] // 255).astype(np.uint8)


def render_shot(body: Body, person: Identity, shot: Shot, locks: list[Lock], out: Path) -> dict[str, Any]:
    """Render one sprite with its mask. Returns its record, see people/README.md."""
    figure = pose_figure(body, person, shot)
    scene = empty_scene(8, 8, samples=SAMPLES[shot.kind], seed=shot.seed % 10_000, transparent=True)
    scene.cycles.denoising_quality = scene.cycles.denoising_prefilter = "FAST"  # the accurate one takes as long as the rest and shows no difference
    scene.cycles.use_adaptive_sampling = False  # so few samples are all needed
    scene.render.use_persistent_data = True  # the mask is a second render of the same things
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 2
    skin, kept, clear = build(figure, shot, locks)
    light_person(scene, shot.light, np.random.default_rng(shot.seed))
    camera = frame_camera(scene, figure, shot)
    scene.render.resolution_x, scene.render.resolution_y = camera.size
    file, mask = (f"people/{person.name}/{shot.name}{end}.png" for end in ("", ".mask"))
    render_png(scene, out / file)
    region = face_region(figure.rest)
    seen = visible_cover(scene, skin, region[kept], clear, out / mask)
    whole = np.maximum(face_cover(figure.posed, region, camera), seen)
    Image.fromarray(np.stack([whole, seen, np.zeros_like(seen)], axis=-1)).save(out / mask, optimize=True)
    return record(figure, shot, camera, region) | {"file": file, "mask": mask, "sha256": file_hash(out / file), "mask_sha256": file_hash(out / mask)}


def record(figure: Figure, shot: Shot, camera: Camera, region: Any) -> dict[str, Any]:
    """Truth about a sprite, in the order of the contract."""
    person = figure.person
    turn, _ = head_motion(figure.rest, figure.posed)
    yaw = round(math.degrees(math.atan2(turn[1, 0], turn[0, 0])), 1)
    recognisable = abs(yaw) <= TURNED and shot.glasses != "sunglasses"
    soles = figure.posed[:13380, 2].min()
    return {
        "id": f"{person.name}/{shot.name}",
        "identity": person.name,
        "kind": shot.kind,
        "role": shot.role if recognisable else "",
        "sex": person.sex,
        "age": person.age,
        "ancestry": person.ancestry,
        "light": shot.light,
        "yaw": yaw,
        "pitch": round(shot.pose.pitch, 1),
        "roll": round(shot.pose.roll, 1),
        "expression": shot.expression,
        "exaggerated": shot.expression in EXAGGERATED,
        "glasses": shot.glasses,
        "hat": shot.hat,
        "face_mask": shot.face_mask,
        "size": list(camera.size),
        "box": [round(value, 2) for value in face_box(figure.posed, region, camera)],
        "landmarks": [[round(x, 2), round(y, 2)] for x, y in landmarks(figure.rest, figure.posed, camera)],
        "metre": round(camera.focal / camera.distance, 3),
        "eye_height": round(float(EYE_HEIGHT - soles), 3),
        "feet": round(float(camera.project(np.array([[0.0, 0.0, soles]]))[0, 1]), 1) if shot.kind == "full" else None,
    }


def render_person(body: Body, out: Path, seed: int, index: int) -> str:
    """Render all sprites of one person; those that are finished are left alone. Returns the person's name."""
    person = draw(index, seed, body.local_changes)
    missing = [shot for shot in draw_shots(person) if not (out / "people" / person.name / f"{shot.name}.json").is_file()]
    locks = hair.grow_hair(person, body.vertices(person)) if missing else []
    for shot in missing:
        write_record(out / "people" / person.name / f"{shot.name}.json", render_shot(body, person, shot, locks, out))
    return person.name
