"""Skin, eyes, teeth and lashes: what the head's own meshes look like."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from people.body import LEFT_EYE, RIGHT_EYE, Points, model_file, parts
from people.identity import Colour, Identity, srgb
from people.mesh import keep, make_mesh
from people.shader import Graph


def face_frame(rest: Points, vertices: Any) -> Points:
    """Positions relative to the point between the eyes, scaled to pupils 59 mm apart, so that one rule fits children and adults, N x 3."""
    left, right = rest[LEFT_EYE].mean(0), rest[RIGHT_EYE].mean(0)
    scale = np.linalg.norm(left - right) / 0.059
    return np.asarray((rest[vertices] - (left + right) / 2) / scale)


def bell(points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Points:
    """A soft blob, 1 at its centre, mirrored in x."""
    mirrored = points * np.array([0.0, 1.0, 1.0]) + np.abs(points) * np.array([1.0, 0.0, 0.0])
    return np.asarray(np.exp(-(((mirrored - np.array(centre)) / np.array(radii)) ** 2).sum(1)))


def skin_masks(rest: Points) -> dict[str, Points]:
    """Where the skin is redder, darker or carries a beard; per vertex of the body, 0..1, and ``rest``, the position that textures stick to."""
    at = face_frame(rest, parts()["body"].vertices)
    ruddy = (
        bell(at, (0.036, -0.01, -0.042), (0.018, 0.03, 0.018)) * 0.8
        + bell(at, (0, -0.04, -0.04), (0.014, 0.02, 0.013))
        + 0.5 * bell(at, (0, -0.02, -0.105), (0.02, 0.03, 0.014))
    )
    ears = bell(at, (0.078, 0.075, -0.01), (0.018, 0.03, 0.035))
    under = bell(at, (0.027, -0.012, -0.019), (0.017, 0.02, 0.007)) + 0.7 * bell(at, (0.031, -0.012, 0.009), (0.018, 0.02, 0.006))
    return {
        "rest": at,
        "ruddy": np.clip(ruddy + 0.8 * ears, 0, 1),
        "under": np.clip(under, 0, 1),
        "beard": beard_area(at),
        "scalp": scalp_area(at),
        "brow": brow_area(at),
    }


def beard_area(at: Points) -> Points:
    """Jaw, chin and upper lip of the face frame, 0..1."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    line = np.interp(
        x, [0.0, 0.012, 0.03, 0.05, 0.066, 0.09], [-0.047, -0.05, -0.062, -0.06, -0.02, 0.0]
    )  # upper border: below the nose, round the cheek, to the sideburn
    below = 1 / (1 + np.exp(-np.clip((line - z) / 0.004, -40, 40)))
    throat = 1 / (1 + np.exp(-np.clip((z + 0.135 + 0.15 * np.clip(y - 0.02, 0, 1)) / 0.005, -40, 40)))
    front = 1 / (1 + np.exp(-np.clip((0.068 - y) / 0.006, -40, 40)))
    return np.asarray(below * throat * front)


def scalp_area(at: Points) -> Points:
    """Where hair grows, 0..1: above a line from the forehead over the temples, round the ears to the nape."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    forehead = 0.068 - 0.25 * np.clip(x - 0.03, 0, 1)
    line = np.interp(y, [-0.03, 0.005, 0.03, 0.05, 0.062, 0.075, 0.095, 0.12, 0.2], [0, 0.0, 0.038, 0.0, -0.012, 0.035, 0.02, -0.03, -0.085])
    border = np.where(y < 0.012, forehead, np.where(y < 0.03, np.minimum(forehead, 0.06), line))
    return np.asarray(1 / (1 + np.exp(-np.clip((z - border) / 0.004, -40, 40))))


@lru_cache(maxsize=1)
def lip_share() -> Points:
    """Share of lip at each vertex of the body, read from the model's mask through the texture coordinates."""
    picture = np.asarray(Image.open(model_file("textures", "mpfb_lips.jpg")).convert("L"), dtype=float) / 255
    body = parts()["body"]
    corners = np.concatenate([np.array(face) for face in body.faces])
    u = np.clip(body.uv[:, 0] * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
    v = np.clip((1 - body.uv[:, 1]) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
    values = np.zeros(len(body.vertices))
    np.maximum.at(values, corners, picture[v, u])
    return values


def brow_area(at: Points) -> Points:
    """A soft arc above each eye, under the brow's hairs."""
    x, z = np.abs(at[:, 0]), at[:, 2]
    arc = np.interp(x, [0.01, 0.024, 0.038, 0.052], [0.0185, 0.0225, 0.0235, 0.0165])
    inside = 1 / (1 + np.exp(-np.clip((x - 0.011) / 0.002, -40, 40))) / (1 + np.exp(np.clip((x - 0.05) / 0.003, -40, 40)))
    return np.asarray(np.exp(-(((z - arc) / 0.0042) ** 2)) * inside * (at[:, 1] < 0.02))


def add_head(person: Identity, rest: Points, posed: Points, bare: Any, levels: int) -> tuple[Any, Any]:
    """Body, eyes, teeth, tongue and lashes of one pose; ``bare`` tells which of the body's vertices to keep. Returns its object and their indices."""
    body = parts()["body"]
    masks = skin_masks(rest)
    kept = keep(body, bare)
    body_object = make_mesh("skin", posed[kept.vertices], kept, skin(person), {name: values[kept.vertices] for name, values in masks.items()}, levels)
    eyes = parts()["eyes"]
    ball = rest[eyes.vertices]
    left = eyes.vertices < RIGHT_EYE.start
    centres = np.where(left[:, None], ball[left].mean(0), ball[~left].mean(0))
    make_mesh("eyes", posed[eyes.vertices], eyes, eye(person), {"look": ball - centres}, levels)
    for name, material in (
        ("teeth", plain("teeth", srgb(206, 196, 178), 0.25)),
        ("tongue", plain("tongue", srgb(150, 70, 66), 0.4)),
        ("lashes", lashes(person)),
    ):
        part = parts()[name]
        make_mesh(name, posed[part.vertices], part, material, levels=min(levels, 1))
    return body_object, kept.vertices


def plain(name: str, colour: Colour, roughness: float) -> Any:
    """One colour, a little translucent."""
    return Graph(name).principled(base_color=colour, roughness=roughness)


def lashes(person: Identity) -> Any:
    """The model's lash strips, dark and half transparent."""
    graph = Graph("lashes")
    dark = graph.node("BsdfDiffuse", {"Color": tuple(0.25 * value for value in person.hair.colour)}).outputs[0]
    clear = graph.node("BsdfTransparent").outputs[0]
    cover = 0.75 if person.sex == "female" else 0.45
    return graph.surface(graph.node("MixShader", {0: cover, 1: clear, 2: dark}).outputs[0])


def eye(person: Identity) -> Any:
    """Sclera, iris and pupil by the angle to the resting line of sight, under a wet coat."""
    graph = Graph("eye")
    look = graph.attribute("look").outputs["Vector"]
    unit = graph.node("VectorMath", {0: look}, operation="NORMALIZE").outputs[0]
    parts_of = graph.node("SeparateXYZ", {0: unit})
    along = graph.math("MULTIPLY", parts_of.outputs[1], -1.0)
    angle = graph.math("MULTIPLY", graph.math("ARCCOSINE", along), 57.2958)
    spokes = graph.noise(graph.node("VectorMath", {0: unit, 1: (9.0, 0.0, 9.0)}, operation="MULTIPLY").outputs[0], 4.0, 4.0, 0.7)
    iris = graph.mix(graph.ramp(spokes, 0.35, 0.7), tuple(0.45 * v for v in person.iris), tuple(min(1.0, 1.5 * v) for v in person.iris))
    iris = graph.mix(graph.ramp(angle, 18.0, 23.5), iris, tuple(0.12 * v for v in person.iris))
    veins = graph.ramp(graph.noise(unit, 3.0, 3.0), 0.4, 0.75, 0.0, 0.35)
    white = graph.mix(veins, srgb(214, 204, 196), srgb(196, 160, 148))
    colour = graph.mix(graph.ramp(angle, 22.5, 25.0), iris, white)
    colour = graph.mix(graph.ramp(angle, 8.5, 10.0), (0.003, 0.003, 0.003), colour)
    return graph.principled(base_color=colour, roughness=0.3, coat_weight=1.0, coat_roughness=0.02)


def skin(person: Identity) -> Any:
    """Mottled, pored skin with lips, redder cheeks, darker lids, freckles, beard shadow, a tint under hair, and lines of age."""
    graph = Graph("skin")
    rest = graph.attribute("rest").outputs["Vector"]
    shift = graph.node("VectorMath", {0: rest, 1: tuple(np.random.default_rng([person.seed, 4]).uniform(0, 9, 3))}, operation="ADD").outputs[0]
    base = np.array(person.skin)
    dark = float(base.mean()) < 0.15

    def tone(red: float, green: float, blue: float) -> Colour:
        return (float(base[0] * red), float(base[1] * green), float(base[2] * blue))

    colour: Any = graph.mix(graph.ramp(graph.noise(shift, 55.0, 4.0), 0.3, 0.7), tone(0.94, 0.9, 0.87), tone(1.05, 1.03, 1.02))
    colour = graph.mix(graph.ramp(graph.noise(shift, 420.0, 2.0), 0.5, 0.78, 0.0, 0.35), colour, tone(0.86, 0.74, 0.68))
    ruddy = graph.math("MULTIPLY", graph.attribute("ruddy").outputs["Fac"], (0.25 if dark else 0.55) * person.ruddy)
    colour = graph.mix(ruddy, colour, tone(0.98, 0.62, 0.58))
    under = graph.math("MULTIPLY", graph.attribute("under").outputs["Fac"], 0.3 + 0.3 * (person.age > 45))
    colour = graph.mix(under, colour, tone(0.72, 0.6, 0.6))
    if person.freckles:
        spots = graph.ramp(graph.noise(shift, 300.0, 1.0), 0.6, 0.68, 0.0, 0.5 * person.freckles)
        colour = graph.mix(graph.math("MULTIPLY", spots, graph.attribute("ruddy").outputs["Fac"]), colour, tone(0.6, 0.4, 0.3))
    colour = _moles(graph, person, rest, colour, tone(0.3, 0.2, 0.16))
    lips = graph.image(model_file("textures", "mpfb_lips.jpg"), graph.node("UVMap", uv_map="uv").outputs[0])
    colour = graph.mix(graph.math("MULTIPLY", lips, 0.8), colour, _lip_colour(person, tone, dark))
    mouth = graph.image(model_file("textures", "mpfb_inside-mouth.jpg"), graph.node("UVMap", uv_map="uv").outputs[0])
    colour = graph.mix(mouth, colour, srgb(96, 40, 38))
    shadow = {"none": 0.0, "stubble": 0.42, "moustache": 0.15, "goatee": 0.2, "full": 0.55}[person.hair.beard]
    if shadow:
        grain = graph.ramp(graph.noise(shift, 700.0, 1.0), 0.3, 0.7, 0.5, 1.0)
        colour = graph.mix(
            graph.math("MULTIPLY", graph.math("MULTIPLY", graph.attribute("beard").outputs["Fac"], grain), shadow),
            colour,
            tuple(0.5 * b + 0.5 * h for b, h in zip(tone(0.3, 0.28, 0.28), person.hair.colour, strict=True)),
        )
    if person.hair.style != "bald":
        scalp = 0.5 if person.hair.style in ("receding",) else 0.85
        tint = tuple(0.25 * b * 0.4 + 0.75 * h for b, h in zip(person.skin, person.hair.colour, strict=True))
        colour = graph.mix(graph.math("MULTIPLY", graph.attribute("scalp").outputs["Fac"], scalp), colour, tint)
    colour = graph.mix(
        graph.math("MULTIPLY", graph.attribute("brow").outputs["Fac"], 0.55),
        colour,
        tuple(0.2 * b + 0.6 * h for b, h in zip(person.skin, person.hair.colour, strict=True)),
    )
    normal = _relief(graph, person, rest, shift)
    shine = graph.ramp(graph.noise(shift, 40.0), 0.3, 0.7, 0.42, 0.56)
    roughness = graph.math("SUBTRACT", shine, graph.math("MULTIPLY", lips, 0.12))
    return graph.principled(
        base_color=colour,
        roughness=roughness,
        specular=0.42,
        normal=normal,
        subsurface_weight=0.14,
        subsurface_radius=(1.0, 0.42, 0.26),
        subsurface_scale=0.006,
    )


def _lip_colour(person: Identity, tone: Any, dark: bool) -> Colour:
    rng = np.random.default_rng([person.seed, 5])
    if person.sex == "female" and person.age > 16 and rng.random() < 0.4:  # lipstick
        return srgb(*[(150, 40, 50), (170, 70, 76), (130, 50, 60), (160, 80, 70)][int(rng.integers(4))])
    return tuple(tone(0.82, 0.6, 0.62)) if dark else tuple(tone(0.8, 0.46, 0.46))  # type: ignore[return-value]


def _moles(graph: Graph, person: Identity, rest: Any, colour: Any, mole: Colour) -> Any:
    rng = np.random.default_rng([person.seed, 6])
    for _ in range(int(rng.integers(0, 4))):
        at = (float(rng.uniform(-0.055, 0.055)), -0.03, float(rng.uniform(-0.09, 0.05)))
        flat = graph.node("VectorMath", {0: rest, 1: (1.0, 0.0, 1.0)}, operation="MULTIPLY").outputs[0]
        away = graph.node("VectorMath", {0: flat, 1: (at[0], 0.0, at[2])}, operation="DISTANCE").outputs["Value"]
        colour = graph.mix(graph.ramp(away, 0.0019, 0.001, 0.0, 0.75), colour, mole)
    return colour


def _relief(graph: Graph, person: Identity, rest: Any, shift: Any) -> Any:
    """Pores, and from middle age on lines: flat on the forehead, fine elsewhere."""
    pores = graph.noise(shift, 950.0, 2.0, 0.6)
    normal = graph.bump(pores, 0.3, 0.0006)
    age = max(0.0, min(1.0, (person.age - 35) / 40))
    if age:
        stretched = graph.node("VectorMath", {0: shift, 1: (14.0, 14.0, 150.0)}, operation="MULTIPLY").outputs[0]
        lines = graph.noise(stretched, 1.0, 3.0, 0.55)
        height = graph.node("SeparateXYZ", {0: rest}).outputs[2]
        brow = graph.ramp(height, 0.02, 0.04)
        normal = graph.bump(graph.math("MULTIPLY", lines, brow), 0.75 * age, 0.0035, normal)
        fine = graph.noise(shift, 150.0, 4.0, 0.65)
        normal = graph.bump(fine, 0.55 * age, 0.0022, normal)
    return normal
