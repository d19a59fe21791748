"""One function a server. Each yields what its clients need; passwords go through files and variables, never through command lines or logs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartblur.errors import DartblurError
from services.processes import HOST, free_ports, server

_BIN = Path(sys.executable).parent
_POSTGRES_FOLDERS = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin"))
_QUIET = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@dataclass(frozen=True)
class Account:
    """Who may do what in the S3 server: ``actions`` are SeaweedFS's (Admin, Read, Write, List, Tagging)."""

    name: str
    secret: str
    actions: tuple[str, ...] = ("Admin", "Read", "Write", "List", "Tagging")


@dataclass(frozen=True)
class S3:
    """An S3 server; ``url`` is the endpoint."""

    url: str

    def variables(self, account: Account) -> dict[str, str]:
        """The environment of a client."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": account.name,
            "AWS_SECRET_ACCESS_KEY": account.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, account: Account) -> Any:
        """A boto3 client."""
        import boto3

        given = self.variables(account)
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=account.name, aws_secret_access_key=account.secret, region_name=given["AWS_DEFAULT_REGION"]
        )


@contextmanager
def s3(folder: Path, port: int, accounts: Sequence[Account], buckets: Sequence[str]) -> Iterator[S3]:
    """SeaweedFS with these accounts and buckets; the first account makes the buckets."""
    folder.mkdir(parents=True, exist_ok=True)
    identities = [
        {"name": account.name, "credentials": [{"accessKey": account.name, "secretKey": account.secret}], "actions": list(account.actions)}
        for account in accounts
    ]
    config = folder / "s3.json"
    _write_secret(config, json.dumps({"identities": identities}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc")
    ports = [f"-{name}={number}" for name, number in zip(names, free_ports(len(names)), strict=True)]
    data = folder / "data"
    data.mkdir(exist_ok=True)
    command = [
        str(_BIN / "weed"), "server", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}", *ports, "-master.telemetry=false", "-volume.max=100",
        "-volume.preStopSeconds=0", "-s3.autoCreateBucket=false",
        "-master.volumeSizeLimitMB=1024", "-filer", "-s3", f"-s3.port={port}", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    here = S3(f"http://{HOST}:{port}")
    client = here.client(accounts[0])
    with server("SeaweedFS", command, folder / "weed.log", lambda: _holds(client, buckets)):
        yield here


def _holds(client: Any, buckets: Sequence[str]) -> bool:
    """Whether all buckets are there and take an object: a server that answers may not have a place for it yet."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        for bucket in buckets:
            if bucket not in {item["Name"] for item in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key=".ready", Body=b"ready")
            client.delete_object(Bucket=bucket, Key=".ready")
    except (BotoCoreError, ClientError):
        return False
    return True


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with one user, ``dartblur``."""

    port: int
    password: str

    def uri(self, database: str, driver: str) -> str:
        """SQLAlchemy's name of a database, the password in it: for variables only."""
        return f"postgresql+{driver}://dartblur:{self.password}@{HOST}:{self.port}/{database}"


@contextmanager
def postgres(folder: Path, port: int, password: str, databases: Sequence[str]) -> Iterator[Postgres]:
    """PostgreSQL (Debian's, or what is on PATH) with these databases. Run by root it runs as the user postgres, because it refuses root.

    Raises:
        DartblurError: it is not installed, or does not start.
    """
    programs = postgres_programs()
    user = "postgres" if os.geteuid() == 0 else None
    folder.mkdir(parents=True, exist_ok=True)
    data, secret = folder / "data", folder / "password"
    if user:
        shutil.chown(folder, user, user)
    if not (data / "PG_VERSION").is_file():
        _write_secret(secret, password)
        if user:
            shutil.chown(secret, user, user)
        made = subprocess.run(
            [str(programs / "initdb"), "-D", str(data), "-U", "dartblur", "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"],
            user=user, group=user, extra_groups=[] if user else None, cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        secret.unlink()
        if made.returncode:
            raise DartblurError(
                f"PostgreSQL: initdb failed in {folder} ({made.stderr.strip().splitlines()[-1] if made.stderr.strip() else 'no message'})"
            )
    # TCP only: the path of a socket may not have more than 107 bytes.
    command = [str(programs / "postgres"), "-D", str(data), "-h", HOST, "-p", str(port), "-c", "unix_socket_directories="]
    here = Postgres(port, password)
    # SIGINT is its fast way to end; SIGTERM would wait for its clients.
    with server("PostgreSQL", command, folder / "postgres.log", lambda: _makes(here, databases), user=user, end_with=signal.SIGINT):
        yield here


def postgres_programs() -> Path:
    """The folder with initdb, postgres, pg_dump and their like.

    Raises:
        DartblurError: PostgreSQL is not installed.
    """
    for folder in _POSTGRES_FOLDERS:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise DartblurError("PostgreSQL is not installed; on Debian: apt install postgresql")


def _makes(here: Postgres, databases: Sequence[str]) -> bool:
    import psycopg2

    try:
        connection = psycopg2.connect(host=HOST, port=here.port, user="dartblur", password=here.password, dbname="postgres")
    except psycopg2.OperationalError:
        return False
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        for name in set(databases) - {row[0] for row in cursor.fetchall()}:
            cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    return True


@contextmanager
def mlflow(folder: Path, port: int, store: str, artifacts: str, variables: dict[str, str]) -> Iterator[str]:
    """MLflow's tracking server and registry, which hands artifacts through, so that clients need no key of the bucket; yields its URL.

    Args:
        store: SQLAlchemy URI of its database. artifacts: s3://<bucket> or a folder. variables: the environment of its S3 client.
    """
    url = f"http://{HOST}:{port}"
    command = [str(_BIN / "mlflow"), "server", "--host", HOST, "--port", str(port), "--workers", "1", "--artifacts-destination", artifacts]
    environment = {**_QUIET, **variables, "MLFLOW_BACKEND_STORE_URI": store}
    if "AWS_ENDPOINT_URL" in variables:
        environment["MLFLOW_S3_ENDPOINT_URL"] = variables["AWS_ENDPOINT_URL"]
    with server("MLflow", command, folder / "mlflow.log", lambda: _answers(f"{url}/health"), environment):
        yield url


@contextmanager
def prefect(folder: Path, port: int, store: str) -> Iterator[str]:
    """Prefect's server; yields the URL of its API."""
    url = f"http://{HOST}:{port}/api"
    environment = {**_QUIET, "PREFECT_HOME": str(folder), "PREFECT_API_DATABASE_CONNECTION_URL": store, "PREFECT_API_URL": url}
    command = [str(_BIN / "prefect"), "server", "start", "--host", HOST, "--port", str(port)]
    with server("Prefect", command, folder / "prefect.log", lambda: _answers(f"{url}/health"), environment):
        yield url


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  loopback
            return bool(response.status == 200)
    except (TimeoutError, urllib.error.HTTPError):
        return False


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
