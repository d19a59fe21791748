"""A data set of synthetic scenes: scene by scene into ``<out>.partial/``, by several processes, and renamed to ``<out>`` when it is complete.

A run that was interrupted goes on where it stopped; the bytes do not depend on interruptions, on the number of processes, or, for a given index,
on how many scenes there are.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import pandas as pd

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import ATTRIBUTES, COLUMNS, SPLITS, TABLE, TRUTH, read_table, write_table
from dartblur.faces.parallel import without_interrupts
from dartblur.faces.people.card import write_card
from dartblur.faces.people.cast import split_library
from dartblur.faces.people.library import Library, load_library
from dartblur.faces.people.plan import ANY, KINDS
from dartblur.faces.people.scenes import IMAGES, ROWS, Recipe, SceneWriter, read_rows, start_worker, write_scene
from dartblur.media.files import read_json, write_json
from dartblur.progress import progress_bar

RECIPE = "scenes.json"
"""What the set was made of, beside its table."""


@dataclass(frozen=True)
class Made:
    """What a run came to.

    Attributes:
        out: the data set.
        pictures: split -> number of pictures.
        faces, identities: numbers; faces that do not count (``ignore``) included.
        megabytes: of the pictures.
        fresh: False if it was there already.
    """

    out: Path
    pictures: dict[str, int]
    faces: int
    identities: int
    megabytes: float
    fresh: bool

    def __str__(self) -> str:
        splits = ", ".join(f"{count} {split}" for split, count in self.pictures.items())
        line = f"{self.out}: {sum(self.pictures.values())} pictures ({splits}), {self.faces} faces of {self.identities} identities"
        return f"{line}, {self.megabytes:.1f} MB{'' if self.fresh else '; up to date'}"


def make_scenes(library: Path, out: Path, scenes: int, seed: int, workers: int, val_fraction: float = 0.4, first: int = 0, kind: str = ANY) -> Made:
    """Make the scenes ``first`` to ``first + scenes - 1`` as a canonical data set.

    Args:
        library: folder of a sprite library.
        out: made here; a finished set of the same scenes is left as it is.
        scenes: how many, 1 or more.
        seed: of every draw, 0 or more.
        workers: processes, 1 or more; the result does not depend on it.
        val_fraction: share of scenes, identities and places that are val, 0 to 1; no identity and no place is in both splits.
        first: index of the first scene.
        kind: of scene, see ``plan.KINDS``; ``any`` draws one for each.

    Raises:
        UsageError: no library, an impossible number, or something else at ``out`` or ``<out>.partial``.
        DartblurError: a broken library, or a file system that refuses; the same call goes on from there.
    """
    for name, value, least in (("scenes", scenes, 1), ("seed", seed, 0), ("workers", workers, 1), ("first", first, 0)):
        if value < least:
            raise UsageError(f"{name} is {value}; choose {least} or more")
    if kind not in (ANY, *KINDS):
        raise UsageError(f"there is no kind of scene {kind!r}; choose {', '.join(KINDS)} or {ANY}")
    loaded = load_library(library)
    split_library(loaded, val_fraction, seed)  # refuses before anything is written
    recipe = Recipe(loaded.sha256, seed, val_fraction, kind)
    whole = {**recipe.as_dict(), "first": first, "scenes": scenes}
    if out.exists():
        if _recipe_at(out) != whole or not (out / TABLE).is_file():
            raise UsageError(f"{out}: something else than these scenes is there; choose another folder or remove it")
        return _summary(out, fresh=False)
    partial = out.with_name(out.name + ".partial")
    try:
        _open_partial(partial, recipe)
        indices = range(first, first + scenes)
        _render([index for index in indices if read_rows(partial, index) is None], scenes, library, recipe, partial, workers)
        _close_partial(partial, indices, whole, loaded)
        partial.replace(out)
    except OSError as error:
        where = error.filename or partial
        raise DartblurError(f"{where}: {error.strerror or error}; mend that and run the same command again to go on") from error
    return _summary(out, fresh=True)


def _recipe_at(folder: Path) -> dict[str, Any] | None:
    if not (folder / RECIPE).is_file():
        return None
    return read_json(folder / RECIPE, f"remove {folder}")


def _open_partial(partial: Path, recipe: Recipe) -> None:
    """Make ``partial``, or check that what lies there are scenes of the same ``recipe``."""
    found = _recipe_at(partial)
    if found is None and partial.exists() and (not partial.is_dir() or any(partial.iterdir())):
        raise UsageError(f"{partial}: something is in the way; remove it")
    if found is not None and {key: found.get(key) for key in recipe.as_dict()} != recipe.as_dict():
        raise UsageError(f"{partial}: an interrupted run with another library or other settings lies there; remove it or go on with those")
    write_json(partial / RECIPE, recipe.as_dict())
    for split in SPLITS:
        (partial / IMAGES / split).mkdir(parents=True, exist_ok=True)
    (partial / ROWS).mkdir(exist_ok=True)


def _render(missing: Sequence[int], total: int, library: Path, recipe: Recipe, partial: Path, workers: int) -> None:
    """Write the scenes ``missing`` of ``total``."""
    with progress_bar("sample", total) as show:
        before = total - len(missing)
        show(before, "")
        run = _in_processes if workers > 1 and len(missing) > 1 else _in_this_process
        run(missing, library, recipe, partial, workers, lambda done: show(before + done, ""))


def _in_this_process(missing: Sequence[int], library: Path, recipe: Recipe, partial: Path, workers: int, show: Callable[[int], None]) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(workers)  # that is 1
    try:
        writer = SceneWriter(library, recipe, partial)
        for done, index in enumerate(missing, 1):
            writer.write(index)
            show(done)
    finally:
        cv2.setNumThreads(threads)


def _in_processes(missing: Sequence[int], library: Path, recipe: Recipe, partial: Path, workers: int, show: Callable[[int], None]) -> None:
    # Fresh processes: a fork would copy threads of torch or of a test runner in whatever state they are.
    context = get_context("spawn")
    executor = ProcessPoolExecutor(min(workers, len(missing)), context, start_worker, (library, recipe, partial))
    try:
        with without_interrupts():
            futures = [executor.submit(write_scene, index) for index in missing]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            show(done)
    except BrokenProcessPool as error:
        raise DartblurError("a worker process has died, maybe for want of memory; run the same command again with fewer workers to go on") from error
    finally:
        executor.shutdown(cancel_futures=True)


def _close_partial(partial: Path, indices: Sequence[int], whole: dict[str, Any], library: Library) -> None:
    """Write the table and the data card, and take away what only an unfinished set needs: rows, and pictures of scenes that are not asked for."""
    table: list[dict[str, Any]] = []
    for index in indices:
        scene = read_rows(partial, index)
        if scene is None:
            raise DartblurError(f"{partial}: the scene {index} has been changed since it was written; run the same command again to go on")
        faces = scene.pop("faces")
        nothing = {**dict.fromkeys(("x1", "y1", "x2", "y2"), math.nan), "ignore": False, **dict.fromkeys(ATTRIBUTES, -1)}
        table += [{**scene, "file": scene["image"], **face} for face in faces or [nothing]]
    wanted = {row["image"] for row in table}
    for path in (partial / IMAGES).rglob("*"):
        if path.is_file() and path.relative_to(partial / IMAGES).as_posix() not in wanted:
            path.unlink()
    write_table(partial, pd.DataFrame(table, columns=[*COLUMNS, *TRUTH]))
    write_card(partial, read_table(partial), library)
    write_json(partial / RECIPE, whole)
    shutil.rmtree(partial / ROWS)


def _summary(out: Path, fresh: bool) -> Made:
    table = read_table(out)
    pictures = table.drop_duplicates("image")
    size = sum((out / IMAGES / file).stat().st_size for file in pictures["file"])
    counts = {split: int((pictures["split"] == split).sum()) for split in SPLITS}
    identities = table.loc[table["identity"] != "", "identity"].nunique()
    return Made(out, counts, int(table["x1"].notna().sum()), int(identities), size / 1e6, fresh)
