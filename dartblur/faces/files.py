"""The bytes of a data set's pictures: files below ``images/``, or parts of tar shards in a folder or in S3.

A sharded data set has the tables of any other, and in ``shards.json`` where its shards lie. A picture is one range of one shard, so any picture
comes with one request, in any order; what has come is kept on disk up to a limit. So pictures that the disk could not hold train as if it did.
"""

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple, Protocol

import pandas as pd

from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path, read_json
from dartblur.media.places import file_system, one_sentence

IMAGES = "images"
SHARDS = "shards.json"
MEMBERS = "members.parquet"
MEMBER_COLUMNS = {"file": "str", "shard": "str", "offset": "int64", "size": "int64", "sha256": "str"}
"""Of ``members.parquet``: a row a picture, where its bytes lie in which shard."""
AGAIN = "make the shards again with `dartblur shard`"


class PictureFiles(Protocol):
    """Where pictures come from."""

    def data(self, file: str) -> bytes:
        """The bytes of a picture, named as in the column ``file``."""

    def where(self, file: str) -> str:
        """What to call it in an error."""


class PictureCache:
    """Bytes on disk by their SHA-256, at most ``room`` of them; the least recently used go first. One process's own."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder, self._room = folder, room
        self._lock = threading.Lock()
        known = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime_ns) if folder.is_dir() else []
        self._sizes = OrderedDict((path.name, path.stat().st_size) for path in known)
        self._used = sum(self._sizes.values())
        self._make_room(0)

    def get(self, digest: str) -> bytes | None:
        """What lies there, None if it does not or has been spoilt."""
        with self._lock:
            if digest not in self._sizes:
                return None
            self._sizes.move_to_end(digest)
            path = self._folder / digest
            data = path.read_bytes() if path.is_file() else b""
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def put(self, digest: str, data: bytes) -> None:
        """Keep ``data``, if there is room at all."""
        if len(data) > self._room:
            return
        with self._lock:
            self._used -= self._sizes.pop(digest, 0)
            self._make_room(len(data))
            with atomic_path(self._folder / digest) as temporary:
                temporary.write_bytes(data)
            self._sizes[digest] = len(data)
            self._used += len(data)

    def _make_room(self, size: int) -> None:
        while self._sizes and self._used + size > self._room:
            oldest, freed = self._sizes.popitem(last=False)
            (self._folder / oldest).unlink(missing_ok=True)
            self._used -= freed


class Folder:
    """Pictures as files below ``images/``."""

    def __init__(self, root: Path) -> None:
        self._root = root / IMAGES

    def data(self, file: str) -> bytes:
        """See :class:`PictureFiles`."""
        try:
            return (self._root / file).read_bytes()
        except OSError as error:
            raise DartblurError(f"{self.where(file)}: cannot be read ({error.strerror}); check the path and its permissions") from error

    def where(self, file: str) -> str:
        """See :class:`PictureFiles`."""
        return str(self._root / file)


class _Member(NamedTuple):
    shard: str
    offset: int
    size: int
    sha256: str


class Shards:
    """Pictures as parts of shards.

    Args:
        root: a local folder with ``shards.json`` and ``members.parquet``. cache: keeps what has been fetched; None keeps nothing.
    """

    def __init__(self, root: Path, cache: PictureCache | None = None) -> None:
        self._url = str(read_json(root / SHARDS, "ingest the source again").get("url", root))
        self._files, self._base = file_system(self._url)
        self._cache = cache
        table = pd.read_parquet(root / MEMBERS).astype(MEMBER_COLUMNS)
        columns = (table[name].tolist() for name in MEMBER_COLUMNS)
        self._members = {file: _Member(*rest) for file, *rest in zip(*columns, strict=True)}

    def data(self, file: str) -> bytes:
        """See :class:`PictureFiles`."""
        member = self._members[file]
        data = self._cache.get(member.sha256) if self._cache else None
        if data is None:
            data = self._fetch(file, member)
            if self._cache:
                self._cache.put(member.sha256, data)
        return data

    def _fetch(self, file: str, member: _Member) -> bytes:
        end = member.offset + member.size
        with one_sentence(self.where(file)):
            data: bytes = self._files.cat_file(f"{self._base}/{member.shard}", start=member.offset, end=end)
        if hashlib.sha256(data).hexdigest() != member.sha256:
            raise DartblurError(f"{self.where(file)}: its bytes are not those that were written; {AGAIN}")
        return data

    def where(self, file: str) -> str:
        """See :class:`PictureFiles`."""
        return f"{self._url}/{self._members[file].shard}: {file}"


def picture_files(root: Path, cache: PictureCache | None = None) -> PictureFiles:
    """The pictures of the data set in ``root``, whatever it is made of."""
    return Shards(root, cache) if is_sharded(root) else Folder(root)


def is_sharded(root: Path) -> bool:
    """Whether the data set in ``root`` is one of shards."""
    return (root / SHARDS).is_file()
