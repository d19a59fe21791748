"""A canonical data set as shards that trainings read from elsewhere; no part of `dvc repro`."""

from pathlib import Path

from rich.console import Console

from dartblur.faces.dataset import FaceDataset
from dartblur.faces.shards import write_shards


def run(folder: Path, target: str, megabytes: int) -> None:
    """Write the data set of ``folder`` to ``target``, a new folder or ``s3://<bucket>/<prefix>``, in shards of about ``megabytes``.

    Raises:
        UsageError: no data set there, or shards already.
    """
    done = write_shards(FaceDataset(folder), target, megabytes << 20)
    line = f"shard: {done.pictures} pictures in {done.shards} shards, {done.size / 1e6:.1f} MB"
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
