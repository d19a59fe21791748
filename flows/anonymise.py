"""Anonymising a large source as a Prefect flow: n parts side by side, on one machine or several, then one manifest of all.

    python -m flows.anonymise photos hidden --shards 8 --cluster dask
    prefect deployment run anonymise/anonymise --param source=s3://in/2026 --param target=s3://out/2026 --param shards=8

Every part is a run of `dartblur anonymize --shard i/n` with a manifest of its own, by which it goes on after any interruption, and no file belongs to
two parts. Machines of a cluster must see source and target: a shared folder, or a bucket.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from dartblur.anonymizer.command import REVIEW
from dartblur.anonymizer.manifest import LINES, TABLE, records, write_table
from dartblur.anonymizer.records import WRITTEN
from dartblur.errors import DartblurError, UsageError
from dartblur.media.places import place
from dartblur.params import PARAMS_FILE, load_params
from flows import artifacts, cluster, commandline, programs, restarts

_WORKERS = re.compile(r"^--workers(=|$)")
_SUMMARY = re.compile(r"^\d+ anonymised, \d+ faces hidden")


@task(task_run_name="part {part} of {parts}", cache_policy=NO_CACHE, persist_result=False)
def anonymise_part(words: list[str], part: int, parts: int, folder: str) -> State[Any]:
    """One part, counted from 1. It has failed only where it could not be done at all; files that were not written are the manifest's matter."""
    log, said = get_run_logger(), list[str]()

    def tell(line: str) -> None:
        said.append(line)
        log.info("%s", line)

    outcome = programs.execute([programs.tool("dartblur"), "anonymize", *words, "--shard", f"{part}/{parts}"], tell, Path(folder))
    # With 1 it ends for a file that was not written, and for a full disk; only in the first case has it come to its last line.
    if outcome.code not in (0, 1) or not any(map(_SUMMARY.match, said)):
        return Failed(message=f"part {part} of {parts}: {outcome.error or 'ended without a summary'}")
    return Completed(message=f"part {part} of {parts}")


@task(task_run_name="merge", cache_policy=NO_CACHE, persist_result=False)
def merge(source: str, target: str, parts: int) -> dict[str, int]:
    """The parts' manifests as one, in the order of names, with its table and the reviewer's list; how many files ended how.

    Raises:
        DartblurError: a part's manifest is missing or cannot be read, or none of them knows a file of the source.
    """
    where = place(target)
    lines: dict[str, str] = {}
    counts: Counter[str] = Counter()
    review: list[str] = []
    for part in range(1, parts + 1):
        with where.local(f"manifest-{part}-of-{parts}.jsonl" if parts > 1 else LINES) as path:
            for record in records(path):
                lines[record.name] = json.dumps(record.as_dict(), allow_nan=False)
                counts[record.status] += 1
                review += [f"{record.name}\t{record.reason}\n"] if record.status == "withheld" else []
    unknown = [name for name in place(source).names() if name not in lines]
    if unknown:
        raise DartblurError(f"{source}: {unknown[0]} is in no part's manifest ({len(unknown)} such files); was it added meanwhile? run it again")
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / LINES
        whole.write_text("".join(f"{lines[name]}\n" for name in sorted(lines)), encoding="utf-8")
        write_table(whole, whole.with_name(TABLE))
        where.write(LINES, whole.read_bytes())
        where.write(TABLE, whole.with_name(TABLE).read_bytes())
    if review:
        where.write(REVIEW, "".join(sorted(review)).encode(errors="surrogateescape"))
    else:
        where.remove(REVIEW)
    return dict(counts)


@flow(
    name="anonymise", persist_result=False, on_failure=[artifacts.show_failure], on_crashed=[artifacts.show_failure],
    on_cancellation=[artifacts.show_failure],
)  # fmt: skip
def anonymise(
    source: str, target: str, method: str = "dartblur", model: str = "small", annotations: str | None = None, shards: int = 1,
    options: list[str] | None = None, cluster: str | None = None, at_once: int | None = None,
) -> State[Any]:  # fmt: skip
    """Hide the faces of every file of ``source``.

    Args:
        source, target: folders, or s3://<bucket>/<prefix>.
        method, model, annotations: as of `dartblur anonymize`.
        shards: how many parts.
        options: further options of `dartblur anonymize`, word by word, such as ["--on-empty", "write"].
        cluster: where the parts run, as of the pipeline.
        at_once: parts side by side; compute.workers of params.yaml if None. Each works on one file at a time, if ``options`` say nothing else.
    """
    if (why := restarts.given_up()) is not None:
        return Failed(message=why)
    try:
        counts = run_parts(source, target, words_of(source, target, method, model, annotations, options or []), shards, cluster, at_once)
    except DartblurError as error:
        return Failed(message=str(error))
    create_table_artifact([counts], key="anonymised", description=f"files of {source}, by how they ended")
    missing = sum(counts.get(status, 0) for status in ("withheld", "failed"))
    if missing:
        return Failed(message=f"{missing} files were not written; {LINES} in {target} says which and why")
    return Completed(message=f"{sum(counts.get(status, 0) for status in WRITTEN)} files in {target}")


def words_of(source: str, target: str, method: str, model: str, annotations: str | None, options: list[str]) -> list[str]:
    """What follows `dartblur anonymize` for every part; side by side, each works on one file at a time unless ``options`` say otherwise."""
    words = [source, target, "--method", method, "--model", model, *(["--annotations", annotations] if annotations else []), *options]
    return words if any(map(_WORKERS.match, options)) else [*words, "--workers", "1"]


def run_parts(source: str, target: str, words: list[str], shards: int, where: str | None, at_once: int | None) -> dict[str, int]:
    """All parts, and one manifest of them; how many files ended how.

    Raises:
        UsageError: there is no source, or no part. DartblurError: a part could not be done; the others are.
    """
    if shards < 1:
        raise UsageError(f"shards: {shards} are none; give at least 1")
    if "://" not in source and not Path(source).is_dir():
        raise UsageError(f"{source}: no such folder; a flow takes a folder or s3://<bucket>/<prefix>, a single picture is `dartblur anonymize`'s")
    workers = at_once or (load_params().compute.workers if PARAMS_FILE.is_file() else 2)
    calls = [(anonymise_part, {"words": words, "part": part, "parts": shards, "folder": str(Path.cwd())}) for part in range(1, shards + 1)]
    with cluster.runner(where, workers) as tasks, programs.ended_on_interrupt():
        states = cluster.run_all(tasks, calls, cluster.width(tasks, where, workers), stop=False)
    broken = [state.message or f"a part ended as {state.name}" for state in states if not state.is_completed()]
    if broken:
        raise DartblurError(f"{broken[0]}{f' (and {len(broken) - 1} more parts)' if len(broken) > 1 else ''}; the same run again goes on from there")
    return merge(source, target, shards)


def main() -> int:
    """Run the flow from the command line; 0 if every file was written, 1 with one sentence if not, 130 if interrupted."""
    after = "Further options are those of `dartblur anonymize`."
    parser = argparse.ArgumentParser(prog="python -m flows.anonymise", description="Anonymise a large source in parts.", epilog=after)
    parser.add_argument("source", help="a folder or s3://<bucket>/<prefix>")
    parser.add_argument("target", help="likewise")
    parser.add_argument("--method", default="dartblur")
    parser.add_argument("--model", default="small")
    parser.add_argument("--annotations", help="your own boxes")
    parser.add_argument("--shards", type=int, default=2, help="how many parts (default 2)")
    parser.add_argument("--cluster", help=f"where they run: {cluster.KNOWN} (default: side by side here)")
    given, options = parser.parse_known_args()
    return commandline.run(
        lambda: anonymise(
            given.source, given.target, given.method, given.model, given.annotations, given.shards, options, given.cluster, return_state=True
        )
    )


if __name__ == "__main__":
    sys.exit(main())
