"""Stage ingest: the source's annotations and pictures as one canonical data set. Reads data.source, writes data/canonical."""

from pathlib import Path

from rich.console import Console

from dartblur.faces.convert import convert
from dartblur.faces.dataset import FaceDataset
from dartblur.faces.formats import read_source
from dartblur.faces.shards import has_shards, take_shards
from dartblur.media.files import atomic_path
from dartblur.params import Params
from dartblur.stages.paths import CANONICAL


def run(params: Params) -> None:
    """Read the source in its format, copy and check its pictures, write the table; data/canonical is replaced as a whole or not at all.

    Pictures of a source of shards (``dartblur shard``) stay where they are: only the tables are copied.

    Raises:
        UsageError: no such folder or format.
        DartblurError: a bad record or picture, named with its file.
    """
    if has_shards(params.data.source):
        with atomic_path(CANONICAL) as root:
            take_shards(params.data.source, root)
            pictures = len(FaceDataset(root).pictures())
        _say(f"ingest: {pictures} pictures, which stay in the shards of {params.data.source}")
        return
    source = read_source(Path(params.data.source), params.data.format)
    with atomic_path(CANONICAL) as root:
        result = convert(source, root, params.data.val_fraction, params.seed, params.compute.workers)
    splits = ", ".join(f"{count} {split}" for split, count in result.pictures.items())
    notes = "".join(f"; {reason}: {count}" for reason, count in sorted(result.notes.items()))
    _say(f"ingest: {sum(result.pictures.values())} pictures ({splits}), {result.faces} faces{notes}")


def _say(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
