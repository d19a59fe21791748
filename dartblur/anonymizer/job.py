"""A job: every file of a place anonymised into another place, several at once, with a manifest by which it goes on after any interruption.

Reading and writing of some files overlap with the work on others; memory does not grow with their number. A bad file does not stop the rest; a target
that takes nothing more does. The manifest has the files in the order of the source, whatever ended first.
"""

import errno
import hashlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from dartblur.anonymizer.manifest import Known, Manifest
from dartblur.anonymizer.picture import NO_FACE, Outcome, Work, anonymize_file
from dartblur.anonymizer.records import WRITTEN, Record, Status
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes
from dartblur.media.codec import is_picture
from dartblur.media.files import value_sha256
from dartblur.media.places import Place

OnEmpty = Literal["withhold", "write", "fail"]
PICTURES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".dib", ".gif")
)
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
)
NOT_OURS = "exists already and is not what this job makes; --overwrite replaces it"
_ANOTHER = "there is a file of that name in the target that this run did not make, remove it if it must not be there"
_OF_THE_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EFBIG)
)
"""Why one file cannot be written, though others can: its name, its size, or what stands in its way."""
_LOCAL_WAIT, _REMOTE_WAIT = 2, 8
"""Files whose bytes are on their way while others are worked on."""
_REASONS = 20

Film = Callable[[Path, Path, str], Outcome]
"""Anonymises the video in one file into another; the third argument is what to call it. Of the outcome ``data`` is None; a reason is a refusal."""


@dataclass(frozen=True)
class Job:
    """What is asked for.

    Attributes:
        identity: digest of all settings that every output depends on; a file done under another one, or with other boxes, is done again.
        film: anonymises a video; None: videos are refused.
        given: name -> the user's own boxes (N x 4, stored raster); None: there are none for any file.
        keep: regions to leave alone (N x 4, upright) by name; "" is every file.
        on_empty: what happens to a picture without a face.
        overwrite: replace what exists in the target.
        workers: files worked on at once.
        shard: (i, n): only the i-th of n parts of the source, by the hash of the name.
        reserved: names in the target under which the job writes files of its own; no picture may take them.
    """

    source: Place
    target: Place
    work: Work
    identity: str
    film: Film | None = None
    given: Mapping[str, Boxes] | None = None
    keep: Mapping[str, Boxes] = field(default_factory=dict)
    on_empty: OnEmpty = "withhold"
    overwrite: bool = False
    workers: int = 1
    shard: tuple[int, int] = (0, 1)
    reserved: frozenset[str] = frozenset()

    def boxes(self, name: str) -> tuple[Boxes | None, Boxes | None]:
        """The user's own boxes of a file, and its regions to leave alone."""
        return None if self.given is None else self.given.get(name), self.keep.get(name, self.keep.get(""))

    def identity_of(self, name: str) -> str:
        """A digest of all that the output of one file depends on, but for its bytes."""
        given, keep = (None if boxes is None else boxes.tolist() for boxes in self.boxes(name))
        return self.identity if given is None and keep is None else value_sha256([self.identity, given, keep])

    def names(self) -> Iterator[str]:
        """The files of this job's part."""
        index, parts = self.shard
        for name in self.source.names():
            if parts == 1 or int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") % parts == index:
                yield name


@dataclass(frozen=True)
class _End:
    """How one file ended; ``hidden`` faces. Resumed: an earlier run did it, and the record holds name and status alone."""

    record: Record
    hidden: int
    resumed: bool = False


@dataclass
class Summary:
    """How a job went: files by status, files that an earlier run had done, faces hidden, and the first few reasons."""

    counts: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    hidden: int = 0
    reasons: list[str] = field(default_factory=list)

    def take(self, end: _End) -> None:
        """Count one file."""
        record = end.record
        self.counts[record.status] += 1
        self.resumed += end.resumed
        self.hidden += end.hidden
        if record.status not in (*WRITTEN, "other") and len(self.reasons) < _REASONS:
            self.reasons.append(f"{record.status}: {record.reason if record.name in record.reason else f'{record.name}: {record.reason}'}")

    @property
    def done(self) -> bool:
        """Whether every picture and video was written."""
        return not (self.counts["withheld"] or self.counts["failed"])


class TargetFull(DartblurError):
    """The target takes nothing more: a full disk, a lost permission, a lost connection. The rest would fail likewise."""


def run(job: Job, manifest: Manifest, show: Callable[[int, Summary], None]) -> Summary:
    """Do what is left of a job.

    Args:
        show: told after each file how many are through, and how it goes.

    Raises:
        TargetFull: the target takes nothing more; what is done is kept, and the same job goes on later.
    """
    summary = Summary()
    room = threading.Semaphore(job.workers)
    threads = job.workers + (_REMOTE_WAIT if job.source.remote or job.target.remote else _LOCAL_WAIT)
    waiting: deque[Future[_End]] = deque()

    def settle() -> None:
        end = waiting[0].result()  # Ctrl-C while it is waited for leaves it among those that are settled afterwards
        waiting.popleft()
        if not end.resumed:
            manifest.add(end.record)
        summary.take(end)
        show(sum(summary.counts.values()), summary)

    executor = ThreadPoolExecutor(threads)
    try:
        for name in job.names():
            waiting.append(executor.submit(_one, job, name, manifest.known.get(name), room))
            if len(waiting) > 2 * threads:
                settle()
        while waiting:
            settle()
    except BaseException:
        # Ctrl-C, or the target is full: what runs ends, and what was written is written down, so that it is not done twice.
        executor.shutdown(cancel_futures=True)
        ended = [future for future in waiting if not future.cancelled() and future.exception() is None]
        waiting.clear()
        waiting.extend(ended)
        while waiting:
            settle()
        raise
    executor.shutdown()
    return summary


def _one(job: Job, name: str, known: Known | None, room: threading.Semaphore) -> _End:
    """Do one file, unless it is done."""
    record = Record(name, "failed", job=job.identity_of(name), method=job.work.method.label)
    try:
        record, how = _look(job, record)
        if known is not None and _still_stands(job, record, known):
            return _End(Record(name, known.status, "as in an earlier run, see the manifest"), known.hidden, resumed=True)
        with room:
            made = how()
    except TargetFull:
        raise
    except DartblurError as error:
        made = record.because("failed", str(error))
    except MemoryError:
        made = record.because("failed", "does not fit into memory; make it smaller, or give fewer --workers")
    except Exception as error:
        # A fault of a library on one file, of a kind that nobody foresaw, must not stop the rest: the file is not written, and the record says why.
        made = record.because("failed", f"{type(error).__name__}: {error}; report this file")
    return _End(_without_stale(job, made, known), made.hidden if made.status in WRITTEN else 0)


def _look(job: Job, record: Record) -> tuple[Record, Callable[[], Record]]:
    """The record with what is known of the source's bytes, and what is to be done with them."""
    suffix = PurePosixPath(record.name).suffix.lower()
    if suffix not in PICTURES:  # of any size: not to be read whole before it is known to be a picture
        try:
            with job.source.local(record.name) as path:
                record = replace(record, sha256_in=_sha256(path), bytes_in=path.stat().st_size)
                picture = _starts_as_picture(path)
        except OSError as error:
            raise DartblurError(f"{record.name}: cannot be read ({error.strerror}); check its permissions") from error
        if suffix in VIDEOS:
            return record, lambda: _film(job, record)
        if not picture:
            return record, lambda: record.because("other", "neither a picture nor a video; not copied")
    data = job.source.read(record.name)
    record = replace(record, sha256_in=hashlib.sha256(data).hexdigest(), bytes_in=len(data))
    return record, lambda: _picture(job, record, data)


def _picture(job: Job, record: Record, data: bytes) -> Record:
    outcome = anonymize_file(data, record.name, job.work, *job.boxes(record.name))
    record = _about(record, outcome)
    if outcome.data is None:
        return record.because("failed" if job.on_empty == "fail" and outcome.reason.endswith(NO_FACE) else "withheld", outcome.reason)
    made = outcome.data
    return _written(job, record, hashlib.sha256(made).hexdigest(), len(made), lambda: job.target.write(record.name, made))


def _film(job: Job, record: Record) -> Record:
    if job.film is None:
        raise DartblurError(f"{record.name}: a video; install the extra dartblur[video] to have it read")
    with job.source.local(record.name) as path, job.target.scratch() as folder:
        made = folder / PurePosixPath(record.name).name
        outcome = job.film(path, made, record.name)
        record = _about(record, outcome)
        if outcome.reason:
            return record.because("failed" if job.on_empty == "fail" else "withheld", outcome.reason)
        return _written(job, record, _sha256(made), made.stat().st_size, lambda: job.target.take(record.name, made))


def _about(record: Record, outcome: Outcome) -> Record:
    width, height, frames = outcome.width, outcome.height, outcome.frames
    return replace(record, kind=outcome.kind, reason=outcome.note, faces=outcome.faces, width=width, height=height, frames=frames)


def _written(job: Job, record: Record, digest: str, size: int, write: Callable[[], None]) -> Record:
    """Write what was made, unless it is there already; what else is there stays, unless it may be replaced."""
    if record.name in job.reserved:
        raise DartblurError(f"{record.name}: called like a file that the job writes itself; give that file another name")
    there = None if job.overwrite else _digest_there(job.target, record.name)
    if there is None:
        try:
            write()
        except (OSError, DartblurError) as error:
            why = getattr(error, "strerror", None) or error
            if isinstance(error, OSError) and error.errno in _OF_THE_NAME:
                raise DartblurError(f"{record.name}: cannot be written ({why}); rename it, or give another target") from error
            raise TargetFull(f"{job.target.where}: {record.name} cannot be written ({why}); mend that and run the same command again") from error
    elif there != digest:
        raise DartblurError(f"{record.name}: {NOT_OURS}")
    status: Status = "anonymised" if record.faces else "empty"
    return replace(record, status=status, sha256_out=digest, bytes_out=size)


def _still_stands(job: Job, record: Record, known: Known) -> bool:
    """Whether an earlier run ended this very file under these very settings, and what it wrote is still there."""
    if (known.job, known.sha256_in) != (bytes.fromhex(record.job), bytes.fromhex(record.sha256_in)) or known.status == "failed":
        return False
    return known.status not in WRITTEN or _digest_there(job.target, record.name) == known.sha256_out.hex()


def _without_stale(job: Job, made: Record, known: Known | None) -> Record:
    """The record, after a look at what lies in the target under the name of a file that was not written: as if it had been anonymised.

    What an earlier run wrote there goes, if it may be replaced; what else lies there is told.
    """
    if made.status in (*WRITTEN, "other") or made.name in job.reserved or NOT_OURS in made.reason:
        return made
    there = _digest_there(job.target, made.name)
    if there is None:
        return made
    if job.overwrite and known is not None and there == known.sha256_out.hex():
        job.target.remove(made.name)
        return made
    return replace(made, reason=f"{made.reason}; {_ANOTHER}")


def _digest_there(target: Place, name: str) -> str | None:
    """SHA-256 of a file of the target; None where nothing is, empty where something is that cannot be read."""
    if not target.has(name):
        return None
    try:
        with target.local(name) as path:
            return _sha256(path)
    except (OSError, DartblurError):
        return ""


def _starts_as_picture(path: Path) -> bool:
    with path.open("rb") as file:
        return is_picture(file.read(256))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
