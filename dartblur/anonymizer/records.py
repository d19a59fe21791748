"""What became of one file: the record that the manifest keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Status = Literal["anonymised", "empty", "withheld", "failed", "other"]
"""anonymised: written, every face that was found is hidden. empty: no face was found, and it was written because that was asked for. withheld: not
written, a person should look at it. failed: not written, for the reason given. other: neither picture nor video, not copied."""
WRITTEN: tuple[Status, ...] = ("anonymised", "empty")


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        box: x1 y1 x2 y2 in pixels of the picture as written, upright; what was hidden, margin included.
        origin: ``annotated``, a detector's name, or how a video got it (detected, interpolated, extended).
        score: of the detector; None for an annotated box.
        frame: of an animation, a document or a video, from 0.
        kept: left alone because it was asked for.
    """

    box: tuple[float, float, float, float]
    origin: str
    score: float | None = None
    frame: int = 0
    kept: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON and parquet; numbers rounded to a hundredth of a pixel."""
        box = [round(value, 2) for value in self.box]
        score = None if self.score is None else round(self.score, 4)
        return {"frame": self.frame, "box": box, "score": score, "from": self.origin, "kept": self.kept}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Face":
        """What :meth:`as_dict` made."""
        x1, y1, x2, y2 = value["box"]
        return cls((x1, y1, x2, y2), value["from"], value["score"], value["frame"], value["kept"])


@dataclass(frozen=True)
class Record:
    """One file and what became of it.

    Attributes:
        name: relative path with forward slashes, the same in source and target.
        reason: why it was not written, or what is worth knowing; empty otherwise.
        kind: format of its content (jpeg, png, ..., video), empty where it could not be told.
        width, height: pixels, upright.
        sha256_in, sha256_out: of the bytes; empty where there are none.
        job: digest of all settings that the output depends on.
        method: what hid the faces, with the model's name and digest.
    """

    name: str
    status: Status
    reason: str = ""
    kind: str = ""
    width: int = 0
    height: int = 0
    frames: int = 0
    faces: tuple[Face, ...] = ()
    sha256_in: str = ""
    sha256_out: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    job: str = ""
    method: str = ""

    @property
    def hidden(self) -> int:
        """Boxes that were hidden."""
        return sum(not face.kept for face in self.faces)

    def because(self, status: Status, reason: str) -> "Record":
        """The same file with another end, nothing of it written."""
        return replace(self, status=status, reason=reason, sha256_out="", bytes_out=0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and parquet."""
        return {**vars(self), "faces": [face.as_dict() for face in self.faces]}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Record":
        """What :meth:`as_dict` made; KeyError or TypeError if it is something else."""
        return cls(**{**value, "faces": tuple(Face.of(face) for face in value["faces"])})
