"""Larger rooms: shop, library, gym with a stage."""

from __future__ import annotations

import numpy as np

from people import art
from people import furniture as fit
from people.blender import Stage
from people.interiors import Walk
from people.nature import potted_plant
from people.rooms import Room, build_shell, floor_cover, light_room
from people.surfaces import glow, hsv, palette, picture, plain, spread, wood


def shop(stage: Stage, rig: str) -> Walk:
    """A shop: racks of goods along aisles and on the rear wall, signs from the ceiling, stands with clothes."""
    rng = stage.rng
    room = Room(rng.uniform(8, 11), rng.uniform(10, 13), rng.uniform(3.0, 3.6), rig, 0.1)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["tiles", "boards"]))))
    rear, half = room.depth, room.width / 2
    body = plain(hsv(0, 0, rng.uniform(0.3, 0.9)), 0.5)
    for x in np.arange(-half + 0.7, half - 0.3, 1.25):
        fit.shelf(stage.moved(x, rear - 0.25), 1.22, 2.1, 0.4, fill="goods", body=body)
    for x in np.arange(-half + 1.6, half - 1.0, 2.3):
        for k in range(2):
            fit.shelf(stage.moved(x, 5.6 + 1.75 * k, 0, 90 if x < 0 else -90), 1.5, rng.uniform(1.3, 1.7), 0.45, fill="goods", body=body, boards=4)
        stage.card(0.42, 0.9, (x, 5.6 - 0.78, 0.85), picture(art.poster(rng)))
    for sign in (-1, 1):
        for y in np.arange(2.4, 5.2, 1.3):
            spot = stage.moved(sign * (half - 0.3), y, 0, -90 * sign)
            if rng.random() < 0.6:
                fit.shelf(spot, 1.22, rng.uniform(1.4, 2.0), 0.4, fill="goods", body=body)
            else:
                clothes_rail(spot)
    for k in range(4):
        pixels = art.sign(rng)
        stage.card(1.5, 0.35, (rng.uniform(-half + 1, half - 1), 5.0 + 1.5 * k, room.height - 0.5), picture(pixels))
    light_room(stage, room)
    return Walk(0.9, 4.5, -half + 1.0, half - 1.0)


def clothes_rail(stage: Stage) -> None:
    """A rail with clothes."""
    rng = stage.rng
    frame = fit.metal(rng)
    for x in (-0.6, 0.6):
        stage.cylinder(0.018, 1.5, (x, 0, 0), frame)
    stage.cylinder(0.018, 1.2, (-0.6, 0, 1.48), frame, axis="x")
    for x in np.arange(-0.52, 0.55, 0.06):
        stage.box((0.045, 0.42, rng.uniform(0.6, 0.95)), (x, 0, 0.5), fit.fabric(rng), bevel=0.02, turn=rng.uniform(-8, 8))


def library(stage: Stage, rig: str) -> Walk:
    """A library: walls of books, reading tables with lamps, a trolley."""
    rng = stage.rng
    room = Room(rng.uniform(7, 9), rng.uniform(8.5, 10.5), rng.uniform(3.0, 3.6), rig, 0.45)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["carpet", "boards"]))))
    rear, half = room.depth, room.width / 2
    body = wood(hsv(rng.uniform(0.04, 0.09), 0.55, rng.uniform(0.3, 0.65)), along="z")
    for x in np.arange(-half + 0.6, half - 0.3, 1.02):
        fit.shelf(stage.moved(x, rear - 0.2), 1.0, 2.35, 0.32, fill="books", body=body, boards=6)
    for sign in (-1, 1):
        for y in (2.7, 3.75, 4.8):
            fit.shelf(stage.moved(sign * (half - 0.2), y, 0, -90 * sign), 1.0, 2.1, 0.32, fill="books", body=body, boards=5)
    for x in np.linspace(-half + 1.6, half - 1.6, 3):
        fit.shelf(stage.moved(x, rear - 2.1), 1.6, 1.3, 0.5, fill="books", body=body, boards=3)
        potted_plant(stage.moved(x, rear - 2.1, 1.3), 0.45)
    for x in (-1.7, 1.5):
        fit.table(stage.moved(x, 5.4), 1.7, 0.85, 0.75, body, body)
        fit.clutter(stage.moved(x, 5.4, 0.75), 1.3, 0.5, 7)
        stage.cylinder(0.012, 0.4, (x, 5.4, 0.75), fit.metal(rng))
        stage.cylinder(0.13, 0.11, (x, 5.4, 1.13), glow((1.0, 0.85, 0.6), 0.9), top=0.6)
        for side in (-0.4, 0.4):
            fit.chair(stage.moved(x + side, 6.0), body, body)
    for k in range(3):
        stage.card(0.9, 0.25, (-half + 1.3 + k * (room.width - 2.6) / 2, rear - 0.38, 2.55), picture(art.sign(rng)))
    light_room(stage, room)
    return Walk(0.9, 4.4, -half + 0.85, half - 0.85)


def gym(stage: Stage, rig: str) -> Walk:
    """A hall with a stage: curtain, loudspeakers, wall bars, lines on the floor, stacks of chairs, mats."""
    rng = stage.rng
    room = Room(rng.uniform(11, 14), rng.uniform(13, 17), rng.uniform(5, 6), rig, 0.2)
    build_shell(stage, room, wood(hsv(0.085, 0.5, 0.72), along="x", planks=0.1, roughness=0.25), walls="plain")
    rear, half = room.depth, room.width / 2
    for colour, at, size in ((0.0, (0, 5.0), (8.0, 0.06)), (0.6, (0, 7.5), (10.0, 0.06)), (0.15, (-3, 6), (0.06, 9)), (0.15, (3, 6), (0.06, 9))):
        stage.box((*size, 0.002), (*at, 0), plain(hsv(colour, 0.8, 0.8), 0.3))
    front = wood(hsv(0.08, 0.5, 0.5), along="z")
    stage.box((8, 2.6, 1.0), (0, rear - 1.3, 0), front)
    stage.box((8.1, 2.7, 0.05), (0, rear - 1.3, 1.0), wood(hsv(0.08, 0.5, 0.4)))
    cloth = plain(hsv(rng.choice([0.0, 0.62, 0.35, 0.9]), 0.75, 0.45), 0.95)
    for x, wide in ((-3.3, 1.7), (3.3, 1.7), (0, 8)):
        fit.curtain(stage.moved(x, rear - (0.4 if wide == 8 else 1.9), 1.05), wide, 3.3, cloth)
    stage.box((8.4, 0.5, 0.7), (0, rear - 2.0, 4.2), cloth)
    dark = plain((0.03, 0.03, 0.03), 0.6)
    for x in (-3.6, 3.6):
        stage.box((0.5, 0.4, 1.0), (x, rear - 2.4, 1.05), dark, bevel=0.02)
        stage.cylinder(0.17, 0.01, (x, rear - 2.6, 1.4), plain((0.1, 0.1, 0.1), 0.3), axis="y")
    fit.table(stage.moved(1.6, rear - 1.6, 1.05), 1.2, 0.5, 1.0, front, front)
    for k in range(9):
        stage.card(0.55, 0.8, (-half + 0.9 + 0.35 * k, rear - 0.01, 3.0), picture(art.sign(rng))) if k % 3 == 0 else None
    bars = wood(hsv(0.09, 0.45, 0.65), along="y")
    for sign in (-1, 1):
        spot = stage.moved(sign * (half - 0.1), 0)
        for y in np.arange(4, 9.5, 1.0):
            spot.box((0.12, 0.06, 2.6), (0, y, 0), bars)
        for z in np.arange(0.2, 2.6, 0.18):
            spot.box((0.04, 5.0, 0.035), (-0.05 * sign, 6.5, z), bars)
    mats = palette(spread(rng, 5, (0.6, 0.9), (0.3, 0.8)), 0.6)
    for k in range(8):
        stage.box((2.0, 1.1, 0.09), (half - 1.8, rear - 4.0, 0.095 * k), mats, bevel=0.02, turn=rng.uniform(-4, 4))
    for row in range(3):
        for x in np.arange(-3.8, 4, 0.62):
            fit.chair(stage.moved(x + rng.uniform(-0.05, 0.05), rear - 5.6 + 0.95 * row, 0, rng.uniform(-8, 8)), mats, dark)
    fit.clock(stage, (half - 1.2, rear, 3.4))
    light_room(stage, room)
    return Walk(1.0, rear - 6.6, -half + 0.8, half - 0.8)
