"""The command anonymize: from what was asked for to a job, where its manifest lies, and what is said at the end."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import cv2
from threadpoolctl import threadpool_limits

from dartblur.anonymizer import boxfiles
from dartblur.anonymizer.carried import carry
from dartblur.anonymizer.ends import Ends, check_annotated, check_written, find_ends
from dartblur.anonymizer.film import make_film
from dartblur.anonymizer.job import Job, OnEmpty, Summary, run
from dartblur.anonymizer.manifest import LINES, TABLE, Manifest, manifest, records, try_table, write_table
from dartblur.anonymizer.methods import Name
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.errors import UsageError, printable
from dartblur.faces.boxes import Boxes
from dartblur.media.files import atomic_path, value_sha256
from dartblur.media.places import Bucket, Folder, Some
from dartblur.progress import progress_bar

if TYPE_CHECKING:
    from dartblur.params import RegistryParams

REVIEW = "review.txt"
_MANY = 500
"""Files from which a job is a long one."""
JOURNALS = Path(".dartblur")
"""Where the manifest of a job into a bucket is kept while it runs, in the current folder."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        source, target: a picture, a folder, a pattern with ``*``, or ``s3://<bucket>/<prefix>``; a folder, a file for a single one, or a prefix.
        annotations: the user's own boxes, see :func:`dartblur.anonymizer.boxfiles.read_boxes`.
        keep: ``x1,y1,x2,y2`` or a CSV of regions to leave alone.
        manifest: where the lines of the manifest go; None: into the target.
        boxes: a file to write the boxes to.
        workers: files at a time; 0: as many as there are cores, one for a single file.
        shard: (i, n), i from 0.
    """

    source: str
    target: str
    annotations: Path | None = None
    keep: str | None = None
    on_empty: OnEmpty = "withhold"
    overwrite: bool = False
    workers: int = 0
    shard: tuple[int, int] = (0, 1)
    manifest: Path | None = None
    boxes: Path | None = None


def anonymize(request: Request, settings: Settings) -> tuple[Summary, Sequence[str]]:
    """Do a job; how it went, and what is to be said of the annotations.

    Raises:
        UsageError: IN or OUT cannot be used so. DartblurError: a model, a detector or a file of boxes cannot be had, or the target takes no more.
    """
    ends = find_ends(request.source, request.target)
    if request.boxes is not None:
        boxfiles.writer_of(request.boxes)
    read = [path for path in (request.annotations, None if request.keep is None else Path(request.keep)) if path is not None]
    check_written(ends, request.manifest, request.boxes, read)
    given, keep = _given(request, ends), _keep(request.keep)
    if given is None and not settings.detectors:
        raise UsageError("no detector and no annotations: nothing would be hidden; leave --detector out, or give --annotations")
    workers = request.workers or (1 if ends.single else cores())
    share_cores(workers)
    path = request.annotations or ends.own
    lost = "" if path is None or given is None else check_annotated(ends, path, given, settings.write_empty)
    work = make_work(settings, _registry)
    job = Job(
        source=ends.source, target=ends.target, work=work, identity=settings.identity(work.method), film=None, given=given, keep=keep,
        on_empty=request.on_empty, overwrite=request.overwrite, workers=workers, shard=request.shard, reserved=_own_names(request, ends),
    )  # fmt: skip
    with _journal(request, ends) as lines:
        with manifest(lines) as opened:
            if isinstance(ends.target, Folder):  # only now, when it is known that no other run is at work there
                ends.target.begin(value_sha256(str(lines.resolve()))[:8])
            summary = _run(job, opened, settings)
        _finish(request, ends, lines)
        notes = () if path is None or ends.single or request.shard[1] > 1 else carry(path, ends.source, ends.target, lines)
    return summary, [*notes, *([lost] if lost else [])]


def _own_names(request: Request, ends: Ends) -> frozenset[str]:
    """The names in the target that the job takes for itself."""
    if ends.single:
        return frozenset()
    shards = [""] if request.shard[1] == 1 else [f"-{index + 1}-of-{request.shard[1]}" for index in range(request.shard[1])]
    return frozenset([REVIEW, *(f"manifest{shard}{suffix}" for shard in shards for suffix in (".jsonl", ".parquet", ".review.txt"))])


def _given(request: Request, ends: Ends) -> Mapping[str, Boxes] | None:
    path = request.annotations or ends.own
    if path is None:
        return None
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder of annotations")
    return boxfiles.read_boxes(path, ends.source.inner if isinstance(ends.source, Some) else ends.source)


def _keep(text: str | None) -> Mapping[str, Boxes]:
    if text is None:
        return {}
    return boxfiles.read_csv(Path(text)) if text.endswith(".csv") else {"": boxfiles.parse_region(text)}


@contextmanager
def _journal(request: Request, ends: Ends) -> Iterator[Path]:
    """Where the lines of the manifest are written; afterwards they and the table lie in the target."""
    index, parts = request.shard
    name = LINES if parts == 1 else f"manifest-{index + 1}-of-{parts}.jsonl"
    if request.manifest is not None:
        yield request.manifest
    elif ends.single:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / name
    elif isinstance(ends.target, Folder):
        yield ends.target.root / name
    else:
        assert isinstance(ends.target, Bucket)  # noqa: S101  for mypy
        lines = JOURNALS / value_sha256(ends.target.where)[:16] / name
        if not lines.is_file() and ends.target.has(name):
            with atomic_path(lines) as temporary:
                temporary.write_bytes(ends.target.read(name))
        try:
            yield lines
        finally:
            if lines.is_file():
                ends.target.write(name, lines.read_bytes())


def _run(job: Job, opened: Manifest, settings: Settings) -> Summary:
    total = sum(1 for _ in job.names())
    if not total and job.shard[1] == 1:
        raise UsageError(f"{job.source.where}: holds no file; check the path (names that start with a dot are left out)")
    if total >= _MANY:
        try_table()
    started = time.monotonic()
    with progress_bar("anonymize", total) as show:
        through = 0

        def tell(done: int, summary: Summary) -> None:
            nonlocal through
            through = done
            rate = done / max(time.monotonic() - started, 1e-9)
            trouble = summary.counts["failed"] + summary.counts["withheld"]
            show(done, f"{rate:.1f}/s, {summary.hidden} faces{f', {trouble} not written' if trouble else ''}")

        film = make_film(settings, job.work, lambda name: job.boxes(name)[1], cores(), lambda words: show(through, words))
        return run(replace(job, film=film), opened, tell)


def _finish(request: Request, ends: Ends, lines: Path) -> None:
    """The table, the list for a reviewer, the boxes; nothing of it for a single file unless it was asked for."""
    if request.boxes is not None:
        boxfiles.write_boxes(lines, request.boxes)
    if ends.single and request.manifest is None:
        return
    table = lines.with_suffix(".parquet")
    write_table(lines, table)
    if request.manifest is None and isinstance(ends.target, Bucket):
        ends.target.take(TABLE if request.shard[1] == 1 else table.name, table)
    text = "".join(f"{printable(record.name)}\t{printable(record.reason)}\n" for record in records(lines) if record.status == "withheld")
    if text:
        ends.target.write(REVIEW if request.shard[1] == 1 else lines.with_suffix(".review.txt").name, text.encode())
    else:
        ends.target.remove(REVIEW)


def tell(summary: Summary) -> list[str]:
    """What is said at the end, in lines."""
    counts = summary.counts
    parts = [f"{counts['anonymised']} anonymised, {summary.hidden} faces hidden"]
    parts += [f"{counts[name]} {words}" for name, words in _WORDS.items() if counts[name]]
    if summary.resumed:
        parts.append(f"{summary.resumed} of all were done before")
    lines = ["; ".join(parts), *(f"  {printable(reason)}" for reason in summary.reasons)]
    hidden = counts["withheld"] + counts["failed"] - len(summary.reasons)
    return [*lines, *([f"  and {hidden} more, see the manifest"] if hidden > 0 else [])]


_WORDS = {
    "empty": "without a face written as they were",
    "withheld": f"withheld, see {REVIEW}",
    "failed": "failed",
    "other": "other files not copied",
}


def _registry() -> "RegistryParams":
    from dartblur.params import load_params

    return load_params().registry


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_cores(workers: int) -> None:
    """Let the libraries compute with a thread for each of several files at a time, or with all cores for a single one.

    Called before a network is loaded, which asks how many there are. Linear algebra has one thread in any case: its matrices are small here, and two
    threads that wait for each other at every one took 3.6 times the processor time of the whole job.
    """
    cv2.setNumThreads(1 if workers > 1 else cores())
    threadpool_limits(1, user_api="blas")


def known_method(name: str) -> Name:
    """``name``, if it is one of a method; UsageError otherwise."""
    for known in get_args(Name):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"method {name}: unknown; choose {', '.join(get_args(Name))}")


def detectors(asked: list[str] | None, annotated: bool) -> tuple[str, ...]:
    """The detectors that look for faces: those asked for; by default YuNet, and none where boxes are given."""
    if asked is None:
        return () if annotated else ("yunet",)
    return tuple(name for name in dict.fromkeys(asked) if name != "none")


def parse_shard(text: str) -> tuple[int, int]:
    """``1/4`` as (0, 4); UsageError if it is not of that form."""
    index, _, parts = text.partition("/")
    if not (index.isdecimal() and parts.isdecimal() and 1 <= int(index) <= int(parts)):
        raise UsageError(f"--shard {text}: give i/n, with i from 1 to n")
    return int(index) - 1, int(parts)
