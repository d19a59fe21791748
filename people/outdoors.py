"""Places in the open: street, park, square, sports field."""

from __future__ import annotations

from typing import Any

import numpy as np

from people import art, city
from people.blender import Stage
from people.interiors import Walk
from people.nature import bush, hedge, lawn, replant, tree
from people.surfaces import bricks, dimmer, hsv, hue, mottled, palette, picture, plain, spread


def pavement(rng: np.random.Generator) -> object:
    """Paving stones."""
    tone = hsv(rng.uniform(0.02, 0.14), rng.uniform(0.02, 0.15), rng.uniform(0.5, 0.72))
    wide = rng.uniform(0.25, 0.6)
    return bricks(tone, dimmer(tone, 0.82), dimmer(tone, 0.4), (wide, wide * rng.choice([0.5, 1.0])), plane="xy")


def houses(stage: Stage, x: float, start: float, end: float, side: int) -> None:
    """A row of fronts along the street at column x; side -1 is on the left."""
    rng, y = stage.rng, start
    while y < end:
        width = rng.uniform(5.5, 10)
        here = stage.unshadowed() if y + width < 6 else stage  # else fronts beside the camera would shade the people
        spot = here.moved(x, y, 0, 90) if side < 0 else here.moved(x, y + width, 0, -90)
        city.facade(spot, width, int(rng.integers(2, 5)), shop=bool(rng.random() < 0.6))
        y += width


def street(stage: Stage, rig: str) -> Walk:
    """A street: the camera stands on the road or on the pavement; house fronts, shops, parked cars, trees, lamps, the town behind."""
    rng = stage.rng
    half_road, walk_wide = rng.uniform(2.8, 3.8), rng.uniform(2.2, 3.4)
    shift = rng.choice([0.0, half_road + walk_wide / 2 + 0.2, -half_road - walk_wide / 2 - 0.2], p=[0.5, 0.25, 0.25])
    town = stage.moved(-shift, 0)
    city.ground(town, mottled(hsv(0.6, 0.03, 0.38), hsv(0.6, 0.03, 0.3), 60.0, bump=0.3), half_road + 0.1, -4, 90)
    stones, kerb = pavement(rng), plain(hsv(0.1, 0.03, 0.62), 0.8)
    for side in (-1, 1):
        town.box((walk_wide, 95, 0.3), (side * (half_road + walk_wide / 2), 43, -0.18), stones)
        town.box((0.18, 95, 0.3), (side * half_road, 43, -0.17), kerb)
        houses(town, side * (half_road + walk_wide), rng.uniform(-6, -3), 62, side)
    paint = plain((0.75, 0.75, 0.72), 0.8)
    for y in np.arange(3, 60, 5.0):
        town.box((0.12, 2.2, 0.004), (0, y, 0), paint)
    cars = [plain(c, 0.22, specular=0.8) for c in [hsv(0, 0, v) for v in (0.15, 0.35, 0.6, 0.92, 0.8)] + spread(rng, 5, (0.5, 0.9), (0.3, 0.75))]
    near = 5.5 if shift == 0 else 4.0
    for side in (-1, 1):
        for y in np.arange(near + rng.uniform(1.5, 4), 55, 5.4):
            if rng.random() < 0.72:
                city.car(town.moved(side * (half_road - 1.0), y, 0, 0 if side > 0 else 180), cars[int(rng.integers(len(cars)))])
    plant = tree(town.moved(half_road + 0.5, 11), rng.uniform(5.0, 6.5)) if rng.random() < 0.7 else []
    for y in np.arange(16, 58, rng.uniform(7, 11)):
        for side in (-1, 1):
            if plant:
                replant(town.moved(half_road + 0.5, 11), plant, (side - 1) * (half_road + 0.5), y - 11, rng.uniform(0, 360), rng.uniform(0.8, 1.15))
            city.lamp_post(town.moved(side * (half_road + 0.3), y + 4, 0, 0 if side < 0 else 180))
    for k in range(3):
        city.bin_and_sign(town.moved((-1) ** k * (half_road + 0.35), 7.0 + 6 * k))
    city.far_town(town, 68, 40)
    city.light_outdoors(stage, rig)
    wide = half_road - 2.2 if shift == 0 else walk_wide / 2 - 0.5
    return Walk(1.0, 14.0, -max(wide, 0.9), max(wide, 0.9))


def park(stage: Stage, rig: str) -> Walk:
    """A park: lawn, winding path, trees near and far, hedges, flower beds, benches, houses behind."""
    rng = stage.rng
    lawn(stage, (-40, 40), (-4, 75), tufts=1100)
    sand = mottled(hsv(0.1, 0.25, 0.68), hsv(0.09, 0.25, 0.52), 40.0, bump=0.4)
    bend = rng.uniform(-1.5, 1.5)
    y = np.linspace(-4, 60, 60)
    middle = bend * np.sin(y / 9.0) + 0.5 * bend
    wide = rng.uniform(1.0, 1.8)
    points = np.concatenate([np.stack([middle + s * wide, y, 0 * y + 0.012 + (s + 1) * 0.0], 1) for s in (-1, 1)])
    stage.mesh(points, [[k, 60 + k, 61 + k, k + 1] for k in range(59)], sand)
    kinds = [tree(stage.moved(500 + 50 * k, -50), rng.uniform(6, 9), leaves=3200, hue=rng.uniform(0.2, 0.29)) for k in range(3)]
    for k in range(46):
        depth = 9 + 52 * rng.random() ** 0.8
        side = rng.choice([-1, 1]) * rng.uniform(3.6 if depth > 12 else 5.5, 7 + depth * 0.75)
        origin = stage.moved(500 + 50 * (k % 3), -50)
        replant(origin, kinds[k % 3], side - 500 - 50 * (k % 3), depth + 50, rng.uniform(0, 360), rng.uniform(0.75, 1.3))
    for side in (-1, 1):
        for depth in (13.0, 19.0, 26.0):
            hedge(stage.moved(side * rng.uniform(5.5, 8), depth), rng.uniform(3, 6), 0.8, rng.uniform(0.7, 1.4))
        for depth in rng.uniform(6, 22, 7):
            bush(stage.moved(side * rng.uniform(3.2, 4.0 + depth * 0.4), depth), rng.uniform(0.35, 0.75), flowers=bool(rng.random() < 0.6))
        for depth in rng.uniform(8, 24, 2):
            city.bench(stage.moved(side * rng.uniform(2.6, 3.4), depth, 0, -70 * side))
        city.lamp_post(stage.moved(side * 2.7, rng.uniform(10, 18), 0, 0 if side < 0 else 180), 4.0)
    city.far_town(stage, 72, 60)
    city.light_outdoors(stage, rig)
    return Walk(1.0, 12.0, -2.3, 2.3)


def square(stage: Stage, rig: str) -> Walk:
    """A square: paving, wide steps, a front with columns, statues of blocks, planters, stalls."""
    rng = stage.rng
    city.ground(stage, pavement(rng), 45, -4, 70)
    stone = mottled(hsv(0.1, 0.15, 0.78), hsv(0.1, 0.15, 0.62), 5.0, bump=0.15)
    rear = rng.uniform(20, 27)
    for k in range(6):
        stage.box((24 - 0.8 * k, 3.0, 0.16), (0, rear - 2 + 0.38 * k, 0.16 * k), stone)
    stage.box((20, 8, 9.5), (0, rear + 5.5, 0.9), city.front_wall(rng))
    for x in np.linspace(-9, 9, 8):
        stage.cylinder(0.42, 6.2, (x, rear + 0.6, 0.96), stone, top=0.85)
        stage.box((1.1, 1.1, 0.3), (x, rear + 0.6, 7.1), stone)
        stage.box((1.3, 0.1, 3.0), (x + 1.28, rear + 1.46, 2.0), city.glass(rng))
    stage.box((20.5, 2.4, 1.1), (0, rear + 0.9, 7.4), stone)
    for side in (-1, 1):
        x = side * rng.uniform(11, 13)
        houses(stage, x, 1.0, rear + 4, side)
        for y in np.arange(8, rear - 3, 4.2):
            stage.box((1.2, 1.2, 0.6), (side * 6.4, y, 0), stone, bevel=0.04)
            bush(stage.moved(side * 6.4, y, 0.6), 0.6, flowers=bool(rng.random() < 0.6))
            if rng.random() < 0.5:
                city.bench(stage.moved(side * 5.2, y + 2.0, 0, -90 * side))
        for y in (9.0, 13.5):
            if rng.random() < 0.8:
                stall(stage.moved(side * 8.8, y, 0, -80 * side))
        city.lamp_post(stage.moved(side * 5.0, 15), 6.0)
    plinth = stage.moved(rng.uniform(-2.5, 2.5), rear - 6)
    plinth.box((1.8, 1.8, 1.5), (0, 0, 0), stone, bevel=0.05)
    for k in range(5):
        plinth.moved(0, 0, 1.5 + 0.55 * k, rng.uniform(0, 90)).box(
            (0.8 - 0.1 * k, 0.7 - 0.08 * k, 0.55), (0, 0, 0), plain(hsv(0.4, 0.25, 0.4), 0.5), bevel=0.12
        )
    city.far_town(stage, 60, 70)
    city.light_outdoors(stage, rig)
    return Walk(1.0, 12.0, -4.2, 4.2)


def stall(stage: Stage) -> None:
    """A market stall with crates under a striped roof."""
    rng = stage.rng
    posts, cloth = plain(hsv(0.08, 0.4, 0.4)), palette([hsv(hue(rng), 0.8, 0.75), (0.85, 0.85, 0.82)], 0.9)
    for x in (-1.3, 1.3):
        for y in (-0.8, 0.8):
            stage.box((0.05, 0.05, 2.3), (x, y, 0), posts)
    for k in range(8):
        stage.moved(-1.3 + 0.37 * k, 0, 2.3, 0, 14).box((0.37, 2.1, 0.03), (0, 0, 0), cloth)
    stage.box((2.6, 1.3, 0.8), (0, 0.1, 0), posts)
    for k in range(6):
        spot = stage.moved(-1.0 + 0.4 * k, -0.2, 0.82)
        spot.box((0.36, 0.5, 0.12), (0, 0, 0), posts)
        fruit = plain(hsv(rng.uniform(0, 0.35), 0.8, rng.uniform(0.4, 0.9)), 0.4)
        for _ in range(14):
            spot.ball((0.045, 0.045, 0.045), (rng.uniform(-0.14, 0.14), rng.uniform(-0.2, 0.2), 0.14), fruit, detail=2)


def field(stage: Stage, rig: str) -> Walk:
    """A sports field: grass or a red track with lines, goal, stands with seats, boards with signs, flood lights."""
    rng = stage.rng
    lawn(stage, (-50, 50), (-4, 46), tufts=900, blade=0.045)
    white = plain((0.85, 0.85, 0.85), 0.8)
    if rng.random() < 0.5:
        city.ground(stage, mottled(hsv(0.02, 0.65, 0.6), hsv(0.02, 0.65, 0.5), 80.0, bump=0.3), 50, -4, 7.0, 0.07)
        for y in (1.5, 2.7, 3.9, 5.1, 6.3):
            stage.box((100, 0.06, 0.004), (0, y, 0.07), white)
    for y in (9.0, 16.0, 30.0):
        stage.box((60, 0.12, 0.06), (0, y, 0), white)
    goal_posts(stage.moved(rng.uniform(-6, 6), rng.uniform(18, 26), 0, rng.uniform(-20, 20)), white)
    rear = rng.uniform(33, 40)
    concrete, seats = mottled((0.45, 0.45, 0.44), (0.35, 0.35, 0.35), 3.0), palette(spread(rng, 3, (0.6, 0.9), (0.4, 0.8)), 0.5)
    for k in range(9):
        stage.box((70, 0.9, 0.5 + 0.42 * k), (0, rear + 0.9 * k, 0), concrete)
        for x in np.arange(-34, 34.5, 0.62):
            if rng.random() < 0.93 and abs(x % 14) > 0.8:
                stage.box((0.46, 0.1, 0.42), (x, rear + 0.9 * k + 0.3, 0.5 + 0.42 * k), seats)
    stage.moved(0, rear + 5, 8.2, 0, -6).box((74, 11, 0.25), (0, 0, 0), plain(hsv(0.6, 0.1, 0.6)))
    for x in np.arange(-34, 35, 8.5):
        stage.cylinder(0.15, 8.5, (x, rear + 8, 0), white)
    for x in np.arange(-36, 36, 4.1):
        stage.card(4.0, 0.9, (x, rear - 2.0, 0.5), picture(art.sign(rng), roughness=0.5))
    trees = tree(stage.moved(500, -50), 8.0, leaves=2200)
    for k in range(14):
        replant(
            stage.moved(500, -50), trees, (-1) ** k * rng.uniform(30, 48) - 500, rng.uniform(26, 44) + 50, rng.uniform(0, 360), rng.uniform(0.8, 1.3)
        )
    for side in (-1, 1):
        stage.cylinder(0.2, 17, (side * 26, rear - 4, 0), white, top=0.6)
        stage.box((2.6, 0.4, 1.6), (side * 26, rear - 4, 16.5), plain(hsv(0, 0, 0.5)))
        for k in range(3):
            spot = stage.moved(side * rng.uniform(5, 11), rng.uniform(10, 17), 0, rng.uniform(0, 90))
            spot.cylinder(0.16, 0.3, (0, 0, 0), plain(hsv(0.06, 0.9, 0.9), 0.5), top=0.25)
            spot.box((1.0, 0.05, 0.8), (1.2 * k, 0, 0), seats)
    city.far_town(stage, 62, 80)
    city.light_outdoors(stage, rig)
    return Walk(1.0, 9.5, -4.5, 4.5)


def goal_posts(goal: Stage, white: Any) -> None:
    """A goal with its net."""
    for x in (-3.66, 3.66):
        goal.cylinder(0.06, 2.44, (x, 0, 0), white)
        goal.box((0.03, 1.6, 0.03), (x, 0.8, 1.6), white)
    goal.cylinder(0.06, 7.32, (-3.66, 0, 2.44), white, axis="x")
    for x in np.arange(-3.6, 3.7, 0.25):
        goal.box((0.012, 0.012, 2.4), (x, 1.2, 0), white)
    for z in np.arange(0.2, 2.4, 0.25):
        goal.box((7.3, 0.012, 0.012), (0, 1.2, z), white)
