"""The shell of a room and its light: floor, walls with windows, ceiling, lamps; the light comes from where the label says.

Axes as the camera sees them: x to the right, y into the depth, z up; the camera stands at the origin's column and looks along +y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from people import art
from people.blender import Stage, Vector
from people.furniture import curtain, dress_wall, fabric
from people.light import add_area, add_light, direction, set_sky
from people.surfaces import bricks, dimmer, glow, hsv, hue, mottled, picture, plain, wood

BACK = -3.0  # y of the wall behind the camera


@dataclass(frozen=True)
class Room:
    """A room of `width` around x = 0 that ends at y = `depth`; `warm` is the hue of lamps (0 neutral, 1 very warm)."""

    width: float
    depth: float
    height: float
    rig: str
    warm: float = 0.2


def wall_paint(rng: np.random.Generator, style: str = "any") -> Any:
    """Plaster in a pale or a strong colour, or bricks."""
    pick = rng.random()
    if style == "brick" or (style == "any" and pick < 0.15):
        base = hsv(rng.uniform(0.01, 0.06), rng.uniform(0.3, 0.55), rng.uniform(0.45, 0.75))
        return bricks(base, dimmer(base, 0.65), hsv(0.1, 0.08, 0.7), (0.24, 0.075))
    strong = style == "strong" or pick > 0.75
    colour = hsv(
        rng.uniform(), rng.uniform(0.25, 0.5) if strong else rng.uniform(0.02, 0.16), rng.uniform(0.45, 0.75) if strong else rng.uniform(0.76, 0.92)
    )
    return mottled(colour, dimmer(colour, 0.93), 30.0, bump=0.08, stain=0.82)


def floor_cover(rng: np.random.Generator, style: str = "any") -> Any:
    """Boards, tiles or carpet."""
    style = str(rng.choice(["boards", "tiles", "carpet"])) if style == "any" else style
    if style == "boards":
        return wood(
            hsv(rng.uniform(0.05, 0.1), rng.uniform(0.35, 0.6), rng.uniform(0.4, 0.75)), along="y", planks=rng.uniform(0.09, 0.2), roughness=0.35
        )
    if style == "tiles":
        tone = hsv(hue(rng), rng.uniform(0, 0.2), rng.uniform(0.45, 0.85))
        size = rng.uniform(0.3, 0.6)
        return bricks(tone, dimmer(tone, 0.88), dimmer(tone, 0.5), (size, size), plane="xy", offset=0.0, roughness=0.25)
    tone = hsv(hue(rng), rng.uniform(0.05, 0.35), rng.uniform(0.3, 0.6))
    return mottled(tone, dimmer(tone, 0.55), 22.0, roughness=0.95, bump=0.3)


def window_wall(stage: Stage, length: float, height: float, holes: list[tuple[float, float]], rise: tuple[float, float], paint: Any) -> None:
    """A wall along +x from the origin, its face at y = 0, with windows at the spans `holes` from sill to lintel `rise`; daylight is behind it."""
    edges = [0.0, *(x for hole in holes for x in hole), length]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        stage.box((right - left, 0.2, height), ((left + right) / 2, 0.1, 0), paint)
    white = plain(hsv(0.1, 0.03, stage.rng.choice([0.9, 0.85, 0.2])), 0.4)
    for left, right in holes:
        middle, wide = (left + right) / 2, right - left
        stage.box((wide, 0.2, rise[0]), (middle, 0.1, 0), paint)
        stage.box((wide, 0.2, height - rise[1]), (middle, 0.1, rise[1]), paint)
        stage.box((wide, 0.28, 0.035), (middle, 0.04, rise[0]), white)
        panes = max(1, round(wide / 0.9))
        for k in range(panes + 1):
            stage.box((0.05, 0.06, rise[1] - rise[0]), (left + wide * k / panes, 0.12, rise[0]), white)
        for z in (rise[0] + 0.03, rise[1] - 0.05, rise[0] + 0.68 * (rise[1] - rise[0])):
            stage.box((wide, 0.06, 0.05), (middle, 0.12, z), white)
    scene_outside = stage.card(
        length * 1.6, height * 1.9, (length / 2, 2.5, height * 0.55), picture(art.view(stage.rng, green=stage.rng.uniform(0.2, 0.9)), glow=1.0)
    )
    scene_outside.visible_shadow = False


def spans(start: float, end: float, wide: float, gap: float) -> list[tuple[float, float]]:
    """Windows of about `wide` metres between start and end, `gap` apart."""
    count = max(1, int((end - start + gap) / (wide + gap)))
    step = (end - start + gap) / count
    return [(start + k * step, start + (k + 1) * step - gap) for k in range(count)]


def build_shell(
    stage: Stage, room: Room, floor: Any, *, walls: str = "any", rear_windows: bool = False, curtains: bool = False, dressed: bool = True
) -> None:
    """Floor, ceiling and walls; windows where the light comes from, and in the rear wall on demand."""
    rng, length = stage.rng, room.depth - BACK
    open_stage = stage.unshadowed() if room.rig.endswith("hard") else stage
    middle = (room.depth + BACK) / 2
    stage.box((room.width + 0.4, length, 0.1), (0, middle, -0.1), floor)
    open_stage.box((room.width + 0.4, length, 0.1), (0, middle, room.height), mottled((0.86, 0.86, 0.84), (0.8, 0.8, 0.78), 40.0, stain=0.9))
    side, rear = wall_paint(rng, walls), wall_paint(rng, walls)
    open_stage.box((room.width, 0.1, room.height), (0, BACK, 0), side)
    rise = (rng.uniform(0.0, 0.95), min(rng.uniform(2.2, 2.7), room.height - 0.15))
    holes = spans(0.5, length - 0.6, rng.uniform(1.2, 2.4), rng.uniform(0.25, 0.8))
    for sign, name in ((-1, "left"), (1, "right")):
        here = (open_stage if room.rig.startswith(name) else stage).moved(
            sign * room.width / 2, BACK if sign < 0 else room.depth, 0, 90 if sign < 0 else -90
        )
        with_windows = room.rig.startswith(name)
        window_wall(here, length, room.height, holes if with_windows else [], rise, side) if with_windows else here.box(
            (length, 0.2, room.height), (length / 2, 0.1, 0), side
        )
        here.box((length, 0.03, 0.1), (length / 2, -0.01, 0), plain(hsv(0.1, 0.03, 0.85), 0.4))
        if not with_windows and dressed:
            dress_wall(here, length, room.height)
        if with_windows and curtains:
            cloth = fabric(rng)
            for left, right in holes:
                for x in (left - 0.1, right + 0.1):
                    curtain(here.moved(x, -0.1, 0.05), 0.45, rise[1] + 0.1, cloth)
    back = stage.moved(-room.width / 2, room.depth)
    if rear_windows:
        window_wall(back, room.width, room.height, spans(0.7, room.width - 0.7, 1.6, 0.5), rise, rear)
    else:
        back.box((room.width, 0.2, room.height), (room.width / 2, 0.1, 0), rear)
    back.box((room.width, 0.03, 0.1), (room.width / 2, -0.01, 0), plain(hsv(0.1, 0.03, 0.85), 0.4))


def tinted(lamp: Any, warm: float) -> None:
    """Colour a lamp: 0 white, 1 as warm as a bulb, negative as blue as shade."""
    lamp.data.color = (1.0, 1.0 - 0.24 * max(warm, 0), 1.0 - 0.55 * max(warm, 0)) if warm >= 0 else (1.0 + 0.3 * warm, 1.0 + 0.1 * warm, 1.0)


def ceiling_lamps(stage: Stage, room: Room, strength: float, *, panels: bool) -> None:
    """Panels or round lamps on the ceiling; each lamp object lights two metres of depth."""
    rng = stage.rng
    rows = np.arange(BACK + 1.2, room.depth - 0.5, rng.uniform(1.9, 2.6))
    columns = np.linspace(-room.width / 2, room.width / 2, 2 + max(1, round(room.width / 3)))[1:-1]
    shine = glow((1.0, 1.0 - 0.1 * room.warm, 1.0 - 0.25 * room.warm), 1.4)
    for y in rows:
        lamp = add_light(stage.scene, "ceiling", "AREA", Vector((0, 0, 1)), at=Vector((0, y, 0)), distance=room.height - 0.06)
        lamp.data.shape, lamp.data.size, lamp.data.size_y = "RECTANGLE", room.width * 0.75, 0.9
        lamp.data.energy = 30.0 * strength * room.width * 0.75
        tinted(lamp, room.warm)
        for x in columns:
            if panels:
                stage.box((1.2, 0.6, 0.02), (x, y, room.height - 0.02), shine)
            else:
                stage.cylinder(0.13, 0.03, (x, y, room.height - 0.03), shine)


def light_room(stage: Stage, room: Room, *, panels: bool = True) -> None:
    """Light the room as its label says; only a weak share comes from elsewhere."""
    rng = stage.rng
    sign = -1.0 if room.rig.startswith("left") else 1.0
    set_sky(stage.scene, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))
    if room.rig == "top":
        ceiling_lamps(stage, room, rng.uniform(0.9, 1.2), panels=panels)
        return
    ceiling_lamps(stage, room, rng.uniform(0.06, 0.14), panels=panels)
    if room.rig.endswith("soft"):
        for y, share in ((-1.0, 1.5), (1.6, 1.0), (4.2, 0.8)):
            if y < room.depth - 0.8:
                at = Vector((sign * (room.width / 2 - 0.12), y, 1.75))
                lamp = add_light(stage.scene, "window", "AREA", Vector((sign, 0, 0.12)).normalized(), at=at, distance=0.0)
                lamp.data.shape, lamp.data.size, lamp.data.size_y = "RECTANGLE", 2.0, 1.9
                lamp.data.energy = 110.0 * share * (room.width / 6)
                tinted(lamp, rng.uniform(-0.35, 0.1))
        return
    towards = direction(sign * rng.uniform(34, 46), rng.uniform(24, 32))
    sun = add_light(stage.scene, "sun", "SUN", towards)
    sun.data.energy, sun.data.angle = 4.2, 0.012
    tinted(sun, rng.uniform(0.1, 0.4))
    add_window_shadow(stage, towards, room)
    add_area(stage.scene, "fill", direction(-sign * 30, 10), 0.35, 3.2, (2.5, 2.0)).data.color = (0.85, 0.93, 1.0)


def add_window_shadow(stage: Stage, towards: Vector, room: Room) -> None:
    """Bars of a large window behind the camera: they throw the pattern of its panes into the room; only the sun's light meets them."""
    dark = plain((0.1, 0.1, 0.1))
    foot = Vector((0, 2.5, 1.4)) + towards * 7.0
    wide, tall = stage.rng.uniform(1.3, 2.0), stage.rng.uniform(1.2, 1.7)
    for k in range(-4, 5):
        for size, at in (
            ((0.12, 0.1, 12.0), (foot.x + (k + 0.5) * wide, foot.y, foot.z - 6)),
            ((20.0, 0.1, 0.12), (foot.x, foot.y, foot.z + (k + 0.5) * tall)),
        ):
            bar = stage.box(size, at, dark)
            bar.visible_diffuse = bar.visible_glossy = bar.visible_camera = False
