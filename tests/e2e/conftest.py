"""Real servers, each for the whole session: S3 with credentials enforced; and all that a team has."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.processes import free_ports
from services.servers import S3, Account, s3
from services.stack import Ports, Stack, stack

for _chatty in ("httpx", "botocore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

OWNER = Account("owner", "a-secret-of-the-owner")
READER = Account("reader", "a-secret-of-the-reader", ("Read", "List"))
BUCKET = "faces"


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Stack, Path]]:
    """S3, PostgreSQL, MLflow and Prefect as `make services` starts them, and the folder with what they hold."""
    # Not below pytest's folder, which is closed to PostgreSQL's own user.
    with tempfile.TemporaryDirectory(prefix="dartblur-e2e-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        with stack(folder, Ports(*free_ports(4))) as running:
            yield running, folder


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3"), free_ports(1)[0], (OWNER, READER), (BUCKET,)) as server:
        yield server
