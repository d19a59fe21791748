"""Has the data set changed? Tells Prefect once for each new version; the deployment `pipeline` has a trigger that waits for this event.

    python -m flows.watch                      # here and now
    prefect deployment run watch/watch         # in a worker, or by its schedule

The version is DVC's own checksum of the data source, the one that `dvc repro` compares, so whatever makes the stage ingest run again is a change.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed
from prefect.variables import Variable

from dartblur.errors import DartblurError
from dartblur.params import read_yaml
from flows import artifacts, commandline

EVENT = "dartblur.data.changed"
RESOURCE = "dartblur.data"
"""Prefix of the resource that the event is about; the data source follows."""
STAGE = "ingest"
ANNOUNCED = "dartblur_data_version"
"""Prefect variable: the version that was told last."""
LOCK = Path("dvc.lock")


@task(task_run_name="data-version", cache_policy=NO_CACHE, persist_result=False)
def data_version() -> tuple[str, str]:
    """The data source and its checksum.

    Raises:
        DartblurError: DVC cannot read it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            (stage,) = repo.stage.collect(STAGE)
            source = stage.deps[0]
            return str(source.def_path), str(source.get_hash().value)
    except (DvcException, OSError) as error:
        raise DartblurError(f"dvc.yaml: the data source of {STAGE} cannot be read ({error}); mend data.source in params.yaml") from error


def used_version() -> str | None:
    """The checksum of the data that the last run used, None before the first."""
    lock = read_yaml(LOCK) if LOCK.is_file() else None
    entry = ((lock or {}).get("stages") or {}).get(STAGE) or {}
    return next((str(dependency.get("md5")) for dependency in entry.get("deps", [])), None)


@flow(name="watch", persist_result=False, on_failure=[artifacts.show_failure], on_crashed=[artifacts.show_failure])
def watch() -> State[Any]:
    """Emit :data:`EVENT` if the data source is another one than the last run used, once for each version."""
    try:
        source, version = data_version()
        used = used_version()
    except DartblurError as error:
        return Failed(message=str(error))
    if version == used:
        return Completed(message=f"{source}: unchanged")
    if version == Variable.get(ANNOUNCED):
        return Completed(message=f"{source}: changed, as was told before")
    payload = {"source": source, "version": version, "before": used}
    emit_event(EVENT, {"prefect.resource.id": f"{RESOURCE}.{source}", "prefect.resource.name": source}, payload=payload)
    Variable.set(ANNOUNCED, version, overwrite=True)
    return Completed(message=f"{source}: changed, version {version[:12]}")


def main() -> int:
    """Look once; 0 if that was possible, 1 with one sentence if not."""
    argparse.ArgumentParser(prog="python -m flows.watch", description="Tell Prefect if the data set has changed.").parse_args()
    return commandline.run(lambda: watch(return_state=True))


if __name__ == "__main__":
    sys.exit(main())
