"""COCO instances (https://cocodataset.org/#format-data): one json, or one a split, told apart by its name or its folder's."""

import mmap
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from dartblur.errors import DartblurError
from dartblur.faces.dataset import ATTRIBUTES
from dartblur.faces.formats.records import Source, SourceFace, SourcePicture, count_notes, face_classes, plain_name, read_text, safe_name, split_of

LAYOUT = "*.json with images, annotations and categories, in the folder, annotations/ or a folder a split; images/ beside it"


class _Image(BaseModel):
    id: int
    file_name: str
    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None


class _Annotation(BaseModel):
    id: int | str | None = None
    image_id: int
    bbox: Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]
    category_id: int | None = None
    iscrowd: Annotated[int, Field(ge=0, le=1)] = 0
    attributes: dict[str, Any] = {}


class _Category(BaseModel):
    id: int
    name: str


class _File(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] = []


def _files(root: Path) -> list[Path]:
    found = [path for pattern in ("*.json", "annotations/*.json", "*/_annotations.coco.json") for path in sorted(root.glob(pattern))]
    # The official folder also holds keypoints and captions of the same pictures; other json files may be anything.
    return [path for path in found if path.name.startswith("instances_")] or [path for path in found if _is_coco(path)]


def _is_coco(path: Path) -> bool:
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return all(data.find(key) >= 0 for key in (b'"images"', b'"annotations"'))


def detects(root: Path) -> bool:
    """Whether ``root`` holds json files where COCO has them."""
    return bool(_files(root))


def files(root: Path) -> list[Path]:
    """The json files."""
    return _files(root)


def read(root: Path) -> Source:
    """Read every json file. ``iscrowd`` becomes ignore; classes other than faces are left out."""
    pictures: list[SourcePicture] = []
    left_out = 0
    for path in _files(root):
        content = _parse(path)
        found, others = _pictures(root, path, content)
        pictures += found
        left_out += others
    return Source(pictures, count_notes(boxes_of_other_classes_left_out=left_out))


def _parse(path: Path) -> _File:
    try:
        return _File.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".") or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise DartblurError(f"{path}: {place}: {first['msg']}, found {str(first['input'])[:60]!r}; correct that record{more}") from error


def _pictures(root: Path, path: Path, content: _File) -> tuple[list[SourcePicture], int]:
    split = split_of(path.stem) or (split_of(path.parent.name) if path.parent != root else None)
    names = {category.id: category.name for category in content.categories}
    wanted = face_classes(names.values(), f"{path}: categories")
    faces: dict[int, list[SourceFace]] = {}
    for index, image in enumerate(content.images):
        if image.id in faces:
            raise DartblurError(f"{path}: images[{index}]: id {image.id} is used twice; give every picture its own id")
        faces[image.id] = []
    left_out = 0
    for index, annotation in enumerate(content.annotations):
        where = f"{path}: annotations[{index}]"
        if annotation.image_id not in faces:
            raise DartblurError(f"{where}: image_id {annotation.image_id} is no picture of this file; add the picture or remove the annotation")
        if names and annotation.category_id not in names:
            raise DartblurError(f"{where}: category_id {annotation.category_id} is no category of this file; correct it")
        if names and annotation.category_id is not None and names[annotation.category_id] not in wanted:
            left_out += 1
            continue
        x, y, width, height = annotation.bbox
        known = {name: value for name, value in annotation.attributes.items() if name in ATTRIBUTES and type(value) is int}
        faces[annotation.image_id].append(SourceFace((x, y, x + width, y + height), where, annotation.iscrowd == 1, known))
    folder = _folder(root, path, split, content.images)
    pictures: list[SourcePicture] = []
    for index, image in enumerate(content.images):
        where = f"{path}: images[{index}]"
        file = folder / safe_name(image.file_name, where)
        size = (image.width, image.height) if image.width and image.height else None
        pictures.append(SourcePicture(plain_name(file, root), file, split, tuple(faces[image.id]), where, size=size))
    return pictures, left_out


def _folder(root: Path, path: Path, split: str | None, images: list[_Image]) -> Path:
    """Where the pictures of one json lie: the first usual place that has its first picture."""
    stem = path.stem.removeprefix("instances_")
    candidates = [path.parent] if path.name == "_annotations.coco.json" else []
    for word in dict.fromkeys([stem, *([split] if split else [])]):
        candidates += [root / "images" / word, root / word]
    candidates += [root / "images", root]
    if images:
        name = safe_name(images[0].file_name, f"{path}: images[0]")
        for folder in candidates:
            if (folder / name).is_file():
                return folder
    return next(folder for folder in candidates if folder.is_dir())
