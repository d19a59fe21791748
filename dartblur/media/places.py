"""Where files lie: a local folder, or ``s3://<bucket>/<prefix>``; both behind one interface, :class:`Place`.

S3 takes its keys and endpoint from the AWS_* variables.
"""

import errno
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from dartblur.errors import DartblurError, UsageError

SCRATCH = ".dartblur-"
"""How names of what is half written start."""
LARGEST = 1 << 31
"""Bytes of a file that is read whole, at most."""


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
    """A local folder as a :class:`Place`. Links to files are read as the files, links to folders are not followed, and nothing is written through one
    that leads out of it."""

    remote = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)
        self._scratch = SCRATCH

    def begin(self, run: str) -> None:
        """Remove what an earlier run of this name left half written when it was killed; there is no other one alive. From now on this is that run."""
        self._scratch = f"{SCRATCH}{run}-"
        for folder, folders, files in os.walk(self.root):
            for name in folders:
                if name.startswith(self._scratch):
                    shutil.rmtree(Path(folder) / name, ignore_errors=True)
            for name in files:
                if name.startswith(self._scratch):
                    (Path(folder) / name).unlink(missing_ok=True)
            folders[:] = [name for name in folders if not name.startswith(".")]

    def names(self) -> Iterator[str]:
        """See :class:`Place`; of each folder its files first, then its folders, sorted. A link to a folder counts as an unreadable file, and so does
        a folder that cannot be listed, at the end: nothing of it may be taken for done."""
        closed: list[str] = []
        for folder, folders, files in os.walk(self.root, onerror=lambda error: closed.append(str(error.filename))):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
            for name in sorted(name for name in [*files, *links] if not name.startswith(".")):
                yield PurePosixPath((Path(folder) / name).relative_to(self.root)).as_posix()
        for name in sorted(closed):
            if Path(name) != self.root:
                yield PurePosixPath(Path(name).relative_to(self.root)).as_posix()
            elif self.root.exists():  # one that is not there yet is empty
                raise DartblurError(f"{name}: cannot be listed; check its permissions")

    def read(self, name: str) -> bytes:
        """See :class:`Place`."""
        with self.local(name) as path:
            try:
                if path.stat().st_size > LARGEST:
                    raise DartblurError(f"{name}: {path.stat().st_size:,} bytes are more than the {LARGEST:,} that are read; leave it out")
                return path.read_bytes()
            except OSError as error:
                raise DartblurError(f"{name}: cannot be read ({error.strerror}); check its permissions") from error

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """See :class:`Place`."""
        try:
            path = self._path(name)
            mode = path.stat().st_mode
        except OSError as error:
            raise DartblurError(f"{name}: cannot be read ({error.strerror}); check that it is there, and its permissions") from error
        if stat.S_ISDIR(mode) and not path.is_symlink():
            raise DartblurError(f"{name}: a folder that cannot be listed; check its permissions")
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
        with self._whole(name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Place`; on the same disk, with a name that starts with a dot."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=self._scratch, dir=self.root) as folder:
            yield Path(folder)

    def take(self, name: str, path: Path) -> None:
        """See :class:`Place`; ``path`` is moved."""
        with self._whole(name) as temporary:
            shutil.move(path, temporary)

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        """Where ``name`` lies; an OSError if that is not in this folder: keys of a bucket may look like any path, and folders may be links."""
        path = self.root / name
        if name.startswith("/") or ".." in name.split("/"):
            raise OSError(errno.EINVAL, f"leads out of {self.where}", name)
        if "/" in name and not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise OSError(errno.ELOOP, f"a folder of it is a link that leads out of {self.where}", name)
        return path

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """A name beside that of ``name``, and never too long, whose file becomes it if the block succeeds."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{self._scratch}{uuid.uuid4().hex[:8]}")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


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
        with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder:  # by its name, should it be left after a kill: it holds a clear picture
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
