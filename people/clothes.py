"""Clothes: garments cut from the model's own tights, loosened, creased and sewn up with collars, cuffs and hems.

objects = clothes.dress(person, rest, posed, outfit=0)
hidden = clothes.covered(person, rest, outfit=0)
"""

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from people import collars, cut, details
from people.body import Points, parts
from people.cut import Marks
from people.fabric import Fabric, cloth
from people.identity import Identity
from people.outfit import Outfit, choose
from people.sheet import Sheet, Values, build, by_face, clip, corners, smooth, split, subdivide, take

BoolArray = npt.NDArray[np.bool_]


def dress(person: Identity, rest: Points, posed: Points, outfit: int = 0) -> list[Any]:
    """All clothes of a person in a pose: top, collar, lower part, shoes. ``rest``, ``posed``: the model's vertices, 19158 x 3."""
    wear, m = choose(person, outfit), cut.marks(rest)
    rng = np.random.default_rng([person.seed, 43, outfit])
    skin = smooth(subdivide(take("tights", rest, posed)), 3)
    made = _lower(skin, m, wear, rng)
    made += details.shoes(rest, posed, m, wear)
    if wear.neck == "blazer":
        shirt = _loosen(clip(skin, skin.rest[:, 2] - m.waist - 0.1), m, 0.003, 0.3, rng)
        made += _top(shirt, skin, m, wear, "buttoned" if wear.tie else str(rng.choice(["shirt", "shirt", "crew"])), wear.under, 1.97, m.waist + 0.1)
        made += details.tie(shirt, m, wear) if wear.tie else []
        jacket = _loosen(skin, m, wear.ease + 0.010, 1.0, rng)
        return made + _jacket(jacket, m, wear)
    hem = _hem(m, wear)
    loose = _loosen(skin, m, wear.ease, 0.8 if wear.neck in ("turtleneck", "tank", "scoop") else 1.0, rng)
    return made + _top(loose, skin, m, wear, wear.neck, wear.top, wear.sleeve, hem) + details.trimmings(loose, m, wear, rng)


def covered(person: Identity, rest: Points, outfit: int = 0) -> BoolArray:
    """Which of the body's 13380 vertices lie under garments, at least 1.5 cm inside their borders."""
    wear, m, points = choose(person, outfit), cut.marks(rest), rest[:13380]
    margin = 0.012
    neck = cut.neckline(points, m, wear.neck)
    if wear.neck == "blazer":
        neck = np.minimum(cut.neckline(points, m, "shirt"), cut.neckline(points, m, "crew"))
    arm, along = cut.armhole(points, m) > 0, cut.sleeve(points, m)
    reach = float(np.linalg.norm(m.elbow - m.shoulder))
    throat = (np.abs(points[:, 0]) < 0.09 * m.size) & (points[:, 1] < m.neck[1])
    inside = (neck > margin) & (points[:, 2] < np.where(throat, m.front[2] + 0.005, m.neck[2] + 0.03))
    if wear.sleeve < 0:
        inside &= cut.straps(points, m) > margin
    else:
        inside &= ~arm | (along < wear.sleeve - margin / reach)
    inside &= points[:, 2] > _leg_end(m, wear) + margin
    return _shrunk(inside | (points[:, 2] < m.ankle - 0.01))


def _shrunk(inside: BoolArray) -> BoolArray:
    """Without the body's vertices that share a polygon with one outside: those polygons stay, so no hole shows at a border."""
    body = parts()["body"]
    faces = body.vertices[np.array(body.faces)]
    cut_ = ~inside[faces].all(1)
    left = inside.copy()
    left[faces[cut_].ravel()] = False
    return left


def _hem(m: Marks, wear: Outfit) -> float:
    if wear.bottom == "skirt":
        return m.waist + 0.015
    return m.crotch + {"kurta": 0.03, "hoodie": 0.06, "zip": 0.06, "turtleneck": 0.055}.get(wear.neck, 0.045) * m.size


def _leg_end(m: Marks, wear: Outfit) -> float:
    return {"trousers": m.ankle + 0.008, "shorts": m.knee + 0.06, "skirt": m.knee + 0.03}[wear.bottom]


def _loosen(skin: Sheet, m: Marks, ease: float, slack: float, rng: np.random.Generator) -> Sheet:
    """The tights moved outwards by the ease, the drape and the folds."""
    along = np.clip(cut.sleeve(skin.rest, m), 0, 2) * (cut.armhole(skin.rest, m) > 0)
    away = ease * (1 + 0.2 * along - 0.75 * np.clip(along - 1.25, 0, 1)) + 0.003 + cut.drape(skin, m, slack)
    calm = np.clip(ease / 0.008, 0.3, 1.2)
    away = away + 0.0028 * calm * cut.creases(skin.rest, m, rng)
    away = np.maximum(away, 0.002)
    points = skin.points.copy()
    points[:, 3:6] += away[:, None] * skin.normal
    return smooth(Sheet(points, skin.faces), 2, 0.4)


def weave_uv(sheet: Sheet, m: Marks) -> Points:
    """Texture coordinates in metres: around and up the trunk, around and along the arms."""
    rest = sheet.rest
    axis = (m.front[1] + m.back[1]) / 2
    around = np.arctan2(rest[:, 0], -(rest[:, 1] - axis)) * 0.15 * m.size
    trunk = np.stack([around, rest[:, 2]], 1)
    arm = cut.mirrored(rest)
    direction = (m.wrist - m.shoulder) / np.linalg.norm(m.wrist - m.shoulder)
    side = np.cross(direction, [0, 1, 0])
    away = arm - m.shoulder - np.outer((arm - m.shoulder) @ direction, direction)
    reach = float(np.linalg.norm(m.elbow - m.shoulder))
    sleeves = np.stack([3.0 + np.arctan2(away @ side, away[:, 1]) * 0.05, m.shoulder[2] - cut.sleeve(rest, m) * reach], 1)
    corner = corners(sheet)
    return np.where((by_face(sheet, cut.armhole(rest, m)) > 0)[:, None], sleeves[corner], trunk[corner])


def _top(loose: Sheet, skin: Sheet, m: Marks, wear: Outfit, neck: str, fabric: Fabric, sleeve: float, hem: float) -> list[Any]:
    """Trunk and sleeves of a top, its ribbed edges and its collar."""
    emblem, place = details.emblem(wear, m) if fabric is wear.top else (None, (0.0, 0.0, 0.2))
    material = cloth(fabric, emblem=emblem, place=place)
    plain, trim = (cloth(fabric) if emblem is not None else material), cloth(wear.trim if fabric is wear.top else fabric)
    body = clip(loose, loose.rest[:, 2] - hem)
    body = clip(body, cut.neckline(body.rest, m, neck))
    if sleeve < 0:
        body = clip(body, cut.straps(body.rest, m))
        return [_piece(body, m, material), *_collar(body, skin, m, wear, neck, trim, fabric)]
    body = clip(body, _to_cuff(body, m, sleeve))
    collar = _collar(body, skin, m, wear, neck, trim if neck != "shirt" else plain, fabric)
    made: list[Any] = []
    if _rib(neck):
        made.append(_band(body, cut.neckline(body.rest, m, neck), m, _rib(neck), trim))
        body = clip(body, cut.neckline(body.rest, m, neck) - _rib(neck))
    cuff = {"hoodie": 0.05, "zip": 0.04, "turtleneck": 0.045, "polo": 0.022}.get(neck, 0.014)
    made.append(_band(body, _to_cuff(body, m, sleeve), m, cuff, trim if cuff > 0.02 else plain))
    body = clip(body, _to_cuff(body, m, sleeve) - cuff)
    return [*made, _piece(split(body, cut.armhole(body.rest, m)), m, material), *collar]


def _to_cuff(sheet: Sheet, m: Marks, sleeve: float) -> Values:
    """Distance along the arm from the end of the sleeve; large on the trunk."""
    reach = float(np.linalg.norm(m.elbow - m.shoulder))
    return np.where(cut.armhole(sheet.rest, m) > 0, (sleeve - cut.sleeve(sheet.rest, m)) * reach, 0.5)


def _piece(sheet: Sheet, m: Marks, material: Any, thick: float = 0.0022) -> Any:
    return build(sheet, "garment", material, uv=weave_uv(sheet, m), thick=thick)


def _band(sheet: Sheet, inside: Values, m: Marks, width: float, material: Any) -> Any:
    """A band along the edge where ``inside`` = 0 that stands out a little."""
    band = clip(sheet, width + 0.001 - inside)
    points = band.points.copy()
    points[:, 3:6] += 0.0012 * band.normal
    return _piece(Sheet(points, band.faces), m, material, 0.0035)


def _rib(neck: str) -> float:
    return {"crew": 0.017, "v": 0.015, "scoop": 0.009}.get(neck, 0.0)


OPEN = {"shirt": 0.16, "buttoned": 0.1, "polo": 0.16, "kurta": 0.1, "zip": 0.12, "turtleneck": 0.0, "hoodie": 0.0, "scarf": 0.0}
"""Necks with a collar -> half the angle that the collar leaves open in front, radians."""


def _collar(trunk: Sheet, skin: Sheet, m: Marks, wear: Outfit, neck: str, material: Any, fabric: Fabric) -> list[Any]:
    if neck not in OPEN:
        return []
    rng = np.random.default_rng([fabric.seed, 7])
    rim = collars.neck_of(trunk, skin, m, gap=OPEN[neck])
    if neck in ("kurta", "zip"):
        made = collars.band_collar(rim, m, material, 0.03 if neck == "kurta" else 0.05)
    elif neck == "turtleneck":
        made = collars.roll_collar(rim, m, cloth(fabric), 0.05)
    elif neck == "hoodie":
        made = collars.hood_down(rim, m, material, rng)
    elif neck == "scarf":
        shawl = Fabric(wear.accent, (0.6, 0.58, 0.55), str(rng.choice(["plain", "plaid", "heather"])), 0.09, "knit", 0.9, fabric.seed)
        made = collars.scarf(rim, m, cloth(shawl), rng)
    else:
        made = collars.shirt_collar(rim, m, material, open_=0.0 if wear.neck == "blazer" else float(rng.uniform(0.2, 1)))
    return made


def _jacket(jacket: Sheet, m: Marks, wear: Outfit) -> list[Any]:
    """A blazer: open in a deep V, with lapels and a collar that lie on it."""
    material = cloth(wear.top)
    body = clip(jacket, jacket.rest[:, 2] - (m.crotch + 0.03 * m.size))
    body = clip(body, cut.neckline(body.rest, m, "blazer"))
    body = clip(body, _to_cuff(body, m, 1.9))
    made = [_piece(split(body, cut.armhole(body.rest, m)), m, material, 0.004)]
    trunk = clip(body, -cut.armhole(body.rest, m))
    lapels = details.lapels(trunk, m, material)
    return made + lapels + details.buttons(trunk, [m.front[2] - deep * m.size for deep in (0.30, 0.40)], wear.shoes, 0.010)


def _lower(skin: Sheet, m: Marks, wear: Outfit, rng: np.random.Generator) -> list[Any]:
    """Trousers, shorts or a skirt."""
    material = cloth(wear.lower)
    if wear.bottom == "skirt":
        return details.skirt(skin, m, material, _leg_end(m, wear) - 0.03)
    legs = clip(skin, m.waist + 0.03 - skin.rest[:, 2])
    legs = clip(legs, -cut.armhole(legs.rest, m))
    legs = clip(legs, legs.rest[:, 2] - _leg_end(m, wear))
    points = legs.points.copy()
    down = np.clip((m.crotch - legs.rest[:, 2]) / (m.crotch - m.ankle), 0, 1)
    away = 0.004 + 0.016 * np.sqrt(down) + 0.003 * np.sin(legs.rest[:, 2] * 60 + 2 * np.sin(legs.rest @ [20, 25, 3])) * down
    points[:, 3:6] += away[:, None] * legs.normal
    legs = Sheet(points, legs.faces)
    return [build(legs, "trousers", material, uv=legs.rest[corners(legs)][:, [0, 2]], thick=0.003)]


def remove(things: list[Any]) -> None:
    """Take objects out of the scene again."""
    for thing in things:
        bpy.data.objects.remove(thing, do_unlink=True)
