"""WIDER FACE's official lists of the faces that count as easy, medium and hard: ``wider_{easy,medium,hard}_val.mat`` of its evaluation tool.

Each holds events, the pictures of every event, the boxes of every picture, and ``gt_list``: the numbers, from 1, of the boxes that count.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dartblur.errors import DartblurError
from dartblur.faces.dataset import OFFICIAL
from dartblur.faces.formats.records import SourcePicture, first_existing

FOLDERS = (".", "wider_face_split", "ground_truth", "eval_tools/ground_truth")
"""Where the lists may lie in the folder of the data set."""
_ROUNDING = 1.0
"""Pixels by which a box may differ from that of the text list."""

Listed = Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
"""Picture -> numbers of its faces that count, from 0, and all its boxes, N x 4: x y w h."""


def official_lists(root: Path) -> dict[str, Path]:
    """Difficulty -> file of its list; empty where the data set comes without them.

    Raises:
        DartblurError: some are there and others are not.
    """
    found = {name: first_existing(root / folder / f"wider_{name}_val.mat" for folder in FOLDERS) for name in OFFICIAL}
    paths = {name: path for name, path in found.items() if path is not None}
    if paths and len(paths) < len(found):
        missing = ", ".join(f"wider_{name}_val.mat" for name in found if name not in paths)
        raise DartblurError(f"{root}: has {next(iter(paths.values())).name} and lacks {missing}; add that, or remove the official lists altogether")
    return paths


def count_by(paths: Mapping[str, Path], pictures: Sequence[SourcePicture]) -> Iterator[list[dict[str, bool]]]:
    """For each picture, for each of its faces, whether it is on each list; pictures of the training split are on none.

    Raises:
        DartblurError: a list cannot be read, does not name a picture of the validation split, or has other boxes than the annotation.
    """
    lists = {name: _read(path) for name, path in paths.items()}
    for picture in pictures:
        columns = {name: _flags(paths[name], listed, picture) for name, listed in lists.items()}
        yield [{name: bool(flags[face]) for name, flags in columns.items()} for face in range(len(picture.faces))]


def _flags(path: Path, listed: Listed, picture: SourcePicture) -> npt.NDArray[np.bool_]:
    """Which faces of a picture are on a list."""
    flags = np.zeros(len(picture.faces), np.bool_)
    if picture.split != "val":
        return flags
    if picture.name not in listed:
        raise DartblurError(f"{path}: does not name {picture.name} ({picture.where}); it is the list of another data set")
    numbers, boxes = listed[picture.name]
    annotated = np.array([face.box for face in picture.faces], np.float64).reshape(-1, 4)
    annotated[:, 2:] -= annotated[:, :2]
    # A picture without a face has one dummy box of zeros in either.
    boxes = boxes[: len(annotated)] if not boxes[len(annotated) :].any() else boxes
    if boxes.shape != annotated.shape or np.abs(boxes - annotated).max(initial=0) > _ROUNDING or (numbers >= len(flags)).any():
        raise DartblurError(f"{path}: has other boxes of {picture.name} than {picture.where}; take lists and annotations of one release")
    flags[numbers] = True
    return flags


def _read(path: Path) -> Listed:
    from scipy.io import loadmat

    try:
        tree = loadmat(path)
        events, files, boxes, lists = (_cells(tree[key]) for key in ("event_list", "file_list", "face_bbx_list", "gt_list"))
        found = {}
        for event, names, shapes, numbers in zip(events, files, boxes, lists, strict=True):
            for name, shape, number in zip(_cells(names), _cells(shapes), _cells(numbers), strict=True):
                places = np.asarray(number, np.int64).reshape(-1) - 1
                if (places < 0).any():
                    raise ValueError("a number below 1")
                found[f"{event.item()}/{name.item()}.jpg"] = (places, np.asarray(shape, np.float64).reshape(-1, 4))
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error}); check the path and its permissions") from error
    except (KeyError, TypeError, ValueError, NotImplementedError) as error:
        raise DartblurError(f"{path}: not a list of WIDER FACE's evaluation tool ({error}); download it again, or remove it") from error
    return found


def _cells(array: Any) -> list[Any]:
    """The elements of a cell array of MATLAB, N x 1."""
    cells = np.asarray(array)
    if cells.dtype != object:
        raise ValueError("a cell array is missing")
    return list(cells.reshape(-1))
