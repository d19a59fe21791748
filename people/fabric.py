"""Cloth, leather, plastic and glass: patterns as small arrays, materials that read them in metres along the cloth (texture coordinates ``weave``)."""

import colorsys
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from people.body import Points
from people.identity import Colour
from people.shader import Graph

TILE = 128
"""Side of a pattern in pixels."""


@dataclass(frozen=True)
class Fabric:
    """A cloth.

    Attributes:
        colour, second: of the ground and of the pattern, linear RGB.
        pattern: a name of :data:`PATTERNS`, or plain.
        size: of one repeat in metres.
        weave: fine, knit, denim, fleece or shiny.
        folds: depth of the creases, 0..1.
        seed: of the pattern's own choices.
    """

    colour: Colour
    second: Colour = (0.8, 0.8, 0.8)
    pattern: str = "plain"
    size: float = 0.06
    weave: str = "fine"
    folds: float = 0.6
    seed: int = 0


def hue(turns: float, saturation: float, value: float) -> Colour:
    """Linear RGB of hue (turns), saturation and value as one sees them."""
    red, green, blue = (float(channel**2.2) for channel in colorsys.hsv_to_rgb(turns % 1.0, saturation, value))
    return (red, green, blue)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times ``factor``."""
    red, green, blue = (min(channel * factor, 0.85) for channel in colour)
    return (red, green, blue)


def _stripes(rng: np.random.Generator, u: Points, v: Points) -> Points:
    width = rng.choice([0.25, 0.5, 0.5, 0.7])
    return np.asarray((v < width) * 1.0)


def _pinstripe(rng: np.random.Generator, u: Points, v: Points) -> Points:
    return np.asarray(((u * int(rng.integers(2, 5))) % 1 < 0.14) * 0.7)


def _plaid(rng: np.random.Generator, u: Points, v: Points) -> Points:
    wide, thin = rng.uniform(0.25, 0.45), rng.uniform(0.03, 0.06)
    bands = [(t < wide) * 0.5 + (np.abs(t - 0.72) < thin) * 0.35 for t in (u, v)]
    return np.asarray(bands[0] + bands[1])


def _gingham(rng: np.random.Generator, u: Points, v: Points) -> Points:
    cells = 4
    return np.asarray((((u * cells) % 1 < 0.5) * 0.5 + ((v * cells) % 1 < 0.5) * 0.5) * 0.9)


def _dots(rng: np.random.Generator, u: Points, v: Points) -> Points:
    radius = rng.uniform(0.12, 0.2)
    first = np.hypot(u - 0.25, v - 0.25) < radius
    return np.asarray((first | (np.hypot(u - 0.75, v - 0.75) < radius)) * 1.0)


def _blossoms(rng: np.random.Generator, u: Points, v: Points) -> Points:
    value = np.zeros_like(u)
    for _ in range(9):
        cu, cv, size, turn, petals = rng.random(), rng.random(), rng.uniform(0.06, 0.14), rng.random() * 6.28, int(rng.integers(4, 7))
        du, dv = (u - cu + 0.5) % 1 - 0.5, (v - cv + 0.5) % 1 - 0.5
        edge = size * (0.72 + 0.28 * np.cos(petals * (np.arctan2(dv, du) + turn)))
        distance = np.hypot(du, dv)
        value = np.where(distance < edge, rng.uniform(0.5, 1.0), value)
        value = np.where(distance < size * 0.22, 0.15, value)
    return np.asarray(value)


def _heather(rng: np.random.Generator, u: Points, v: Points) -> Points:
    grain = rng.random(u.shape)
    for axis, reach in ((1, 5), (0, 1)):
        grain = np.mean([np.roll(grain, shift, axis) for shift in range(-reach, reach + 1)], axis=0)
    return np.asarray(np.clip((grain - grain.mean()) / grain.std() * 0.18 + 0.3, 0, 1))


def _zigzag(rng: np.random.Generator, u: Points, v: Points) -> Points:
    wave = np.abs((u * 4) % 1 - 0.5) * 0.25
    return np.asarray((((v + wave) * 3) % 1 < 0.4) * 1.0)


PATTERNS = {
    "stripes": _stripes,
    "pinstripe": _pinstripe,
    "plaid": _plaid,
    "gingham": _gingham,
    "dots": _dots,
    "blossoms": _blossoms,
    "heather": _heather,
    "zigzag": _zigzag,
}


def tile(fabric: Fabric) -> Points:
    """One repeat of the pattern, TILE x TILE x 3, linear light."""
    v, u = np.mgrid[0:TILE, 0:TILE] / TILE
    mask = np.clip(PATTERNS[fabric.pattern](np.random.default_rng([fabric.seed, 5]), u, v), 0, 1)[..., None]
    return np.asarray(np.array(fabric.colour) * (1 - mask) + np.array(fabric.second) * mask)


def picture(pixels: Points) -> Any:
    """An H x W x 3 or 4 array in linear light, first row at the bottom, as a picture of Blender."""
    height, width, depth = pixels.shape
    full = np.ones((height, width, 4), dtype=np.float32)
    full[..., :depth] = pixels
    image = bpy.data.images.new("pattern", width, height, alpha=depth == 4, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(full.ravel())
    return image


WEAVES = {"fine": (0.88, 0.25), "knit": (0.95, 0.5), "denim": (0.9, 0.1), "fleece": (0.95, 0.8), "shiny": (0.5, 0.3)}
"""Weave -> roughness and sheen."""


def cloth(fabric: Fabric, *, emblem: Points | None = None, place: tuple[float, float, float] = (0.0, 0.0, 0.2)) -> Any:
    """The material of a cloth.

    Args:
        emblem: a print, H x W x 4 (linear light, alpha), that is laid once at ``place``: middle (u, v) and width in metres.
    """
    graph = Graph("cloth")
    where = graph.node("UVMap", uv_map="weave").outputs[0]
    colour: Any = fabric.colour
    if fabric.pattern != "plain":
        spot = graph.node("VectorMath", {0: where, "Scale": 1.0 / fabric.size}, operation="SCALE").outputs[0]
        colour = graph.node("TexImage", {"Vector": spot}, image=picture(tile(fabric))).outputs[0]
    if emblem is not None:
        colour = _print(graph, where, colour, emblem, place)
    fold = graph.noise(graph.node("Mapping", {"Vector": where, "Rotation": (0, 0, 0.5), "Scale": (1.0, 0.45, 1.0)}).outputs[0], 11.0, 3.0, 0.45)
    bend = graph.bump(fold, 0.9 * fabric.folds, 0.03)
    if fabric.weave in ("knit", "fleece", "denim"):
        bend = graph.bump(_weave(graph, where, fabric.weave), 0.5, {"knit": 0.0035, "fleece": 0.002, "denim": 0.0006}[fabric.weave], bend)
    roughness, sheen = WEAVES[fabric.weave]
    dim = graph.ramp(fold, 0.3, 0.6, 0.86, 1.0)
    colour = graph.mix(1.0, colour, graph.node("CombineColor", {0: dim, 1: dim, 2: dim}).outputs[0], "MULTIPLY")
    return graph.principled(base_color=colour, roughness=roughness, sheen_weight=sheen * 0.25, sheen_roughness=0.6, specular=0.2, normal=bend)


def _print(graph: Graph, where: Any, colour: Any, emblem: Points, place: tuple[float, float, float]) -> Any:
    u, v, width = place
    high = width * emblem.shape[0] / emblem.shape[1]
    spot = graph.node(
        "Mapping", {"Vector": where, "Location": (0.5 - u / width, 0.5 - v / high, 0.0), "Scale": (1 / width, 1 / high, 1.0)}, vector_type="POINT"
    ).outputs[0]
    image = graph.node("TexImage", {"Vector": spot}, image=picture(emblem), extension="CLIP")
    return graph.mix(image.outputs["Alpha"], colour, image.outputs["Color"])


def _weave(graph: Graph, where: Any, weave: str) -> Any:
    if weave == "knit":
        ribs = graph.node("TexWave", {"Vector": where, "Scale": 40.0, "Distortion": 0.3, "Detail": 0.0}, bands_direction="X").outputs["Fac"]
        rows = graph.node("TexWave", {"Vector": where, "Scale": 60.0, "Distortion": 0.5, "Detail": 0.0}, bands_direction="Y").outputs["Fac"]
        return graph.math("ADD", ribs, graph.math("MULTIPLY", rows, 0.5))
    return graph.noise(where, 350.0 if weave == "fleece" else 900.0, 1.0)


def plain(colour: Colour, roughness: float, *, metallic: float = 0.0, coat: float = 0.0, bumps: float = 0.0) -> Any:
    """Plastic, leather or metal of one colour; ``bumps`` is the depth of its grain in metres."""
    graph = Graph("plain")
    extra = {}
    if bumps:
        extra["normal"] = graph.bump(graph.noise(graph.node("TexCoord").outputs["Object"], 160.0, 3.0), 0.5, bumps)
    return graph.principled(base_color=colour, roughness=roughness, metallic=metallic, coat_weight=coat, **extra)


def lens(tint: Colour, share: float, gloss: float = 0.35) -> Any:
    """Glass of spectacles: light goes straight through, tinted; ``share`` of it is solid (sunglasses); reflects more at grazing angles."""
    graph = Graph("lens")
    clear = graph.node("BsdfTransparent", {"Color": tint}).outputs[0]
    solid = graph.node("BsdfPrincipled", {"Base Color": shade(tint, 0.08), "Roughness": 0.1}).outputs[0]
    body = graph.node("MixShader", {0: share, 1: clear, 2: solid}).outputs[0]
    shine = graph.node("BsdfGlossy", {"Color": (1.0, 1.0, 1.0), "Roughness": 0.03}).outputs[0]
    edge = graph.node("LayerWeight", {"Blend": 0.25}).outputs["Fresnel"]
    weight = graph.math("MULTIPLY_ADD", edge, gloss, 0.025)
    return graph.surface(graph.node("MixShader", {0: weight, 1: body, 2: shine}).outputs[0])
