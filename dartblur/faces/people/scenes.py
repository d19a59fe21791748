"""One scene as two files: ``images/<split>/scene-000012.jpg`` and the rows of its faces, ``rows/000012.json``, written after it.

A scene depends on the library, the seed, the share of val and its own index, and on nothing else: not on other scenes, nor on who makes it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dartblur.errors import DartblurError
from dartblur.faces.parallel import begin_worker
from dartblur.faces.people.cast import split_library, split_of
from dartblur.faces.people.compose import compose
from dartblur.faces.people.finish import encoded
from dartblur.faces.people.library import load_library
from dartblur.faces.people.pixels import PixelStore
from dartblur.faces.people.plan import ANY, plan_scene
from dartblur.media.files import atomic_path

IMAGES, ROWS = "images", "rows"
VERSION = 1
"""Of everything that decides pixels; a change of this package that moves one counts it up."""


@dataclass(frozen=True)
class Recipe:
    """What every scene of a set depends on.

    Attributes:
        library: SHA-256 of the sprite library.
        seed: of every draw.
        val_fraction: share of scenes, of identities and of places that are val.
        kind: of every scene, see ``plan.plan_scene``.
        version: :data:`VERSION` when it was made.
    """

    library: str
    seed: int
    val_fraction: float
    kind: str = ANY
    version: int = VERSION

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class SceneWriter:
    """Makes scenes of one library below one folder.

    Args:
        library: folder of the sprite library.
        recipe: what the scenes depend on.
        folder: where ``images/`` and ``rows/`` lie.
    """

    def __init__(self, library: Path, recipe: Recipe, folder: Path) -> None:
        loaded = load_library(library)
        self._store = PixelStore(loaded)
        self._casts = split_library(loaded, recipe.val_fraction, recipe.seed)
        self._recipe, self._folder = recipe, folder

    def write(self, index: int) -> None:
        """Make the scene ``index`` and write its files, each as a whole or not at all.

        Raises:
            DartblurError: it cannot be made or written.
        """
        split = split_of(index, self._recipe.val_fraction)
        rng = np.random.default_rng([self._recipe.seed, index])
        scene = plan_scene(self._casts[split], rng, self._recipe.kind)
        image, faces = compose(scene, self._store, rng)
        data = encoded(image, scene.finish)
        name = f"{split}/scene-{index:06d}.jpg"
        rows = {
            "image": name,
            "split": split,
            "width": image.shape[1],
            "height": image.shape[0],
            "sha256": hashlib.sha256(data).hexdigest(),
            "faces": [face.row() for face in faces],
        }
        try:
            _write(self._folder / IMAGES / name, data)
            _write(row_path(self._folder, index), (json.dumps(rows) + "\n").encode())
        except OSError as error:
            raise DartblurError(
                f"{self._folder}: the scene {index} cannot be written ({error.strerror}); mend that and run the same command again to go on"
            ) from error


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def row_path(folder: Path, index: int) -> Path:
    """Where the rows of scene ``index`` lie."""
    return folder / ROWS / f"{index:06d}.json"


def read_rows(folder: Path, index: int) -> dict[str, Any] | None:
    """The rows of a scene that is complete on disk, its picture checked byte for byte; None if it has to be made (again)."""
    try:
        rows: dict[str, Any] = json.loads(row_path(folder, index).read_text(encoding="utf-8"))
        data = (folder / IMAGES / str(rows["image"])).read_bytes()
        return rows if hashlib.sha256(data).hexdigest() == rows["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):  # missing, torn by a power cut, or something else altogether
        return None


_writer: SceneWriter | None = None
"""Of a worker process."""


def start_worker(library: Path, recipe: Recipe, folder: Path) -> None:
    """Prepare a worker process; it ends when its parent does, however that ends."""
    global _writer  # noqa: PLW0603 - one for each process, which is what a process pool offers
    begin_worker()
    _writer = SceneWriter(library, recipe, folder)


def write_scene(index: int) -> None:
    """:meth:`SceneWriter.write` in a worker process."""
    if _writer is None:
        raise DartblurError("the worker process was not started; this is a mistake in the program, report it")
    _writer.write(index)
