"""Render the occluders, one by one; ``python -m people`` runs it.

A prop is drawn from (seed, 1000 + index), lit by the rigs for people and rendered without perspective on a transparent film; finished ones are
skipped. The frame of a prop: its grip (what is laid on the face) at the origin, z up, seen from -y.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from people import forms
from people.blender import Stage, empty_scene, render_png
from people.light import light_person
from people.records import file_hash, write_record
from people.shots import RIGS

SAMPLES = 24
HEIGHT = 1.55  # where the light is aimed


@dataclass(frozen=True)
class Prop:
    """A kind of occluder: its builder, where its support leaves, width and height in metres, the grip's share of both, pixels of the longer side."""

    kind: str
    build: Callable[[Stage], None]
    leaves: str
    size: tuple[float, float]
    grip: tuple[float, float]
    longest: int = 300


PROPS = [
    *[Prop("hand", forms.hand(grip, turn, tilt), "below", (0.26, 0.34), (0.5, 0.42)) for grip, turn, tilt in forms.HANDS],
    *[
        Prop("cup", build, "side", (0.34, 0.26), (0.3, 0.42))
        for build in (forms.held_mug, forms.held_paper_cup, forms.held_mug, forms.held_paper_cup)
    ],
    Prop("bottle", forms.held_bottle, "side", (0.34, 0.3), (0.3, 0.5)),
    *[Prop("phone", forms.held_phone, "below", (0.24, 0.32), (0.5, 0.4)) for _ in range(3)],
    *[Prop("book", forms.held_book, "below", (0.4, 0.38), (0.5, 0.38), 320) for _ in range(3)],
    Prop("paper", forms.held_paper, "below", (0.32, 0.42), (0.5, 0.4), 320),
    *[Prop("microphone", forms.microphone, "below", (0.2, 0.42), (0.5, 0.16), 300) for _ in range(2)],
    Prop("microphone", forms.held_microphone, "below", (0.24, 0.4), (0.5, 0.18), 300),
    *[Prop("camera", forms.held_camera, "below", (0.28, 0.3), (0.5, 0.35)) for _ in range(2)],
    *[Prop("plant", forms.plant, "below", (0.62, 0.44), (0.5, 0.5), 320) for _ in range(3)],
    *[Prop("branch", forms.branch, "side", (0.6, 0.45), (0.42, 0.5), 320) for _ in range(2)],
    *[Prop("flowers", forms.bouquet, "below", (0.44, 0.48), (0.5, 0.38), 320) for _ in range(2)],
    *[Prop("balloon", forms.balloon, "below", (0.34, 0.6), (0.5, 0.32), 320) for _ in range(3)],
    Prop("umbrella", forms.umbrella, "below", (1.06, 0.95), (0.5, 0.3), 320),
    Prop("placard", forms.placard, "below", (0.56, 0.6), (0.5, 0.35), 320),
]


def names() -> list[str]:
    """Ids in the order of PROPS, numbered within their kind."""
    kinds = [prop.kind for prop in PROPS]
    return [f"{kind}{kinds[:i].count(kind):02d}" for i, kind in enumerate(kinds)]


def add_eye(scene: Any, prop: Prop) -> None:
    """Add a camera without perspective that sees the prop's box, the grip where the prop says."""
    data = bpy.data.cameras.new("camera")
    data.type, data.ortho_scale = "ORTHO", max(prop.size)
    eye = bpy.data.objects.new("camera", data)
    (width, height), (x, y) = prop.size, prop.grip
    eye.location, eye.rotation_euler = ((0.5 - x) * width, -2.5, HEIGHT - (0.5 - y) * height), (np.pi / 2, 0, 0)
    scene.collection.objects.link(eye)
    scene.camera = eye


def render(out: Path, seed: int, index: int) -> dict[str, Any]:
    """Render a prop unless it is finished; returns its record. Raises RuntimeError when its support does not leave the sprite where it should."""
    prop, name, rig = PROPS[index], names()[index], RIGS[index % len(RIGS)]
    note, file = out / "props" / f"{name}.json", out / "props" / f"{name}.png"
    if note.exists() and file.exists():
        return dict(json.loads(note.read_text()))
    rng = np.random.default_rng([seed, 1000 + index])
    metre = prop.longest / max(prop.size)
    width, height = (round(side * metre) for side in prop.size)
    scene = empty_scene(width, height, samples=SAMPLES, seed=seed, transparent=True)
    prop.build(Stage(scene, rng).moved(0, 0, HEIGHT))
    light_person(scene, rig, rng)
    add_eye(scene, prop)
    render_png(scene, file)
    check_support(file, prop.leaves)
    record = {"id": name, "file": f"props/{name}.png", "sha256": file_hash(file), "kind": prop.kind, "light": rig}
    record |= {
        "size": [width, height],
        "metre": round(metre, 3),
        "grip": [round(prop.grip[0] * width, 1), round(prop.grip[1] * height, 1)],
        "from": prop.leaves,
    }
    write_record(note, record)
    return record


def check_support(file: Path, leaves: str) -> None:
    """See that a sprite from below reaches its last row and one from the side its last column, and that it touches no other border."""
    image = bpy.data.images.load(str(file))
    alpha = np.array(image.pixels[:], dtype=np.float32).reshape(image.size[1], image.size[0], 4)[::-1, :, 3]
    bpy.data.images.remove(image)
    borders = {"below": alpha[-1], "side": alpha[:, -1], "top": alpha[0], "left": alpha[:, 0]}
    if borders[leaves].max() < 0.5:
        raise RuntimeError(f"{file.name}: its support does not reach the border ({leaves})")
    cut = [name for name, border in borders.items() if name != leaves and border.max() > 0.5]
    if cut:
        sys.stdout.write(f"{file.name}: cut at {', '.join(cut)}\n")
