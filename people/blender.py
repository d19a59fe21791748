"""Blender as a module: an empty Cycles scene, a camera, shapes that are placed by metres, and a render to PNG or to an array.

Everything is built from numbers, without `bpy.ops`, so a place of two thousand boxes is made in a second and the same seed makes the same bytes.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from PIL import Image

# isort: split
import bmesh  # bmesh and mathutils exist only once bpy is loaded
from mathutils import Matrix, Vector

Point = tuple[float, float, float]


def empty_scene(width: int, height: int, *, samples: int, seed: int = 0, transparent: bool = False) -> Any:
    """Forget everything and return an empty scene: Cycles on one thread, denoised, sRGB without a film look (so linear light can be composited)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    scene.render.film_transparent = transparent
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", samples, seed
    cycles.use_adaptive_sampling, cycles.use_light_tree = False, False
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = True, "OPENIMAGEDENOISE", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces, cycles.transmission_bounces, cycles.transparent_max_bounces = 3, 2, 2, 2, 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    return scene


def add_camera(scene: Any, at: Point, *, focal: float, horizon: float) -> Any:
    """Add a camera that looks along +y without pitch; `focal` in pixels, `horizon` the row of the horizon (moved by lens shift)."""
    width, height = scene.render.resolution_x, scene.render.resolution_y
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width, data.clip_start = "HORIZONTAL", 36.0, 0.02
    data.lens = focal / width * data.sensor_width
    data.shift_y = (horizon - height / 2) / width
    camera = bpy.data.objects.new("camera", data)
    camera.location, camera.rotation_euler = at, (math.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def render_png(scene: Any, path: Path) -> None:
    """Render to an 8 bit sRGB PNG (RGBA where the film is transparent); it is written anew, as Blender's own metadata holds times."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA" if scene.render.film_transparent else "RGB", "8"
    settings.compression = 15
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.render.use_file_extension, scene.render.filepath = False, str(path)
    bpy.ops.render.render(write_still=True)
    strip(path)


def strip(path: Path) -> None:
    """Write a PNG anew with its pixels only, so that the same pixels are the same bytes."""
    with Image.open(path) as image:
        pixels = np.array(image)
    Image.fromarray(pixels).save(path, optimize=True)


def render_array(scene: Any) -> np.ndarray:
    """Render to linear light without clipping: (height, width, 4), first row on top, alpha last."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    with tempfile.TemporaryDirectory() as folder:
        scene.render.use_file_extension, scene.render.filepath = False, str(Path(folder) / "linear.exr")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        pixels = np.array(image.pixels[:], dtype=np.float32).reshape(image.size[1], image.size[0], 4)[::-1]
        bpy.data.images.remove(image)
    return pixels


@dataclass
class Stage:
    """A scene that is furnished by calls; `moved` gives the same stage with another origin, so furniture is described around its own foot."""

    scene: Any
    rng: np.random.Generator
    frame: Matrix = field(default_factory=Matrix)
    shared: dict[Any, Any] = field(default_factory=dict)
    shadow: bool = True  # whether what is placed casts shadows (walls that let the sun in do not)

    def moved(self, x: float, y: float, z: float = 0.0, turn: float = 0.0, tilt: float = 0.0, scale: float = 1.0) -> Stage:
        """Return the stage with its origin at (x, y, z), turned by degrees about z, tilted by degrees about its own x, scaled."""
        step = Matrix.Translation((x, y, z)) @ Matrix.Rotation(math.radians(turn), 4, "Z") @ Matrix.Rotation(math.radians(tilt), 4, "X")
        return replace(self, frame=self.frame @ step @ Matrix.Scale(scale, 4))

    def unshadowed(self) -> Stage:
        """Return the stage for things that let light pass."""
        return replace(self, shadow=False)

    def place(self, mesh: Any, matrix: Matrix) -> Any:
        """Link an object of `mesh` at `matrix` of the stage's frame."""
        thing = bpy.data.objects.new(mesh.name, mesh)
        thing.matrix_world = self.frame @ matrix
        thing.visible_shadow = self.shadow
        self.scene.collection.objects.link(thing)
        return thing

    def box(self, size: Point, at: Point, material: Any, *, bevel: float = 0.0, turn: float = 0.0) -> Any:
        """Place a box; `at` is the middle of its underside."""
        matrix = Matrix.Translation(at) @ Matrix.Rotation(math.radians(turn), 4, "Z")
        if bevel > 0:
            key = ("box", tuple(round(s, 4) for s in size), bevel, material.name)
            return self.place(self.share(key, lambda: rounded_box(size, bevel), material), matrix)
        mesh = self.share(("box", material.name), unit_box, material)
        return self.place(mesh, matrix @ Matrix.Diagonal((*size, 1.0)))

    def cylinder(self, radius: float, height: float, at: Point, material: Any, *, top: float = 1.0, axis: str = "z", sides: int = 20) -> Any:
        """Place a cylinder or, with `top` other than 1, a truncated cone; `at` is the middle of its foot."""
        mesh = self.share(("cylinder", round(top, 3), sides, material.name), lambda: unit_cylinder(sides, top), material)
        lean = {"z": Matrix(), "x": Matrix.Rotation(math.pi / 2, 4, "Y"), "y": Matrix.Rotation(-math.pi / 2, 4, "X")}[axis]
        return self.place(mesh, Matrix.Translation(at) @ lean @ Matrix.Diagonal((radius, radius, height, 1.0)))

    def ball(self, radii: Point, at: Point, material: Any, *, detail: int = 3) -> Any:
        """Place an ellipsoid by its middle."""
        mesh = self.share(("ball", detail, material.name), lambda: unit_ball(detail), material)
        return self.place(mesh, Matrix.Translation(at) @ Matrix.Diagonal((*radii, 1.0)))

    def card(self, width: float, height: float, at: Point, material: Any, *, turn: float = 0.0, tilt: float = 0.0) -> Any:
        """Place an upright picture that faces -y before it is turned about z; `at` is its middle; tilt 90 lays it on its back."""
        mesh = self.share(("card", material.name), unit_card, material)
        spin = Matrix.Rotation(math.radians(turn), 4, "Z") @ Matrix.Rotation(math.radians(-tilt), 4, "X")
        return self.place(mesh, Matrix.Translation(at) @ spin @ Matrix.Diagonal((width, 1.0, height, 1.0)))

    def mesh(self, points: np.ndarray, faces: np.ndarray | list[list[int]], material: Any, *, smooth: bool = False) -> Any:
        """Place a mesh of points (n x 3, metres) and faces; returns the object (its `.data` can be placed again)."""
        mesh = bpy.data.meshes.new("mesh")
        mesh.from_pydata(np.asarray(points, dtype=float).tolist(), [], np.asarray(faces).tolist() if isinstance(faces, np.ndarray) else faces)
        if smooth:
            mesh.shade_smooth()
        mesh.materials.append(material)
        return self.place(mesh, Matrix())

    def share(self, key: Any, make: Any, material: Any) -> Any:
        """Return the mesh of `key`, made at its first use."""
        if key not in self.shared:
            mesh = make()
            mesh.materials.append(material)
            self.shared[key] = mesh
        return self.shared[key]


def from_bmesh(form: Any, name: str, *, smooth: bool) -> Any:
    """Turn a bmesh into a mesh."""
    mesh = bpy.data.meshes.new(name)
    form.to_mesh(mesh)
    form.free()
    if smooth:
        mesh.shade_smooth()
    return mesh


def unit_box() -> Any:
    """A box of 1 x 1 x 1 on the ground."""
    form = bmesh.new()
    bmesh.ops.create_cube(form, size=1.0, matrix=Matrix.Translation((0, 0, 0.5)))
    return from_bmesh(form, "box", smooth=False)


def rounded_box(size: Point, bevel: float) -> Any:
    """A box on the ground with rounded edges."""
    form = bmesh.new()
    bmesh.ops.create_cube(form, size=1.0, matrix=Matrix.Translation((0, 0, size[2] / 2)) @ Matrix.Diagonal((*size, 1.0)))
    bmesh.ops.bevel(form, geom=form.edges[:], offset=min(bevel, 0.45 * min(size)), segments=3, profile=0.5, affect="EDGES")
    return from_bmesh(form, "rounded", smooth=True)


def unit_cylinder(sides: int, top: float) -> Any:
    """A cylinder of radius 1 and height 1 on the ground, its cap narrowed or widened to `top`; sides are smooth, caps are flat."""
    form = bmesh.new()
    bmesh.ops.create_cone(form, cap_ends=True, segments=sides, radius1=1.0, radius2=max(top, 1e-4), depth=1.0, matrix=Matrix.Translation((0, 0, 0.5)))
    for face in form.faces:
        face.smooth = len(face.verts) == 4
    for edge in form.edges:
        edge.smooth = all(face.smooth for face in edge.link_faces)
    return from_bmesh(form, "cylinder", smooth=False)


def unit_ball(detail: int) -> Any:
    """A ball of radius 1."""
    form = bmesh.new()
    bmesh.ops.create_icosphere(form, subdivisions=detail, radius=1.0)
    return from_bmesh(form, "ball", smooth=True)


def unit_card() -> Any:
    """An upright 1 x 1 rectangle around the origin, facing -y, with texture coordinates."""
    mesh = bpy.data.meshes.new("card")
    mesh.from_pydata([(-0.5, 0, -0.5), (0.5, 0, -0.5), (0.5, 0, 0.5), (-0.5, 0, 0.5)], [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="uv")
    for loop, corner in zip(layer.data, [(0, 0), (1, 0), (1, 1), (0, 1)], strict=True):
        loop.uv = corner
    return mesh


def towards_matrix(start: Vector, end: Vector) -> Matrix:
    """Matrix of a z-aligned unit shape that is to run from `start` to `end`."""
    step = end - start
    return Matrix.Translation(start) @ step.to_track_quat("Z", "Y").to_matrix().to_4x4() @ Matrix.Diagonal((1, 1, step.length, 1))
