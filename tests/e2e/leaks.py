"""Is a secret written down anywhere? Files, databases, buckets, command lines."""

import base64
import subprocess
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.servers import Postgres, postgres_programs
from services.stack import BUCKETS, Stack


def spellings(secret: str) -> set[bytes]:
    """A secret as it may be written: as it is, in a URL, in base64."""
    return {secret.encode(), urllib.parse.quote(secret, safe="").encode(), base64.b64encode(secret.encode())}


def found(texts: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """Names of the texts in which a secret stands."""
    wanted = {spelling for secret in secrets for spelling in spellings(secret)}
    return [name for name, data in texts if any(spelling in data for spelling in wanted)]


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below folders; links are not followed."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def databases(server: Postgres, *names: str) -> Iterator[tuple[str, bytes]]:
    """Everything in databases, as text: runs, tags, logs, events, artifacts."""
    for name in names:
        words = [str(postgres_programs() / "pg_dump"), "--host", "127.0.0.1", "--port", str(server.port), "--username", "dartblur", name]
        yield f"database {name}", subprocess.run(words, env={"PGPASSWORD": server.password}, capture_output=True, check=True).stdout


def objects(servers: Stack) -> Iterator[tuple[str, bytes]]:
    """Every object of every bucket."""
    client = servers.s3.client(servers.owner)
    for bucket in BUCKETS:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                yield f"s3://{bucket}/{item['Key']}", client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def command_lines() -> Iterator[tuple[str, bytes]]:
    """How every process of this machine was called."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(path), path.read_bytes()
        except OSError:
            continue  # it has just ended
