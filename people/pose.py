"""How a person stands and looks in one sprite."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """How the person stands and looks.

    Attributes:
        turn: of the whole body, degrees; > 0 turns to the image's right.
        yaw, pitch, roll: of the head against the body, degrees; yaw > 0 to the image's right, pitch > 0 up, roll > 0 clockwise in the image.
        face: facial action -> strength, 0..1.
        arms: swing of the upper arms from the relaxed pose, degrees.
    """

    turn: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    face: tuple[tuple[str, float], ...] = ()
    arms: float = 0.0
