"""A folder of three pictures with their boxes, and what a run of the command leaves of it."""

import subprocess
from pathlib import Path

from dartblur.anonymizer.manifest import records
from dartblur.anonymizer.records import Record
from tests.anonymizer.corpus.case import FACE
from tests.anonymizer.corpus.pngs import PLAIN
from tests.anonymizer.leaks import files_below
from tests.anonymizer.terminal import here, write_csv

NAMES = ("a.png", "b.png", "sub/c.png")
GAUSSIAN = ("--method", "gaussian", "--workers", "1")


def make_scene(folder: Path) -> Path:
    """Three pictures in a folder, which is returned; boxes.csv beside it names any file that a test may add."""
    for name in NAMES:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(PLAIN)
    names = (*NAMES, "link.png", "outside.png", "big.png", "d.png", "manifest.jsonl", "manifest.parquet", "review.txt", "deep/er/e.png")
    write_csv(folder / "boxes.csv", dict.fromkeys(names, FACE))
    return folder / "in"


def run(source: Path, *more: str | Path, target: str = "out") -> subprocess.CompletedProcess[str]:
    return here(source, source.parent / target, "--annotations", source.parent / "boxes.csv", *GAUSSIAN, *more)


def ends(source: Path, target: str = "out") -> dict[str, Record]:
    return {record.name: record for record in records(source.parent / target / "manifest.jsonl")}


def written(source: Path, target: str = "out") -> set[str]:
    """All files below the target, hidden ones too, but for the manifest and its like."""
    found = {path.relative_to(source.parent / target).as_posix() for path in files_below(source.parent / target)}
    return found - {"manifest.jsonl", "manifest.parquet", "review.txt"}
