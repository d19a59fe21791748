"""One picture file: open, find, hide, encode, check what was written. Nothing here knows where files lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dartblur.anonymizer.methods import Method
from dartblur.anonymizer.records import Face
from dartblur.anonymizer.search import Search, hidden_boxes
from dartblur.anonymizer.shape import Shape, hide
from dartblur.anonymizer.visible import still_visible
from dartblur.detector.detections import FaceDetector
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, Mask, as_boxes, mask_of
from dartblur.media.codec import Limits, OpenPicture, open_picture
from dartblur.media.images import Image
from dartblur.media.orientation import UPRIGHT

NO_FACE = "no face found; look at it, and give boxes with --annotations or write it as it is with --on-empty write"
TURNED = "turned upright, as its EXIF orientation says"
_DOCUMENTS = ("tiff",)
"""Kinds of files whose frames are pages, which have nothing to do with each other."""
_NEIGHBOURS = 2
"""Frames of an animation before and after, whose faces are hidden in a frame too: detectors miss a face now and then."""


@dataclass(frozen=True)
class Work:
    """How pictures are anonymised; safe to use from several threads.

    Attributes:
        verifier: looks at what was written once more; None: nobody does.
        keep_metadata: keep the safe list of metadata (:mod:`dartblur.media.metadata`) rather than none.
        write_empty: write a picture, or a page, in which no face was found.
    """

    search: Search
    method: Method
    shape: Shape = Shape()  # noqa: RUF009  frozen
    verifier: FaceDetector | None = None
    keep_metadata: bool = False
    write_empty: bool = False
    limits: Limits = Limits()  # noqa: RUF009  frozen


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes:
        data: the anonymised file; None where the picture is withheld for ``reason``.
        faces: all that were found, those left alone among them.
        note: what is worth knowing of a picture that was written.
        kind: format of its content. width, height, frames: of the picture, upright, pixels.
    """

    data: bytes | None
    reason: str
    faces: tuple[Face, ...]
    kind: str
    width: int
    height: int
    frames: int
    note: str = ""


def anonymize_file(data: bytes, name: str, work: Work, given: Boxes | None = None, keep: Boxes | None = None) -> Outcome:
    """Anonymise the bytes of a picture file.

    Args:
        name: what to call it in an error.
        given: N x 4, the user's own boxes in pixels of the stored raster. keep: N x 4, regions to leave alone, in upright pixels.

    Raises:
        DartblurError: it is no whole picture, or a face cannot be hidden.
    """
    try:
        picture = open_picture(data, name, keep_metadata=work.keep_metadata, limits=work.limits)
        own = None if given is None else picture.upright(as_boxes(given))
        faces = _spread(_find(picture, work.search, own, keep), picture)
        reason = "" if work.write_empty else _empty(faces, picture)
        if not reason:
            _replace(picture, faces, work)
    except DartblurError as error:
        raise DartblurError(str(error) if str(error).startswith(name) else f"{name}: {error}") from error
    flat = tuple(face for found in faces for face in found)
    about = (flat, picture.format, picture.width, picture.height, picture.frames)
    if reason:
        return Outcome(None, reason, *about)
    written = picture.encode()
    found_again = _check(data, written, name, faces, work)
    if found_again:
        return Outcome(None, found_again, *about)
    return Outcome(written, "", *about, note="" if picture.orientation == UPRIGHT else TURNED)


def _find(picture: OpenPicture, search: Search, given: Boxes | None, keep: Boxes | None) -> list[list[Face]]:
    """The faces of every frame."""
    return [search.faces(picture.frame(index), given, keep, index) for index in range(picture.frames)]


def _spread(faces: list[list[Face]], picture: OpenPicture) -> list[list[Face]]:
    """In an animation, the faces of each frame and those of its neighbours."""
    if picture.frames == 1 or picture.format in _DOCUMENTS:
        return faces
    spread = []
    for index, own in enumerate(faces):
        near = [faces[other] for other in range(max(index - _NEIGHBOURS, 0), min(index + _NEIGHBOURS + 1, len(faces))) if other != index]
        more = {(face.box, face.kept): Face(face.box, "neighbour", face.score, index, face.kept) for found in near for face in found}
        for face in own:
            more.pop((face.box, face.kept), None)
        spread.append([*own, *more.values()])
    return spread


def _empty(faces: list[list[Face]], picture: OpenPicture) -> str:
    """Why the picture is withheld: no face, or a page without one; empty if it is not."""
    bare = [index for index, found in enumerate(faces) if not found]
    if len(bare) == picture.frames:
        return NO_FACE
    if bare and picture.format in _DOCUMENTS:
        return f"page {bare[0] + 1} of {picture.frames}: {NO_FACE}"
    return ""


def _replace(picture: OpenPicture, faces: list[list[Face]], work: Work) -> None:
    for index, found in enumerate(faces):
        boxes = hidden_boxes(found)
        if len(boxes):
            hidden, mask = hide(picture.frame(index), boxes, work.method.anonymizer, work.shape)
            picture.replace(index, hidden, mask)


def _check(before: bytes, after: bytes, name: str, faces: Sequence[Sequence[Face]], work: Work) -> str:
    """What is still to be seen in the written file, in one sentence; empty if nothing is, or nobody looks."""
    if work.verifier is None:
        return ""
    one, other = (open_picture(data, name, limits=work.limits) for data in (before, after))
    for index, found in enumerate(faces):
        source, written = one.frame(index), other.frame(index)
        if source.shape != written.shape:
            raise DartblurError(f"{name}: has another size after it was written; it was not kept")
        seen = still_visible(source, written, _hidden_mask(found, written), work.verifier, as_boxes([face.box for face in found if face.kept]))
        if len(seen):
            where = ", ".join(str([round(value) for value in box]) for box in seen.tolist()[:3])
            return f"{len(seen)} faces are still to be seen in it, at {where}; look at it, and give boxes with --annotations"
    return ""


def _hidden_mask(faces: Sequence[Face], image: Image) -> Mask:
    boxes = hidden_boxes(faces)
    return mask_of(boxes, image.shape[1], image.shape[0]) if len(boxes) else np.zeros(image.shape[:2], np.bool_)
