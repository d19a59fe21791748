"""YOLO text labels (https://docs.ultralytics.com/datasets/detect): a line is class cx cy w h, in shares of the picture's sides.

Folders are ``images/train`` with ``labels/train``, or ``train/images`` with ``train/labels``; without split folders the source has no
split. A picture without a label file is a picture without faces, as in YOLO itself.
"""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dartblur.errors import DartblurError
from dartblur.faces.formats.records import (
    PICTURE_SUFFIXES,
    Source,
    SourceFace,
    SourcePicture,
    count_notes,
    face_classes,
    numbers,
    plain_name,
    read_text,
    split_of,
)

LAYOUT = "images/{train,val} with labels/{train,val}, data.yaml if there are several classes"
_MOST = 2.0
"""A share beyond this is no box at the border, it is a box in pixels."""


def _folders(root: Path) -> list[tuple[Path, Path, str | None]]:
    """Pairs of picture and label folder with the split that they hold."""
    inside = [(path, root / "labels" / path.name) for path in sorted(root.glob("images/*")) if path.is_dir() and split_of(path.name)]
    outside = [(path / "images", path / "labels") for path in sorted(root.glob("*")) if split_of(path.name) and (path / "labels").is_dir()]
    pairs = [(*pair, split_of(pair[0].name)) for pair in inside] + [(*pair, split_of(pair[0].parent.name)) for pair in outside]
    return pairs or [(root / "images", root / "labels", None)]


def detects(root: Path) -> bool:
    """Whether ``root`` holds label folders with text files."""
    return any(labels.is_dir() and next(labels.rglob("*.txt"), None) is not None for _, labels, _ in _folders(root))


def files(root: Path) -> list[Path]:
    """The label files, and those that name the classes."""
    labels = [path for _, folder, _ in _folders(root) for path in sorted(folder.rglob("*.txt"))]
    return [*labels, *sorted(root.glob("*.yaml")), *sorted(root.glob("classes.txt"))]


def read(root: Path) -> Source:
    """Read every picture below the picture folders with its label file."""
    wanted = _wanted(root)
    pictures: list[SourcePicture] = []
    bare = left_out = 0
    for folder, labels, split in _folders(root):
        found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURE_SUFFIXES]
        stems = {path.relative_to(folder).with_suffix("") for path in found}
        for label in sorted(labels.rglob("*.txt")):
            if label.name != "classes.txt" and label.relative_to(labels).with_suffix("") not in stems:
                raise DartblurError(f"{label}: no picture of that name in {folder}; add the picture or remove the label file")
        for path in found:
            label = labels / path.relative_to(folder).with_suffix(".txt")
            lines = read_text(label).splitlines() if label.is_file() else []
            bare += not label.is_file()
            faces = [_face(line, f"{label}, line {number}", wanted) for number, line in enumerate(lines, 1) if line.strip()]
            left_out += faces.count(None)
            kept = tuple(face for face in faces if face is not None)
            pictures.append(SourcePicture(plain_name(path, root), path, split, kept, str(label), relative=True))
    return Source(pictures, count_notes(pictures_without_a_label_file=bare, boxes_of_other_classes_left_out=left_out))


def _face(line: str, where: str, wanted: set[int] | None) -> SourceFace | None:
    words = line.split()
    if len(words) != 5 or not words[0].isdecimal():
        raise DartblurError(f"{where}: expected class cx cy w h, found {line.strip()[:60]!r}; correct the line (polygons and scores are not read)")
    if wanted is not None and int(words[0]) not in wanted:
        return None
    cx, cy, width, height = numbers(words[1:], where)
    if max(abs(cx), abs(cy), width, height) > _MOST:
        raise DartblurError(f"{where}: {line.strip()[:60]!r} is not in shares of the picture (0 to 1); divide by its width and height")
    return SourceFace((cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2), where)


def _wanted(root: Path) -> set[int] | None:
    """The class numbers that are faces; None where no data.yaml names the classes, then all are."""
    path = root / "data.yaml"
    if not path.is_file():
        return None
    try:
        content = YAML(typ="safe", pure=True).load(read_text(path))
    except YAMLError as error:
        raise DartblurError(f"{path}: not readable as YAML ({getattr(error, 'problem', None) or 'syntax'}); mend or remove it") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return None
    wanted = face_classes(map(str, names.values()), f"{path}: names")
    return {int(number) for number, name in names.items() if str(name) in wanted}
