"""Writing files so that a reader never sees half of one: write beside the target, then rename."""

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError

_LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``target`` that becomes ``target`` only if the block succeeds.

    The temporary file or folder has the suffix of the target (encoders look at it) and is removed when the block raises. A folder that
    stands at ``target`` is replaced as a whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    names = (f".{target.stem}.{mark}{target.suffix}", f".{mark}{target.suffix}", f".{mark}")
    temporary = target.with_name(next(name for name in names if len(os.fsencode(name)) <= _LONGEST_NAME))
    try:
        yield temporary
        if temporary.is_dir() and target.is_dir():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def without_nan(value: Any) -> Any:
    """``value`` with every NaN and infinity replaced by None, because JSON has neither; dicts, lists and tuples are walked."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, keys in the order given, atomically; NaN and infinity become null."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(without_nan(value), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        remedy: what to do if it cannot be read, the end of the error's sentence.

    Raises:
        DartblurError: the file cannot be read, is no JSON, or holds something else than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise DartblurError(f"{path}: not readable as JSON ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise DartblurError(f"{path}: holds no JSON object; {remedy}")
    return value


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        DartblurError: the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); run the stage that writes it first") from error


def value_sha256(value: Any) -> str:
    """SHA-256 of plain data, the same for every order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
