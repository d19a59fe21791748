"""A crude sprite library for tests: ellipses on rectangles, but with the geometry, masks and tables of a rendered one."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dartblur.faces.people.library import LIGHTS

METRES = {"bust": 1120.0, "half": 560.0, "full": 220.0}
"""Pixels a metre of each kind: a face is 0.2 m high."""
_BELOW = {"bust": 0.3, "half": 0.85}
"""Metres from the eyes to the cut."""
_ACROSS = 0.56
_ABOVE = 0.22
Pixels = npt.NDArray[np.uint8]


def _ellipse(size: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Coverage of an ellipse, height x width, 0 to 1; pixel edges at whole numbers."""
    width, height = size
    x = (np.arange(width) + 0.5 - centre[0]) / axes[0]
    y = (np.arange(height) + 0.5 - centre[1]) / axes[1]
    distance = (np.sqrt((x**2)[None] + (y**2)[:, None]) - 1) * min(axes)
    return np.clip(0.5 - distance, 0, 1)


def draw_person(number: int, kind: str, light: str, turn: float) -> tuple[Pixels, Pixels, dict[str, Any]]:
    """RGBA, mask (R G B) and the fields of the record that depend on the drawing."""
    rng = np.random.default_rng(number)
    metre, eye_height = METRES[kind], float(rng.uniform(1.45, 1.72))
    below = _BELOW.get(kind, eye_height + 0.04)
    width, height = round(_ACROSS * metre), round((_ABOVE + below) * metre)
    size, middle, eyes = (width, height), width / 2, _ABOVE * metre
    skin, hair, shirt, legs = (rng.uniform(low, high, 3) for low, high in ((110, 220), (10, 90), (20, 230), (20, 120)))
    skin[1:] *= (0.82, 0.7)
    face = _ellipse(size, (middle, eyes + 0.02 * metre), (0.075 * metre, 0.1 * metre))
    head = _ellipse(size, (middle, eyes - 0.01 * metre), (0.1 * metre, 0.14 * metre))
    y, x = np.mgrid[:height, :width] + 0.5
    down, across = (y - eyes) / metre, np.abs(x - middle) / metre
    body = (down > 0.15) & (across < np.clip(0.1 + (down - 0.15) * 3, 0, 0.24)) & (down < 0.85)
    leg = (down >= 0.8) & (across > 0.02) & (across < 0.17) & (y < eyes + eye_height * metre)
    neck = (down > 0.05) & (down < 0.2) & (across < 0.05)
    picture, cover = np.zeros((height, width, 3)), np.zeros((height, width))
    for shape, colour in ((leg, legs), (neck, skin * 0.8), (body, shirt), (head, hair), (face, skin)):
        share = shape.astype(np.float64)
        picture = picture * (1 - share[:, :, None]) + colour * share[:, :, None]
        cover = np.maximum(cover, share)
    points = [(-0.032, 0.0), (0.032, 0.0), (turn, 0.045), (-0.025, 0.075), (0.025, 0.075)]
    landmarks = [(middle + (px + turn / 3) * metre, eyes + py * metre) for px, py in points]
    for px, py in landmarks:
        spot = _ellipse(size, (px, py), (0.012 * metre, 0.009 * metre))[:, :, None]
        picture = picture * (1 - spot) + np.array([60, 25, 25]) * spot
    slope = {"left": -1, "right": 1}.get(light.partition("-")[0], 0) * (0.5 if light.endswith("hard") else 0.25)
    picture *= np.clip(0.85 + slope * (x - middle) / (0.24 * metre), 0.2, 1.15)[:, :, None]
    visible = face * (_ellipse(size, (middle, eyes - 0.11 * metre), (0.1 * metre, 0.05 * metre)) < 0.5)  # the fringe
    picture = np.where((face > visible)[:, :, None], hair, picture)
    rgba = np.dstack([np.clip(picture, 0, 255), cover * 255]).round().astype(np.uint8)
    mask = np.dstack([face * 255, visible * 255, face * 0]).round().astype(np.uint8)
    box = [middle - 0.075 * metre, eyes - 0.08 * metre, middle + 0.075 * metre, eyes + 0.12 * metre]
    feet = eyes + eye_height * metre if kind == "full" else None
    drawn = {"size": [width, height], "box": box, "landmarks": landmarks, "metre": metre, "eye_height": eye_height, "feet": feet}
    return rgba, mask, drawn


def draw_place(number: int, light: str) -> tuple[Pixels, dict[str, Any]]:
    """A floor with lines every metre and a wall; and its camera."""
    width, height, focal = 1024, 704, 900.0
    horizon, camera, far = 250.0 + 20 * number, 1.5 + 0.2 * number, 9.0 + number
    rng = np.random.default_rng(number)
    rows = np.arange(height) + 0.5
    depth = np.where(rows > horizon + 1, camera * focal / np.maximum(rows - horizon, 1), 1e6)
    x = (np.arange(width)[None] + 0.5 - width / 2) * np.minimum(depth, 99)[:, None] / focal
    floor = np.where(((x % 1 < 0.04) | (depth[:, None] % 1 < 0.04))[:, :, None], 90, rng.uniform(120, 170, 3))
    wall = np.where((np.arange(width) // 64 % 2 == 0)[None, :, None], rng.uniform(130, 200, 3), rng.uniform(150, 210, 3))
    picture = np.where((depth < far)[:, None, None], floor, wall)
    sides = [[512 - 0.9 * focal / 2, 512 - 3 * focal / far], [512 + 0.9 * focal / 2, 512 + 3 * focal / far]]
    camera_of = {"horizon": horizon, "camera_height": camera, "focal": focal, "near": 2.0, "far": far, "left": sides[0], "right": sides[1]}
    fields = {"size": [width, height], "light": light, "tint": [1.06, 1.0, 0.94], "exposure": 0.9, **camera_of}
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8), fields


def draw_prop(kind: str) -> tuple[Pixels, dict[str, Any]]:
    """A cup on a hand and arm from below, a telephone in a hand from the side, a hand from below."""
    metre = 1120.0
    width, height = (448, 134) if kind == "phone" else (134, 448)
    picture = np.zeros((height, width, 4), np.uint8)
    arm, thing = (205, 150, 120, 255), {"cup": (230, 230, 235, 255), "phone": (20, 20, 25, 255), "hand": (210, 155, 125, 255)}[kind]
    if kind == "phone":
        picture[40:95, 60:] = arm
        picture[5:130, 5:90] = thing
        return picture, {"size": [width, height], "metre": metre, "grip": [47, 67], "from": "side"}
    picture[90:, 40:95] = arm
    picture[5:120, 17:117] = thing
    return picture, {"size": [width, height], "metre": metre, "grip": [67, 20 if kind == "cup" else 60], "from": "below"}


def _save(root: Path, file: str, pixels: Pixels) -> str:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    order = [2, 1, 0, 3][: pixels.shape[2]]
    data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, order]), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def make_sprites(root: Path, identities: int = 6, lights: Sequence[str] = ("top",), places: int = 3) -> Path:
    """Write a library below ``root`` and return ``root``; every identity has one sprite of each kind and light, their roles in turn."""
    people, grounds, props = [], [], []
    for number in range(identities):
        for count, (kind, light) in enumerate((kind, light) for kind in METRES for light in lights):
            identity, name = f"p{number:03d}", f"p{number:03d}/{kind[0]}{lights.index(light)}"
            turn = (number % 3 - 1) * 0.02
            rgba, mask, drawn = draw_person(number, kind, light, turn)
            file, mask_file = f"people/{name}.png", f"people/{name}.mask.png"
            digest = _save(root, file, rgba)
            _save(root, mask_file, mask)
            who = {"sex": ("female", "male")[number % 2], "age": 20 + 7 * (number % 8), "ancestry": ("african", "asian", "caucasian")[number % 3]}
            pose = {"yaw": turn * 1000, "pitch": 0.0, "roll": 0.0, "expression": "neutral", "exaggerated": number % 4 == 0}
            worn = {"glasses": None, "hat": None, "face_mask": None}
            common = {"id": name, "identity": identity, "file": file, "mask": mask_file, "sha256": digest, "kind": kind, "light": light}
            people.append({**common, "role": ("gallery", "probe")[(number + count) % 2], **who, **pose, **worn, **drawn})
    for number in range(places):
        pixels, fields = draw_place(number, lights[number % len(lights)])
        file = f"places/room{number:03d}.png"
        grounds.append({"id": f"room{number:03d}", "file": file, "sha256": _save(root, file, pixels), "kind": "room", **fields})
    for kind in ("cup", "phone", "hand"):
        pixels, fields = draw_prop(kind)
        file = f"props/{kind}00.png"
        props.append({"id": f"{kind}00", "file": file, "sha256": _save(root, file, pixels), "kind": kind, "light": LIGHTS[0], **fields})
    for table, records in (("people", people), ("places", grounds), ("props", props)):
        (root / f"{table}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    mark = {"format": 1, "seed": 0, "identities": identities, "sha256": "0" * 64}
    (root / "library.json").write_text(json.dumps(mark) + "\n", encoding="utf-8")
    return root
