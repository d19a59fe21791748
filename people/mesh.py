"""Arrays of numpy as Blender's meshes and hair."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from people.body import Part, Points


def make_mesh(name: str, points: Points, part: Part, material: Any, attributes: dict[str, Points] | None = None, levels: int = 1) -> Any:
    """A smooth mesh object.

    Args:
        points: vertices of ``part``, V x 3, metres.
        part: its polygons and texture coordinates.
        attributes: name -> V scalars or V x 3 vectors that the material reads.
        levels: of subdivision.
    """
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], part.faces)
    layer = mesh.uv_layers.new(name="uv")
    layer.uv.foreach_set("vector", part.uv.astype(np.float32).ravel())
    for key, values in (attributes or {}).items():
        if values.ndim == 2:
            mesh.attributes.new(key, "FLOAT_VECTOR", "POINT").data.foreach_set("vector", values.astype(np.float32).ravel())
        else:
            mesh.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", values.astype(np.float32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(part.faces), dtype=bool))
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    mesh.materials.append(material)
    if levels:
        modifier = thing.modifiers.new("smooth", "SUBSURF")
        modifier.render_levels = modifier.levels = levels
    return thing


def keep(part: Part, wanted: Any) -> Part:
    """The polygons of ``part`` all of whose vertices are ``wanted`` (V booleans)."""
    kept, uv, start = [], [], 0
    for face in part.faces:
        if all(wanted[corner] for corner in face):
            kept.append(face)
            uv.append(part.uv[start : start + len(face)])
        start += len(face)
    used = np.unique(np.concatenate([np.array(face) for face in kept]))
    place = np.full(len(part.vertices), -1)
    place[used] = np.arange(len(used))
    return Part(part.vertices[used], [tuple(int(place[corner]) for corner in face) for face in kept], np.concatenate(uv))


def make_hair(name: str, strands: Points, root: float, tip: float, material: Any) -> Any:
    """Hair as curves.

    Args:
        strands: S x P x 3, metres, roots first.
        root, tip: radii, metres.
    """
    count, length = strands.shape[:2]
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([length] * count)
    curves.attributes["position"].data.foreach_set("vector", strands.astype(np.float32).ravel())
    radii = np.tile(np.linspace(root, tip, length, dtype=np.float32), count)
    (curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")).data.foreach_set("value", radii)
    curves.materials.append(material)
    thing = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(thing)
    return thing
