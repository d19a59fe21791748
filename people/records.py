"""JSON records beside the pictures, and the tables that are made of them at the end."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record of one finished picture."""
    write_text(path, json.dumps(record) + "\n")


def write_table(out: Path, table: str) -> None:
    """Gather the records below ``out/table`` into ``out/table.jsonl``, by name."""
    write_text(out / f"{table}.jsonl", "".join(path.read_text() for path in sorted((out / table).rglob("*.json"))))


def finish(out: Path, seed: int, identities: int) -> None:
    """Write ``library.json``, which says that the library is complete.

    Raises:
        FileNotFoundError: a table is missing.
    """
    tables = b"".join((out / f"{table}.jsonl").read_bytes() for table in ("people", "places", "props"))
    write_record(out / "library.json", {"format": 1, "seed": seed, "identities": identities, "sha256": hashlib.sha256(tables).hexdigest()})
