"""A data set as tar shards, in a folder or in S3: what `dartblur shard` writes, and what `ingest` makes of it.

The shards are webdataset's: of each picture ``<number>.<suffix>`` with its bytes as they were, and ``<number>.json`` with its faces. Beside them lie
the table, where each picture's bytes are, and last ``shards.json``, without which nobody takes the folder for a data set.
"""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import TABLE, FaceDataset, Picture, read_table
from dartblur.faces.files import AGAIN, MEMBER_COLUMNS, MEMBERS, SHARDS
from dartblur.media.files import read_json, write_json
from dartblur.media.places import file_system, one_sentence
from dartblur.progress import progress_bar


@dataclass(frozen=True)
class Written:
    """What a sharding came to."""

    shards: int
    pictures: int
    size: int


def write_shards(source: FaceDataset, url: str, shard_bytes: int) -> Written:
    """Write ``source`` as shards below ``url``; the same data set, the same bytes. On this disk lies one shard at a time.

    Args:
        url: a new folder, or ``s3://<bucket>/<prefix>``. shard_bytes: a shard is closed when it holds so many.

    Raises:
        UsageError: there are shards already, or nothing can write there.
        DartblurError: a picture's bytes are not those of the table, or the address cannot be reached.
    """
    files, base = file_system(url)
    with one_sentence(url):
        if files.exists(f"{base}/{SHARDS}"):
            raise UsageError(f"{url}: holds shards already; give another place")
    digests = dict(zip(source.table["file"], source.table["sha256"], strict=True))
    pictures = source.pictures()
    shards: list[dict[str, Any]] = []
    members: list[tuple[str, str, int, int, str]] = []
    with tempfile.TemporaryDirectory() as folder, progress_bar("shard: pictures", len(pictures)) as show:
        local = Path(folder)
        for part in _parts(source, pictures, shard_bytes):
            name = f"{len(shards):06d}.tar"
            members += _write_tar(local / name, source, part, digests, len(members))
            shards.append({"file": name, "sha256": _sha256(local / name), "bytes": (local / name).stat().st_size, "pictures": len(part)})
            _put(files, local / name, base, url)
            (local / name).unlink()
            show(len(members), name)
        pd.DataFrame(members, columns=list(MEMBER_COLUMNS)).to_parquet(local / MEMBERS, index=False, compression="zstd")
        (local / TABLE).write_bytes((source.root / TABLE).read_bytes())
        about = {"pictures": len(pictures), "faces": int(source.table["x1"].notna().sum())}
        tables = {name: _sha256(local / name) for name in (TABLE, MEMBERS)}
        write_json(local / SHARDS, {**about, "sha256": tables, "shards": shards})
        for name in (TABLE, MEMBERS, SHARDS):
            _put(files, local / name, base, url)
    return Written(len(shards), len(pictures), sum(shard["bytes"] for shard in shards))


def _parts(source: FaceDataset, pictures: list[Picture], shard_bytes: int) -> Iterator[list[Picture]]:
    """The pictures of each shard."""
    part: list[Picture] = []
    size = 0
    for picture in pictures:
        part.append(picture)
        size += source.path(picture).stat().st_size
        if size >= shard_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part


def _write_tar(path: Path, source: FaceDataset, part: list[Picture], digests: dict[str, str], first: int) -> list[tuple[str, str, int, int, str]]:
    """Write one shard; its rows of ``members.parquet``."""
    from webdataset import TarWriter

    with path.open("wb") as stream, TarWriter(stream, user="", group="", mode=0o644, encoder=False, mtime=0) as tar:
        for number, picture in enumerate(part, first):
            data = source.files.data(picture.file)
            if hashlib.sha256(data).hexdigest() != digests[picture.file]:
                raise DartblurError(f"{source.files.where(picture.file)}: not the bytes that the table says; ingest the source again")
            faces = {"boxes": picture.boxes.tolist(), "ignore": picture.ignore.tolist()}
            about = {"image": picture.name, "file": picture.file, "width": picture.width, "height": picture.height, **faces}
            suffix = picture.file.rpartition(".")[2]
            tar.write({"__key__": f"{number:09d}", suffix: data, "json": json.dumps(about).encode()})
    with tarfile.open(path) as tar:
        places = [(member.offset_data, member.size) for member in tar if not member.name.endswith(".json")]
    return [(picture.file, path.name, offset, size, digests[picture.file]) for picture, (offset, size) in zip(part, places, strict=True)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(files: Any, path: Path, base: str, url: str) -> None:
    with one_sentence(f"{url}/{path.name}"):
        if "s3" not in files.protocol:  # there it would make a bucket of a name that was mistyped
            files.makedirs(base, exist_ok=True)
        files.put_file(str(path), f"{base}/{path.name}")


def has_shards(url: str) -> bool:
    """Whether there is a sharded data set below ``url``: looked up in a folder, taken for granted of any other address."""
    return "://" in url or (Path(url) / SHARDS).is_file()


def take_shards(url: str, root: Path) -> None:
    """Make ``root`` a data set whose pictures stay in the shards below ``url``.

    Raises:
        DartblurError: what lies there cannot be reached, or is not what was written.
    """
    files, base = file_system(url)
    root.mkdir(parents=True)
    for name in (SHARDS, TABLE, MEMBERS):
        with one_sentence(f"{url}/{name}"):
            (root / name).write_bytes(files.cat_file(f"{base}/{name}"))
    about = read_json(root / SHARDS, AGAIN)
    for name, digest in about["sha256"].items():
        if _sha256(root / name) != digest:
            raise DartblurError(f"{url}/{name}: its bytes are not those that were written; {AGAIN}")
    named = set(pd.read_parquet(io.BytesIO((root / MEMBERS).read_bytes()), columns=["file"])["file"])
    if set(read_table(root)["file"]) != named:
        raise DartblurError(f"{url}: table and shards do not name the same pictures; {AGAIN}")
    write_json(root / SHARDS, {**about, "url": url})
