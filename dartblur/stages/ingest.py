"""Stage ingest: the source's annotations and pictures as one canonical data set. Reads data.source, writes data/canonical."""

from pathlib import Path

from rich.console import Console

from dartblur.faces.convert import convert
from dartblur.faces.formats import read_source
from dartblur.media.files import atomic_path
from dartblur.params import Params
from dartblur.stages.paths import CANONICAL


def run(params: Params) -> None:
    """Read the source in its format, copy and check its pictures, write the table; data/canonical is replaced as a whole or not at all.

    Raises:
        UsageError: no such folder or format.
        DartblurError: a bad record or picture, named with its file.
    """
    source = read_source(Path(params.data.source), params.data.format)
    with atomic_path(CANONICAL) as root:
        result = convert(source, root, params.data.val_fraction, params.seed, params.compute.workers)
    splits = ", ".join(f"{count} {split}" for split, count in result.pictures.items())
    notes = "".join(f"; {reason}: {count}" for reason, count in sorted(result.notes.items()))
    line = f"ingest: {sum(result.pictures.values())} pictures ({splits}), {result.faces} faces{notes}"
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
