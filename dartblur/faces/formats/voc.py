"""Pascal VOC: one xml a picture in ``Annotations/``, pictures in ``JPEGImages/``, splits in ``ImageSets/Main/``.

Corners are 1-based and both inclusive, so x1 = xmin - 1 and x2 = xmax. Boxes of a tool that counts from 0 with exclusive ends grow by one pixel to
the left and top then, which for privacy is the right side to be wrong on.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as SafeTree  # type: ignore[import-untyped]
from defusedxml import DefusedXmlException

from dartblur.errors import DartblurError
from dartblur.faces.formats.records import (
    Source,
    SourceFace,
    SourcePicture,
    count_notes,
    face_classes,
    first_existing,
    numbers,
    read_text,
    safe_name,
)

LAYOUT = "Annotations/*.xml with JPEGImages/, ImageSets/Main/{train,val}.txt if it has a split"


def _annotations(root: Path) -> list[Path]:
    return sorted(root.glob("Annotations/*.xml")) or sorted(root.glob("annotations/*.xml"))


def detects(root: Path) -> bool:
    """Whether ``root`` holds the xml files."""
    return bool(_annotations(root))


def files(root: Path) -> list[Path]:
    """The xml files, and the lists of the splits."""
    return [*_annotations(root), *sorted(root.glob("ImageSets/Main/*.txt"))]


def read(root: Path) -> Source:
    """Read every xml file.

    ``difficult`` becomes ignore; classes other than faces, and pictures in neither list where there are lists, are left out and noted.
    """
    trees = {path.stem: (path, _parse(path)) for path in _annotations(root)}
    splits = _splits(root)
    for stem, (_, where) in splits.items():
        if stem not in trees:
            raise DartblurError(f"{where}: {stem} has no xml in Annotations; add it or remove it from the list")
    names = {_text(item, "name", path) for path, tree in trees.values() for item in tree.iter("object")}
    wanted = face_classes(names, f"{root}: object names")
    folder = first_existing([root / "JPEGImages", root / "images"]) or root / "JPEGImages"
    pictures: list[SourcePicture] = []
    unlisted = left_out = 0
    for stem, (path, tree) in trees.items():
        if splits and stem not in splits:
            unlisted += 1
            continue
        objects = list(tree.iter("object"))
        faces = [_face(item, f"{path}, object {index}") for index, item in enumerate(objects, 1) if _text(item, "name", path) in wanted]
        left_out += len(objects) - len(faces)
        name = safe_name(_text(tree, "filename", path), str(path))
        split = splits[stem][0] if splits else None
        pictures.append(SourcePicture(name, folder / name, split, tuple(faces), str(path), size=_size(tree, path)))
    return Source(pictures, count_notes(pictures_in_no_list_left_out=unlisted, boxes_of_other_classes_left_out=left_out))


def _parse(path: Path) -> Element:
    try:
        return SafeTree.fromstring(path.read_bytes())  # type: ignore[no-any-return]
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except DefusedXmlException as error:
        raise DartblurError(f"{path}: declares entities or a DTD, which can be an attack; remove the DOCTYPE") from error
    except (ParseError, ValueError) as error:
        raise DartblurError(f"{path}: not readable as XML ({error}); mend that line") from error


def _splits(root: Path) -> dict[str, tuple[str, str]]:
    """Stem -> (split, the list and line that names it)."""
    found: dict[str, tuple[str, str]] = {}
    for split in ("train", "val"):
        path = root / "ImageSets" / "Main" / f"{split}.txt"
        for number, line in enumerate(read_text(path).splitlines() if path.is_file() else [], 1):
            words = line.split()
            if not words:
                continue
            where = f"{path}, line {number}"
            if words[0] in found:
                raise DartblurError(f"{where}: {words[0]} is also at {found[words[0]][1]}; keep one of the two")
            found[words[0]] = (split, where)
    return found


def _text(element: Element, tag: str, where: object) -> str:
    text = element.findtext(tag)
    if text is None or not text.strip():
        raise DartblurError(f"{where}: <{element.tag}> lacks <{tag}>; add it")
    return text.strip()


def _size(tree: Element, path: Path) -> tuple[int, int] | None:
    size = tree.find("size")
    if size is None:
        return None
    width, height = numbers([_text(size, "width", path), _text(size, "height", path)], f"{path}, size")
    # Some tools write 0 for "not known".
    return (int(width), int(height)) if width > 0 and height > 0 else None


def _face(item: Element, where: str) -> SourceFace:
    corners = item.find("bndbox")
    if corners is None:
        raise DartblurError(f"{where}: lacks <bndbox>; add it or remove the object")
    x1, y1, x2, y2 = numbers([_text(corners, tag, where) for tag in ("xmin", "ymin", "xmax", "ymax")], where)
    # A corner of 0 comes from a tool that counts from 0: it means the border, not a pixel outside.
    box = (x1 - 1 if x1 else 0.0, y1 - 1 if y1 else 0.0, x2, y2)
    attributes = {"occlusion": 1} if (item.findtext("occluded") or "").strip() == "1" else {}
    return SourceFace(box, where, (item.findtext("difficult") or "").strip() == "1", attributes)
