"""Faces whose person is known: what every re-identification attack is tried on.

Two layouts:

- a canonical data set with the columns identity and role (data/strangers): a face with role ``gallery`` is one that the attacker has a clean picture
  of, a ``probe`` is one that he wants to name. Every face of a picture is hidden, those of nobody in particular too.
- a folder of people, ``images/<person>/<picture>`` or ``<person>/<picture>``. The first half of a person's pictures by name (the larger half) is
  gallery, the rest is probe. An optional ``pairs.txt`` says which pictures are compared in verification: ``a b 1`` (one person) or ``a b 0`` (two),
  paths below images/; the attacker has ``a`` clean and ``b`` anonymised. The box is the largest face that YuNet finds in the clean picture, cut at
  its borders, so that a tight crop is nearly all box; where it finds none, it is :data:`CENTRE` of the picture, and their number is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import Boxes, area, as_boxes
from dartblur.faces.dataset import IMAGES, SPLITS, TABLE, FaceDataset
from dartblur.faces.formats.records import PICTURE_SUFFIXES
from dartblur.media.images import read_image

GALLERY, PROBE = "gallery", "probe"
PAIRS = "pairs.txt"
Split = Literal["val", "all"]
"""Whose faces of a data set take part."""
SUFFIXES = PICTURE_SUFFIXES | {".pgm"}
"""ORL and other old sets are PGM."""
CENTRE = (0.1, 0.1, 0.9, 0.9)
"""x1 y1 x2 y2 of the box of a face that no detector finds, in shares of the picture's sides: such pictures are crops of faces."""
VISIBLE = 0.7
"""A face of a canonical data set takes part where at least this share of it is seen (where the set knows)."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face whose person is known.

    Attributes:
        person: who it is.
        role: gallery or probe.
        path: the picture's file.
        boxes: every face of the picture that is hidden, N x 4, absolute pixels.
        index: which of them this one is.
    """

    person: str
    role: str
    path: Path
    boxes: Boxes
    index: int

    @property
    def box(self) -> npt.NDArray[np.float64]:
        """x1 y1 x2 y2 in absolute pixels: (4,)."""
        return np.asarray(self.boxes[self.index])

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[3] - self.box[1])


@dataclass(frozen=True, eq=False)
class Identities:
    """A set of faces whose people are known.

    Attributes:
        folder: where they come from.
        faces: in the order of the set; faces of one picture follow one another.
        pairs: of pairs.txt, indices into ``faces``: the one that the attacker has clean, the anonymised one. None where there is no such file.
        central: faces whose box is :data:`CENTRE`, because no detector found them.
        split: which pictures of a data set they are from, ``val`` or ``all``; a folder of people has no splits.
    """

    folder: Path
    faces: tuple[Face, ...]
    pairs: tuple[tuple[int, int], ...] | None = None
    central: int = 0
    split: Split = "all"

    def describe(self) -> dict[str, Any]:
        """What the set consists of: people, faces, roles, heights in pixels, where the boxes come from."""
        heights = [face.height for face in self.faces]
        return {
            # Where a folder lies on somebody's disk is nobody's business.
            "identities": self.folder.name if self.folder.is_absolute() else str(self.folder),
            "split": self.split,
            "people": len({face.person for face in self.faces}),
            "faces": len(self.faces),
            "gallery": sum(face.role == GALLERY for face in self.faces),
            "probes": sum(face.role == PROBE for face in self.faces),
            "face_height": {"min": min(heights), "median": float(np.median(heights)), "max": max(heights)},
            "central_boxes": self.central,
        }

    def thinned(self, faces: int, seed: int) -> "Identities":
        """At most ``faces`` of them (0 is all), drawn so that as many people as possible remain: one gallery and one probe face of each, then a
        second of each, and so on. People with both come first. The same seed draws the same faces.
        """
        if not faces or len(self.faces) <= faces:
            return self
        rng = np.random.default_rng([seed, 0])
        people = self._people(rng)
        queues = {(person, role): self._indices(person, role, rng) for person in people for role in (GALLERY, PROBE)}
        rounds = max(map(len, queues.values()))
        order = [queue[turn] for turn in range(rounds) for queue in queues.values() if turn < len(queue)]
        return self._kept(order[:faces])

    def of_people(self, number: int, seed: int) -> "Identities":
        """All faces of ``number`` people drawn with ``seed``, those with a gallery and a probe face first."""
        chosen = set(self._people(np.random.default_rng([seed, 0]))[:number])
        return self._kept([index for index, face in enumerate(self.faces) if face.person in chosen])

    def _people(self, rng: np.random.Generator) -> list[str]:
        roles: dict[str, set[str]] = {}
        for face in self.faces:
            roles.setdefault(face.person, set()).add(face.role)
        shuffled = [str(person) for person in rng.permutation(sorted(roles))]
        return sorted(shuffled, key=lambda person: -len(roles[person]))

    def _indices(self, person: str, role: str, rng: np.random.Generator) -> list[int]:
        found = [index for index, face in enumerate(self.faces) if (face.person, face.role) == (person, role)]
        return [int(index) for index in rng.permutation(found)]

    def _kept(self, indices: Sequence[int]) -> "Identities":
        place = {index: new for new, index in enumerate(sorted(indices))}
        pairs = None
        if self.pairs is not None:
            pairs = tuple((place[a], place[b]) for a, b in self.pairs if a in place and b in place)
        return replace(self, faces=tuple(self.faces[index] for index in place), pairs=pairs)


def load_identities(folder: Path, min_height: float, split: Split, show: Callable[[int, int], None] = lambda done, total: None) -> Identities:
    """Read a set in either layout.

    Args:
        folder: a canonical data set or a folder of people; see the module's docstring.
        min_height: faces of a data set that are lower, in pixels, are left out. A folder of people is taken whole.
        split: ``val`` leaves out the people of a data set's training pictures, whom a model may know by heart.
        show: told how many pictures of how many have been looked at, where faces have to be found.

    Raises:
        UsageError: no such folder, or neither layout. DartblurError: nobody to recognise in it, an unreadable picture, a wrong pairs.txt.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; give a data set with identities or a folder with images/<person>/<picture>")
    return of_dataset(FaceDataset(folder), min_height, split) if (folder / TABLE).is_file() else of_folder(folder, show)


def of_dataset(data: FaceDataset, min_height: float, split: Split) -> Identities:
    """The faces of a canonical data set that are not ignored, seen well enough, and have an identity and a role."""
    missing = [column for column in ("identity", "role") if column not in data.table]
    if missing:
        lacks = f"{data.root}: lacks the columns {' and '.join(missing)}, so nobody in it is known"
        raise UsageError(f"{lacks}; take data/strangers or a folder of people")
    table = data.table[data.table["x1"].notna()]
    wanted = ~table["ignore"] & (table["y2"] - table["y1"] >= min_height) & (table["identity"] != "") & (table["role"] != "")
    if "visible" in table:
        wanted &= table["visible"].isna() | (table["visible"] >= VISIBLE)
    rows = dict(iter(table.assign(wanted=wanted).groupby(["split", "image"])))
    faces = []
    for part in SPLITS if split == "all" else (split,):
        for picture in data.pictures(part):
            own = rows.get((part, picture.name))
            if own is None:
                continue
            # A picture's boxes are the rows of its faces, in their order.
            for index, (person, role, takes_part) in enumerate(zip(own["identity"], own["role"], own["wanted"], strict=True)):
                if takes_part:
                    faces.append(Face(str(person), str(role), data.path(picture), picture.boxes, index))
    if not faces:
        where, remedy = ("", "") if split == "all" else (f" of the split {split}", " or set privacy.split to all")
        raise DartblurError(
            f"{data.root}: no face{where} of at least {min_height:g} pixels has an identity and a role; lower privacy.min_height{remedy}"
        )
    return Identities(data.root, tuple(faces), split=split)


def of_folder(folder: Path, show: Callable[[int, int], None] = lambda done, total: None) -> Identities:
    """The faces of a folder of people; see the module's docstring."""
    root = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    people = {path.name: _pictures(path) for path in sorted(root.iterdir()) if path.is_dir()}
    total = sum(map(len, people.values()))
    if not total:
        raise UsageError(f"{folder}: no data set and no folder of people; pictures must lie in images/<person>/<picture> or <person>/<picture>")
    from dartblur.detector.pretrained import load_detector

    detector = load_detector("yunet")
    faces: list[Face] = []
    central = 0
    for person, pictures in people.items():
        for number, path in enumerate(pictures):
            image = read_image(path)
            found = detector.detect(image).boxes
            central += not len(found)
            height, width = image.shape[:2]
            box = found[area(found).argmax()] if len(found) else np.array(CENTRE) * (width, height, width, height)
            role = GALLERY if 2 * number < len(pictures) else PROBE
            faces.append(Face(person, role, path, as_boxes(box), 0))
            show(len(faces), total)
    if central == total:
        raise DartblurError(f"{folder}: YuNet finds no face in any of its {total} pictures; give pictures of faces")
    listed = next((path for path in (folder / PAIRS, root / PAIRS) if path.is_file()), None)
    names = {face.path.relative_to(root).as_posix(): index for index, face in enumerate(faces)}
    return Identities(folder, tuple(faces), None if listed is None else _read_pairs(listed, names, faces), central)


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)


def _read_pairs(path: Path, names: dict[str, int], faces: Sequence[Face]) -> tuple[tuple[int, int], ...]:
    """The pairs of a pairs.txt; whether they are one person's is what the folders say, and the file must say the same."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DartblurError(f"{path}: cannot be read as text ({error}); mend or remove it") from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) != 3 or words[2] not in ("0", "1"):
            raise DartblurError(f"{where}: not of the form `a b 1` or `a b 0`; mend that line")
        for name in words[:2]:
            if name not in names:
                raise DartblurError(f"{where}: there is no picture {name}; mend that line or add the picture")
        a, b = names[words[0]], names[words[1]]
        if a == b:
            raise DartblurError(f"{where}: a picture is compared with itself; remove that line")
        if (faces[a].person == faces[b].person) != (words[2] == "1"):
            raise DartblurError(f"{where}: says {words[2]}, but the folders say {int(words[2] == '0')}; mend that line")
        pairs.append((a, b))
    return tuple(pairs)
