"""Sheets: surfaces that carry rest and posed positions through subdividing and cutting; clothes, masks and hats are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from people.body import Points, model_file, parts

Faces = list[tuple[int, ...]]
Values = npt.NDArray[np.float64]
REST, POSED, NORMAL = slice(0, 3), slice(3, 6), slice(6, 9)
"""Columns of :attr:`Sheet.points`."""


@dataclass(frozen=True)
class Sheet:
    """A surface.

    Attributes:
        points: V x 9: position at rest, posed position, posed normal.
        faces: polygons as indices into ``points``.
    """

    points: Points
    faces: Faces

    @property
    def rest(self) -> Points:
        """Positions at rest, V x 3."""
        return self.points[:, REST]

    @property
    def posed(self) -> Points:
        """Posed positions, V x 3."""
        return self.points[:, POSED]

    @property
    def normal(self) -> Points:
        """Posed normals, V x 3."""
        return self.points[:, NORMAL]


@lru_cache(maxsize=1)
def joints() -> dict[str, npt.NDArray[np.int64]]:
    """Joint of the model -> the vertices whose mean it is (groups ``joint-...`` of the base mesh)."""
    found: dict[str, set[int]] = {}
    group = ""
    for line in model_file("3dobjs", "base.obj").read_text().splitlines():
        if line.startswith("g "):
            group = line[2:].strip()
        elif line.startswith("f ") and group.startswith("joint-"):
            found.setdefault(group[6:], set()).update(int(corner.split("/")[0]) - 1 for corner in line.split()[1:])
    return {name: np.array(sorted(vertices)) for name, vertices in found.items()}


def joint(points: Points, name: str) -> Points:
    """Position of a joint such as ``l-elbow`` among the model's vertices ``points``."""
    return np.asarray(points[joints()[name]].mean(0))


def take(part: str, rest: Points, posed: Points, keep: npt.NDArray[np.bool_] | None = None) -> Sheet:
    """A part of the model as a sheet; only the polygons all of whose vertices are in ``keep`` (over the model's vertices)."""
    shape = parts()[part]
    both = np.hstack([rest[shape.vertices], posed[shape.vertices], np.zeros((len(shape.vertices), 3))])
    faces = shape.faces if keep is None else [face for face in shape.faces if keep[shape.vertices[list(face)]].all()]
    return with_normals(compact(Sheet(both, faces)))


def compact(sheet: Sheet) -> Sheet:
    """The sheet without points that no polygon uses."""
    if not sheet.faces:
        return Sheet(sheet.points[:0], [])
    flat, sizes = _flat(sheet.faces)
    used, flat = np.unique(flat, return_inverse=True)
    return Sheet(sheet.points[used], _unflat(flat, sizes))


def with_normals(sheet: Sheet) -> Sheet:
    """The sheet with the normals of its posed surface, area-weighted."""
    fan = triangles(sheet.faces)
    a, b, c = (sheet.posed[fan[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    total = np.zeros((len(sheet.points), 3))
    for column in range(3):
        np.add.at(total, fan[:, column], cross)
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return Sheet(np.hstack([sheet.points[:, :6], total]), sheet.faces)


def triangles(faces: Faces) -> npt.NDArray[np.int64]:
    """Fans of triangles that fill the polygons, T x 3."""
    fans = []
    for size in {len(face) for face in faces}:
        same = np.array([face for face in faces if len(face) == size])
        fans += [same[:, [0, i, i + 1]] for i in range(1, size - 1)]
    return np.concatenate(fans)


def subdivide(sheet: Sheet) -> Sheet:
    """One step of Catmull-Clark, all columns alike."""
    points, (flat, sizes) = sheet.points, _flat(sheet.faces)
    count = len(points)
    face = np.repeat(np.arange(len(sizes)), sizes)
    after, before = _neighbours(sizes)
    pairs = np.sort(np.stack([flat, flat[after]], 1), 1)
    keys, edge = np.unique(pairs[:, 0] * count + pairs[:, 1], return_inverse=True)
    ends = np.stack([keys // count, keys % count], 1)
    inner = np.bincount(edge) == 2
    centres = _mean(points[flat], face, len(sizes))
    middles = points[ends].mean(1)
    sides = _mean(centres[face], edge, len(keys))
    edges = np.where(inner[:, None], (middles + sides) / 2, middles)
    valence = np.bincount(flat, minlength=count)[:, None]
    around = _mean(centres[face], flat, count)
    spokes = _mean(np.repeat(middles, 2, 0), ends.ravel(), count)
    moved = (around + 2 * spokes + (valence - 3) * points) / np.maximum(valence, 1)
    rim = np.unique(ends[~inner])
    beside = _mean(np.repeat(middles[~inner], 2, 0), ends[~inner].ravel(), count)
    moved[rim] = (points[rim] + beside[rim]) / 2
    quads = np.stack([flat, count + edge, count + len(keys) + face, count + edge[before]], 1)
    return with_normals(Sheet(np.concatenate([moved, edges, centres]), list(map(tuple, quads.tolist()))))


def smooth(sheet: Sheet, rounds: int, share: float | Values = 0.5, *, hold_rim: bool = False) -> Sheet:
    """Move points towards the mean of their neighbours by ``share`` (or one a point), ``rounds`` times; the rim slides along itself or is held."""
    flat, sizes = _flat(sheet.faces)
    after, _ = _neighbours(sizes)
    pairs = np.sort(np.stack([flat, flat[after]], 1), 1)
    edges, times = np.unique(pairs, axis=0, return_counts=True)
    rim = np.zeros(len(sheet.points), dtype=bool)
    rim[edges[times == 1].ravel()] = True
    inside = edges[(times == 2) & ~(rim[edges[:, 0]] & rim[edges[:, 1]])]
    links = np.concatenate([inside, edges[times == 1]])
    start = np.concatenate([links[:, 0], links[:, 1]])
    end = np.concatenate([links[:, 1], links[:, 0]])
    good = ~rim[start] | (rim[end] & (not hold_rim))
    start, end = start[good], end[good]
    points = sheet.points.copy()
    weight = np.broadcast_to(np.asarray(share, dtype=float), (len(points),))[:, None] * (np.bincount(start, minlength=len(points)) > 0)[:, None]
    for _ in range(rounds):
        points[:, :6] += weight * (_mean(points[end, :6], start, len(points)) - points[:, :6])
    return with_normals(Sheet(points, sheet.faces))


def clip(sheet: Sheet, values: Values) -> Sheet:
    """The part where ``values`` (one a point) > 0, cut exactly along the zero line. Attached columns are interpolated."""
    flags = values > 0
    flat, sizes = _flat(sheet.faces)
    inside = np.add.reduceat(flags[flat].astype(int), np.cumsum(sizes) - sizes)
    faces = [sheet.faces[i] for i in np.flatnonzero(inside == sizes)]
    made: dict[tuple[int, int], int] = {}
    for i in np.flatnonzero((inside > 0) & (inside < sizes)):
        faces.append(_cut(sheet.faces[i], flags, made, len(sheet.points)))
    pairs = np.array(list(made), dtype=int).reshape(-1, 2)
    share = (values[pairs[:, 0]] / (values[pairs[:, 0]] - values[pairs[:, 1]]))[:, None]
    share = np.clip(share, 0.02, 0.98)
    new = sheet.points[pairs[:, 0]] * (1 - share) + sheet.points[pairs[:, 1]] * share
    return compact(Sheet(np.concatenate([sheet.points, new]), faces))


def split(sheet: Sheet, values: Values) -> Sheet:
    """The whole sheet with polygons divided along the line where ``values`` = 0."""
    one, two = clip(sheet, values), clip(sheet, -values)
    points = np.concatenate([one.points, two.points])
    _, first, place = np.unique(np.round(points[:, :6], 7), axis=0, return_index=True, return_inverse=True)
    flat, sizes = _flat([*one.faces, *(tuple(corner + len(one.points) for corner in face) for face in two.faces)])
    return Sheet(points[first], _unflat(place.ravel()[flat], sizes))


def _cut(face: tuple[int, ...], flags: npt.NDArray[np.bool_], made: dict[tuple[int, int], int], start: int) -> tuple[int, ...]:
    kept: list[int] = []
    for here, there in zip(face, (*face[1:], face[0]), strict=True):
        if flags[here]:
            kept.append(here)
        if flags[here] != flags[there]:
            kept.append(made.setdefault((min(here, there), max(here, there)), start + len(made)))
    return tuple(kept)


def loops(sheet: Sheet) -> list[npt.NDArray[np.int64]]:
    """The rims of the sheet as closed loops of points, longest first."""
    flat, sizes = _flat(sheet.faces)
    after, _ = _neighbours(sizes)
    one, two = flat, flat[after]
    known = set(zip(one.tolist(), two.tolist(), strict=True))
    follow = {a: b for a, b in known if (b, a) not in known}
    found = []
    while follow:
        first, here = follow.popitem()
        loop = [first]
        while here != first and here in follow:
            loop.append(here)
            here = follow.pop(here)
        found.append(np.array(loop))
    return sorted(found, key=len, reverse=True)


def loft(rows: Sequence[Points], *, closed: bool = True) -> Sheet:
    """A sheet through rows of equally many points (posed); closed: the last column is joined to the first."""
    grid = np.stack(rows)
    height, width = grid.shape[:2]
    across = width if closed else width - 1
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(height - 1), np.arange(across), indexing="ij"))
    k = (j + 1) % width
    quads = np.stack([i * width + j, i * width + k, (i + 1) * width + k, (i + 1) * width + j], 1)
    flat = grid.reshape(-1, 3)
    return with_normals(Sheet(np.hstack([flat, flat, np.zeros_like(flat)]), list(map(tuple, quads.tolist()))))


def build(sheet: Sheet, name: str, material: Any, *, uv: Points | None = None, thick: float = 0.0, levels: int = 1, outwards: float = -1.0) -> Any:
    """An object of the posed surface in the current scene.

    Args:
        uv: texture coordinates, one (u, v) a polygon corner; without, the rest position (x, z) in metres.
        thick: of the cloth in metres; ``outwards`` is solidify's offset: 1 grows along the normals, -1 against them.
        levels: of subdivision at render time.
    """
    flat, sizes = _flat(sheet.faces)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(sheet.posed, [], sheet.faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(sizes), dtype=bool))
    layer = mesh.uv_layers.new(name="weave")
    places = sheet.rest[flat][:, [0, 2]] if uv is None else uv
    layer.uv.foreach_set("vector", np.ascontiguousarray(places, dtype=np.float32).ravel())
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    if thick:
        solid = thing.modifiers.new("thick", "SOLIDIFY")
        solid.thickness, solid.offset = thick, outwards
    if levels:
        thing.modifiers.new("round", "SUBSURF").render_levels = levels
    return thing


def by_face(sheet: Sheet, values: Values) -> Values:
    """The mean of ``values`` over each polygon, given at each of its corners."""
    flat, sizes = _flat(sheet.faces)
    means = np.add.reduceat(values[flat], np.cumsum(sizes) - sizes) / sizes
    return np.asarray(np.repeat(means, sizes))


def corners(sheet: Sheet) -> npt.NDArray[np.int64]:
    """Points of all polygon corners, in order."""
    return _flat(sheet.faces)[0]


def _flat(faces: Faces) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    sizes = np.fromiter(map(len, faces), dtype=np.int64, count=len(faces))
    return np.fromiter((corner for face in faces for corner in face), dtype=np.int64, count=int(sizes.sum())), sizes


def _unflat(flat: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Faces:
    values, ends = flat.tolist(), np.cumsum(sizes).tolist()
    return [tuple(values[end - size : end]) for end, size in zip(ends, sizes.tolist(), strict=True)]


def _neighbours(sizes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Place of the next and of the previous corner of the same polygon."""
    ends = np.cumsum(sizes)
    place = np.arange(int(ends[-1]))
    after, before = place + 1, place - 1
    after[ends - 1] = ends - sizes
    before[ends - sizes] = ends - 1
    return after, before


def _mean(values: Points, group: npt.NDArray[np.int64], count: int) -> Points:
    total = np.stack([np.bincount(group, values[:, column], count) for column in range(values.shape[1])], 1)
    return np.asarray(total / np.maximum(np.bincount(group, minlength=count), 1)[:, None])
