"""A sprite library: rendered people, places and props on disk, as typed records.

A folder with ``library.json``, three tables of JSON lines (``people.jsonl``, ``places.jsonl``, ``props.jsonl``) and the PNG files that they name.
Coordinates are pixels of the picture that a record names, x to the right, y down, pixel edges at whole numbers. Nothing is decoded here; see
``people.pixels``.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import ROLES
from dartblur.faces.formats.records import read_text, safe_name
from dartblur.media.files import read_json

FORMAT = 1
MARK = "library.json"
"""Written last, so a folder without it is not finished."""
PEOPLE, PLACES, PROPS = "people.jsonl", "places.jsonl", "props.jsonl"

KINDS = ("bust", "half", "full")
LIGHTS = ("top", "left-soft", "right-soft", "left-hard", "right-hard")
REMEDY = "make the library again with `make sample`"

Point = tuple[float, float]
Record = TypeVar("Record", "Sprite", "Place", "Prop")


@dataclass(frozen=True)
class Sprite:
    """One rendered person.

    Attributes:
        id, identity: ``p017/b0`` is a sprite of ``p017``.
        file, mask: below the library: RGBA with straight alpha; and R = coverage of the face, G = the part of it that one sees.
        sha256: of the bytes of ``file``.
        kind: ``bust`` (cut at the chest), ``half`` (cut at the hips) or ``full`` (to the shoes).
        role: ``gallery`` or ``probe``; empty where one cannot see who it is.
        sex, age, ancestry: of the identity; years.
        light: one of :data:`LIGHTS`, as seen in the image.
        yaw, pitch, roll: of the head to the camera, degrees.
        expression, exaggerated: its name, and whether it is a strong one.
        width, height: pixels.
        box: of the face, x1 y1 x2 y2.
        landmarks: image-left eye, image-right eye, nose, image-left and image-right corner of the mouth.
        metre: pixels a metre at the face.
        eye_height: metres above the ground, standing.
        feet: row of the soles of a ``full`` sprite, else None.
    """

    id: str
    identity: str
    file: str
    mask: str
    sha256: str
    kind: str
    role: str
    sex: str
    age: int
    ancestry: str
    light: str
    yaw: float
    pitch: float
    roll: float
    expression: str
    exaggerated: bool
    width: int
    height: int
    box: tuple[float, float, float, float]
    landmarks: tuple[Point, ...]
    metre: float
    eye_height: float
    feet: float | None

    @property
    def face_height(self) -> float:
        """Height of the face box in pixels."""
        return self.box[3] - self.box[1]

    @property
    def eyes(self) -> float:
        """Row of the middle between the eyes."""
        return (self.landmarks[0][1] + self.landmarks[1][1]) / 2


@dataclass(frozen=True)
class Place:
    """One background, rendered sharp, with the camera that saw it.

    Attributes:
        light: where it comes from in the image, one of :data:`LIGHTS`.
        tint, exposure: linear multipliers of a person who stands there (R, G, B about 1; a number).
        horizon: row. camera_height: metres. focal: pixels; a person at depth z metres is ``focal / z`` pixels a metre.
        near, far: depths in metres between which a person may stand.
        left, right: columns at depth ``near`` and at depth ``far`` between which a person's middle may lie, linear in 1 / z between.
    """

    id: str
    file: str
    sha256: str
    kind: str
    light: str
    width: int
    height: int
    tint: tuple[float, float, float]
    exposure: float
    horizon: float
    camera_height: float
    focal: float
    near: float
    far: float
    left: Point
    right: Point


@dataclass(frozen=True)
class Prop:
    """One thing that hides a part of a face.

    Attributes:
        metre: pixels a metre.
        grip: the point that is laid on the face.
        leaves: where its support ends: ``below`` (last row) or ``side`` (image-right edge).
    """

    id: str
    file: str
    sha256: str
    kind: str
    light: str
    width: int
    height: int
    metre: float
    grip: Point
    leaves: str


@dataclass(frozen=True)
class Library:
    """A sprite library on disk; ``sha256`` is that of its three tables, which hold the hashes of the pictures."""

    root: Path
    sha256: str
    people: tuple[Sprite, ...]
    places: tuple[Place, ...]
    props: tuple[Prop, ...]


def load_library(root: Path) -> Library:
    """Read the tables below ``root`` and check that every file they name is there.

    Raises:
        UsageError: there is no (finished) library.
        DartblurError: a bad record, a missing picture, an unknown kind, light or identity; it names file and line.
    """
    for name in (MARK, PEOPLE, PLACES, PROPS):
        if not (root / name).is_file():
            raise UsageError(f"{root}: no sprite library there ({name} is missing); make one with `make sample`")
    mark = read_json(root / MARK, REMEDY)
    if mark.get("format") != FORMAT:
        raise DartblurError(f"{root / MARK}: the format is {mark.get('format')!r}, this version reads {FORMAT}; {REMEDY}")
    digest = hashlib.sha256(b"".join((root / name).read_bytes() for name in (PEOPLE, PLACES, PROPS))).hexdigest()
    people, places, props = _read(root, PEOPLE, _sprite), _read(root, PLACES, _place), _read(root, PROPS, _prop)
    if not people or not places:
        raise DartblurError(f"{root / (PLACES if people else PEOPLE)}: no record; {REMEDY}")
    identities = len({sprite.identity for sprite in people})
    if identities != mark.get("identities"):
        raise DartblurError(f"{root / PEOPLE}: {identities} identities, {MARK} says {mark.get('identities')}; {REMEDY}")
    return Library(root, digest, people, places, props)


class _Fields:
    """One record of a table, read field by field; what is missing or of another kind raises, naming file, line and field."""

    def __init__(self, root: Path, where: str, values: dict[str, Any]) -> None:
        self.root, self.where, self.values = root, where, values

    def fail(self, problem: str) -> DartblurError:
        return DartblurError(f"{self.where}: {problem}; {REMEDY}")

    def get(self, name: str, *kinds: type) -> Any:
        value = self.values.get(name)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.fail(f"{name} is {value!r}" if name in self.values else f"{name} is missing")
        return value

    def text(self, name: str) -> str:
        return str(self.get(name, str))

    def one_of(self, name: str, known: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in known:
            raise self.fail(f"{name} {value!r} is unknown (known: {', '.join(filter(None, known))})")
        return value

    def number(self, name: str, above: float = float("-inf")) -> float:
        value = float(self.get(name, int, float))
        if not above < value < float("inf"):
            raise self.fail(f"{name} is {value:g}, which is no number above {above:g}")
        return value

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        values = self.get(name, list)
        if len(values) != count or any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
            raise self.fail(f"{name} is not {count} numbers")
        return tuple(float(value) for value in values)

    def point(self, name: str) -> Point:
        x, y = self.numbers(name, 2)
        return x, y

    def size(self) -> tuple[int, int]:
        width, height = (int(value) for value in self.numbers("size", 2))
        if min(width, height) < 1:
            raise self.fail(f"size is {width} x {height}")
        return width, height

    def path(self, name: str) -> str:
        value = safe_name(self.text(name), self.where)
        if not (self.root / value).is_file():
            raise self.fail(f"the picture {self.root / value} is not there")
        return value


def _read(root: Path, name: str, make: Callable[[_Fields], Record]) -> tuple[Record, ...]:
    records: dict[str, Record] = {}
    for number, line in enumerate(read_text(root / name).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{root / name}, line {number}"
        try:
            values = json.loads(line)
        except ValueError as error:
            raise DartblurError(f"{where}: not readable as JSON ({error}); {REMEDY}") from error
        if not isinstance(values, dict):
            raise DartblurError(f"{where}: holds no JSON object; {REMEDY}")
        record = make(_Fields(root, where, values))
        if record.id in records:
            raise DartblurError(f"{where}: the id {record.id!r} occurs twice; {REMEDY}")
        records[record.id] = record
    return tuple(records.values())


def _sprite(fields: _Fields) -> Sprite:
    name, identity = fields.text("id"), fields.text("identity")
    if name.partition("/")[0] != identity:
        raise fields.fail(f"the identity {identity!r} is unknown to the id {name!r}")
    width, height = fields.size()
    x1, y1, x2, y2 = fields.numbers("box", 4)
    if not (x1 < x2 and y1 < y2):
        raise fields.fail(f"the box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) is empty")
    points = fields.get("landmarks", list)
    if len(points) != 5:
        raise fields.fail("landmarks are not 5 points")
    kind = fields.one_of("kind", KINDS)
    return Sprite(
        name, identity, fields.path("file"), fields.path("mask"), fields.text("sha256"), kind, fields.one_of("role", ROLES),
        fields.text("sex"), int(fields.number("age")), fields.text("ancestry"), fields.one_of("light", LIGHTS),
        fields.number("yaw"), fields.number("pitch"), fields.number("roll"), fields.text("expression"), fields.get("exaggerated", bool),
        width, height, (x1, y1, x2, y2), tuple(_Fields(fields.root, fields.where, {"landmarks": point}).point("landmarks") for point in points),
        fields.number("metre", 0), fields.number("eye_height", 0), fields.number("feet", 0) if kind == "full" else None,
    )  # fmt: skip


def _place(fields: _Fields) -> Place:
    width, height = fields.size()
    red, green, blue = fields.numbers("tint", 3)
    near = fields.number("near", 0)
    return Place(
        fields.text("id"), fields.path("file"), fields.text("sha256"), fields.text("kind"), fields.one_of("light", LIGHTS), width, height,
        (red, green, blue), fields.number("exposure", 0), fields.number("horizon"), fields.number("camera_height", 0), fields.number("focal", 0),
        near, fields.number("far", near), fields.point("left"), fields.point("right"),
    )  # fmt: skip


def _prop(fields: _Fields) -> Prop:
    width, height = fields.size()
    return Prop(
        fields.text("id"), fields.path("file"), fields.text("sha256"), fields.text("kind"), fields.one_of("light", LIGHTS), width, height,
        fields.number("metre", 0), fields.point("grip"), fields.one_of("from", ("below", "side")),
    )  # fmt: skip
