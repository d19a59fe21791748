"""What the renderer knows about a face: its box, five landmarks, the region of the face, and how the camera sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from people.body import LEFT_EYE, RIGHT_EYE, Points, parts
from people.skin import face_frame, lip_share
from people.strands import triangles


@dataclass(frozen=True)
class Camera:
    """A camera on the axis x = 0 that looks along +y without pitch.

    Attributes:
        distance: from the camera to y = 0, metres.
        height: of its axis, metres.
        focal: pixels.
        centre: column and row of the axis in the picture; the row is the horizon.
        size: of the picture, pixels.
    """

    distance: float
    height: float
    focal: float
    centre: tuple[float, float]
    size: tuple[int, int]

    def project(self, points: Points) -> Points:
        """Points in metres, N x 3, to pixels (edges at integers), N x 2."""
        depth = points[:, 1] + self.distance
        columns = self.centre[0] + self.focal * points[:, 0] / depth
        rows = self.centre[1] - self.focal * (points[:, 2] - self.height) / depth
        return np.stack([columns, rows], axis=1)


def face_region(rest: Points) -> Any:
    """Vertices of the body that count as the face, 13380 booleans.

    From the chin to 5.5 cm above the eyes and to 5.5 cm behind their front (in an adult): the extent that detectors' boxes agree with best.
    """
    at = face_frame(rest, parts()["body"].vertices)
    middle = np.abs(at[:, 0]) < 0.01
    profile = middle & (at[:, 2] > -0.15) & (at[:, 1] < 0.03)
    chin = at[profile][np.argmin((at[profile] * np.array([0, 0.5, 0.85])).sum(1)), 2]
    return (at[:, 2] < 0.055) & (at[:, 2] > chin - 0.002) & (at[:, 1] < 0.039) & (np.abs(at[:, 0]) < 0.085)


def facing(posed: Points, region: Any, camera: Camera) -> Any:
    """Triangles of the region whose front the camera sees, T x 3 indices into the body."""
    corners = triangles()
    corners = corners[region[corners].all(1)]
    a, b, c = (posed[corners[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    view = (a + b + c) / 3 - np.array([0.0, -camera.distance, camera.height])
    return corners[(normals * view).sum(1) < 0]


def face_box(posed: Points, region: Any, camera: Camera) -> tuple[float, float, float, float]:
    """Bounds of the visible side of the face, pixels."""
    pixels = camera.project(posed[np.unique(facing(posed, region, camera))])
    low, high = pixels.min(0), pixels.max(0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def face_cover(posed: Points, region: Any, camera: Camera) -> Any:
    """Coverage of the face as if nothing hid it, H x W uint8."""
    factor = 4
    canvas = Image.new("L", (camera.size[0] * factor, camera.size[1] * factor))
    draw = ImageDraw.Draw(canvas)
    pixels = camera.project(posed[:13380]) * factor
    for triangle in facing(posed, region, camera):
        draw.polygon([tuple(map(float, pixels[corner])) for corner in triangle], fill=255)
    return np.asarray(canvas.resize(camera.size, Image.Resampling.BOX))


def landmarks(rest: Points, posed: Points, camera: Camera) -> list[tuple[float, float]]:
    """Eye, eye, nose, mouth corner, mouth corner; of each pair the image's left one first; pixels."""
    at = face_frame(rest, parts()["body"].vertices)
    nose = np.flatnonzero((np.abs(at[:, 0]) < 0.012) & (at[:, 2] < -0.02) & (at[:, 2] > -0.065))
    tip = nose[np.argmin(at[nose, 1])]
    lips = np.flatnonzero((lip_share() > 0.4) & (at[:, 1] < 0.02))
    corners = (lips[np.argmin(at[lips, 0])], lips[np.argmax(at[lips, 0])])
    spots = [posed[RIGHT_EYE].mean(0), posed[LEFT_EYE].mean(0), posed[tip], posed[corners[0]], posed[corners[1]]]
    return [(float(x), float(y)) for x, y in camera.project(np.array(spots))]
