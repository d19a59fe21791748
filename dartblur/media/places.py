"""Where files lie: a local folder, or ``s3://<bucket>/<prefix>``; both behind one interface, :class:`Place`.

S3 takes its keys and endpoint from the AWS_* variables.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import atomic_path

SCRATCH = ".dartblur-"
"""How names of scratch folders start."""


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a folder or ``s3://<bucket>/<prefix>``, and the path there.

    Raises:
        UsageError: nothing here can read such an address.
    """
    from fsspec.core import url_to_fs

    try:
        files, base = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: not readable here ({error}); give a folder or s3://<bucket>/<prefix>, which needs dartblur[pipeline]") from error
    return files, base.rstrip("/")


@contextmanager
def one_sentence(where: str) -> Iterator[None]:
    """Make a failed request a :class:`DartblurError` that says ``where``."""
    try:
        yield
    except _failures() as error:
        raise DartblurError(f"{where}: cannot be reached ({error}); check the address, AWS_ENDPOINT_URL and the keys") from error


def _failures() -> tuple[type[Exception], ...]:
    """What a file system raises; of botocore only where it is installed."""
    try:
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError)


class Place(Protocol):
    """Files by name, a relative path with forward slashes. Safe to use from several threads."""

    where: str
    """What to call it in a message."""
    remote: bool
    """Whether a request takes long enough to be worth waiting for several at once."""

    def names(self) -> Iterator[str]:
        """All files in a fixed order, but for those whose name, or whose folder's name, starts with a dot."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file; DartblurError if it cannot be read."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A context with the path of a local file of these bytes: itself, or a copy that is gone afterwards."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is something of that name."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Make ``name`` these bytes, whole or not at all; an OSError or DartblurError if that cannot be."""
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """A context with a local folder for files that :meth:`take` will take; gone afterwards."""
        ...

    def take(self, name: str, path: Path) -> None:
        """Make ``name`` what lies in the local file ``path``, whole or not at all."""
        ...

    def remove(self, name: str) -> None:
        """Remove ``name``, if it is there."""
        ...


class Folder:
    """A local folder as a :class:`Place`. Links to files are read as the files, links to folders are not followed."""

    remote = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def names(self) -> Iterator[str]:
        """See :class:`Place`; of each folder its files first, then its folders, sorted. A link to a folder counts as an unreadable file."""
        for folder, folders, files in os.walk(self.root):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
            for name in sorted(name for name in [*files, *links] if not name.startswith(".")):
                yield PurePosixPath((Path(folder) / name).relative_to(self.root)).as_posix()

    def read(self, name: str) -> bytes:
        """See :class:`Place`."""
        with self.local(name) as path:
            try:
                return path.read_bytes()
            except OSError as error:
                raise DartblurError(f"{name}: cannot be read ({error.strerror}); check its permissions") from error

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """See :class:`Place`."""
        path = self.root / name
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise DartblurError(f"{name}: cannot be read ({error.strerror}); check that it is there, and its permissions") from error
        if stat.S_ISDIR(mode):
            raise DartblurError(f"{name}: a link to a folder, which is not followed; give that folder by itself")
        if not stat.S_ISREG(mode):
            raise DartblurError(f"{name}: not a regular file; move it elsewhere")
        yield path

    def has(self, name: str) -> bool:
        """See :class:`Place`."""
        return os.path.lexists(self.root / name)

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Place`."""
        with atomic_path(self.root / name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Place`; on the same disk, with a name that starts with a dot."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self.root) as folder:
            yield Path(folder)

    def take(self, name: str, path: Path) -> None:
        """See :class:`Place`; ``path`` is moved."""
        with atomic_path(self.root / name) as temporary:
            shutil.move(path, temporary)

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        (self.root / name).unlink(missing_ok=True)


class Bucket:
    """A prefix of a bucket as a :class:`Place`. An object appears when it is whole: S3 shows no part of an upload."""

    remote = True

    def __init__(self, url: str) -> None:
        self.where = url.rstrip("/")
        self._files, self._base = file_system(self.where)

    def names(self) -> Iterator[str]:
        """See :class:`Place`; sorted."""
        with one_sentence(self.where):
            found = self._files.find(self._base, refresh=True)
        names = (path[len(self._base) + 1 :] for path in found)
        yield from sorted(name for name in names if name and not any(part.startswith(".") for part in name.split("/")))

    def read(self, name: str) -> bytes:
        """See :class:`Place`."""
        with one_sentence(f"{self.where}/{name}"):
            data: bytes = self._files.cat_file(f"{self._base}/{name}")
        return data

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """See :class:`Place`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / PurePosixPath(name).name
            with one_sentence(f"{self.where}/{name}"):
                self._files.get_file(f"{self._base}/{name}", str(path))
            yield path

    def has(self, name: str) -> bool:
        """See :class:`Place`."""
        with one_sentence(f"{self.where}/{name}"):
            self._files.invalidate_cache()
            return bool(self._files.isfile(f"{self._base}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Place`."""
        with one_sentence(f"{self.where}/{name}"):
            self._files.pipe_file(f"{self._base}/{name}", data)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Place`."""
        with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder:
            yield Path(folder)

    def take(self, name: str, path: Path) -> None:
        """See :class:`Place`."""
        with one_sentence(f"{self.where}/{name}"):
            self._files.put_file(str(path), f"{self._base}/{name}")

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        with one_sentence(f"{self.where}/{name}"):
            if self._files.exists(f"{self._base}/{name}"):
                self._files.rm_file(f"{self._base}/{name}")


class Some:
    """Some files of a place, to be read."""

    def __init__(self, inner: Place, names: tuple[str, ...]) -> None:
        self.inner, self._names = inner, names
        self.where, self.remote = inner.where, inner.remote
        self.read, self.local, self.has = inner.read, inner.local, inner.has
        self.write, self.scratch, self.take, self.remove = inner.write, inner.scratch, inner.take, inner.remove

    def names(self) -> Iterator[str]:
        """See :class:`Place`."""
        yield from self._names


class Named:
    """One file of a place, whatever it is called by."""

    def __init__(self, inner: Place, name: str) -> None:
        self._inner, self._name = inner, name
        self.where, self.remote, self.scratch = inner.where, inner.remote, inner.scratch

    def names(self) -> Iterator[str]:
        """See :class:`Place`."""
        yield self._name

    def read(self, name: str) -> bytes:
        """See :class:`Place`."""
        return self._inner.read(self._name)

    def local(self, name: str) -> AbstractContextManager[Path]:
        """See :class:`Place`."""
        return self._inner.local(self._name)

    def has(self, name: str) -> bool:
        """See :class:`Place`."""
        return self._inner.has(self._name)

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Place`."""
        self._inner.write(self._name, data)

    def take(self, name: str, path: Path) -> None:
        """See :class:`Place`."""
        self._inner.take(self._name, path)

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        self._inner.remove(self._name)


def place(address: str) -> Place:
    """The place of a local folder (made when something is written there) or of an address with ``://``."""
    return Bucket(address) if "://" in address else Folder(Path(address))
