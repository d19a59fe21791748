"""One mover of aliases at a time, whatever machine it runs on.

MLflow's registry has no transactions, but the name of a registered model is unique in its database: whoever makes ``<name>.lock`` has the lock. A
lock whose owner was killed is old, or its process is gone from this machine; whoever finds it so renames it to a name that its age makes unique, so
that of two who find it only one does, and the lock that the faster of the two then takes is not renamed by the slower.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError

STALE_SECONDS = 300
"""A move takes a second or two; a lock so old belongs to nobody."""
OWNER = "owner"
"""Tag of a lock: which process of which machine holds it."""
_PROC = Path("/proc")


@contextmanager
def lock(client: Any, name: str) -> Iterator[None]:
    """Hold the lock of the model ``name`` for the block.

    Raises:
        DartblurError: somebody else holds it; who and since when.
    """
    held = f"{name}.lock"
    if not _take(client, held):
        _clear(client, held)
        if not _take(client, held):
            raise DartblurError(f"{name}: another promotion is at work ({_owner(client, held)}); wait for it to end, and look at `dartblur history`")
    try:
        yield
    finally:
        client.delete_registered_model(held)


def _take(client: Any, held: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        description = f"{socket.gethostname()}, process {os.getpid()}"
        client.create_registered_model(held, {OWNER: _process(os.getpid())}, description)
    except MlflowException as error:
        # The second: it was there, and was given back before MLflow had looked at it for its message.
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            raise
        return False
    return True


def _clear(client: Any, held: str) -> None:
    """Take a lock away whose owner is gone."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_registered_model(held)
        since = found.creation_timestamp
        if time.time() - since / 1000 > STALE_SECONDS or _is_gone(found.tags.get(OWNER, "")):
            client.rename_registered_model(held, f"{held}.{since}")
            client.delete_registered_model(f"{held}.{since}")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"):
            raise


def _process(number: int) -> str:
    """Machine (since its last start), space of process numbers, number and start of a process; empty if it has ended or the system does not say."""
    try:
        machine, space = (_PROC / "sys/kernel/random/boot_id").read_text().strip(), (_PROC / "self/ns/pid").readlink()
        # After the name, which may hold anything but ends with the last bracket, come the state and, as the 20th word, the start.
        words = (_PROC / f"{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else f"{machine} {space} {number} {words[19]}"


def _is_gone(owner: str) -> bool:
    """Whether a process ran on this machine and does no longer; of another machine nothing is known."""
    words, own = owner.split(" "), _process(os.getpid()).split(" ")
    return len(words) == len(own) == 4 and words[:2] == own[:2] and _process(int(words[2])) != owner


def _owner(client: Any, held: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_registered_model(held)
    except MlflowException:
        return "just ended"
    return f"{found.description}, since {time.strftime('%H:%M:%S', time.localtime(found.creation_timestamp / 1000))}"
