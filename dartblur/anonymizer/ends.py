"""Where a job reads and writes: what IN and OUT of the command line stand for, and what may not be so."""

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dartblur.errors import UsageError, printable
from dartblur.faces.boxes import Boxes
from dartblur.media.places import Folder, Named, Place, Some, place


@dataclass(frozen=True)
class Ends:
    """Where a job reads and writes; ``single`` if it is one file that was named."""

    source: Place
    target: Place
    single: bool = False
    own: Path | None = field(default=None)
    """A canonical data set's folder, whose boxes count where no others are given."""


def find_source(source: str) -> Place:
    """What IN stands for: a bucket's prefix, a folder, a file, or files that fit a pattern.

    Raises:
        UsageError: there is nothing.
    """
    path = Path(source)
    if "://" in source or path.is_dir():
        return place(source)
    if path.exists():
        return Some(Folder(path.parent), (path.name,))
    # Path.glob takes no absolute pattern.
    found = sorted(name for name in glob.glob(source, recursive=True) if not Path(name).is_dir()) if glob.has_magic(source) else []  # noqa: PTH207
    if not found:
        raise UsageError(f"{source}: no such file or folder, and nothing fits it as a pattern; give a picture, a video, a folder or s3://...")
    root = Path(os.path.commonpath([str(Path(name).parent) for name in found]))
    return Some(Folder(root), tuple(Path(name).relative_to(root).as_posix() for name in found))


def find_ends(source: str, target: str) -> Ends:
    """What IN and OUT stand for.

    Raises:
        UsageError: IN is not there, or OUT would mix with it.
    """
    files, path = find_source(source), Path(source)
    if "://" not in source and path.is_file():
        return Ends(files, _one_target(path, target), single=True)
    return Ends(files, _apart(files, target), own=path if is_data_set(source) else None)


def _apart(files: Place, target: str) -> Place:
    """The target, if neither of the two lies in the other: a second run would take the first one's pictures for its own.

    Files that fit a pattern may lie beside the target, as long as none lies in it.
    """
    source = files.where
    if "://" in target:
        if f"{target.rstrip('/')}/".startswith(f"{source.rstrip('/')}/") or f"{source.rstrip('/')}/".startswith(f"{target.rstrip('/')}/"):
            raise UsageError(f"{target}: lies in {source} or holds it; give a target apart from the source")
        return place(target)
    if "://" not in source:
        one, other = Path(source).resolve(), Path(target).resolve()
        inside = one in other.parents
        if inside and isinstance(files, Some):
            inside = any((one / name).resolve().is_relative_to(other) for name in files.names())
        if one == other or other in one.parents or inside:
            raise UsageError(f"{target}: lies in {source} or holds it; give a target apart from the source")
    if Path(target).exists() and not Path(target).is_dir():
        raise UsageError(f"{target}: is a file; several pictures need a folder")
    return Folder(Path(target))


def _one_target(source: Path, target: str) -> Place:
    """The target of a single file: a folder that is there, a prefix, or the name of a file."""
    if "://" in target:
        return place(target)
    path = Path(target)
    if path.is_dir() or target.endswith("/"):
        path = path / source.name
    if path.suffix.lower() != source.suffix.lower():
        raise UsageError(f"{target}: the format is kept, so the name must end in {source.suffix or 'nothing'} as {source} does; or give a folder")
    if path.exists() and path.samefile(source):
        raise UsageError(f"{target}: is the source itself; give another target")
    return Named(Folder(path.parent), path.name)


def check_written(ends: Ends, manifest: Path | None, boxes: Path | None, read: Iterable[Path]) -> None:
    """Refuse, before anything is done, files to write that would take the place of one that is read: of ``read``, or of the source.

    Raises:
        UsageError: so it is, or the manifest's name has another suffix than it must have.
    """
    if manifest is not None and manifest.suffix != ".jsonl":
        raise UsageError(f"--manifest {manifest}: must end in .jsonl; its table goes beside it as .parquet")
    if boxes is None:
        return
    target = boxes.resolve()
    if any(path.resolve() == target for path in read) or ("://" not in ends.source.where and _holds(ends.source, target)):
        raise UsageError(f"--boxes {boxes}: is read by this very job, or lies in its source; give another file")


def _holds(source: Place, path: Path) -> bool:
    """Whether a local source has a file at ``path``, or all of the folder that it lies in."""
    root = Path(source.where).resolve()
    if isinstance(source, Some):
        return any((root / name).resolve() == path for name in source.names())
    return path.is_relative_to(root)


def check_annotated(ends: Ends, annotations: Path, given: Mapping[str, Boxes], all_must_fit: bool) -> str:
    """Whether annotations are those of this source; what is to be said of those that are not, empty if there are none.

    A mistyped name is a face that nobody hides. Only for a whole folder: a file or a pattern may be a part of what is annotated.

    Raises:
        UsageError: none fits, or not all do though they must.
    """
    if ends.single or isinstance(ends.source, Some):
        return ""
    there = set(ends.source.names()) if ends.source.remote else None
    named = [name for name, boxes in given.items() if len(boxes)]
    lost = [name for name in named if not (ends.source.has(name) if there is None else name in there)]
    if not lost or next(ends.source.names(), None) is None:  # an empty source is told of elsewhere
        return ""
    words = f"{annotations}: {len(lost)} of its {len(named)} pictures with faces are no files of {ends.source.where}, {printable(lost[0])} first"
    if len(lost) == len(named) or all_must_fit:
        raise UsageError(f"{words}; names are relative to that folder, correct them")
    return words


def is_data_set(source: str) -> bool:
    """Whether ``source`` is a canonical data set, whose table says where its faces are."""
    return (Path(source) / "annotations.parquet").is_file()
