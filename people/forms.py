"""What is held before faces: a builder puts its prop's grip at the origin, z up, seen from -y; the support leaves below or at the right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from people import art
from people.blender import Matrix, Stage, Vector, towards_matrix
from people.hands import add_hand
from people.nature import leaf_material, leaf_quads, long_leaves
from people.surfaces import Surface, dimmer, hsv, hue, picture, plain, spread, wood

HANDS = [("wave", 0, 0), ("open", 180, 0), ("fist", 180, 0), ("two", 0, 0), ("point", 180, 0), ("open", 160, 15), ("wave", 15, -8), ("hold", 180, 0)]


def hand(grip: str, turn: float, tilt: float) -> Callable[[Stage], None]:
    """A hand alone, turned about z (180: its back is seen) and leant in the picture."""

    def build(stage: Stage) -> None:
        add_hand(lean(stage, tilt).moved(0, 0, 0, turn + stage.rng.uniform(-12, 12)), grip, mirror=bool(stage.rng.random() < 0.5))

    return build


def lean(stage: Stage, degrees: float) -> Stage:
    """The stage turned in the picture's plane, clockwise."""
    return stage.moved(0, 0, 0, 90, degrees).moved(0, 0, 0, -90)


def holder(stage: Stage, x: float, z: float, degrees: float, *, grip: str = "hold", depth: float = -0.03, mirror: bool = False) -> None:
    """A hand whose back is seen, its palm at (x, z) before what it holds; leant clockwise, so that -90 brings the arm from the right."""
    add_hand(lean(stage.moved(x, depth, z), degrees).moved(0, 0, 0, 180), grip, mirror=mirror)


def enamel(rng: np.random.Generator) -> object:
    """Glazed ware or painted metal."""
    return plain(hsv(hue(rng), rng.uniform(0, 0.7), rng.uniform(0.3, 0.92)), 0.22, specular=0.5)


def held_mug(stage: Stage) -> None:
    """A mug, hand from the right."""
    rng = stage.rng
    ware, radius = enamel(rng), rng.uniform(0.038, 0.045)
    stage.cylinder(radius, 0.1, (0, 0.035, -0.05), ware, top=1.06, sides=48)
    stage.cylinder(radius * 0.98, 0.002, (0, 0.035, 0.0505), dimmer_lid(), sides=48)
    holder(stage, 0.045, -0.045, -80, grip="wrap")


def dimmer_lid() -> object:
    """The dark inside of a cup."""
    return plain((0.03, 0.018, 0.01), 0.2)


def held_paper_cup(stage: Stage) -> None:
    """A paper cup with lid and sleeve, hand from the right."""
    rng = stage.rng
    card, lid = plain(hsv(0.09, rng.uniform(0.05, 0.5), rng.uniform(0.6, 0.95)), 0.7), plain(hsv(0, 0, rng.choice([0.08, 0.9])), 0.35)
    stage.cylinder(0.031, 0.115, (0, 0.035, -0.075), card, top=1.35, sides=48)
    stage.cylinder(0.0345, 0.055, (0, 0.035, -0.05), enamel(rng), top=1.18, sides=48)
    stage.cylinder(0.0445, 0.012, (0, 0.035, 0.04), lid, sides=48)
    stage.cylinder(0.04, 0.01, (0, 0.035, 0.052), lid, top=0.92, sides=48)
    holder(stage, 0.045, -0.045, -82, grip="wrap")


def held_bottle(stage: Stage) -> None:
    """A bottle, hand from the right."""
    rng = stage.rng
    glass, label = plain(hsv(rng.choice([0.33, 0.58, 0.08]), 0.7, 0.4), 0.08, specular=0.8), enamel(rng)
    lower = lean(stage, 12)
    lower.cylinder(0.034, 0.15, (0, 0.035, -0.13), glass, sides=40)
    lower.cylinder(0.0345, 0.06, (0, 0.035, -0.1), label, sides=40)
    lower.cylinder(0.034, 0.05, (0, 0.035, 0.02), glass, top=0.4, sides=40)
    lower.cylinder(0.0136, 0.06, (0, 0.035, 0.07), glass, sides=32)
    holder(stage, 0.03, -0.05, -82, grip="wrap")


def held_phone(stage: Stage) -> None:
    """A telephone seen from behind, hand from below."""
    rng = stage.rng
    phone = lean(stage, rng.uniform(-9, 9))
    case = plain(hsv(hue(rng), rng.uniform(0, 0.6), rng.choice([0.06, 0.2, 0.6, 0.9])), 0.3)
    phone.box((0.076, 0.009, 0.158), (0, 0.012, -0.06), case, bevel=0.0042)
    phone.box((0.026, 0.003, 0.03), (-0.02, 0.006, 0.06), plain((0.02, 0.02, 0.02), 0.2), bevel=0.0013)
    for z in (0.068, 0.082):
        phone.cylinder(0.0055, 0.002, (-0.02, 0.004, z), plain((0.01, 0.01, 0.012), 0.05), axis="y")
    holder(stage, 0.008, -0.07, 6, depth=-0.014, mirror=bool(rng.random() < 0.5))


def held_book(stage: Stage) -> None:
    """An open book seen from its covers, a hand below."""
    rng = stage.rng
    tall, wide = rng.uniform(0.2, 0.25), rng.uniform(0.14, 0.17)
    cover, pages = picture(art.poster(rng, 160, 110), roughness=0.4), plain((0.85, 0.82, 0.74), 0.9)
    rear = plain(hsv(hue(rng), 0.5, rng.uniform(0.2, 0.7)), 0.4)
    for side in (-1, 1):
        half = stage.moved(0, 0.02, 0, side * 22)
        half.card(wide, tall, (side * wide / 2, -0.001, 0), cover if side > 0 else rear)
        half.box((wide, 0.004, tall), (side * wide / 2, 0.002, -tall / 2), rear)
        half.box((wide - 0.006, 0.012, tall - 0.01), (side * (wide / 2 - 0.003), 0.01, -tall / 2 + 0.005), pages)
    stage.box((0.014, 0.006, tall), (0, 0.019, -tall / 2), rear)
    holder(stage, rng.uniform(-0.02, 0.02), -tall / 2 - 0.03, 4, depth=-0.02)


def held_paper(stage: Stage) -> None:
    """A printed sheet or a magazine, a hand below."""
    rng = stage.rng
    x = np.linspace(-0.105, 0.105, 15)
    y = 0.02 + 0.012 * np.sin(9 * x + rng.uniform(0, 3))
    stage.moved(0, 0, 0).card(0.21, 0.297, (0, 0.015, 0), picture(art.poster(rng) if rng.random() < 0.6 else art.paper(rng)))
    points = np.concatenate([np.stack([x, y + 0.004, 0 * x - 0.147], 1), np.stack([x, y + 0.004, 0 * x + 0.147], 1)])
    stage.mesh(points, [[k, k + 1, 16 + k, 15 + k] for k in range(14)], plain((0.85, 0.85, 0.83), 0.8), smooth=True)
    holder(stage, 0.0, -0.16, 5, depth=-0.012)


def head_of_microphone(stage: Stage) -> None:
    """A ball of wire on a tapered grip that runs down from the origin."""
    made = Surface(0.35, 0.6, 0.9)
    mesh = made.node("TexVoronoi", {"Vector": made.position(), "Scale": 420.0}).outputs[0]
    made.bump(mesh, 0.8, 0.003)
    wire = made.done(made.mix((0.05, 0.05, 0.05), (0.5, 0.5, 0.5), mesh))
    stage.ball((0.026, 0.026, 0.03), (0, 0, 0), wire, detail=4)
    stage.cylinder(0.0265, 0.008, (0, 0, -0.014), plain((0.3, 0.3, 0.3), 0.3, 1.0), sides=40)
    stage.moved(0, 0, -0.02, 0, 180).cylinder(0.023, 0.15, (0, 0, 0), plain((0.02, 0.02, 0.02), 0.4), top=0.6, sides=40)


def microphone(stage: Stage) -> None:
    """A microphone on a stand."""
    rng = stage.rng
    head_of_microphone(lean(stage, rng.uniform(-22, 22)).moved(0, 0, 0, 0, rng.uniform(10, 30)))
    dark = plain((0.03, 0.03, 0.03), 0.35, metallic=0.6)
    stage.cylinder(0.016, 0.07, (0, 0.03, -0.16), dark)
    stage.cylinder(0.009, 0.6, (0, 0.03, -0.7), dark)


def held_microphone(stage: Stage) -> None:
    """A microphone in a fist from below."""
    mike = lean(stage, 14)
    head_of_microphone(mike)
    holder(mike, 0.0, -0.12, 2, grip="wrap", depth=-0.035)


def held_camera(stage: Stage) -> None:
    """A photo camera whose lens looks at us, a hand below the lens."""
    rng = stage.rng
    body, dark = plain(hsv(0.08, 0.1, rng.choice([0.05, 0.12, 0.7])), 0.55), plain((0.015, 0.015, 0.015), 0.35)
    stage.box((0.135, 0.045, 0.085), (0, 0.03, -0.04), body, bevel=0.012)
    stage.box((0.06, 0.04, 0.03), (0, 0.03, 0.04), body, bevel=0.01)
    stage.box((0.134, 0.046, 0.05), (0, 0.029, -0.025), dark, bevel=0.01)
    for radius, depth in ((0.036, 0.03), (0.033, 0.055), (0.029, 0.06)):
        stage.moved(0, 0.01, 0).cylinder(radius, depth, (0, -depth, 0), dark, axis="y", sides=40)
    stage.ball((0.024, 0.006, 0.024), (0, -0.05, 0), plain((0.02, 0.02, 0.05), 0.03, specular=1.0))
    stage.cylinder(0.009, 0.012, (-0.045, 0.03, 0.045), plain((0.4, 0.4, 0.4), 0.3, 1.0))
    holder(stage, 0.01, -0.1, 8, depth=0.02)


def plant(stage: Stage) -> None:
    """Large leaves that come up from below."""
    rng = stage.rng
    foot = stage.moved(0, 0, -0.23, scale=0.55)
    long_leaves(foot, int(rng.integers(20, 32)), rng.uniform(0.72, 0.9), rng.uniform(0.06, 0.11), leaf_material(rng, 0.28), bend=0.25)
    foot.cylinder(0.03, 0.3, (0, 0, -0.25), plain(hsv(0.25, 0.5, 0.35)))


def branch(stage: Stage) -> None:
    """A branch with leaves that reaches in from the right."""
    rng = stage.rng
    bark, green = wood(hsv(0.08, 0.4, 0.35), along="x", roughness=0.9), leaf_material(rng)
    centres = []
    for _ in range(int(rng.integers(4, 7))):
        start, end = (
            Vector((0.45, rng.uniform(-0.02, 0.05), rng.uniform(-0.05, 0.05))),
            Vector((rng.uniform(-0.2, 0.1), rng.uniform(-0.05, 0.1), rng.uniform(-0.14, 0.14))),
        )
        twig = stage.cylinder(1.0, 1.0, (0, 0, 0), bark, top=0.4, sides=8)
        twig.matrix_world = stage.frame @ towards_matrix(start, end) @ Matrix.Diagonal((0.007, 0.007, 1, 1))
        share = rng.uniform(0.25, 1.0, (26, 1))
        centres.append(np.array(start) * (1 - share) + np.array(end) * share + rng.normal(0, 0.022, (26, 3)))
    stage.mesh(*leaf_quads(rng, np.concatenate(centres), 0.075, 0.04, 0.3), green)


def bouquet(stage: Stage) -> None:
    """Flowers in paper, stalks below."""
    rng = stage.rng
    green, colours = leaf_material(rng, 0.3), [plain(c, 0.7) for c in [hsv(rng.uniform(0.85, 1.15), rng.uniform(0.3, 0.8), 0.95) for _ in range(3)]]
    points, faces = leaf_quads(rng, np.clip(rng.normal(0, 1, (90, 3)), -1.3, 1.3) * (0.075, 0.05, 0.05) + (0, 0.03, -0.03), 0.085, 0.035)
    stage.mesh(points, faces, green)
    for _ in range(17):
        at = np.clip(rng.normal(0, 1, 3), -1.5, 1.5) * (0.065, 0.03, 0.05) + (0, -0.02, 0.03)
        petals = rng.normal(0, 1, (26, 3))
        petals *= rng.uniform(0.012, 0.028) / np.linalg.norm(petals, axis=1, keepdims=True)
        stage.mesh(*leaf_quads(rng, petals + at, 0.03, 0.022), colours[int(rng.integers(3))])
        stage.ball((0.008, 0.008, 0.008), tuple(at), plain(hsv(0.13, 0.8, 0.8)))
    paper = plain(hsv(rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.9)), 0.8)
    stage.cylinder(0.03, 0.2, (0, 0.03, -0.24), paper, top=3.2, sides=14)
    stage.cylinder(0.028, 0.3, (0, 0.03, -0.5), green, sides=10)
    holder(stage, 0, -0.23, 12, grip="wrap")


def balloon(stage: Stage) -> None:
    """A balloon on a string."""
    rng = stage.rng
    skin = plain(spread(rng, 1, (0.6, 0.95), (0.5, 0.95))[0], 0.12, specular=0.6)
    stage.ball((0.13, 0.13, 0.155), (0, 0, 0), skin, detail=5)
    stage.moved(0, 0, -0.12, 0, 180).cylinder(0.078, 0.06, (0, 0, 0), skin, top=0.12, sides=40)
    stage.moved(0, 0, -0.195).cylinder(0.014, 0.02, (0, 0, 0), skin, top=0.4)
    stage.cylinder(0.0022, 0.5, (0, 0, -0.69), plain((0.7, 0.7, 0.7)))


def umbrella(stage: Stage) -> None:
    """An umbrella held low: eight ribbed panels, a shaft and a hand."""
    rng = stage.rng
    cloth = [plain(c, 0.6) for c in spread(rng, 2, (0.2, 0.9), (0.15, 0.85))]
    ribs, rings = 8, 7
    for rib in range(ribs):
        points = []
        for ring in range(rings + 1):
            slope = ring / rings * 1.15
            for k in range(5):
                turn = 2 * np.pi * (rib + k / 4) / ribs
                sag = 1 - 0.07 * np.sin(np.pi * k / 4) * ring / rings
                points.append(
                    (0.5 * np.sin(slope) / np.sin(1.15) * sag * np.cos(turn), 0.5 * np.sin(slope) * sag * np.sin(turn), 0.4 * (np.cos(slope) - 0.55))
                )
        faces = [[5 * r + k, 5 * r + k + 1, 5 * r + k + 6, 5 * r + k + 5] for r in range(rings) for k in range(4)]
        stage.moved(0, 0, 0.02, 11, 8).mesh(np.array(points), faces, cloth[rib % 2], smooth=True)
    stage.cylinder(0.006, 0.7, (0, 0, -0.55), plain((0.3, 0.3, 0.3), 0.3, 1.0))
    stage.cylinder(0.014, 0.16, (0, 0, -0.55), wood(hsv(0.07, 0.5, 0.3), along="z"))
    holder(stage, 0, -0.5, 10, grip="wrap")


def placard(stage: Stage) -> None:
    """A sign on a stick."""
    rng = stage.rng
    tilted = lean(stage, rng.uniform(-6, 6))
    tilted.box((0.46, 0.01, 0.34), (0, 0.006, -0.17), plain(dimmer((0.8, 0.8, 0.8), 0.9), 0.8))
    tilted.card(0.45, 0.33, (0, 0, 0), picture(art.poster(rng, 160, 216), roughness=0.7))
    tilted.box((0.03, 0.02, 0.8), (0, 0.025, -0.8), wood(hsv(0.09, 0.45, 0.7), along="z"))
