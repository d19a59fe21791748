"""The manifest: a line of JSON for every file as soon as its end is known, and a parquet table of the same once the job is through.

The lines are the memory of a job: after a crash the next run goes on from them. A line that was cut off by a crash is dropped.
"""

import fcntl
import hashlib
import io
import json
import os
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dartblur.anonymizer.records import Record, Status
from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import atomic_path

LINES = "manifest.jsonl"
TABLE = "manifest.parquet"
_BATCH = 1 << 19
"""Bytes of records that are made rows at once."""
_HEAD = b'{"name": "'
"""How every line begins."""


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier run has written down of a file: enough to tell whether it has to be done again. Digests are 32 bytes, or none."""

    status: Status
    sha256_in: bytes
    sha256_out: bytes
    job: bytes
    hidden: int


class Manifest:
    """The lines of one job, open for more of them."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a line cut off at the end is taken away.

        Raises:
            UsageError: another process writes it. DartblurError: it is no manifest.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UsageError(f"{path}: another run writes there; wait for it to end, or give another target") from error
        self.known: dict[str, Known] = {}
        try:
            self._file.truncate(self._read())
        except DartblurError:
            self.close()
            raise

    def _read(self) -> int:
        """Fill :attr:`known`; the length of all whole lines."""
        whole = 0
        self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                # Cut off by a crash, which may leave zeros; but somebody's notes without a line break must not be taken for that and be gone.
                if line.startswith(_HEAD) or _HEAD.startswith(line) or not line.strip(b"\0"):
                    break
                raise DartblurError(f"{self.path}: not a manifest; move the file away, or give another target")
            whole += len(line)
            record = _parse(line, f"{self.path}, line {number}")
            before, after, job = (bytes.fromhex(value) for value in (record.sha256_in, record.sha256_out, record.job))
            self.known[record.name] = Known(record.status, before, after, job, record.hidden)
        return whole

    def add(self, record: Record) -> None:
        """Write a line; it is with the system when this returns."""
        self._file.write(json.dumps(record.as_dict(), allow_nan=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def manifest(path: Path) -> Iterator[Manifest]:
    """A :class:`Manifest` for the block."""
    opened = Manifest(path)
    try:
        yield opened
    finally:
        opened.close()


def _parse(line: bytes, where: str) -> Record:
    try:
        return Record.of(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise DartblurError(f"{where}: not a line of a manifest ({error}); move the file away, or give another target") from error


def records(path: Path) -> Iterator[Record]:
    """The last record of every file, in the order of their last lines; constant memory but for ten bytes a line."""
    names = array("Q")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            name = os.fsencode(_parse(line, f"{path}, line {number}").name)
            names.append(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big"))
    wanted = _last_of_each(np.frombuffer(names, np.uint64))
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if wanted[number - 1]:
                yield _parse(line, f"{path}, line {number}")


def _last_of_each(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which of N values do not come again: N."""
    wanted = np.zeros(len(values), np.bool_)
    _, first_from_behind = np.unique(values[::-1], return_index=True)
    wanted[len(values) - 1 - first_from_behind] = True
    return wanted


def try_table() -> None:
    """Write a table of nothing, so that a long job finds out at its start whether it can, and needs no more memory for it at its end.

    Arrow takes memory from the system from now on, which gets it back; its own allocator keeps tens of megabytes.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / LINES
        lines.write_text(json.dumps(Record("a", "other").as_dict()) + "\n")
        write_table(lines, Path(folder) / TABLE)


def write_table(lines: Path, table: Path) -> None:
    """The manifest as parquet, a row a file."""
    import pyarrow as pa
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    numbers = ("width", "height", "frames", "bytes_in", "bytes_out")
    face = pa.struct({"frame": pa.int64(), "box": pa.list_(pa.float64()), "score": pa.float64(), "from": pa.string(), "kept": pa.bool_()})
    kinds = {name: pa.int64() if name in numbers else pa.string() for name in Record.__dataclass_fields__}
    schema = pa.schema({**kinds, "faces": pa.list_(face)})
    with atomic_path(table) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        # Arrow reads JSON itself; a table of Python's objects would import pandas, which takes as long as many pictures.
        for batch in _batches(lines):
            reading = arrow_json.ReadOptions(use_threads=False, block_size=len(batch) + 1)
            writer.write_table(arrow_json.read_json(io.BytesIO(batch), reading, arrow_json.ParseOptions(explicit_schema=schema)))


def _batches(lines: Path) -> Iterator[bytes]:
    """The last records of all files as lines of JSON, many at a time."""
    batch = bytearray()
    for record in records(lines):
        # A file name may hold bytes that are no text; parquet takes none of these.
        text = {name: value.encode(errors="backslashreplace").decode() for name, value in (("name", record.name), ("reason", record.reason))}
        batch += json.dumps({**record.as_dict(), **text}).encode() + b"\n"
        if len(batch) > _BATCH:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)
