"""Annotations go along: the files that say where the faces of a folder are, beside its anonymised pictures."""

from collections.abc import Sequence
from pathlib import Path

from dartblur.anonymizer.manifest import records
from dartblur.anonymizer.picture import TURNED
from dartblur.anonymizer.records import WRITTEN, Record
from dartblur.media.places import Folder, Place


def carry(annotations: Path, source: Place, target: Place, lines: Path) -> Sequence[str]:
    """Write the annotations of ``source`` into ``target`` under their own names, where they lie in the source; what there is to say of it.

    A canonical data set's table is written anew: the hashes of the anonymised pictures, without those that were not written. Files of other layouts
    are copied as they are. They count pixels as stored; a picture that was turned upright has others now, which is said.

    Args:
        lines: the manifest.
    """
    if not isinstance(source, Folder):
        return ()
    root = source.root.resolve()
    files = [path for path in _files(annotations) if path.resolve().is_relative_to(root)]
    if not files:
        return ()
    found = [record for record in records(lines) if record.status in WRITTEN]
    turned = [record.name for record in found if record.reason == TURNED]
    if files[0].name == "annotations.parquet":
        if turned:
            return (f"{files[0]}: not carried along, for {turned[0]} was turned upright and its boxes are others now; --boxes writes these",)
        _write_table(files[0].parent, root, target, found)
    else:
        for path in files:
            target.write(path.resolve().relative_to(root).as_posix(), path.read_bytes())
    said = [f"annotations carried along: {len(files)} file{'s' if len(files) > 1 else ''}"]
    if turned:
        said.append(f"  {len(turned)} pictures were turned upright, {turned[0]} first: their boxes are others now; --boxes writes these")
    return said


def _files(annotations: Path) -> list[Path]:
    if annotations.suffix == ".csv":
        return [annotations]
    from dartblur.faces.formats import READERS, detect_format

    root = annotations if annotations.is_dir() else annotations.parent
    return READERS[detect_format(root)].files(root)


def _write_table(data: Path, root: Path, target: Place, found: Sequence[Record]) -> None:
    """The table of a canonical data set in ``data``, for its anonymised pictures."""
    from dartblur.faces.dataset import IMAGES, TABLE, read_table, write_table

    folder = (data / IMAGES).resolve().relative_to(root).as_posix()
    digests = {record.name.removeprefix(f"{folder}/"): record.sha256_out for record in found if record.name.startswith(f"{folder}/")}
    table = read_table(data)
    kept = table[table["file"].isin(digests)]
    with target.scratch() as scratch:
        write_table(scratch, kept.assign(sha256=kept["file"].map(digests)))
        target.take((data / TABLE).resolve().relative_to(root).as_posix(), scratch / TABLE)
