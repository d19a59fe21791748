"""Parts of a town: facades, cars, lamp posts, benches, and the light of the sky; facades run along +x of their own frame and face -y."""

from __future__ import annotations

from typing import Any

import numpy as np

from people import art
from people.blender import Stage
from people.light import add_sun, direction, set_sky
from people.surfaces import Surface, bricks, dimmer, glow, hsv, hue, mottled, palette, picture, plain, spread, wood


def light_outdoors(stage: Stage, rig: str) -> None:
    """Overcast, hazy or clear: the sky that lights, the sky that one sees, the sun. Same angles as the rigs for people."""
    rng = stage.rng
    overcast = {"top": 1.0, "soft": rng.uniform(0.4, 0.75), "hard": rng.uniform(0, 0.2)}[rig.rsplit("-", maxsplit=1)[-1]]
    sign = -1.0 if rig.startswith("left") else 1.0
    backdrop = stage.card(620, 200, (0, 220, 96), picture(art.sky(rng, overcast), glow=1.0))
    for seen in ("diffuse", "shadow", "glossy"):
        setattr(backdrop, f"visible_{seen}", False)
    if rig == "top":
        set_sky(stage.scene, (1.25, 1.28, 1.35), (0.25, 0.25, 0.24))
        return
    if rig.endswith("soft"):
        set_sky(stage.scene, (0.7, 0.75, 0.84), (0.2, 0.2, 0.2))
        sun = add_sun(stage.scene, "haze", direction(sign * rng.uniform(42, 55), rng.uniform(24, 34)), 1.1, 40.0)
        sun.data.color = (1.0, 0.95, 0.88)
        return
    set_sky(stage.scene, (0.55, 0.68, 0.9), (0.15, 0.15, 0.15))
    sun = add_sun(stage.scene, "sun", direction(sign * rng.uniform(32, 45), rng.uniform(32, 42)), 1.6, 0.6)
    sun.data.color = (1.0, 0.93, 0.82)


def glass(rng: np.random.Generator) -> Any:
    """Window glass by day: dark, with the sky in it, each pane a little different."""
    made = Surface(0.06, 0.9)
    tone = hsv(0.58, 0.25, rng.uniform(0.12, 0.3))
    curtain = made.node("ValToRGB", {0: made.node("ObjectInfo").outputs["Random"]})
    curtain.color_ramp.interpolation = "CONSTANT"
    for place, colour in zip((0.0, 0.6), (tone, dimmer(hsv(0.1, 0.1, 0.75), 0.7)), strict=True):
        element = curtain.color_ramp.elements[0 if place == 0 else 1]
        element.position, element.color = place, (*colour, 1.0)
    return made.done(curtain.outputs["Color"])


def front_wall(rng: np.random.Generator) -> Any:
    """A facade's wall: plaster or bricks."""
    if rng.random() < 0.4:
        base = hsv(rng.uniform(0.0, 0.08), rng.uniform(0.25, 0.55), rng.uniform(0.4, 0.7))
        return bricks(base, dimmer(base, 0.7), hsv(0.1, 0.08, 0.65), (0.25, 0.08))
    tone = hsv(rng.uniform(0.02, 0.16) if rng.random() < 0.8 else rng.uniform(), rng.uniform(0.05, 0.4), rng.uniform(0.55, 0.88))
    return mottled(tone, dimmer(tone, 0.85), 6.0, bump=0.1, stain=0.7)


def facade(stage: Stage, width: float, floors: int, *, shop: bool) -> None:
    """A house front of some floors with windows, sills and cornices; a shop or a door below."""
    rng = stage.rng
    wall, trim, pane = front_wall(rng), plain(hsv(0.1, rng.uniform(0, 0.15), rng.uniform(0.6, 0.92))), glass(rng)
    rise, ground = rng.uniform(2.9, 3.4), rng.uniform(3.3, 3.9)
    height = ground + rise * floors
    stage.box((width, 6.0, height), (width / 2, 3.0, 0), wall)
    stage.box((width, 0.35, 0.3), (width / 2, -0.05, height), trim)
    stage.box((width, 0.14, 0.18), (width / 2, -0.03, ground - 0.25), trim)
    stage.box((width, 0.06, 0.5), (width / 2, -0.01, 0), plain(hsv(0.1, 0.05, 0.4), 0.9))
    count = max(2, int(width / rng.uniform(1.8, 2.6)))
    wide, tall = width / count * rng.uniform(0.42, 0.58), rise * rng.uniform(0.5, 0.62)
    balcony, dark = rng.random() < 0.35, plain(hsv(0.6, 0.1, 0.12), 0.4)
    for k in range(count):
        x = width * (k + 0.5) / count
        for floor in range(floors):
            z = ground + floor * rise + 0.55
            stage.box((wide + 0.16, 0.1, tall + 0.16), (x, 0.02, z - 0.08), trim)
            stage.box((wide, 0.06, tall), (x, -0.02, z), pane)
            stage.box((0.05, 0.03, tall), (x, -0.055, z), trim)
            stage.box((wide, 0.03, 0.05), (x, -0.055, z + tall * 0.65), trim)
            stage.box((wide + 0.3, 0.2, 0.06), (x, -0.08, z - 0.12), trim)
            if balcony and k % 2 == floor % 2:
                stage.box((wide + 0.9, 0.8, 0.1), (x, -0.4, z - 0.25), trim)
                stage.box((wide + 0.9, 0.03, 0.04), (x, -0.78, z + 0.7), dark)
                for bar in np.linspace(-wide / 2 - 0.42, wide / 2 + 0.42, 12):
                    stage.box((0.02, 0.02, 0.9), (x + bar, -0.78, z - 0.2), dark)
    if shop:
        shop_front(stage, width, ground)
        return
    for k in range(count):
        x = width * (k + 0.5) / count
        if k == count // 2:
            stage.box((1.1, 0.1, 2.3), (x, -0.02, 0.1), wood(hsv(hue(rng), 0.5, 0.35), along="z"), bevel=0.01)
        else:
            stage.box((wide, 0.06, 1.5), (x, -0.02, 1.2), pane)
            stage.box((wide + 0.2, 0.12, 0.08), (x, -0.05, 1.1), trim)


def shop_front(stage: Stage, width: float, ground: float) -> None:
    """Large panes with goods behind them, a sign, an awning."""
    rng = stage.rng
    frame = plain(hsv(hue(rng), rng.uniform(0, 0.7), rng.uniform(0.1, 0.6)), 0.4)
    stage.box((width - 0.4, 0.12, ground - 0.5), (width / 2, -0.04, 0.05), frame)
    panes = max(2, int(width / 2.2))
    step = (width - 0.7) / panes
    for k in range(panes):
        inside = picture(art.shop_inside(rng), glow=0.45, roughness=0.08, specular=0.8)
        stage.card(step - 0.15, ground - 1.45, (0.35 + step * (k + 0.5), -0.11, 0.45 + (ground - 1.45) / 2), inside)
    stage.card(min(width - 0.8, 5.0), 0.55, (width / 2, -0.115, ground - 0.72), picture(art.sign(rng), glow=0.25))
    if rng.random() < 0.6:
        cloth = palette(spread(rng, 2, (0.5, 0.9), (0.4, 0.9)), 0.9)
        for x in np.arange(0.35, width - 0.5, 0.4):
            stage.moved(x + 0.2, -0.05, ground - 1.1, 0, 24).box((0.4, 0.04, 0.01), (0, 0, 0), cloth)
            stage.moved(x + 0.2, -0.6, ground - 1.32, 0, 22).box((0.4, 1.2, 0.02), (0, 0, 0.05), cloth)


def car(stage: Stage, paint: Any) -> None:
    """A parked car along y, its middle at the origin."""
    rng, dark = stage.rng, plain((0.012, 0.012, 0.014), 0.12, specular=0.8)
    long, tall = rng.uniform(3.9, 4.6), rng.uniform(1.42, 1.7)
    rubber, rim = plain((0.015, 0.015, 0.015), 0.8), plain(hsv(0, 0, 0.6), 0.3, 1.0)
    belt = 0.86
    body = np.array(
        [(-long / 2, 0.3), (-long / 2, 0.72), (-long / 2 + 0.25, belt), (long / 2 - 0.95, belt + 0.02), (long / 2 - 0.05, 0.7), (long / 2, 0.3)]
    )
    cabin = np.array(
        [(-long / 2 + 0.12, belt), (-long / 2 + 0.5, tall - 0.06), (-long / 2 + 0.8, tall), (0.35, tall), (0.62, tall - 0.07), (long / 2 - 0.9, belt)]
    )
    extrude(stage, body, 0.88, 0.86, paint)
    extrude(stage, cabin, 0.84, 0.66, dark)
    roof = np.array([(-long / 2 + 0.5, tall - 0.05), (-long / 2 + 0.8, tall + 0.012), (0.35, tall + 0.012), (0.62, tall - 0.06)])
    extrude(stage, roof, 0.68, 0.66, paint)
    for y in (-long / 2 + 0.55, -0.25):
        for sign in (-1, 1):
            stage.moved(sign * 0.76, y, belt, 0).box((0.1, 0.09, tall - belt - 0.02), (0, 0, 0), paint)
    for y in (-long / 2 + 0.8, long / 2 - 0.8):
        for x in (-0.88, 0.68):
            stage.cylinder(0.33, 0.21, (x, y, 0.33), rubber, axis="x", sides=28)
            stage.cylinder(0.2, 0.235, (x - 0.012, y, 0.33), rim, axis="x", sides=16)
    for x in (-0.65, 0.65):
        stage.box((0.32, 0.05, 0.14), (x, -long / 2 + 0.01, 0.6), glow((0.6, 0.02, 0.01), 0.35), bevel=0.02)
        stage.box((0.34, 0.08, 0.13), (x, long / 2 - 0.06, 0.55), plain((0.85, 0.87, 0.9), 0.1), bevel=0.02)
    stage.box((0.52, 0.02, 0.11), (0, -long / 2 - 0.01, 0.42), plain((0.8, 0.8, 0.75), 0.4))
    stage.box((1.7, 0.1, 0.14), (0, -long / 2 + 0.02, 0.28), rubber)


def extrude(stage: Stage, outline: np.ndarray, low: float, high: float, material: Any) -> None:
    """A body of an outline in (y, z), as wide as `low` at its lowest and `high` at its highest point (half widths), smoothed by bevels."""
    z = outline[:, 1]
    half = low + (high - low) * (z - z.min()) / np.ptp(z)
    n = len(outline)
    points = np.concatenate([np.column_stack([s * half, outline]) for s in (-1, 1)])
    faces = [[k, (k + 1) % n, n + (k + 1) % n, n + k] for k in range(n)] + [list(range(n))[::-1], list(range(n, 2 * n))]
    thing = stage.mesh(points, faces, material)
    bevel = thing.modifiers.new("bevel", "BEVEL")
    bevel.width, bevel.segments = 0.05, 3
    thing.data.shade_smooth()


def lamp_post(stage: Stage, height: float = 5.5) -> None:
    """A street lamp with an arm along +x."""
    dark = plain(hsv(0.4, 0.2, 0.18), 0.5)
    stage.cylinder(0.06, height, (0, 0, 0), dark, top=0.6)
    stage.cylinder(0.12, 0.8, (0, 0, 0), dark, top=0.7)
    stage.cylinder(0.035, 1.0, (0, 0, height - 0.05), dark, axis="x")
    stage.box((0.55, 0.22, 0.1), (1.0, 0, height - 0.08), dark, bevel=0.03)


def bench(stage: Stage, length: float = 1.8) -> None:
    """A bench of slats that faces -y."""
    slats, iron = wood(hsv(0.07, 0.5, stage.rng.uniform(0.3, 0.55))), plain((0.03, 0.03, 0.03), 0.5)
    for k in range(4):
        stage.box((length, 0.09, 0.035), (0, -0.2 + 0.12 * k, 0.43), slats, bevel=0.008)
    for k in range(3):
        stage.box((length, 0.03, 0.09), (0, 0.26 + 0.03 * k, 0.53 + 0.13 * k), slats, bevel=0.008)
    for x in (-length / 2 + 0.25, length / 2 - 0.25):
        stage.box((0.06, 0.5, 0.05), (x, 0, 0.38), iron)
        stage.box((0.06, 0.06, 0.9), (x, 0.3, 0), iron)
        stage.box((0.06, 0.06, 0.4), (x, -0.2, 0), iron)


def bin_and_sign(stage: Stage) -> None:
    """A litter bin and a traffic sign."""
    stage.cylinder(0.22, 0.85, (0, 0, 0), plain(hsv(hue(stage.rng), 0.5, 0.3), 0.5))
    stage.cylinder(0.03, 2.6, (0, 0.7, 0), plain(hsv(0, 0, 0.6), 0.4, 1.0))
    stage.card(0.55, 0.55, (0, 0.66, 2.35), picture(art.sign(stage.rng)[:, :64]))


def far_town(stage: Stage, depth: float, span: float) -> None:
    """Blocks and trees at the end of the view."""
    rng, x = stage.rng, -span
    walls = palette([hsv(rng.uniform(0.03, 0.14), rng.uniform(0.05, 0.3), rng.uniform(0.5, 0.85)) for _ in range(8)], 0.9)
    panes = plain(hsv(0.6, 0.2, 0.3), 0.2)
    while x < span:
        wide, tall = rng.uniform(6, 16), rng.uniform(6, 17)
        stage.box((wide, 8, tall), (x + wide / 2, depth + 4, 0), walls)
        for column in np.arange(x + 1.2, x + wide - 1, 2.4):
            for z in np.arange(1.5, tall - 1.5, 3.0):
                stage.box((1.1, 0.1, 1.6), (column, depth, z), panes)
        x += wide + rng.uniform(0, 4) * (rng.random() < 0.3)


def ground(stage: Stage, material: Any, span: float, start: float, end: float, z: float = 0.0) -> None:
    """A flat ground."""
    stage.box((2 * span, end - start, 0.2), (0, (start + end) / 2, z - 0.2), material)
