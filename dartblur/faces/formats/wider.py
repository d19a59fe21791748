"""WIDER FACE lists (http://shuoyang1213.me/WIDERFACE).

A list names a picture, the number of its faces, and a line for each: x y w h blur expression illumination invalid occlusion pose. Quirks of the
official lists: a picture without a face has the count 0 and one dummy line of zeros; faces that nobody can see are marked invalid.

Where the evaluation tool's lists of easy, medium and hard faces are there too (:mod:`dartblur.faces.formats.widerlists`), they are taken along.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dartblur.errors import DartblurError
from dartblur.faces.dataset import OFFICIAL
from dartblur.faces.formats.records import Source, SourceFace, SourcePicture, first_existing, numbers, read_text, safe_name, split_of
from dartblur.faces.formats.widerlists import count_by, official_lists

LAYOUT = "wider_face_{train,val}_bbx_gt.txt with images/, or wider_face_split/ with WIDER_{train,val}/images/"
COLUMNS = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
"""The columns after x y w h."""

Lines = Iterator[tuple[int, str]]


def _lists(root: Path) -> list[Path]:
    return sorted(root.glob("wider_face_*_bbx_gt.txt")) or sorted(root.glob("wider_face_split/wider_face_*_bbx_gt.txt"))


def detects(root: Path) -> bool:
    """Whether ``root`` holds the lists."""
    return bool(_lists(root))


def files(root: Path) -> list[Path]:
    """The lists."""
    return _lists(root)


def read(root: Path) -> Source:
    """Read every list; the split is in its name."""
    pictures: list[SourcePicture] = []
    for path in _lists(root):
        split = split_of(path.stem)
        if split is None:
            raise DartblurError(f"{path}: the name says no split; call it wider_face_train_bbx_gt.txt or wider_face_val_bbx_gt.txt")
        candidates = [root / "images", root / f"WIDER_{split}" / "images", root / f"WIDER_{split}"]
        folder = first_existing(candidates) or candidates[0]
        pictures += _pictures(path, folder, split)
    lists = official_lists(root)
    if not lists:
        return Source(pictures)
    counts = count_by(lists, pictures)
    return Source([_on_lists(picture, flags) for picture, flags in zip(pictures, counts, strict=True)], extra=OFFICIAL)


def _on_lists(picture: SourcePicture, flags: list[dict[str, bool]]) -> SourcePicture:
    return replace(picture, faces=tuple(replace(face, extra=extra) for face, extra in zip(picture.faces, flags, strict=True)))


def _pictures(path: Path, folder: Path, split: str) -> Iterator[SourcePicture]:
    rows = [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    position = 0
    while position < len(rows):
        number, name = rows[position]
        where = f"{path}, line {number}"
        count = _count(rows[position + 1] if position + 1 < len(rows) else None, name, path, number)
        position += 2
        faces = tuple(_face(rows[index] if index < len(rows) else None, name, path) for index in range(position, position + count))
        position += count
        if count == 0 and position < len(rows) and set(rows[position][1].split()) == {"0"}:
            position += 1  # the dummy line
        safe = safe_name(name, where)
        yield SourcePicture(safe, folder / safe, split, faces, where)


def _count(row: tuple[int, str] | None, name: str, path: Path, before: int) -> int:
    if row is None or not row[1].isdecimal():
        found = "the end of the file" if row is None else repr(row[1])
        raise DartblurError(f"{path}, line {before + 1}: expected the number of faces of {name}, found {found}; correct the list there")
    return int(row[1])


def _face(row: tuple[int, str] | None, name: str, path: Path) -> SourceFace:
    if row is None:
        raise DartblurError(f"{path}: ends before the last face of {name}; correct its number of faces or add the missing lines")
    where = f"{path}, line {row[0]}"
    words = row[1].split()
    if len(words) not in {4, 4 + len(COLUMNS)}:
        raise DartblurError(f"{where}: expected a face of {name} (4 or 10 numbers), found {row[1]!r}; correct the line or the number of faces")
    x, y, width, height, *rest = numbers(words, where)
    if any(not value.is_integer() for value in rest):
        raise DartblurError(f"{where}: an attribute of a face of {name} is not a whole number; correct the line")
    attributes = dict(zip(COLUMNS, map(int, rest), strict=False))
    ignore = bool(attributes.pop("invalid", 0))
    return SourceFace((x, y, x + width, y + height), where, ignore, attributes)
