"""Who a person is: every choice that stays the same over all sprites of one identity. Plain numbers, drawn from a seed; nothing of Blender."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
"""Linear RGB, 0..1."""

ANCESTRIES = ("african", "asian", "caucasian", "mixed")

# Heads differ in these regions of the model; what lies below the neck is left to the macro sliders.
FACE_REGIONS = ("cheek", "chin", "ear", "eyebrows", "eye", "forehead", "head", "mouth", "neck", "nose")
# Changes that deform instead of telling people apart when drawn at full size: prefix of the name -> factor.
CAUTION = {
    "head-age": 0.0,
    "neck-double": 0.0,
    "mouth-trans-out": 0.0,
    "nose-trans-out": 0.0,
    "neck": 0.35,
    "head-trans": 0.0,
    "head-scale-vert": 0.45,
    "head": 0.6,
    "mouth": 0.65,
}


@dataclass(frozen=True)
class Hair:
    """Hair of the head and of the face.

    Attributes:
        style: a name of :data:`STYLES`.
        colour: of the strands.
        beard: none, stubble, moustache, goatee or full.
        brow: thickness of the brows, 0.6 to 1.5.
    """

    style: str
    colour: Colour
    beard: str
    brow: float


@dataclass(frozen=True)
class Identity:
    """One person who does not exist.

    Attributes:
        name: ``p000`` and so on.
        seed: of everything drawn later for this person.
        sex: female or male.
        age: years.
        ancestry: of :data:`ANCESTRIES`.
        phenotype: the model's macro sliders, 0..1.
        shape: the model's local changes, -1..1.
        skin: albedo of the skin.
        freckles, ruddy: 0..1.
        iris: albedo of the iris.
        hair: see :class:`Hair`.
        glasses: frame or none: worn on most sprites of the person.
        headscarf: worn on all of them.
    """

    name: str
    seed: int
    sex: str
    age: int
    ancestry: str
    phenotype: dict[str, float]
    shape: dict[str, float]
    skin: Colour
    freckles: float
    ruddy: float
    iris: Colour
    hair: Hair
    glasses: str | None
    headscarf: bool


STYLES = {
    "male": ("buzz", "short", "side", "crop", "curly", "back", "receding", "bald", "shoulder"),
    "female": ("bob", "long", "wavy", "fringe", "bun", "ponytail", "curls", "pixie", "shoulder"),
}
GLASSES = ("round", "rectangle", "wayfarer", "rimless", "aviator")


def srgb(red: float, green: float, blue: float) -> Colour:
    """8-bit sRGB to linear RGB."""
    values = np.array([red, green, blue]) / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return (float(linear[0]), float(linear[1]), float(linear[2]))


def draw(index: int, seed: int, local_changes: tuple[str, ...]) -> Identity:
    """Person number ``index``; sex, ancestry and age run through their groups, everything else is drawn."""
    rng = np.random.default_rng([seed, 1, index])
    sex = ("female", "male")[index % 2]
    ancestry = ANCESTRIES[(index // 2) % 4]
    age = int(rng.integers(*((8, 16), (18, 30), (30, 45), (45, 60), (60, 78))[(index // 8 + index) % 5]))
    return Identity(
        name=f"p{index:03d}",
        seed=int(rng.integers(2**31)),
        sex=sex,
        age=age,
        ancestry=ancestry,
        phenotype=_phenotype(rng, sex, age, ancestry),
        shape=_shape(rng, local_changes),
        skin=_skin(rng, ancestry),
        freckles=float(rng.uniform(0.2, 1.0)) if ancestry == "caucasian" and rng.random() < 0.35 else 0.0,
        ruddy=float(rng.uniform(0.2, 1.0)),
        iris=_iris(rng, ancestry),
        hair=_hair(rng, sex, age, ancestry),
        glasses=str(rng.choice(GLASSES)) if age > 14 and rng.random() < 0.15 + 0.3 * (age > 45) else None,
        headscarf=sex == "female" and age > 14 and rng.random() < 0.1,
    )


def model_age(years: float) -> float:
    """The model's age slider: its anchors are the infant, the child of 11, the adult of 25 and the old person of 90."""
    return float(np.interp(years, [1, 11, 25, 90], [0, 1 / 3, 2 / 3, 1]))


def _phenotype(rng: np.random.Generator, sex: str, age: int, ancestry: str) -> dict[str, float]:
    mix = dict.fromkeys(ANCESTRIES[:3], 0.05)
    if ancestry == "mixed":
        mix = dict(zip(ANCESTRIES[:3], map(float, rng.dirichlet([2.0, 2.0, 2.0])), strict=True))
    else:
        mix[ancestry] = 0.9
    return {
        "gender": float(np.clip({"female": 0.97, "male": 0.03}[sex] + rng.normal(0, 0.05), 0, 1)),
        "age": model_age(age),
        "muscle": float(rng.uniform(0.35, 0.7)),
        "weight": float(np.clip(rng.normal(0.5, 0.16), 0.2, 0.9)),
        "height": float(rng.uniform(0.35, 0.65)),
        "proportions": float(rng.uniform(0.5, 0.9)),
        "cupsize": 0.5,
        "firmness": 0.6,
        **mix,
    }


def _shape(rng: np.random.Generator, names: tuple[str, ...]) -> dict[str, float]:
    """Local changes of the head: the same on both sides but for a trace of asymmetry, as in people."""
    changes: dict[str, float] = {}
    for name in sorted(names):
        side, bare = (name[:2], name[2:]) if name[:2] in ("l-", "r-") else ("", name)
        if not bare.startswith(FACE_REGIONS):
            continue
        if side == "r-":
            changes[name] = float(np.clip(changes["l-" + bare] + rng.normal(0, 0.04), -1, 1))
        else:
            changes[name] = float(np.clip(rng.normal(0, 0.3), -0.75, 0.75)) * _caution(bare)
    return changes


def _caution(name: str) -> float:
    return next((factor for prefix, factor in CAUTION.items() if name.startswith(prefix)), 1.0)


def _skin(rng: np.random.Generator, ancestry: str) -> Colour:
    """Albedo between a light and a dark end of each group's range."""
    ends = {
        "african": ((74, 46, 34), (152, 104, 76)),
        "asian": ((196, 146, 110), (234, 194, 160)),
        "caucasian": ((206, 154, 124), (240, 200, 178)),
        "mixed": ((134, 90, 64), (208, 158, 122)),
    }[ancestry]
    share = rng.random()
    mixed = np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share + rng.normal(0, 2.5, 3)
    return srgb(*mixed)


def _iris(rng: np.random.Generator, ancestry: str) -> Colour:
    brown = [(46, 27, 15), (66, 39, 20), (34, 21, 13)]
    light = [(72, 96, 116), (88, 108, 124), (78, 90, 58), (98, 78, 42)]
    choice = light if ancestry == "caucasian" and rng.random() < 0.6 else brown
    return srgb(*choice[int(rng.integers(len(choice)))])


def _hair(rng: np.random.Generator, sex: str, age: int, ancestry: str) -> Hair:
    dark = [(18, 14, 12), (26, 18, 14), (34, 24, 18)]
    fair = [(60, 40, 26), (92, 62, 38), (128, 92, 56), (168, 132, 88), (110, 50, 26)]
    palette = fair + dark[:1] if ancestry == "caucasian" else dark + ([(52, 34, 22)] if ancestry == "mixed" else [])
    colour = np.array(palette[int(rng.integers(len(palette)))], dtype=float)
    dyed = sex == "female" and rng.random() < 0.4
    grey = 0.0 if dyed else float(np.clip((age - 42) / 28 + rng.normal(0, 0.15), 0, 1)) if age > 40 else 0.0
    colour = colour * (1 - grey) + np.array((176, 172, 166)) * grey
    return Hair(
        _style(rng, sex, age, ancestry),
        srgb(*colour),
        _beard(rng, sex, age),
        float(rng.uniform(0.7, 1.0) if sex == "female" else rng.uniform(0.95, 1.4)),
    )


def _style(rng: np.random.Generator, sex: str, age: int, ancestry: str) -> str:
    styles = list(STYLES[sex])
    if age < 45:
        styles = [style for style in styles if style not in ("receding", "bald")]
    if sex == "male" and age < 16:
        styles = ["short", "side", "crop", "curly"]
    if ancestry == "african":
        styles = {"male": ["buzz", "afro", "buzz", "bald" if age > 30 else "afro"], "female": ["afro", "bun", "curls", "braids"]}[sex]
    return str(rng.choice(styles))


def _beard(rng: np.random.Generator, sex: str, age: int) -> str:
    if sex == "female" or age < 20:
        return "none"
    return str(rng.choice(["none", "stubble", "moustache", "goatee", "full"], p=[0.4, 0.24, 0.06, 0.1, 0.2]))
