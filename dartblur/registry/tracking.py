"""Runs in MLflow: one for each stage that has something to tell while it works.

    with tracking.run(params.registry, "train", {"seed": "0"}) as log:
        log.metrics({"loss": 0.5}, step)

The store is the URI in params.yaml: a SQLite file inside the project unless a server is named. MLflow takes 2 s to import, so it is imported where
it is used. Its telemetry is off, and it says nothing below a warning.
"""

import json
import logging
import os
import sqlite3
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

from dartblur.errors import DartblurError, UsageError
from dartblur.media.files import without_nan
from dartblur.media.images import Image, encode_image
from dartblur.params import RegistryParams

_QUIET = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the URL is the tracking URI, password and all
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the default, 7 with a doubling pause, keeps a stage waiting for minutes
}
_ANSWER_SECONDS = 5
_BATCH = 100  # MLflow takes at most 100 params and 1,000 metrics at once


def shown(uri: str) -> str:
    """``uri`` as it may be printed: without user name, password and query."""
    parts = urlsplit(uri)
    if not parts.hostname:
        return uri
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def connect(registry: RegistryParams) -> Any:
    """An ``MlflowClient`` of the store; MLflow's global tracking and registry URI point there from now on.

    Raises:
        UsageError: MLflow is not installed, the server does not answer, or the SQLite file is something else.
    """
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    _check_answers(registry.tracking_uri)
    try:
        import mlflow
    except ImportError as error:
        raise UsageError("MLflow is not installed; run `make setup`, or install dartblur[pipeline]") from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with one_sentence(registry.tracking_uri):
        mlflow.set_tracking_uri(registry.tracking_uri)
        mlflow.set_registry_uri(registry.tracking_uri)
        return mlflow.MlflowClient(registry.tracking_uri, registry.tracking_uri)


@contextmanager
def one_sentence(uri: str) -> Iterator[None]:
    """Turn what MLflow raises inside the block into a DartblurError of one line that names the store."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
        # A driver's message may repeat the URI it was given, password included.
        raise DartblurError(f"MLflow at {shown(uri)}: {first[:300].replace(uri, shown(uri))}; see registry.tracking_uri in params.yaml") from error


def _check_answers(uri: str) -> None:
    """Ask once, with a short patience, before MLflow starts its own long retries."""
    if uri.startswith("sqlite:///"):
        _check_sqlite(Path(uri.removeprefix("sqlite:///").split("?")[0]))
    elif urlsplit(uri).scheme in ("http", "https"):
        _check_server(uri)


def _check_sqlite(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except (OSError, sqlite3.DatabaseError) as error:
        raise UsageError(f"{path}: cannot be used as MLflow's SQLite store ({error}); move it away or change registry.tracking_uri") from error


def _check_server(uri: str) -> None:
    port = urlsplit(uri).port or 5000
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_ANSWER_SECONDS):  # noqa: S310  http and https only, see the caller
            return
    except urllib.error.HTTPError:
        return  # something answers; what it refuses, MLflow's own call will say
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", None) or error
        raise UsageError(
            f"MLflow at {shown(uri)} does not answer ({cause}); start it with `make services` or "
            f"`mlflow server --host 127.0.0.1 --port {port}`, or set registry.tracking_uri to sqlite:///mlflow.db"
        ) from error


class RunLog:
    """Writes to one MLflow run.

    Attributes:
        run_id: give it to :func:`run` to go on with the same run after an interruption.
    """

    def __init__(self, client: Any, run_id: str, uri: str) -> None:
        self.run_id = run_id
        self._client = client
        self._uri = uri

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers at ``step``; visible at once."""
        from mlflow.entities import Metric

        now = int(time() * 1000)
        rows = iter([Metric(key, float(value), now, step) for key, value in values.items()])
        with one_sentence(self._uri):
            while batch := list(islice(rows, _BATCH)):
                self._client.log_batch(self.run_id, metrics=batch)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log settings, nested ones under dotted keys. MLflow refuses to change one that is logged already."""
        from mlflow.entities import Param

        rows = iter([Param(key, str(value)) for key, value in flatten(values).items()])
        with one_sentence(self._uri):
            while batch := list(islice(rows, _BATCH)):
                self._client.log_batch(self.run_id, params=batch)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags of the run."""
        with one_sentence(self._uri):
            for key, value in values.items():
                self._client.set_tag(self.run_id, key, value)

    def picture(self, image: Image, name: str, step: int = 0) -> None:
        """Log an RGB picture (uint8, H x W x 3) as ``pictures/<name>-<step>.png``."""
        self._bytes(encode_image(image, ".png"), f"{name}-{step:06d}.png", "pictures")

    def record(self, value: Any, name: str) -> None:
        """Log plain data as the JSON artifact ``name``; NaN becomes null."""
        self._bytes((json.dumps(without_nan(value), indent=2) + "\n").encode(), name, None)

    def text(self, text: str, name: str) -> None:
        """Log a text as the artifact ``name``."""
        self._bytes(text.encode(), name, None)

    def file(self, path: Path, folder: str | None = None) -> None:
        """Log a file as an artifact, below ``folder``."""
        with one_sentence(self._uri):
            self._client.log_artifact(self.run_id, str(path), folder)

    def _bytes(self, data: bytes, name: str, folder: str | None) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / name
            path.write_bytes(data)
            self.file(path, folder)


@contextmanager
def run(registry: RegistryParams, stage: str, tags: Mapping[str, str] | None = None, run_id: str | None = None) -> Iterator[RunLog]:
    """A run of ``stage`` in the experiment of params.yaml, made if need be; ended as finished, failed or killed when the block ends.

    Args:
        registry: which store and experiment.
        stage: name of the run, and its tag ``stage``.
        tags: further tags.
        run_id: go on with this run; a run that the store does not know (another store, a deleted one) is replaced by a new one.

    Raises:
        DartblurError: the store refuses something; UsageError: it does not answer.
    """
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        experiment = _experiment(client, registry)
        known = _resumed(client, run_id)
        run_id = known or client.create_run(experiment, run_name=stage, tags={"stage": stage, **(tags or {})}).info.run_id
    log = RunLog(client, run_id, registry.tracking_uri)
    try:
        yield log
    except BaseException as error:
        # The block's own error is the one to report, so a store that fails here as well is passed over.
        with suppress(DartblurError), one_sentence(registry.tracking_uri):
            client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    with one_sentence(registry.tracking_uri):
        client.set_terminated(run_id, "FINISHED")


def _resumed(client: Any, run_id: str | None) -> str | None:
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return None
    try:
        client.update_run(run_id, status="RUNNING")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"):
            raise
        return None
    return run_id


def _experiment(client: Any, registry: RegistryParams) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(registry.experiment)
    if found is None:
        try:
            return str(client.create_experiment(registry.experiment))
        except MlflowException as error:
            # Two stages side by side may both find it missing.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(registry.experiment)
    if found.lifecycle_stage != "active":
        raise UsageError(f"the MLflow experiment {registry.experiment} is deleted; restore it or change registry.experiment in params.yaml")
    return str(found.experiment_id)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
