"""What a person wears: cut, cloth and colours, drawn from the person's seed; nothing of Blender's scene."""

from dataclasses import dataclass, replace

import numpy as np

from people.fabric import Fabric, hue, shade
from people.identity import Colour, Identity

NECKS = ("crew", "v", "shirt", "polo", "turtleneck", "hoodie", "blazer", "tank", "kurta", "scarf", "zip", "scoop")


@dataclass(frozen=True)
class Outfit:
    """Clothes of one person.

    Attributes:
        neck: one of :data:`NECKS`, the cut of the top.
        sleeve: end of the sleeve along the arm: 0 shoulder, 1 elbow, 2 wrist; below 0 none.
        top, under, lower: cloth of the top, of a shirt below a blazer, of trousers or skirt.
        bottom: trousers, shorts or skirt.
        trim: of collars, cuffs and ribs.
        accent: of buttons, ties, drawstrings and scarves.
        tie: a tie with the blazer.
        emblem: none, disc, bars, peaks, letters: a print on the chest.
        shoes: colour of the shoes.
        ease: width of the clothes in metres beyond the body.
    """

    neck: str
    sleeve: float
    top: Fabric
    under: Fabric
    lower: Fabric
    bottom: str
    trim: Fabric
    accent: Colour
    tie: bool
    emblem: str
    shoes: Colour
    ease: float


def choose(person: Identity, outfit: int = 0) -> Outfit:
    """Outfit number ``outfit`` (0, 1, ...) of a person: a favourite hue runs through all of them."""
    habit = np.random.default_rng([person.seed, 41])
    favourite = float(habit.random())
    rng = np.random.default_rng([person.seed, 42, outfit])
    neck = _neck(rng, person)
    top = _cloth(rng, neck, (favourite + float(rng.choice([0.0, 0.0, 0.08, 0.5, 0.33]))) % 1.0)
    same = rng.random() < 0.6
    return Outfit(
        neck=neck,
        sleeve=_sleeve(rng, neck),
        top=top,
        under=_shirting(rng),
        lower=_lower(rng, person),
        bottom=_bottom(rng, person),
        trim=replace(top, pattern="plain", colour=shade(top.colour, 0.85) if same else hue(float(rng.random()), 0.5, 0.4)),
        accent=hue(float(rng.random()), float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.25, 0.75))),
        tie=bool(rng.random() < 0.55 and person.sex == "male"),
        emblem=str(rng.choice(["none", "disc", "bars", "peaks", "letters"], p=[0.45, 0.13, 0.16, 0.13, 0.13])),
        shoes=(hue(0.07, 0.5, float(rng.uniform(0.12, 0.45))), (0.7, 0.7, 0.7), (0.02, 0.02, 0.022))[int(rng.integers(3))],
        ease=float(rng.uniform(0.004, 0.011)) + (0.005 if neck in ("hoodie", "zip") else 0.0),
    )


def _neck(rng: np.random.Generator, person: Identity) -> str:
    weights = {"crew": 4.0, "v": 1.6, "shirt": 3.2, "polo": 1.5, "turtleneck": 1.3, "hoodie": 2.2, "zip": 1.3, "scarf": 0.9, "kurta": 0.9}
    if person.age >= 18:
        weights |= {"blazer": 2.6, "tank": 0.5 if person.age < 50 else 0.0}
    if person.sex == "female":
        weights |= {"scoop": 2.0, "tank": 0.9 if person.age < 55 else 0.1, "polo": 0.6}
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def _sleeve(rng: np.random.Generator, neck: str) -> float:
    if neck == "tank":
        return -1.0
    if neck in ("crew", "v", "polo", "scoop"):
        return float(rng.choice([0.55, 0.7, 1.93], p=[0.35, 0.35, 0.3]) if neck != "polo" else 0.7)
    if neck in ("shirt", "kurta"):
        return float(rng.choice([0.8, 1.35, 1.95], p=[0.2, 0.15, 0.65]))
    return 1.95


def _cloth(rng: np.random.Generator, neck: str, favourite: float) -> Fabric:
    colour, second = _colours(rng, favourite)
    pattern, size, weave = "plain", 0.06, "fine"
    if neck in ("crew", "v", "scoop", "tank", "polo"):
        pattern = str(rng.choice(["plain", "stripes", "heather", "dots", "blossoms"], p=[0.5, 0.22, 0.16, 0.05, 0.07]))
        weave = "knit" if neck in ("crew", "v") and rng.random() < 0.35 else "fine"
    elif neck in ("shirt", "kurta"):
        pattern = str(rng.choice(["plain", "plaid", "gingham", "pinstripe", "blossoms", "dots"], p=[0.38, 0.22, 0.1, 0.14, 0.1, 0.06]))
        weave = "denim" if pattern == "plain" and rng.random() < 0.25 else "fine"
    elif neck in ("turtleneck", "scarf"):
        pattern, weave = str(rng.choice(["plain", "heather", "stripes", "zigzag"], p=[0.5, 0.3, 0.1, 0.1])), "knit"
    elif neck == "hoodie":
        pattern, weave = str(rng.choice(["plain", "heather"])), "fleece"
    elif neck == "blazer":
        colour, pattern = _suit(rng), str(rng.choice(["plain", "heather", "pinstripe"], p=[0.5, 0.4, 0.1]))
        second = shade(colour, 1.8)
    size = {"stripes": float(rng.uniform(0.018, 0.09)), "plaid": float(rng.uniform(0.05, 0.12)), "gingham": 0.08, "pinstripe": 0.06}.get(
        pattern, 0.12
    )
    size = {"dots": float(rng.uniform(0.03, 0.07)), "heather": 0.15}.get(pattern, size)
    if pattern == "heather":
        second = shade(colour, float(rng.choice([0.6, 1.5])))
    return Fabric(colour, second, pattern, size, weave, float(rng.uniform(0.45, 0.85)), int(rng.integers(2**31)))


def _colours(rng: np.random.Generator, favourite: float) -> tuple[Colour, Colour]:
    kind = rng.choice(["vivid", "muted", "pastel", "dark", "white", "black", "grey"], p=[0.08, 0.27, 0.12, 0.2, 0.11, 0.11, 0.11])
    colour = {
        "vivid": hue(favourite, rng.uniform(0.5, 0.75), rng.uniform(0.45, 0.75)),
        "muted": hue(favourite, rng.uniform(0.18, 0.42), rng.uniform(0.35, 0.65)),
        "pastel": hue(favourite, rng.uniform(0.12, 0.3), rng.uniform(0.75, 0.9)),
        "dark": hue(favourite, rng.uniform(0.4, 0.75), rng.uniform(0.15, 0.32)),
        "white": hue(0.1, rng.uniform(0, 0.08), 0.88),
        "black": hue(0.6, 0.1, 0.13),
        "grey": hue(0.6, 0.05, rng.uniform(0.3, 0.7)),
    }[str(kind)]
    bright = float(np.mean(colour)) > 0.2
    other = hue(float(rng.random()), float(rng.uniform(0.2, 0.55)), float(rng.uniform(0.15, 0.4) if bright else rng.uniform(0.7, 0.9)))
    return colour, other if rng.random() < 0.6 else ((0.75, 0.74, 0.71) if not bright else (0.02, 0.025, 0.05))


def _suit(rng: np.random.Generator) -> Colour:
    return (
        hue(0.61, rng.uniform(0.3, 0.6), rng.uniform(0.14, 0.3)),
        hue(0.6, 0.06, rng.uniform(0.14, 0.5)),
        hue(0.08, rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.6)),
        hue(rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.18, 0.45)),
    )[int(rng.choice(4, p=[0.35, 0.3, 0.15, 0.2]))]


def _shirting(rng: np.random.Generator) -> Fabric:
    colour = ((0.75, 0.75, 0.74), hue(0.58, 0.2, 0.88), hue(0.95, 0.14, 0.88), (0.03, 0.03, 0.035))[int(rng.choice(4, p=[0.5, 0.25, 0.12, 0.13]))]
    pattern = str(rng.choice(["plain", "pinstripe"], p=[0.75, 0.25]))
    return Fabric(colour, hue(0.6, 0.5, 0.5), pattern, 0.03, "fine", 0.35, int(rng.integers(2**31)))


def _lower(rng: np.random.Generator, person: Identity) -> Fabric:
    colours = (
        hue(0.6, 0.55, rng.uniform(0.2, 0.5)),
        hue(0.6, 0.1, 0.13),
        hue(0.1, 0.3, rng.uniform(0.4, 0.7)),
        hue(0.3, 0.15, 0.3),
        hue(rng.random(), 0.5, 0.4),
    )
    return Fabric(colours[int(rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1]))], weave="denim", folds=0.7)


def _bottom(rng: np.random.Generator, person: Identity) -> str:
    if person.sex == "female" and rng.random() < 0.35:
        return "skirt"
    return "shorts" if rng.random() < (0.3 if person.age < 15 else 0.08) else "trousers"
