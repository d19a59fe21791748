"""Boxes of faces as files: those that a job found, as CSV, COCO or a WIDER FACE list; and those that a user brings, in any layout of a data set."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from dartblur.anonymizer.manifest import records
from dartblur.anonymizer.records import Record
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.media.files import atomic_path
from dartblur.media.places import Folder, Place

HEADER = ("image", "x1", "y1", "x2", "y2", "score", "from", "frame", "kept")


def write_boxes(lines: Path, target: Path) -> int:
    """The faces of a manifest as ``.csv``, ``.json`` (COCO) or ``.txt`` (a WIDER FACE list); the suffix says which. Returns how many.

    Boxes are in pixels of the pictures as written, upright. COCO and WIDER know no frames: there the faces of all frames stand together.

    Raises:
        UsageError: another suffix.
    """
    writer = writer_of(target)
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        return writer(records(lines), file)


def writer_of(target: Path) -> Callable[[Iterator[Record], TextIO], int]:
    """What writes a file of this name; UsageError where nothing does."""
    if target.suffix not in _WRITERS:
        raise UsageError(f"{target}: boxes are written as .csv, .json (COCO) or .txt (WIDER FACE); give one of these")
    return _WRITERS[target.suffix]


def _write_csv(found: Iterator[Record], file: TextIO) -> int:
    rows = csv.writer(file)
    rows.writerow(HEADER)
    count = 0
    for record in found:
        for face in record.faces:
            score = "" if face.score is None else f"{face.score:.4f}"
            rows.writerow([record.name, *(f"{value:g}" for value in face.as_dict()["box"]), score, face.origin, face.frame, int(face.kept)])
            count += 1
    return count


def _write_coco(found: Iterator[Record], file: TextIO) -> int:
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, record in enumerate(found, 1):
        if not record.width:
            continue
        images.append({"id": number, "file_name": record.name, "width": record.width, "height": record.height})
        for face in record.faces:
            x1, y1, x2, y2 = face.as_dict()["box"]
            box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0}
            annotations.append({**one, **({} if face.score is None else {"score": round(face.score, 4)})})
    json.dump({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}, file)
    return len(annotations)


def _write_wider(found: Iterator[Record], file: TextIO) -> int:
    count = 0
    for record in found:
        if not record.width:
            continue
        if "\n" in record.name:
            raise DartblurError(f"{record.name!r}: a WIDER FACE list cannot hold a name of two lines; write .csv or .json")
        rows = [face.as_dict()["box"] for face in record.faces]
        file.write(f"{record.name}\n{len(rows)}\n")
        for x1, y1, x2, y2 in rows:
            file.write(f"{x1:g} {y1:g} {x2 - x1:g} {y2 - y1:g} 0 0 0 0 0 0\n")
        if not rows:
            file.write("0 0 0 0 0 0 0 0 0 0\n")
        count += len(rows)
    return count


_WRITERS: dict[str, Callable[[Iterator[Record], TextIO], int]] = {".csv": _write_csv, ".json": _write_coco, ".txt": _write_wider}


def read_boxes(path: Path, source: Place) -> dict[str, Boxes]:
    """The user's own boxes by the names of ``source``, in pixels of the stored raster.

    Args:
        path: a CSV with the columns image, x1, y1, x2, y2; or a data set in a layout that the pipeline reads (WIDER FACE, COCO, Pascal VOC, YOLO,
            canonical), whose pictures are those of ``source`` or have the same names.

    Raises:
        UsageError: there is no such file. DartblurError: it cannot be read; the record is named.
    """
    if path.suffix == ".csv":
        return read_csv(path)
    from dartblur.faces.formats import read_source

    folder = path if path.is_dir() else path.parent
    found = {}
    root = source.root.resolve() if isinstance(source, Folder) else None
    for picture in read_source(folder).pictures:
        real = picture.path.resolve()
        name = real.relative_to(root).as_posix() if root is not None and real.is_relative_to(root) else picture.name
        boxes = as_boxes([face.box for face in picture.faces])
        if picture.relative and len(boxes):
            boxes = boxes * np.tile(_size(picture.path), 2)
        found[name] = boxes
    return found


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as stored, from its header."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with Pillow.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError) as error:
        raise DartblurError(f"{path}: not a readable picture ({error}); its boxes are shares of its sides, so its size is needed") from error


def read_csv(path: Path) -> dict[str, Boxes]:
    """The boxes of a CSV with the columns image, x1, y1, x2, y2, by picture; errors as in :func:`read_boxes`."""
    rows: dict[str, list[list[float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in HEADER[:5] if name not in (reader.fieldnames or ())]
            if missing:
                raise DartblurError(f"{path}: has no column {', '.join(missing)}; the first line must be image,x1,y1,x2,y2")
            for row in reader:
                boxes = rows.setdefault(row["image"], [])
                if any(row[name] for name in HEADER[1:5]):  # a picture without a face has empty numbers, all four of them
                    boxes.append([float(row[name]) for name in HEADER[1:5]])
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except csv.Error as error:
        raise DartblurError(f"{path}: not readable as CSV ({error}); correct it") from error
    except (TypeError, ValueError) as error:
        raise DartblurError(f"{path}, line {reader.line_num}: x1 y1 x2 y2 must be four numbers ({error}); correct that line") from error
    return {name: as_boxes(boxes) for name, boxes in rows.items()}


def parse_region(text: str) -> Boxes:
    """``x1,y1,x2,y2`` as a box (1 x 4).

    Raises:
        UsageError: it is not of that form.
    """
    try:
        x1, y1, x2, y2 = (float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--keep {text}: give x1,y1,x2,y2 in pixels, or a .csv with the columns image,x1,y1,x2,y2") from None
    return as_boxes([x1, y1, x2, y2])
