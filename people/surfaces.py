"""Materials: every pattern is computed from the position in the world in metres, so scaled boxes keep the grain of wood and the size of bricks."""

from __future__ import annotations

import colorsys
from typing import Any

import bpy
import numpy as np

Colour = tuple[float, float, float]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Linear RGB of a hue (turns), saturation and value as one sees them on a screen (sRGB)."""
    red, green, blue = (float(c**2.2) for c in colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0)))
    return (red, green, blue)


def hue(rng: np.random.Generator) -> float:
    """A hue as things made by people have it: mostly warm, often blue, seldom green or violet."""
    low, high = [(0.015, 0.13), (0.53, 0.65), (0.22, 0.45), (0.92, 1.01), (0.0, 1.0)][int(rng.choice(5, p=[0.46, 0.27, 0.1, 0.09, 0.08]))]
    return float(rng.uniform(low, high))


def dimmer(colour: Colour, factor: float) -> Colour:
    """The colour times a factor, at most white."""
    red, green, blue = (min(c * factor, 0.95) for c in colour)
    return (red, green, blue)


class Surface:
    """A material in the making: `node` adds a node and links or sets its inputs; `done` returns the material."""

    def __init__(self, roughness: float = 0.6, specular: float = 0.4, metallic: float = 0.0) -> None:
        self.material = bpy.data.materials.new("surface")
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]
        self.set(self.shader, {"Roughness": roughness, "Specular IOR Level": specular, "Metallic": metallic})

    def set(self, node: Any, inputs: dict[Any, Any]) -> None:
        """Link sockets and set values; a colour of three gets its alpha."""
        for name, value in inputs.items():
            socket = node.inputs[name]
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            elif socket.type == "RGBA":
                socket.default_value = (*value, 1.0)
            else:
                socket.default_value = value

    def node(self, kind: str, inputs: dict[Any, Any] | None = None, **options: Any) -> Any:
        """Add `ShaderNode<kind>`."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in options.items():
            setattr(node, name, value)
        self.set(node, inputs or {})
        return node

    def position(self, scale: tuple[float, float, float] = (1.0, 1.0, 1.0), plane: str = "xyz") -> Any:
        """World position in metres times `scale`; `plane` "wall" or "xy" gives the x, y that bricks need."""
        where = self.node("NewGeometry").outputs["Position"]
        if plane != "xyz":
            parts = self.node("SeparateXYZ", {0: where}).outputs
            order = {axis: parts[axis.upper()] for axis in "xyz"}
            across = self.node("Math", {0: parts["X"], 1: parts["Y"]}, operation="ADD").outputs[0] if plane == "wall" else order[plane[0]]
            where = self.node("CombineXYZ", {0: across, 1: parts["Z"] if plane == "wall" else order[plane[1]]}).outputs[0]
        return self.node("VectorMath", {0: where, 1: scale}, operation="MULTIPLY").outputs[0]

    def noise(self, scale: float, detail: float = 3.0, where: Any = None, contrast: float = 2.0) -> Any:
        """Noise of about `scale` bumps a metre, spread over 0..1."""
        value = self.node("TexNoise", {"Vector": where or self.position(), "Scale": scale, "Detail": detail}).outputs[0]
        half = 0.5 / contrast
        return self.node("MapRange", {"Value": value, "From Min": 0.5 - half, "From Max": 0.5 + half}).outputs["Result"]

    def mix(self, first: Any, second: Any, factor: Any, blend: str = "MIX") -> Any:
        """Mix two colours."""
        node = self.node("Mix", data_type="RGBA", blend_type=blend)
        sockets = {s.identifier: s for s in node.inputs}
        for socket, value in ((sockets["A_Color"], first), (sockets["B_Color"], second), (sockets["Factor_Float"], factor)):
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = (*value, 1.0) if socket.type == "RGBA" else value
        return next(s for s in node.outputs if s.identifier == "Result_Color")

    def bump(self, height: Any, strength: float, distance: float = 0.01) -> None:
        """Bend the normals by a height field."""
        self.set(self.shader, {"Normal": self.node("Bump", {"Height": height, "Strength": strength, "Distance": distance}).outputs[0]})

    def done(self, colour: Any) -> Any:
        """Colour the surface and return its material."""
        self.set(self.shader, {"Base Color": colour})
        return self.material


def plain(colour: Colour, roughness: float = 0.55, metallic: float = 0.0, specular: float = 0.4) -> Any:
    """One colour with faint stains, as nothing real is even."""
    made = Surface(roughness, specular, metallic)
    return made.done(made.mix(dimmer(colour, 0.86), dimmer(colour, 1.1), made.noise(2.3)))


def mottled(
    first: Colour,
    second: Colour,
    scale: float,
    *,
    roughness: float = 0.85,
    bump: float = 0.0,
    stain: float = 0.5,
    stretch: tuple[float, float, float] = (1, 1, 1),
) -> Any:
    """Two colours mixed by fine noise and by broad stains: plaster, carpet, asphalt, soil, grass from afar."""
    made = Surface(roughness, 0.25)
    fine = made.noise(scale, 4.0, made.position(stretch))
    colour = made.mix(first, second, fine)
    colour = made.mix(colour, made.mix(colour, (stain, stain, stain), 1.0, "MULTIPLY"), made.noise(0.9, 4.0, contrast=1.1))
    if bump:
        made.bump(fine, bump)
    return made.done(colour)


def wood(colour: Colour, *, along: str = "x", planks: float = 0.0, roughness: float = 0.4) -> Any:
    """Wood with its grain along an axis; `planks` is the width of floor boards, 0 for none."""
    made = Surface(roughness, 0.4)
    stretch = tuple(1.0 if axis == along else 14.0 for axis in "xyz")
    grain = made.noise(2.2, 5.0, made.position((stretch[0], stretch[1], stretch[2])), 1.6)
    tone = made.mix(dimmer(colour, 0.55), dimmer(colour, 1.25), grain)
    if planks:
        flat = made.position(plane="xy" if along == "x" else "yx")
        shades = {"Color1": (0.62, 0.62, 0.62), "Color2": (1.0, 1.0, 1.0), "Mortar": (0.12, 0.1, 0.08)}
        boards = made.node(
            "TexBrick", {"Vector": flat, "Scale": 1.0, "Mortar Size": 0.004, "Brick Width": 1.3, "Row Height": planks, **shades}, offset=0.37
        )
        tone = made.mix(tone, boards.outputs["Color"], 1.0, "MULTIPLY")
    return made.done(tone)


def bricks(
    first: Colour, second: Colour, mortar: Colour, size: tuple[float, float], *, plane: str = "wall", offset: float = 0.5, roughness: float = 0.8
) -> Any:
    """Bricks or (offset 0) tiles of `size` metres on walls along x or y (plane "wall") or on the ground ("xy")."""
    made = Surface(roughness, 0.35)
    pattern = {
        "Vector": made.position(plane=plane),
        "Scale": 1.0,
        "Brick Width": size[0],
        "Row Height": size[1],
        "Mortar Size": 0.018 * min(size) + 0.002,
    }
    brick = made.node("TexBrick", {**pattern, "Color1": first, "Color2": second, "Mortar": mortar}, offset=offset)
    colour = made.mix(brick.outputs["Color"], (0.5, 0.5, 0.5), made.noise(9.0, 4.0, contrast=0.8), "MULTIPLY")
    made.bump(brick.outputs["Factor"], -0.5 if roughness > 0.5 else -0.15)
    return made.done(colour)


def palette(colours: list[Colour], roughness: float = 0.5, specular: float = 0.4) -> Any:
    """Each object takes one of the colours (books, cars, boxes on a shelf)."""
    made = Surface(roughness, specular)
    ramp = made.node("ValToRGB", {0: made.node("ObjectInfo").outputs["Random"]})
    ramp.color_ramp.interpolation = "CONSTANT"
    while len(ramp.color_ramp.elements) < len(colours):
        ramp.color_ramp.elements.new(0.5)
    for i, colour in enumerate(colours):
        ramp.color_ramp.elements[i].position, ramp.color_ramp.elements[i].color = i / len(colours), (*colour, 1.0)
    return made.done(ramp.outputs["Color"])


def spread(
    rng: np.random.Generator, count: int, saturation: tuple[float, float] = (0.15, 0.8), value: tuple[float, float] = (0.25, 0.9)
) -> list[Colour]:
    """Random colours; every fourth is a grey."""
    return [hsv(hue(rng), rng.uniform(*saturation) * (i % 4 != 3), rng.uniform(*value)) for i in range(count)]


def picture(pixels: np.ndarray, *, glow: float = 0.0, roughness: float = 0.5, specular: float = 0.4) -> Any:
    """A picture (height, width, 3; sRGB 0..1) for cards; `glow` > 0 makes a screen or a view through a window of it, which lights nothing."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("picture", width, height)
    rgba = np.concatenate([pixels[::-1], np.ones((height, width, 1))], axis=2).astype(np.float32)
    image.pixels.foreach_set(rgba.ravel())
    image.update()
    image.pack()
    made = Surface(roughness, specular)
    colour = made.node("TexImage", image=image, extension="EXTEND").outputs["Color"]
    if glow:
        made.set(made.shader, {"Emission Color": colour, "Emission Strength": glow})
        made.material.cycles.emission_sampling = "NONE"
        return made.done((0.02, 0.02, 0.02))
    return made.done(colour)


def glow(colour: Colour, strength: float) -> Any:
    """A lamp as one sees it; its light comes from a lamp object beside it."""
    made = Surface()
    made.set(made.shader, {"Emission Color": colour, "Emission Strength": strength})
    made.material.cycles.emission_sampling = "NONE"
    return made.done((0.8, 0.8, 0.8))
