"""Furnished rooms. Each builder takes a stage and a light, builds, and returns where people can stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from people import art
from people import furniture as fit
from people.blender import Stage
from people.nature import potted_plant
from people.rooms import Room, build_shell, floor_cover, light_room
from people.surfaces import bricks, glow, hsv, hue, picture, plain, spread, wood


@dataclass(frozen=True)
class Walk:
    """Where people stand: depths from `near` to `far`, sideways from `left` to `right` (metres)."""

    near: float
    far: float
    left: float
    right: float


def living(stage: Stage, rig: str) -> Walk:
    """A living room: sofa, low table, shelf, television or pictures, plants."""
    rng = stage.rng
    room = Room(rng.uniform(5.2, 7), rng.uniform(6.6, 8), rng.uniform(2.6, 3), rig, 0.5)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["boards", "carpet"]))), curtains=True)
    rear, half = room.depth, room.width / 2
    stage.box((3.4, 2.4, 0.012), (0, rear - 1.7, 0), fit.fabric(rng))
    x = rng.uniform(-0.6, 0.6)
    fit.sofa(stage.moved(x, rear - 0.75), rng.uniform(1.9, 2.5), fit.fabric(rng))
    top = fit.wood_or_paint(rng)
    fit.table(stage.moved(x + 0.1, rear - 1.75), 1.1, 0.55, 0.42, top, top)
    fit.clutter(stage.moved(x + 0.1, rear - 1.75, 0.42), 0.8, 0.3, 5)
    fit.sofa(stage.moved(half - 0.65, rear - 2.1, 0, -75), 0.95, fit.fabric(rng))
    body = fit.wood_or_paint(rng, "z")
    fit.shelf(stage.moved(-half + 0.6, rear - 0.2), 1.0, rng.uniform(1.6, 2.2), 0.32, fill="mixed", body=body)
    fit.pictures(stage, (x - 1.3, x + 1.5), rear, int(rng.integers(2, 5)))
    potted_plant(stage.moved(half - 0.4, rear - 0.45), rng.uniform(1.1, 1.7))
    fit.floor_lamp(stage.moved(x - 1.5, rear - 0.5))
    fit.shelf(stage.moved(half - 0.2, 3.3, 0, -90), 1.6, 0.8, 0.36, fill="mixed", body=body, boards=2)
    potted_plant(stage.moved(half - 0.25, 3.1, 0.8), 0.5)
    stage.card(1.2, 0.8, (half - 0.02, 3.4, 1.6), picture(art.poster(rng, 100, 150)), turn=90)
    fit.pendant(stage.moved(x, rear - 1.8), room.height, 0.7)
    light_room(stage, room, panels=False)
    return Walk(0.9, rear - 2.5, -half + 0.6, half - 0.95)


def office(stage: Stage, rig: str) -> Walk:
    """An open office: rows of desks with screens and chairs, cupboards, whiteboard."""
    rng = stage.rng
    room = Room(rng.uniform(7.5, 10), rng.uniform(9, 12), rng.uniform(2.8, 3.2), rig, 0.05)
    build_shell(stage, room, floor_cover(rng, "carpet"), rear_windows=bool(rng.random() < 0.3))
    top, legs, seat = fit.wood_or_paint(rng), fit.metal(rng), fit.fabric(rng)
    for y in np.arange(5.2, room.depth - 0.8, 2.1):
        for x in np.arange(-room.width / 2 + 1.2, room.width / 2 - 0.8, 1.75):
            fit.desk(stage.moved(x, y, 0, 180 if rng.random() < 0.6 else 0), 1.55, top, legs)
            fit.office_chair(stage.moved(x + rng.uniform(-0.2, 0.2), y + rng.choice([0.75, -0.8]), 0, rng.uniform(-180, 180)), seat, legs)
    for sign in (-1, 1):
        for y in np.arange(2.4, 5.0, 1.3):
            fit.shelf(
                stage.moved(sign * (room.width / 2 - 0.25), y, 0, -90 * sign), 1.2, rng.uniform(1.0, 1.7), 0.4, fill="mixed", body=top, boards=4
            )
    fit.framed(stage, 2.2, 1.1, (rng.uniform(-2, 2), room.depth, 1.6), np.clip(art.poster_patch(rng, 60, 120) * 0.1 + 0.85, 0, 1), legs)
    fit.pictures(stage, (-room.width / 2 + 0.5, -2), room.depth, 2)
    fit.clock(stage, (2.6, room.depth, 2.3))
    potted_plant(stage.moved(room.width / 2 - 0.5, 4.6), 1.4)
    light_room(stage, room)
    return Walk(0.9, 3.9, -room.width / 2 + 0.9, room.width / 2 - 0.9)


def classroom(stage: Stage, rig: str) -> Walk:
    """A class or meeting room: board, rows of tables, posters, screen."""
    rng = stage.rng
    room = Room(rng.uniform(7, 9), rng.uniform(8.5, 10.5), rng.uniform(2.9, 3.3), rig, 0.1)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["tiles", "boards"]))))
    rear, half = room.depth, room.width / 2
    top, legs = wood(hsv(0.09, 0.4, 0.75)), fit.metal(rng)
    seat = plain(hsv(hue(rng), 0.6, 0.6), 0.4)
    board = hsv(0.4, 0.45, 0.25) if rng.random() < 0.5 else hsv(0, 0, 0.93)
    stage.box((4.0, 0.05, 1.3), (0, rear - 0.03, 0.9), plain(board, 0.35))
    for z in (0.87, 2.2):
        stage.box((4.1, 0.08, 0.05), (0, rear - 0.05, z), top)
    notes = np.full((128, 400, 3), np.array(board) ** (1 / 2.2))
    art.lines_of_text(rng, notes, (10, 10, 260, 120), 8, np.full(3, 0.85 if notes.mean() < 0.5 else 0.25))
    stage.card(3.8, 1.2, (0, rear - 0.066, 1.55), picture(notes, roughness=0.4))
    for y in np.arange(5.0, rear - 1.4, 1.35):
        for x in np.arange(-half + 1.1, half - 0.9, 1.6):
            fit.table(stage.moved(x, y), 1.25, 0.55, 0.72, top, legs)
            fit.clutter(stage.moved(x, y, 0.72), 1.0, 0.3, int(rng.integers(0, 5)))
            for side in (-0.3, 0.3):
                fit.chair(stage.moved(x + side, y + 0.5 + rng.uniform(-0.05, 0.1), 0, rng.uniform(-12, 12)), seat, legs)
    for k in range(5):
        side = -1 if k % 2 else 1
        if not rig.startswith("left" if side < 0 else "right"):
            wide = rng.uniform(0.5, 0.9)
            stage.card(wide, wide * 1.3, (side * (half - 0.01), 2.8 + 1.1 * k, 1.7), picture(art.poster(rng)), turn=90 * side)
    fit.pictures(stage, (-half + 0.2, -2.1), rear, 2)
    fit.pictures(stage, (2.1, half - 0.2), rear, 2)
    fit.clock(stage, (0, rear, 2.6))
    light_room(stage, room)
    return Walk(0.9, 4.2, -half + 0.5, half - 0.5)


def cafe(stage: Stage, rig: str) -> Walk:
    """A cafe: counter with machine and bottles, menu boards, tables with chairs, pendants."""
    rng = stage.rng
    room = Room(rng.uniform(6.5, 8.5), rng.uniform(8, 10), rng.uniform(2.9, 3.4), rig, 0.55)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["boards", "tiles"]))), walls=str(rng.choice(["brick", "strong"])))
    rear, half = room.depth, room.width / 2
    front, top = fit.wood_or_paint(rng, "z"), fit.wood_or_paint(rng)
    stage.box((room.width * 0.7, 0.6, 1.05), (0.5, rear - 1.7, 0), front)
    stage.box((room.width * 0.72, 0.7, 0.05), (0.5, rear - 1.7, 1.05), top, bevel=0.01)
    steel = plain(hsv(0.6, 0.03, 0.7), 0.25, 1.0)
    stage.box((0.8, 0.45, 0.45), (-0.6, rear - 1.6, 1.1), steel, bevel=0.04)
    stage.box((1.2, 0.5, 0.4), (1.4, rear - 1.7, 1.1), picture(art.shop_inside(rng)), bevel=0.01)
    fit.clutter(stage.moved(0.6, rear - 1.75, 1.1), room.width * 0.6, 0.3, 16)
    for z in (1.35, 1.75, 2.15):
        stage.box((room.width * 0.6, 0.25, 0.03), (0, rear - 0.13, z), top)
        row = stage.moved(-room.width * 0.3, rear - 0.15, z + 0.03)
        fit.goods(row, room.width * 0.6, 0.33, 0.16, [plain(c, 0.2) for c in spread(rng, 6, (0.3, 0.9), (0.2, 0.9))])
    for k in range(3):
        fit.framed(stage, 0.8, 0.6, (-1.2 + 1.1 * k, rear - 0.02, room.height - 0.4), art.poster(rng, 90, 120) * 0.5, front)
    seat, legs = fit.wood_or_paint(rng), fit.metal(rng)
    for x, y in ((-half + 0.8, 4.6), (half - 0.8, 4.4), (-half + 0.8, 3.0), (half - 0.75, 2.7), (-1.3, rear - 2.9), (1.5, rear - 3.0)):
        fit.round_table(stage.moved(x, y), 0.36, 0.74, top, legs)
        fit.clutter(stage.moved(x, y, 0.74), 0.4, 0.4, 3)
        for turn in rng.uniform(0, 360, 2):
            fit.chair(stage.moved(x, y, 0, turn).moved(0, 0.6), seat, legs)
    for x in np.arange(-half + 0.9, half - 0.5, 1.4):
        fit.pendant(stage.moved(x, rear - 2.2), room.height, rng.uniform(0.6, 1.0))
    potted_plant(stage.moved(half - 0.4, rear - 0.9), 1.6)
    light_room(stage, room, panels=False)
    return Walk(0.9, rear - 3.7, -half + 1.5, half - 1.5)


def hall(stage: Stage, rig: str) -> Walk:
    """A corridor: doors, lockers or notices along the walls, a bright end."""
    rng = stage.rng
    room = Room(rng.uniform(3.4, 4.6), rng.uniform(14, 19), rng.uniform(2.8, 3.2), rig, 0.1)
    build_shell(stage, room, floor_cover(rng, "tiles"), rear_windows=True, dressed=False)
    half = room.width / 2
    lockers = [plain(c, 0.35) for c in spread(rng, 3, (0.3, 0.7), (0.4, 0.8))]
    for sign in (-1, 1):
        if rig.startswith("left" if sign < 0 else "right"):
            continue
        for y in np.arange(1.5, room.depth - 1, 2.4):
            kind = rng.random()
            spot = stage.moved(sign * half, y, 0, -90 * sign)
            if kind < 0.4:
                fit.door(spot)
            elif kind < 0.7:
                for k in range(5):
                    spot.box((0.36, 0.35, 1.8), (0.38 * (k - 2), -0.18, 0.08), lockers[0], bevel=0.008)
                    spot.box((0.2, 0.01, 0.015), (0.38 * (k - 2), -0.36, 1.5), lockers[1])
            else:
                spot.box((1.5, 0.03, 1.0), (0, -0.02, 1.1), wood(hsv(0.09, 0.5, 0.6)))
                for _ in range(8):
                    spot.card(0.21, 0.3, (rng.uniform(-0.6, 0.6), -0.04, rng.uniform(1.3, 1.9)), picture(art.poster(rng, 60, 42)))
    fit.door(stage.moved(-half + 0.7, room.depth - 0.3))
    potted_plant(stage.moved(half - 0.35, room.depth * 0.5), 1.2)
    for y in (room.depth * 0.35, room.depth * 0.6):
        stage.box((1.2, 0.4, 0.05), (-half + 0.25, y, 0.42), lockers[2], turn=90)
        stage.box((1.0, 0.3, 0.42), (-half + 0.25, y, 0), lockers[1], turn=90)
    sign = plain(hsv(0.38, 0.8, 0.5))
    stage.box((0.6, 0.04, 0.25), (0, room.depth * 0.45, room.height - 0.4), sign)
    stage.card(0.5, 0.15, (0, room.depth * 0.45 - 0.03, room.height - 0.27), glow((0.3, 1.0, 0.5), 1.0))
    light_room(stage, room)
    return Walk(0.9, room.depth - 3, -half + 0.75, half - 0.75)


def kitchen(stage: Stage, rig: str) -> Walk:
    """A kitchen: cupboards, tiles, hob and hood, fridge, bottles and pans."""
    rng = stage.rng
    room = Room(rng.uniform(4.8, 6.2), rng.uniform(5.8, 7), rng.uniform(2.6, 2.8), rig, 0.25)
    build_shell(stage, room, floor_cover(rng, str(rng.choice(["tiles", "boards"]))))
    rear, half = room.depth, room.width / 2
    front, top = fit.wood_or_paint(rng, "z"), fit.wood_or_paint(rng)
    steel = plain(hsv(0.6, 0.03, 0.65), 0.3, 1.0)
    tone = hsv(hue(rng), rng.uniform(0.05, 0.5), rng.uniform(0.6, 0.9))
    stage.box((room.width, 0.02, 0.62), (0, rear - 0.02, 0.92), bricks(tone, tone, (0.7, 0.7, 0.68), (0.2, 0.1), roughness=0.2))
    for x in np.arange(-half + 0.3, half - 0.9, 0.6):
        stage.box((0.585, 0.58, 0.78), (x, rear - 0.3, 0.1), front, bevel=0.006)
        stage.box((0.2, 0.02, 0.015), (x, rear - 0.61, 0.8), steel)
        if rng.random() < 0.75:
            stage.box((0.585, 0.34, 0.75), (x, rear - 0.18, 1.55), front, bevel=0.006)
            stage.box((0.015, 0.02, 0.15), (x + 0.22, rear - 0.36, 1.6), steel)
        else:
            stage.box((0.58, 0.28, 0.03), (x, rear - 0.15, 1.7), top)
            fit.goods(stage.moved(x - 0.28, rear - 0.15, 1.73), 0.56, 0.3, 0.2, [plain(c, 0.3) for c in spread(rng, 4)])
    stage.box((room.width - 0.75, 0.62, 0.04), (-0.37, rear - 0.31, 0.88), top)
    fit.clutter(stage.moved(-0.5, rear - 0.3, 0.92), room.width * 0.7, 0.3, 16)
    stage.box((0.6, 0.5, 0.01), (0.4, rear - 0.3, 0.92), plain((0.02, 0.02, 0.02), 0.1))
    for x in (0.25, 0.55):
        stage.cylinder(0.11, 0.13, (x, rear - 0.3, 0.93), steel)
    stage.box((0.6, 0.45, 0.12), (0.4, rear - 0.24, 1.5), steel, bevel=0.01)
    stage.box((0.7, 0.65, 1.85), (half - 0.4, rear - 0.36, 0), plain(hsv(0.6, 0.03, rng.choice([0.9, 0.6, 0.2])), 0.3), bevel=0.03)
    for _ in range(6):
        stage.card(0.12, 0.16, (half - 0.4 + rng.uniform(-0.25, 0.25), rear - 0.7, rng.uniform(1.0, 1.7)), picture(art.poster(rng, 60, 45)))
    for side in (-1, 1):
        fit.shelf(stage.moved(side * (half - 0.2), rear - 2.0, 0, -90 * side), 1.3, rng.uniform(0.9, 1.9), 0.35, fill="goods", body=front, boards=4)
    fit.pendant(stage.moved(-0.4, rear - 1.5), room.height, 0.6)
    potted_plant(stage.moved(-half + 0.9, rear - 0.3, 0.92), 0.4)
    light_room(stage, room, panels=False)
    return Walk(0.85, rear - 1.3, -half + 0.85, half - 0.85)
