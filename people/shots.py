"""What one sprite shows of a person: how much of the body, pose, expression, gaze, light and what is worn. Plain numbers, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from people.identity import Identity
from people.pose import Pose

RIGS = ("top", "left-soft", "right-soft", "left-hard", "right-hard")

KINDS = ("bust", "bust", "bust", "half", "half", "half", "full", "full")
FACE_PIXELS = {"bust": 208, "half": 100, "full": 44}
"""Kind -> height of the face's box, pixels, in an adult who looks at the camera."""

EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {"mouthSmile": 0.1},
    "smile": {"mouthSmile": 0.75, "cheekSquint": 0.45, "eyeSquint": 0.25, "mouthDimple": 0.2},
    "laugh": {"mouthSmile": 0.85, "jawOpen": 0.28, "cheekSquint": 0.6, "eyeSquint": 0.4, "mouthUpperUp": 0.35},
    "talk": {"jawOpen": 0.2, "mouthFunnel": 0.2, "mouthSmile": 0.1},
    "surprise": {"browInnerUp": 0.7, "browOuterUp": 0.6, "eyeWide": 0.45, "jawOpen": 0.32},
    "sad": {"browInnerUp": 0.6, "mouthFrown": 0.6, "eyeSquint": 0.2},
    "angry": {"browDown": 0.75, "noseSneer": 0.35, "eyeSquint": 0.35, "mouthPress": 0.4},
    "pout": {"mouthPucker": 0.6, "browInnerUp": 0.2},
    "closed": {"eyeBlink": 1.0, "mouthSmile": 0.25},
}
CHANCES = (0.27, 0.3, 0.12, 0.13, 0.05, 0.03, 0.03, 0.03, 0.04)
EXAGGERATED = ("laugh", "surprise", "angry", "pout")
CENTRAL = ("browInnerUp", "jawOpen", "mouthFunnel", "mouthPucker")
"""Facial actions that have no left and right."""

HATS = ("cap", "beanie", "sunhat", "helmet")
FACE_MASKS = ("surgical", "cloth", "ffp2")


@dataclass(frozen=True)
class Shot:
    """One sprite to render.

    Attributes:
        name: within the identity, e.g. ``b0``; kind: bust, half or full; role: gallery or probe.
        light: of RIGS; expression: of EXPRESSIONS; gaze: degrees to the image's right and up.
        outfit: which of the person's clothes; distance: of the camera, metres.
    """

    name: str
    kind: str
    role: str
    light: str
    pose: Pose
    expression: str
    gaze: tuple[float, float]
    outfit: int
    glasses: str | None
    hat: str | None
    face_mask: str | None
    distance: float
    seed: int


def draw_shots(person: Identity) -> list[Shot]:
    """The sprites of one person. Gallery and probe differ in everything that may differ, and share no render."""
    rng = np.random.default_rng([person.seed, 2])
    rigs = list(rng.permutation(RIGS)) + list(rng.permutation(RIGS))
    shots = []
    for index, kind in enumerate(KINDS):
        number = index % 3
        role = "gallery" if number == 0 or (number == 2 and rng.random() < 0.5) else "probe"
        shots.append(_draw(person, f"{kind[0]}{number}", kind, role, str(rigs[index]), rng, plain=index == 0))
    return shots


def _draw(person: Identity, name: str, kind: str, role: str, light: str, rng: np.random.Generator, plain: bool) -> Shot:
    expression = str(rng.choice(list(EXPRESSIONS), p=CHANCES)) if not plain else str(rng.choice(["neutral", "smile"]))
    spread = 10.0 if plain else 22.0
    yaw = float(np.clip(rng.normal(0, spread), -62, 62)) if rng.random() < 0.9 or plain else float(rng.choice([-1, 1]) * rng.uniform(45, 75))
    turn = yaw * float(rng.uniform(0.3, 0.7)) + float(rng.normal(0, 8))
    gaze = (float(np.clip(rng.normal(-0.4 * yaw, 8), -22, 22)), float(rng.normal(0, 5)))
    pose = Pose(
        turn=turn,
        yaw=float(np.clip(yaw - turn, -55, 55)),
        pitch=float(np.clip(rng.normal(-2, 7), -24, 20)),
        roll=float(np.clip(rng.normal(0, 6), -22, 22)),
        face=_actions(expression, float(rng.uniform(0.75, 1.1)), gaze, rng),
        arms=float(rng.normal(0, 3)),
    )
    hat = "headscarf" if person.headscarf else str(rng.choice(HATS)) if not plain and rng.random() < 0.13 else None
    mask = str(rng.choice(FACE_MASKS)) if not plain and rng.random() < 0.1 else None
    glasses = person.glasses if rng.random() < 0.85 else None
    if not plain and glasses is None and rng.random() < (0.12 if light.endswith("hard") else 0.03):
        glasses = "sunglasses"
    distance = float(rng.uniform(1.7, 2.6)) if kind == "bust" else float(rng.uniform(2.8, 4.5))
    return Shot(name, kind, role, light, pose, expression, gaze, int(role == "probe"), glasses, hat, mask, distance, int(rng.integers(2**31)))


def _actions(expression: str, strength: float, gaze: tuple[float, float], rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """The model's facial actions: both sides of an expression, not quite evenly, and the eyes turned by ``gaze``."""
    actions: dict[str, float] = {"eyeSquintLeft": 0.1, "eyeSquintRight": 0.1}
    for name, value in EXPRESSIONS[expression].items():
        for action in [name] if name in CENTRAL else [name + "Left", name + "Right"]:
            actions[action] = float(np.clip(value * strength * rng.uniform(0.9, 1.1), 0, 1))
    across, up = gaze[0] / 35, gaze[1] / 35
    actions |= {"eyeLookOutLeft": across, "eyeLookInRight": across} if across > 0 else {"eyeLookInLeft": -across, "eyeLookOutRight": -across}
    actions |= {f"eyeLook{'Up' if up > 0 else 'Down'}{side}": abs(up) for side in ("Left", "Right")}
    return tuple(sorted(actions.items()))
