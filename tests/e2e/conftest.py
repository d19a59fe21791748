"""A real S3 server with credentials enforced, for the whole session."""

from collections.abc import Iterator

import pytest

from services.processes import free_ports
from services.servers import S3, Account, s3

OWNER = Account("owner", "a-secret-of-the-owner")
READER = Account("reader", "a-secret-of-the-reader", ("Read", "List"))
BUCKET = "faces"


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3"), free_ports(1)[0], (OWNER, READER), (BUCKET,)) as server:
        yield server
