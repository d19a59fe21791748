"""The command detect: the boxes of all faces, nothing else."""

import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import typer

from dartblur.anonymizer import boxfiles
from dartblur.anonymizer.command import cores, share_cores
from dartblur.anonymizer.ends import find_source
from dartblur.anonymizer.job import PICTURES
from dartblur.anonymizer.records import Record
from dartblur.anonymizer.search import Search
from dartblur.anonymizer.settings import Settings, make_search
from dartblur.errors import DartblurError
from dartblur.faces.parallel import ahead
from dartblur.media.codec import is_picture, open_picture
from dartblur.media.files import atomic_path
from dartblur.media.places import Place
from dartblur.progress import progress_bar


def detect_all(source: str, out: Path | None, settings: Settings, workers: int) -> bool:
    """Write the boxes of all pictures of ``source``; what cannot be read is named on stderr. Returns whether all could be.

    Raises:
        UsageError: no such source, or boxes are not written in such a file.
    """
    writer = boxfiles.writer_of(Path("boxes.csv") if out is None else out)
    place = find_source(source)
    workers = workers or cores()
    share_cores(workers)
    search = make_search(settings)
    failed: list[str] = []

    def found() -> Iterator[Record]:
        names = list(place.names())
        with progress_bar("detect", len(names)) as show:
            for done, record in enumerate(ahead(lambda name: _look(place, name, search), names, workers), 1):
                show(done, record.name)
                if record.status == "failed":
                    failed.append(record.reason)
                elif record.status != "other":
                    yield record

    if out is None:
        writer(found(), sys.stdout)
    else:
        with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            count = writer(found(), file)
        typer.echo(f"{out}: {count} faces")
    for reason in failed:
        typer.echo(f"error: {reason}", err=True)
    return not failed


def _look(place: Place, name: str, search: Search) -> Record:
    try:
        data = place.read(name)
        if PurePosixPath(name).suffix.lower() not in PICTURES and not is_picture(data):
            return Record(name, "other")
        picture = open_picture(data, name)
        faces = tuple(face for index in range(picture.frames) for face in search.faces(picture.frame(index), frame=index))
    except DartblurError as error:
        return Record(name, "failed", str(error))
    return Record(name, "anonymised", width=picture.width, height=picture.height, frames=picture.frames, faces=faces)
