"""Shader graphs as expressions: a thin layer over Blender's node trees so that a material reads like a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy


class Graph:
    """The node tree of one new material.

    A value is a number, a tuple or the output socket of another node. Sockets of the shader itself are set by :meth:`principled`.
    """

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.output = self.tree.nodes.new("ShaderNodeOutputMaterial")

    def node(self, kind: str, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """Add ``ShaderNode<kind>``; ``inputs`` maps socket names or indices to values, ``settings`` are attributes of the node."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in settings.items():
            setattr(node, key, value)
        for key, value in (inputs or {}).items():
            self._put(node.inputs[key], value)
        return node

    def _put(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif socket.type == "RGBA":
            socket.default_value = (*value[:3], 1.0) if isinstance(value, tuple) else (value, value, value, 1.0)
        else:
            socket.default_value = value

    def attribute(self, name: str) -> Any:
        """The node that reads a mesh attribute; its sockets are Color, Vector and Fac."""
        return self.node("Attribute", attribute_name=name)

    def math(self, operation: str, first: Any, second: Any = 0.0, third: Any = 0.0) -> Any:
        """Scalar arithmetic, e.g. ``math("MULTIPLY", a, 2.0)``."""
        return self.node("Math", {0: first, 1: second, 2: third}, operation=operation).outputs[0]

    def ramp(self, value: Any, low: float, high: float, to_low: float = 0.0, to_high: float = 1.0) -> Any:
        """Smooth step of ``value`` from ``low`` to ``high``, which may be swapped."""
        return self.node(
            "MapRange", {"Value": value, "From Min": low, "From Max": high, "To Min": to_low, "To Max": to_high}, interpolation_type="SMOOTHSTEP"
        ).outputs["Result"]

    def mix(self, factor: Any, first: Any, second: Any, blend: str = "MIX") -> Any:
        """Blend two colours by ``factor``, 0..1."""
        node = self.node("Mix", data_type="RGBA", blend_type=blend)
        self._put(node.inputs[0], factor)
        self._put(node.inputs[6], first)
        self._put(node.inputs[7], second)
        return node.outputs[2]

    def noise(self, vector: Any, scale: float, detail: float = 2.0, roughness: float = 0.5) -> Any:
        """Fractal noise, about 0.5 in the mean."""
        return self.node("TexNoise", {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": roughness}).outputs[0]

    def image(self, path: Path, vector: Any) -> Any:
        """The colour of a picture of the model's data, read as numbers rather than as sRGB."""
        picture = bpy.data.images.load(str(path), check_existing=True)
        picture.colorspace_settings.name = "Non-Color"
        return self.node("TexImage", {"Vector": vector}, image=picture).outputs[0]

    def bump(self, height: Any, strength: float, distance: float, normal: Any = None) -> Any:
        """A normal bent by a height field."""
        inputs = {"Height": height, "Strength": strength, "Distance": distance}
        return self.node("Bump", inputs | ({"Normal": normal} if normal is not None else {})).outputs[0]

    def principled(self, **inputs: Any) -> Any:
        """Finish with one principled surface; keyword ``base_color`` sets the socket "Base Color" and so on. Returns the material."""
        shader = self.node("BsdfPrincipled", {_title(key): value for key, value in inputs.items()})
        return self.surface(shader.outputs[0])

    def surface(self, shader: Any) -> Any:
        """Finish with any shader. Returns the material."""
        self.tree.links.new(shader, self.output.inputs["Surface"])
        return self.material


def _title(key: str) -> str:
    names = {"ior": "IOR", "specular": "Specular IOR Level"}
    return names.get(key, key.replace("_", " ").title())
