"""Anonymised copies of a whole data set: same names, same table, one lossless codec for every anonymiser."""

import hashlib
from collections.abc import Collection
from pathlib import Path

from dartblur.blur.base import Anonymizer
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.faces.dataset import IMAGES, FaceDataset, Picture, write_table
from dartblur.faces.files import PictureCache
from dartblur.faces.parallel import map_in_order
from dartblur.media.files import atomic_path
from dartblur.media.images import Image, encode_image

CODEC = ".png"
"""Lossless, so that a comparison of anonymisers holds no recompression."""


class Clean:
    """Hides nothing: the arm that the others are compared with. For measurement only."""

    name = "clean"

    def anonymize(self, image: Image, boxes: Boxes) -> Image:
        """A copy of ``image``; the boxes are not looked at."""
        return image.copy()


class Hidden(FaceDataset):
    """The copy that :func:`anonymize_dataset` would write, made picture by picture when it is read."""

    def __init__(self, root: Path, anonymizer: Anonymizer, cache: PictureCache | None = None) -> None:
        super().__init__(root, cache)
        self._anonymizer = anonymizer

    def read(self, picture: Picture) -> Image:
        """The anonymised ``picture``."""
        return self._anonymizer.anonymize(super().read(picture), picture.boxes)


def anonymize_dataset(source: FaceDataset, target: Path, anonymizer: Anonymizer, workers: int, names: Collection[str] | None = None) -> None:
    """Write ``target``, a copy of ``source`` in which every annotated face is hidden, ignored ones too; as a whole or not at all.

    Args:
        workers: threads; OpenCV and the codec let go of the interpreter's lock. The result does not depend on it.
        names: pictures that are taken; all if None.

    Raises:
        DartblurError: a picture cannot be read, or a box cannot be hidden; it names the picture.
    """
    with atomic_path(target) as root:

        def one(picture: Picture) -> str:
            try:
                data = encode_image(anonymizer.anonymize(source.read(picture), picture.boxes), CODEC)
            except DartblurError as error:
                raise DartblurError(f"{picture.name}: {error}") from error
            path = root / IMAGES / (picture.file + CODEC)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return hashlib.sha256(data).hexdigest()

        pictures = [picture for picture in source.pictures() if names is None or picture.name in names]
        hashes = map_in_order(one, pictures, workers, f"{anonymizer.name}: pictures")
        digest = {picture.name: sha256 for picture, sha256 in zip(pictures, hashes, strict=True)}
        rows = source.table[source.table["image"].isin(digest)]
        table = rows.assign(file=rows["file"] + CODEC, sha256=rows["image"].map(digest))
        write_table(root, table)
