"""Do the servers answer that this machine is set up for? Asked without their libraries, with little patience, and only for what changes nothing."""

import base64
import json
import os
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

from dartblur.errors import DartblurError
from dartblur.params import PARAMS_FILE, RegistryParams, load_params
from dartblur.registry.aliases import CHAMPION
from dartblur.registry.tracking import shown

__all__ = ["PARAMS_FILE", "Answer", "mlflow", "prefect", "s3"]

_SECONDS = 3
_SQLITE, _HTTP = "sqlite:///", ("http://", "https://")


@dataclass(frozen=True)
class Answer:
    """What is known of one server; ``detail`` holds no user name, password or key."""

    name: str
    detail: str
    good: bool = True


def mlflow(params: Path) -> Answer:
    """The store of the models that ``params`` (params.yaml) names, and the champion in it."""
    if not params.is_file():
        return Answer("MLflow", f"no {params.name} in the current folder, which would name the store of the models")
    try:
        return _store(load_params(params).registry)
    except DartblurError as error:
        return Answer("MLflow", str(error), good=False)


def _store(registry: RegistryParams) -> Answer:
    uri = registry.tracking_uri
    if not uri.startswith((_SQLITE, *_HTTP)):  # nor repeated: it may hold a password in any place
        return Answer("MLflow", "registry.tracking_uri in params.yaml is of a kind that is not asked here; `dartblur history` does")
    if uri.startswith(_SQLITE) and not _database(registry).is_file():
        return Answer("MLflow", f"{uri} is not there yet; the first run makes it")
    try:
        where = shown(uri)
        champion = _champion(registry)
    except (OSError, sqlite3.Error) as error:
        return Answer("MLflow", f"{where} does not answer ({_cause(error)})", good=False)
    except (ValueError, KeyError, TypeError, HTTPException) as error:
        return Answer("MLflow", f"registry.tracking_uri in params.yaml names what does not answer as MLflow does ({_cause(error)})", good=False)
    return Answer("MLflow", f"{where} answers; {'no champion yet' if champion is None else f'champion is version {champion}'} of {registry.name}")


def _champion(registry: RegistryParams) -> str | None:
    """The champion's version, straight from the database or over HTTP: MLflow takes seconds to import and makes a database that is not there."""
    uri = registry.tracking_uri
    if uri.startswith(_SQLITE):
        with closing(sqlite3.connect(f"{_database(registry).resolve().as_uri()}?mode=ro", uri=True, timeout=_SECONDS)) as database:
            row = database.execute("SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?", (registry.name, CHAMPION)).fetchone()
        return None if row is None else str(row[0])
    query = urlencode({"name": registry.name, "alias": CHAMPION})
    try:
        answer = json.loads(_get(f"{uri.rstrip('/')}/api/2.0/mlflow/registered-models/alias?{query}"))
    except urllib.error.HTTPError as error:
        if error.code in (400, 404):  # no such model, no such alias
            return None
        raise
    return str(answer["model_version"]["version"])


def _database(registry: RegistryParams) -> Path:
    return Path(registry.tracking_uri.removeprefix(_SQLITE).split("?", maxsplit=1)[0])


def prefect() -> Answer:
    """The server of PREFECT_API_URL."""
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        return Answer("Prefect", "PREFECT_API_URL is not set; a flow starts a server for itself")
    return _asked("Prefect", "PREFECT_API_URL", url, f"{url.rstrip('/')}/health")


def s3() -> Answer:
    """The server of AWS_ENDPOINT_URL; whether there are keys, not which."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    keys = "keys are set" if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY") else "no keys in AWS_ACCESS_KEY_ID"
    if not url:
        return Answer("S3", f"AWS_ENDPOINT_URL is not set; {keys}")
    answer = _asked("S3", "AWS_ENDPOINT_URL", url, url)
    return Answer("S3", f"{answer.detail}; {keys}", answer.good)


def _asked(name: str, variable: str, url: str, address: str) -> Answer:
    try:
        where = shown(url)
        _get(address)
    except urllib.error.HTTPError as error:  # something is there, and says no to a request without keys
        if error.code >= 500:
            return Answer(name, f"{where} answers with status {error.code}", good=False)
    except OSError as error:
        return Answer(name, f"{where} does not answer ({_cause(error)})", good=False)
    except (ValueError, HTTPException) as error:  # what the variable holds is not repeated: it may hold a password in the wrong place
        return Answer(name, f"what {variable} names does not answer HTTP ({_cause(error)}); it must be http://<host>:<port>", good=False)
    return Answer(name, f"{where} answers")


def _get(address: str) -> bytes:
    """What an address answers, at most a megabyte; a user and password in it are sent as HTTP wants them."""
    if not address.startswith(_HTTP):
        raise ValueError("not an http address")
    parts = urlsplit(address)
    request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())  # noqa: S310  http and https only
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(secret.encode()).decode('ascii')}")
    with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  http and https only
        content: bytes = response.read(1_000_000)
    return content


def _cause(error: Exception) -> str:
    """Why, without the address, which may hold a password."""
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    cause = getattr(error, "reason", None) or error
    number = (cause.errno or 0) if isinstance(cause, OSError) else 0
    return (os.strerror(number) if number > 0 else type(cause).__name__).lower()
