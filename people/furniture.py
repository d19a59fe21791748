"""Furniture and clutter, each described around its own foot and facing -y; sizes in metres."""

from __future__ import annotations

from typing import Any

import numpy as np

from people import art
from people.blender import Stage
from people.surfaces import dimmer, glow, hsv, hue, mottled, palette, picture, plain, spread, wood


def wood_or_paint(rng: np.random.Generator, along: str = "x") -> Any:
    """Oak, walnut, white or a colour."""
    style = rng.random()
    if style < 0.6:
        return wood(hsv(rng.uniform(0.05, 0.1), rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.75)), along=along)
    return plain(hsv(hue(rng), rng.uniform(0, 0.5) * (style > 0.85), rng.uniform(0.5, 0.92)), 0.4)


def metal(rng: np.random.Generator) -> Any:
    """Steel, black or chrome."""
    return plain(hsv(0.6, 0.05, rng.choice([0.1, 0.25, 0.75])), rng.uniform(0.25, 0.5), metallic=float(rng.random() < 0.5))


def fabric(rng: np.random.Generator) -> Any:
    """Cloth of a muted colour."""
    tone = hsv(hue(rng), rng.uniform(0.05, 0.5), rng.uniform(0.25, 0.75))
    return mottled(tone, dimmer(tone, 0.7), 35.0, roughness=0.95)


def table(stage: Stage, width: float, depth: float, height: float, top: Any, legs: Any) -> None:
    """A table with four legs."""
    stage.box((width, depth, 0.035), (0, 0, height - 0.035), top, bevel=0.008)
    for x in (-1, 1):
        for y in (-1, 1):
            stage.box((0.05, 0.05, height - 0.03), (x * (width / 2 - 0.06), y * (depth / 2 - 0.06), 0), legs)
    stage.box((width - 0.14, 0.02, 0.07), (0, -(depth / 2 - 0.07), height - 0.105), legs)


def round_table(stage: Stage, radius: float, height: float, top: Any, legs: Any) -> None:
    """A round table on one leg."""
    stage.cylinder(radius, 0.03, (0, 0, height - 0.03), top, sides=40)
    stage.cylinder(0.035, height - 0.03, (0, 0, 0), legs)
    stage.cylinder(radius * 0.6, 0.02, (0, 0, 0), legs, sides=32)


def chair(stage: Stage, seat: Any, legs: Any, *, height: float = 0.45, back: float = 0.45) -> None:
    """A chair with slats or a full back; the sitter faces -y."""
    stage.box((0.44, 0.43, 0.045), (0, 0, height), seat, bevel=0.018)
    for x in (-0.19, 0.19):
        stage.box((0.035, 0.035, height), (x, -0.18, 0), legs)
        stage.box((0.035, 0.035, height + back), (x, 0.19, 0), legs)
    if back and stage.rng.random() < 0.5:
        stage.box((0.42, 0.03, back * 0.62), (0, 0.2, height + back * 0.4), seat, bevel=0.012)
    elif back:
        for k in range(3):
            stage.box((0.4, 0.02, back * 0.14), (0, 0.19, height + back * (0.25 + 0.28 * k)), legs)


def office_chair(stage: Stage, seat: Any, frame: Any) -> None:
    """A chair on castors."""
    stage.box((0.48, 0.46, 0.08), (0, 0, 0.45), seat, bevel=0.035)
    stage.box((0.44, 0.07, 0.58), (0, 0.24, 0.62), seat, bevel=0.033)
    stage.cylinder(0.025, 0.4, (0, 0, 0.06), frame)
    for turn in range(0, 360, 72):
        stage.moved(0, 0, 0, turn).box((0.04, 0.3, 0.03), (0, 0.15, 0.05), frame)
    for x in (-0.27, 0.27):
        stage.box((0.04, 0.26, 0.03), (x, 0.03, 0.68), frame, bevel=0.01)


def sofa(stage: Stage, width: float, cloth: Any) -> None:
    """A sofa with seat and back cushions and a few coloured ones."""
    stage.box((width, 0.85, 0.3), (0, 0, 0.1), cloth, bevel=0.05)
    for x in (-1, 1):
        stage.box((0.16, 0.85, 0.52), (x * (width / 2 - 0.08), 0, 0.1), cloth, bevel=0.06)
    count = max(1, round((width - 0.32) / 0.75))
    for k in range(count):
        wide = (width - 0.34) / count
        x = -width / 2 + 0.17 + wide * (k + 0.5)
        stage.box((wide - 0.01, 0.62, 0.15), (x, -0.1, 0.38), cloth, bevel=0.05)
        stage.moved(x, 0.27, 0.5, 0, -12).box((wide - 0.02, 0.16, 0.42), (0, 0, 0), cloth, bevel=0.06)
        if stage.rng.random() < 0.7:
            pillow = stage.moved(x + stage.rng.uniform(-0.15, 0.15), 0.1, 0.52, stage.rng.uniform(-25, 25), -20)
            pillow.box((0.42, 0.12, 0.4), (0, 0, 0), fabric(stage.rng), bevel=0.055)


def books(stage: Stage, width: float, height: float, depth: float, spines: Any) -> None:
    """A row of books along x on a board."""
    rng, x = stage.rng, 0.0
    while x < width - 0.03:
        thick, tall = rng.uniform(0.015, 0.055), height * rng.uniform(0.6, 0.95)
        if rng.random() < 0.06:
            x += rng.uniform(0.05, 0.25)
            continue
        if x + thick > width:
            break
        stage.box((thick * 0.96, depth * rng.uniform(0.7, 0.9), tall), (x + thick / 2, rng.uniform(-0.02, 0.01), 0), spines)
        if rng.random() < 0.35:
            stage.box((thick * 0.97, depth * 0.92, tall * 0.07), (x + thick / 2, -0.006, tall * rng.uniform(0.55, 0.8)), spines)
        x += thick


def goods(stage: Stage, width: float, height: float, depth: float, kinds: list[Any]) -> None:
    """A row of goods in groups of equal things: boxes, bottles, tins."""
    rng, x = stage.rng, 0.02
    while x < width - 0.1:
        material = kinds[int(rng.integers(len(kinds)))]
        wide, tall, form = rng.uniform(0.06, 0.2), height * rng.uniform(0.4, 0.85), rng.random()
        for _ in range(int(rng.integers(2, 6))):
            if x + wide > width:
                return
            if form < 0.55:
                stage.box((wide * 0.94, depth * 0.7, tall), (x + wide / 2, 0, 0), material)
            else:
                stage.cylinder(wide * 0.42, tall * 0.75, (x + wide / 2, 0, 0), material, top=0.95, sides=14)
                stage.cylinder(wide * 0.2, tall * 0.25, (x + wide / 2, 0, tall * 0.75), material, sides=10)
            x += wide
        x += rng.uniform(0, 0.05)


def shelf(stage: Stage, width: float, height: float, depth: float, *, fill: str, body: Any, boards: int = 5) -> None:
    """A rack along x with its back at +y; `fill` is "books", "goods" or "mixed"."""
    rng = stage.rng
    for x in (-width / 2, width / 2):
        stage.box((0.03, depth, height), (x, 0, 0), body)
    stage.box((width, 0.015, height), (0, depth / 2, 0), body)
    spines = palette(spread(rng, 14, (0.2, 0.8), (0.15, 0.8)), 0.6)
    kinds = [palette([colour], 0.35) for colour in spread(rng, 7, (0.4, 0.95), (0.3, 0.95))]
    step = (height - 0.06) / boards
    for k in range(boards + 1):
        stage.box((width, depth, 0.025), (0, 0, min(k * step + 0.03, height - 0.025)), body)
        if k == boards:
            break
        row = stage.moved(-width / 2 + 0.03, -0.02, k * step + 0.055)
        if fill == "goods":
            goods(row, width - 0.06, step * 0.85, depth, kinds)
            stage.box((width, 0.01, 0.03), (0, -depth / 2, k * step + 0.025), kinds[0])
        elif fill == "books" or rng.random() < 0.6:
            books(row, (width - 0.06) * (1.0 if fill == "books" else rng.uniform(0.4, 1)), step * 0.9, depth, spines)
        else:
            clutter(row.moved((width - 0.06) / 2, 0), (width - 0.06) * 0.8, depth * 0.5, int(rng.integers(2, 5)))


def clutter(stage: Stage, width: float, depth: float, count: int) -> None:
    """Small things on a surface: mugs, boxes, papers, books in a pile, bottles."""
    rng = stage.rng
    for _ in range(count):
        spot = stage.moved(rng.uniform(-width / 2, width / 2), rng.uniform(-depth / 2, depth / 2), 0, rng.uniform(-40, 40))
        colour = plain(hsv(hue(rng), rng.uniform(0, 0.8), rng.uniform(0.25, 0.95)), 0.35)
        kind = int(rng.integers(6))
        if kind == 0:
            spot.cylinder(0.04, 0.095, (0, 0, 0), colour, top=1.05)
        elif kind == 1:
            spot.box((rng.uniform(0.08, 0.25), rng.uniform(0.06, 0.18), rng.uniform(0.04, 0.2)), (0, 0, 0), colour, bevel=0.006)
        elif kind == 2:
            for k in range(int(rng.integers(1, 4))):
                spot.moved(0, 0, 0.028 * k, rng.uniform(-20, 20)).box((0.21, 0.15, 0.025), (0, 0, 0), plain(spread(rng, 1)[0], 0.5))
        elif kind == 3:
            spot.card(0.21, 0.3, (0, 0, 0.004), picture(art.paper(rng)), tilt=90)
        elif kind == 4:
            spot.cylinder(0.035, 0.2, (0, 0, 0), colour)
            spot.cylinder(0.035, 0.05, (0, 0, 0.2), colour, top=0.35)
            spot.cylinder(0.013, 0.05, (0, 0, 0.25), colour)
        else:
            spot.box((0.3, 0.21, 0.012), (0, 0, 0), colour, bevel=0.004)


def desk(stage: Stage, width: float, top: Any, legs: Any) -> None:
    """A desk with a screen that faces the sitter at -y, keyboard and clutter."""
    rng = stage.rng
    table(stage, width, 0.75, 0.74, top, legs)
    black = plain(hsv(0, 0, 0.08), 0.4)
    spot = stage.moved(rng.uniform(-0.2, 0.2), 0.15, 0.74, rng.uniform(-15, 15))
    spot.box((0.24, 0.18, 0.015), (0, 0, 0), black)
    spot.box((0.05, 0.03, 0.2), (0, 0.03, 0), black)
    spot.box((0.56, 0.035, 0.34), (0, 0, 0.12), black, bevel=0.01)
    spot.card(0.54, 0.31, (0, -0.019, 0.29), picture(art.desktop(rng), glow=0.7, roughness=0.2))
    stage.box((0.42, 0.14, 0.02), (0, -0.17, 0.74), black, bevel=0.006)
    clutter(stage.moved(0, 0, 0.74), width * 0.85, 0.5, int(rng.integers(3, 7)))


def floor_lamp(stage: Stage, height: float = 1.6) -> None:
    """A standing lamp that glows a little."""
    frame = metal(stage.rng)
    stage.cylinder(0.14, 0.02, (0, 0, 0), frame)
    stage.cylinder(0.012, height, (0, 0, 0), frame)
    stage.cylinder(0.2, 0.28, (0, 0, height - 0.1), glow((1.0, 0.8, 0.55), 0.9), top=0.7)


def pendant(stage: Stage, height: float, drop: float, size: float = 0.22) -> None:
    """A lamp that hangs from the ceiling at `height`."""
    shade = plain(hsv(hue(stage.rng), stage.rng.uniform(0, 0.7), stage.rng.uniform(0.1, 0.9)), 0.4)
    stage.cylinder(0.005, drop, (0, 0, height - drop), shade)
    stage.cylinder(size, size * 0.8, (0, 0, height - drop - size * 0.8), shade, top=0.3)
    stage.cylinder(size * 0.85, 0.01, (0, 0, height - drop - size * 0.8 - 0.005), glow((1.0, 0.85, 0.65), 2.0))


def framed(stage: Stage, width: float, height: float, at: tuple[float, float, float], pixels: np.ndarray, frame: Any) -> None:
    """A picture in a frame; `at` is its middle on the wall."""
    stage.box((width + 0.06, 0.03, height + 0.06), (at[0], at[1] - 0.015, at[2] - height / 2 - 0.03), frame, bevel=0.006)
    stage.card(width, height, (at[0], at[1] - 0.032, at[2]), picture(pixels, roughness=0.3))


def pictures(stage: Stage, span: tuple[float, float], y: float, count: int, height: float = 1.6) -> None:
    """Pictures in a row on a wall at depth y."""
    rng = stage.rng
    frame = wood_or_paint(rng)
    for x in np.linspace(span[0], span[1], count + 2)[1:-1]:
        tall = rng.uniform(0.35, 0.8)
        wide = tall * rng.uniform(0.65, 1.4)
        pixels = art.poster(rng, 160, int(160 * wide / tall))
        framed(stage, wide, tall, (x + rng.uniform(-0.1, 0.1), y, height + rng.uniform(-0.15, 0.2)), pixels, frame)


def door(stage: Stage, height: float = 2.1) -> None:
    """A door in its frame on a wall behind it."""
    stage.box((0.96, 0.05, height + 0.06), (0, -0.02, 0), plain(hsv(0.1, 0.05, 0.85), 0.5))
    stage.box((0.82, 0.06, height), (0, -0.03, 0), wood_or_paint(stage.rng, "z"), bevel=0.005)
    stage.box((0.12, 0.04, 0.02), (0.3, -0.08, 1.02), plain(hsv(0, 0, 0.6), 0.3, 1.0))


def curtain(stage: Stage, width: float, height: float, cloth: Any) -> None:
    """Folded cloth that hangs along x, its hem at the origin."""
    x = np.linspace(-width / 2, width / 2, int(width * 90))
    y = 0.045 * np.sin(x * 2 * np.pi / 0.14) + 0.02 * np.sin(x * 13)
    low, high = np.stack([x, y, 0 * x], 1), np.stack([x, y * 0.7, 0 * x + height], 1)
    points = np.concatenate([low, high])
    n = len(x)
    stage.mesh(points, [[k, k + 1, n + k + 1, n + k] for k in range(n - 1)], cloth, smooth=True)


def clock(stage: Stage, at: tuple[float, float, float]) -> None:
    """A wall clock."""
    dark = plain(hsv(0, 0, 0.08))
    stage.cylinder(0.17, 0.03, (at[0], at[1] - 0.03, at[2]), dark, axis="y", sides=32)
    stage.cylinder(0.15, 0.032, (at[0], at[1] - 0.033, at[2]), plain((0.9, 0.9, 0.9)), axis="y", sides=32)
    stage.box((0.012, 0.01, 0.11), (at[0], at[1] - 0.04, at[2]), dark)
    stage.moved(at[0], at[1] - 0.04, at[2]).box((0.09, 0.01, 0.012), (0.04, 0, 0), dark)


def radiator(stage: Stage, width: float) -> None:
    """A radiator with ribs below a wall's middle."""
    white = plain(hsv(0.12, 0.04, 0.88), 0.4)
    for x in np.arange(-width / 2, width / 2, 0.07):
        stage.box((0.045, 0.08, 0.55), (x, -0.07, 0.12), white, bevel=0.01)
    stage.box((width, 0.05, 0.04), (0, -0.07, 0.62), white)


def dress_wall(stage: Stage, length: float, height: float) -> None:
    """Things on and before a wall along +x of the stage: pictures, a door, radiators, switches, a rail, high shelves, a coat rack."""
    rng, x = stage.rng, rng_step(stage.rng)
    while x < length - 0.6:
        kind, spot = int(rng.integers(6)), stage.moved(x, 0)
        if kind <= 1:
            tall = rng.uniform(0.4, 0.9)
            wide = tall * rng.uniform(0.6, 1.5)
            framed(spot, wide, tall, (0, -0.01, rng.uniform(1.45, 1.75)), art.poster(rng, 120, int(120 * wide / tall)), wood_or_paint(rng))
        elif kind == 2 and x > 1.0:
            door(spot)
            spot.box((0.08, 0.02, 0.08), (0.62, -0.01, 1.1), plain((0.8, 0.8, 0.8)))
        elif kind == 3:
            radiator(spot, rng.uniform(0.7, 1.2))
        elif kind == 4:
            for z in (1.5, 1.9):
                spot.box((0.9, 0.22, 0.03), (0, -0.11, z), wood_or_paint(rng))
                clutter(spot.moved(0, -0.11, z + 0.03), 0.75, 0.06, 5)
        else:
            spot.box((0.9, 0.03, 0.1), (0, -0.02, 1.65), wood_or_paint(rng))
            for k in range(int(rng.integers(2, 5))):
                spot.box((0.28, 0.12, rng.uniform(0.6, 0.95)), (-0.36 + 0.2 * k, -0.1, 0.75), fabric(rng), bevel=0.05)
        x += rng_step(rng)
    stage.box((length, 0.02, 0.06), (length / 2, -0.01, height - 0.06), plain(hsv(0.1, 0.03, 0.85), 0.4))


def rng_step(rng: np.random.Generator) -> float:
    """Metres to the next thing on a wall."""
    return float(rng.uniform(0.9, 1.6))
