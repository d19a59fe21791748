"""Anonymising from Python: the model is loaded once, then pictures in, pictures out.

    >>> anonymizer = Anonymizer.from_pretrained()
    >>> result = anonymizer.anonymize(Path("street.jpg"))
    >>> result.image, result.faces  # the bytes of a JPEG, where the faces were
    >>> anonymizer.anonymize(array, boxes=[[40, 60, 90, 130]]).image  # uint8, H x W x 3, RGB
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from dartblur.anonymizer.methods import PACKAGED, Choice
from dartblur.anonymizer.picture import NO_FACE, Work, anonymize_file
from dartblur.anonymizer.records import Face
from dartblur.anonymizer.search import hidden_boxes
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.anonymizer.shape import hide
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes
from dartblur.faces.parallel import ahead
from dartblur.media.images import Image

if TYPE_CHECKING:
    from PIL import Image as Pillow

    from dartblur.params import RegistryParams

Kind = TypeVar("Kind")
Picture = TypeVar("Picture", Image, "Pillow.Image")


@dataclass(frozen=True)
class Anonymized(Generic[Kind]):
    """One anonymised picture.

    Attributes:
        image: as it came in: an array for an array, a PIL image for a PIL image, the bytes of a file for a path or bytes. None if it is withheld.
        faces: what was found, in upright pixels.
        reason: why it is withheld; empty if it is not.
    """

    image: Kind | None
    faces: tuple[Face, ...]
    reason: str = ""


class Anonymizer:
    """Finds the faces of pictures and hides them. Safe to use from several threads at once.

    A picture in which no face is found is withheld (``image`` is None), because a face that was missed would be in the clear; settings with
    ``write_empty`` give it back.
    """

    def __init__(self, work: Work) -> None:
        self.work = work

    @classmethod
    def from_pretrained(cls, model: str | Path = PACKAGED, settings: Settings = Settings()) -> "Anonymizer":  # noqa: B008  frozen
        """With the model of the package, or one in a file (.onnx or .safetensors).

        Args:
            settings: everything else; its choice of a model is replaced by ``model`` where its method is dartblur.

        Raises:
            UsageError, DartblurError: the model or a detector cannot be had.
        """
        return cls(make_work(_with_model(settings, str(model))))

    @classmethod
    def from_registry(
        cls,
        version: str = "champion",
        registry: "RegistryParams | None" = None,
        settings: Settings = Settings(),  # noqa: B008  frozen
    ) -> "Anonymizer":
        """With a version or an alias of the registered model.

        Args:
            registry: where it is registered; that of params.yaml in the current folder if None.

        Raises:
            UsageError, DartblurError: the store does not answer, or has no such version.
        """

        def where() -> "RegistryParams":
            from dartblur.params import load_params

            return load_params().registry if registry is None else registry

        return cls(make_work(_with_model(settings, version), where))

    @overload
    def anonymize(self, image: Image, boxes: npt.ArrayLike | None = None, keep: npt.ArrayLike | None = None) -> Anonymized[Image]: ...
    @overload
    def anonymize(
        self, image: "Pillow.Image", boxes: npt.ArrayLike | None = None, keep: npt.ArrayLike | None = None
    ) -> "Anonymized[Pillow.Image]": ...
    @overload
    def anonymize(self, image: bytes | Path, boxes: npt.ArrayLike | None = None, keep: npt.ArrayLike | None = None) -> Anonymized[bytes]: ...
    def anonymize(
        self, image: "Image | Pillow.Image | bytes | Path", boxes: npt.ArrayLike | None = None, keep: npt.ArrayLike | None = None
    ) -> "Anonymized[Image] | Anonymized[Pillow.Image] | Anonymized[bytes]":
        """Anonymise one picture; the argument is left as it is.

        Args:
            image: uint8, H x W x 3, RGB; or a PIL image; or a file or its bytes, in any format that is read.
            boxes: N x 4, x1 y1 x2 y2 in pixels (of the stored raster for a file): known faces, hidden beside those that are looked for.
            keep: N x 4, regions that are left alone.

        Raises:
            DartblurError: it is no whole picture, or a face cannot be hidden.
        """
        given, left = (None if value is None else as_boxes(value) for value in (boxes, keep))
        if isinstance(image, (bytes, Path)):
            name = str(image) if isinstance(image, Path) else "the picture"
            outcome = anonymize_file(_read(image) if isinstance(image, Path) else image, name, self.work, given, left)
            return Anonymized(outcome.data, outcome.faces, outcome.reason)
        array = image if isinstance(image, np.ndarray) else np.asarray(image.convert("RGB"))
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
            raise DartblurError(f"a picture must be uint8, H x W x 3, R G B, not {array.dtype} of shape {array.shape}; convert it")
        faces = tuple(self.work.search.faces(array, given, left))
        if not faces and not self.work.write_empty:
            return Anonymized(None, faces, NO_FACE)
        found = hidden_boxes(faces)
        hidden = hide(array, found, self.work.method.anonymizer, self.work.shape)[0] if len(found) else array.copy()
        if isinstance(image, np.ndarray):
            return Anonymized(hidden, faces)
        from PIL import Image as Pillow

        return Anonymized(Pillow.fromarray(hidden), faces)

    def anonymize_many(self, images: "Iterable[bytes | Path]", workers: int = 2) -> Iterator[Anonymized[bytes]]:
        """Anonymise files, several at once, in order; only a few are in memory at a time. The first that cannot be done raises."""
        yield from ahead(self.anonymize, images, workers)

    def detect(self, image: Image) -> Sequence[Face]:
        """The faces of a picture (uint8, H x W x 3, RGB), as they would be hidden."""
        return self.work.search.faces(image)


def _with_model(settings: Settings, model: str) -> Settings:
    choice = replace(settings.choice, model=model) if settings.choice.method == "dartblur" else settings.choice
    assert isinstance(choice, Choice)  # noqa: S101  for mypy
    return replace(settings, choice=choice)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
