"""All servers together, as a team would run them: MLflow and Prefect on PostgreSQL, MLflow's artifacts and DVC's remote on S3."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dartblur.errors import DartblurError
from services.processes import must_be_free
from services.servers import S3, Account, mlflow, postgres, prefect, s3

BUCKETS = ("dvc", "mlflow", "data")


@dataclass(frozen=True)
class Ports:
    """Where each server listens, on loopback."""

    s3: int = 8333
    postgres: int = 5433
    mlflow: int = 5000
    prefect: int = 4200


@dataclass(frozen=True)
class Stack:
    """Servers that run.

    Attributes:
        owner: may do everything in the S3 server. reader: may only read.
    """

    s3: S3
    owner: Account
    reader: Account
    mlflow: str
    prefect: str

    def variables(self) -> dict[str, str]:
        """The environment of whoever works with them."""
        return {**self.s3.variables(self.owner), "MLFLOW_TRACKING_URI": self.mlflow, "PREFECT_API_URL": self.prefect}


@contextmanager
def stack(folder: Path, ports: Ports) -> Iterator[Stack]:
    """Run all servers for the block; what they hold stays in ``folder``, and so do their passwords, readable by their owner alone.

    Raises:
        DartblurError: a port is taken, or a server does not start.
    """
    for name, port in vars(ports).items():
        must_be_free(port, name)
    folder.mkdir(parents=True, exist_ok=True)
    password, owner, reader = _passwords(folder / "passwords", 3)
    accounts = Account("owner", owner), Account("reader", reader, ("Read", "List"))
    with (
        s3(folder / "s3", ports.s3, accounts, BUCKETS) as bucket,
        postgres(folder / "postgres", ports.postgres, password, ("mlflow", "prefect")) as database,
        mlflow(folder / "mlflow", ports.mlflow, database.uri("mlflow", "psycopg2"), "s3://mlflow", bucket.variables(accounts[0])) as tracking,
        prefect(folder / "prefect", ports.prefect, database.uri("prefect", "asyncpg")) as orchestration,
    ):
        yield Stack(bucket, *accounts, tracking, orchestration)


def _passwords(path: Path, count: int) -> list[str]:
    """Made once and kept, because PostgreSQL's data know theirs."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(secrets.token_urlsafe(24) for _ in range(count)))
    except FileExistsError:
        pass
    found = path.read_text(encoding="utf-8").split()
    if len(found) != count:
        raise DartblurError(f"{path}: does not hold {count} passwords; remove {path.parent} to begin anew")
    return found
