"""Faces of people who do not exist whose identity is known, cut from data/sample, for tests of re-identification."""

from pathlib import Path

import numpy as np
import pandas as pd

from dartblur.evaluation.identities import Face, Identities
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import write_image
from tests.sampledata import Sample

MARGIN = 0.3
"""Context around a face's box, in sides of the box."""


def made_up(*people: str, height: float = 100.0, pairs: tuple[tuple[int, int], ...] | None = None) -> Identities:
    """A set without pictures: ``"gp"`` is a person with a gallery and a probe face, ``"ggg"`` one with three gallery faces."""
    boxes = as_boxes([0, 0, 80, height])
    faces = [
        Face(f"person-{number}", {"g": "gallery", "p": "probe"}[role], Path(f"{number}-{turn}.png"), boxes, 0)
        for number, roles in enumerate(people)
        for turn, role in enumerate(roles)
    ]
    return Identities(Path("made-up"), tuple(faces), pairs)


def write_people(root: Path, sample: Sample, people: int) -> Path:
    """Write ``root/images/<person>/{a,b}.png``: the largest clear gallery and probe face of ``people`` people of data/sample. Returns ``root``."""
    clear = sample.faces[sample.faces["clear"] & (sample.faces["height"] >= 60)].sort_values("height", ascending=False, kind="stable")
    best = {role: clear[clear["role"] == role].drop_duplicates("identity").set_index("identity") for role in ("gallery", "probe")}
    smaller = pd.concat([rows["height"] for rows in best.values()], axis=1, join="inner").drop("", errors="ignore").min(axis=1)
    chosen = list(smaller.sort_index().sort_values(ascending=False, kind="stable").index[:people])
    assert len(chosen) == people, f"{len(chosen)} people of data/sample have a clear gallery and probe face, the tests want {people}"
    for person in chosen:
        for role, name in (("gallery", "a"), ("probe", "b")):
            row = best[role].loc[person]
            image = sample.read(str(row["image"]))
            x1, y1, x2, y2 = (float(row[corner]) for corner in ("x1", "y1", "x2", "y2"))
            across, down = MARGIN * (x2 - x1), MARGIN * (y2 - y1)
            left, top = max(int(x1 - across), 0), max(int(y1 - down), 0)
            crop = image[top : int(y2 + down), left : int(x2 + across)]
            write_image(root / "images" / str(person) / f"{name}.png", np.ascontiguousarray(crop))
    return root
