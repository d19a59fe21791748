"""What makes clothes clothes: buttons, plackets, ties, lapels, prints, skirts and shoes, laid on a garment's front."""

from typing import Any

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Vector

from people import cut
from people.body import Points, parts
from people.collars import motion
from people.cut import Marks
from people.fabric import Fabric, cloth, plain
from people.identity import Colour
from people.outfit import Outfit
from people.sheet import Sheet, build, clip, loft, smooth


def on_front(sheet: Sheet, spots: Points, lift: float | Points = 0.0) -> tuple[Points, Points]:
    """Posed points and normals of the front of a garment at rest places (x, z), N x 2; ``lift`` metres off the cloth."""
    front = sheet.points[sheet.rest[:, 1] < np.median(sheet.rest[:, 1])]
    gap = ((front[None, :, [0, 2]] - spots[:, None]) ** 2).sum(2)
    near = np.argpartition(gap, 6, axis=1)[:, :6]
    weight = 1 / (np.take_along_axis(gap, near, 1) + 1e-6)
    weight = (weight / weight.sum(1, keepdims=True))[..., None]
    place, normal = (front[near, 3:6] * weight).sum(1), (front[near, 6:9] * weight).sum(1)
    miss = spots - (front[near][:, :, [0, 2]] * weight).sum(1)
    return place + _across(sheet, miss) + normal * np.broadcast_to(lift, len(spots))[:, None], normal


def _across(sheet: Sheet, miss: Points) -> Points:
    """Steps (x, z) at rest as steps in the pose."""
    turn, _ = motion(sheet.rest, sheet.posed)
    return np.stack([miss[:, 0], np.zeros(len(miss)), miss[:, 1]], 1) @ turn.T


def strip(
    sheet: Sheet, path: Points, width: Points, material: Any, *, lift: float = 0.002, thick: float = 0.002, across: int = 4, bulge: float = 0.0
) -> Any:
    """A band that follows the front along ``path`` (x, z), N x 2; ``width`` metres at each place."""
    columns = []
    for share in np.linspace(-0.5, 0.5, across):
        spots = path + np.stack([share * width, np.zeros(len(path))], 1)
        columns.append(on_front(sheet, spots, lift + bulge * (1 - 4 * share * share))[0])
    surface = smooth(loft(columns, closed=False), 1, 0.3, hold_rim=True)
    uv = np.stack([surface.points[:, 0], surface.points[:, 2]], 1)
    return build(surface, "strip", material, uv=uv[[corner for face in surface.faces for corner in face]], thick=thick)


def line(top: float, bottom: float, count: int = 24, x: float = 0.0) -> Points:
    """A straight path down the front."""
    return np.stack([np.full(count, x), np.linspace(top, bottom, count)], 1)


def buttons(sheet: Sheet, heights: list[float], colour: Colour, radius: float, *, beside: float = 0.0, lift: float = 0.004) -> list[Any]:
    """Round buttons at heights of the front."""
    spots = np.array([[beside, height] for height in heights])
    places, normals = on_front(sheet, spots, lift)
    form = bmesh.new()
    for place, normal in zip(places, normals, strict=True):
        turn = Vector(normal).to_track_quat("Z", "Y").to_matrix().to_4x4()
        bmesh.ops.create_cone(
            form, cap_ends=True, segments=14, radius1=radius, radius2=radius * 0.8, depth=0.003, matrix=Matrix.Translation(place) @ turn
        )
    return [_object(form, "buttons", plain(colour, 0.35))]


def _object(form: Any, name: str, material: Any) -> Any:
    mesh = bpy.data.meshes.new(name)
    form.to_mesh(mesh)
    form.free()
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def tube(points: Points, radius: float, material: Any, *, cyclic: bool = False, name: str = "tube") -> Any:
    """A round wire through points, N x 3."""
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions, data.bevel_depth, data.bevel_resolution, data.use_fill_caps = "3D", radius, 2, True
    spline = data.splines.new("POLY")
    spline.points.add(len(points) - 1)
    spline.points.foreach_set("co", np.hstack([points, np.ones((len(points), 1))]).astype(np.float32).ravel())
    spline.use_cyclic_u, spline.use_smooth = cyclic, True
    data.materials.append(material)
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def trimmings(sheet: Sheet, m: Marks, wear: Outfit, rng: np.random.Generator) -> list[Any]:
    """Plackets and buttons, zips and drawstrings of a top."""
    size = m.size
    white: Colour = (0.62, 0.6, 0.55) if rng.random() < 0.6 else (0.03, 0.03, 0.035)
    if wear.neck in ("shirt", "polo", "kurta"):
        top = m.front[2] - {"shirt": 0.05, "polo": 0.05, "kurta": 0.085}[wear.neck] * size
        bottom = m.crotch + 0.04 if wear.neck == "shirt" else top - 0.12 * size
        placket = strip(sheet, line(top, bottom, 40), np.full(40, 0.03 * size), cloth(wear.top if wear.neck == "shirt" else wear.trim), lift=0.0015)
        heights = list(np.arange(top - 0.02 * size, bottom, -(0.085 if wear.neck == "shirt" else 0.045) * size))
        return [placket, *buttons(sheet, heights, white, 0.0055 * size)]
    if wear.neck == "zip":
        zipper = plain((0.3, 0.3, 0.3), 0.35, metallic=0.8)
        return [strip(sheet, line(m.front[2] - 0.045 * size, m.crotch + 0.06, 40), np.full(40, 0.009), zipper, lift=0.0025, across=3)]
    if wear.neck == "hoodie":
        cord = plain((0.7, 0.69, 0.66) if rng.random() < 0.6 else (0.03, 0.03, 0.03), 0.9)
        made = []
        for side in (-1.0, 1.0):
            length = float(rng.uniform(0.11, 0.17)) * size
            path = line(m.front[2] - 0.002, m.front[2] - length, 14, side * 0.034 * size)
            path[:, 0] += side * 0.004 * np.sin(np.linspace(0, 4, 14))
            made.append(tube(on_front(sheet, path, 0.006)[0], 0.0026, cord))
        return made
    return []


def tie(shirt: Sheet, m: Marks, wear: Outfit) -> list[Any]:
    """A necktie: a knot at the throat and a blade."""
    rng = np.random.default_rng([wear.under.seed, 3])
    silk = cloth(Fabric(wear.accent, (0.6, 0.58, 0.5), str(rng.choice(["plain", "dots", "plaid"])), 0.03, "shiny", 0.3, wear.under.seed))
    throat, size = m.front[2] - 0.012 * m.size, m.size
    blade = strip(shirt, line(throat - 0.025 * size, m.waist + 0.12, 20), np.linspace(0.03, 0.08, 20) * size, silk, lift=0.006, bulge=0.003, across=5)
    knot = strip(
        shirt,
        line(throat + 0.012 * size, throat - 0.034 * size, 6),
        np.array([0.034, 0.043, 0.044, 0.04, 0.034, 0.028]) * size,
        silk,
        lift=0.008,
        bulge=0.011,
        across=7,
    )
    return [blade, knot]


def lapels(trunk: Sheet, m: Marks, material: Any) -> list[Any]:
    """Lapels and collar of a blazer: the cloth within some centimetres of the opening, lifted; a notch between the two."""
    size = m.size
    away = cut.neckline(trunk.rest, m, "blazer")
    high = trunk.rest[:, 2]
    tip, notch = m.front[2] - 0.27 * size, m.front[2] - 0.045 * size
    front = m.neck[1] - trunk.rest[:, 1]
    width = (0.008 + 0.072 * np.clip((high - tip) / (notch - tip), 0, 1)) * size
    lapel = np.minimum.reduce([width - away, notch + 0.12 * away - high, front, (high - tip) * 0.5])
    collar = np.minimum(0.036 * size - away, np.where(front > 0, high - notch - 0.003 - 0.9 * np.maximum(away - 0.02 * size, 0), 0.05))
    made = []
    for piece, lift in ((lapel, 0.0045), (collar, 0.006)):
        flap = clip(trunk, piece)
        points = flap.points.copy()
        points[:, 3:6] += lift * flap.normal
        flap = Sheet(points, flap.faces)
        uv = flap.rest[[corner for face in flap.faces for corner in face]][:, [2, 0]]
        made.append(build(flap, "lapel", material, uv=uv, thick=0.004))
    return made


def emblem(wear: Outfit, m: Marks) -> tuple[Points | None, tuple[float, float, float]]:
    """A print for the chest of T-shirts and hoodies, 96 x 96 x 4, and where it lies."""
    place = (0.0, m.front[2] - 0.16 * m.size, 0.21 * m.size)
    if wear.emblem == "none" or wear.neck not in ("crew", "hoodie") or wear.top.pattern not in ("plain", "heather"):
        return None, place
    rng = np.random.default_rng([wear.top.seed, 9])
    v, u = (np.mgrid[0:96, 0:96] + 0.5) / 48 - 1
    mask = np.zeros_like(u)
    if wear.emblem == "disc":
        mask = ((np.hypot(u, v) < 0.85) & ~((np.abs((v * 5) % 1 - 0.5) < 0.16) & (v < -0.05))) * 1.0
    elif wear.emblem == "bars":
        mask = ((np.abs((v * 2.2) % 1 - 0.5) < 0.28) & (np.abs(u) < 0.9 - 0.25 * np.abs(np.floor(v * 2.2)))) * 1.0
    elif wear.emblem == "peaks":
        mask = ((v > -0.6) & (v < 0.7 - 1.5 * np.abs(u + 0.25)) | (v > -0.6) & (v < 0.35 - 1.3 * np.abs(u - 0.4))) * 1.0
    else:
        cells = rng.random((3, 8)) < 0.75
        row, column = np.clip(((v + 0.5) * 3).astype(int), 0, 2), np.clip(((u + 1) * 4).astype(int), 0, 7)
        mask = (cells[row, column] & (np.abs(v) < 0.5) & (((u + 1) * 4) % 1 < 0.75)) * 1.0
    pixels = np.concatenate([np.broadcast_to(np.array(wear.top.second), (96, 96, 3)), mask[..., None]], 2)
    return pixels, place


def skirt(skin: Sheet, m: Marks, material: Any, end: float) -> list[Any]:
    """A skirt from waist to ``end``: rings around both legs, flared and softly pleated."""
    keep = (cut.armhole(skin.rest, m) < 0) & (skin.rest[:, 2] < m.waist + 0.1)
    points = skin.rest[keep]
    turn, shift = motion(points, skin.posed[keep])
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    outward = np.stack([np.sin(angle), -np.cos(angle)], 1)
    middle = np.array([0.0, (m.front[1] + m.back[1]) / 2 + 0.005])
    rows, widest = [], np.zeros(64)
    for height in np.linspace(m.waist + 0.035, end, 16):
        near = points[np.abs(points[:, 2] - height) < 0.03]
        radius = ((near[:, :2] - middle) @ outward.T).max(0)
        widest = np.maximum(radius * 0.97 + 0.008, widest * 1.012)
        depth = (m.waist + 0.035 - height) / (m.waist - end)
        ring = middle + outward * (widest + 0.008 * depth * np.sin(angle * 11 + np.sin(angle * 2)))[:, None]
        rows.append(np.column_stack([ring, np.full(64, height)]) @ turn.T + shift)
    surface = loft(rows[::-1])
    uv = surface.rest[[corner for face in surface.faces for corner in face]][:, [0, 2]]
    return [build(surface, "skirt", material, uv=uv, thick=0.003)]


def shoes(rest: Points, posed: Points, m: Marks, wear: Outfit) -> list[Any]:
    """Closed shoes: the hull of each foot, and a sole."""
    upper, sole = plain(wear.shoes, 0.55, bumps=0.0005), plain((0.6, 0.6, 0.58) if max(wear.shoes) > 0.03 else (0.03, 0.03, 0.03), 0.7)
    vertices = parts()["body"].vertices
    made = []
    ground = np.array([0.0, 0.0, float(posed[vertices, 2].min())])  # the eyes are put at one height, so the soles are not at 0
    for side in (-1, 1):
        foot = vertices[(rest[vertices, 2] < m.ankle + 0.012) & (rest[vertices, 0] * side > 0) & (np.abs(rest[vertices, 0]) < m.wrist[0])][::2]
        points = posed[foot] - ground
        middle = points.mean(0)
        for low, high, grow, material in ((0.012, 9.0, 1.05, upper), (-1.0, 0.022, 1.1, sole)):
            part = points[(points[:, 2] >= low * m.size) & (points[:, 2] <= high * m.size)]
            swollen = middle + (part - middle) * [grow, grow, 1.0]
            if material is sole:
                swollen = np.concatenate([swollen * [1, 1, 0], swollen * [1, 1, 0] + [0, 0, 0.02 * m.size]])
            form = bmesh.new()
            for point in swollen + ground:
                form.verts.new(point)
            bmesh.ops.convex_hull(form, input=form.verts[:])
            bmesh.ops.delete(form, geom=[vertex for vertex in form.verts if not vertex.link_faces], context="VERTS")
            for face in form.faces:
                face.smooth = material is upper
            made.append(_object(form, "shoe", material))
    return made
