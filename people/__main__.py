"""Render the whole sprite library: ``python -m people --out data/sprites --seed 0 --identities 60 --workers 2``.

Every person, place and prop is one job; finished ones are kept, so an interrupted run goes on where it stopped. ``library.json`` is written last.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from people.records import finish, write_table

Job = tuple[str, int, int, Path]
"""What (people, places, props), which, seed, the library's folder."""


_neutral: dict[str, float] = {}  # light of each rig on a grey ball, measured once a process


@lru_cache(maxsize=1)
def _body() -> Any:
    from people.body import Body

    return Body()


def run(job: Job) -> str:
    """Render one job in a worker process. Returns its name."""
    what, index, seed, out = job
    if what == "people":
        from people.portrait import render_person

        return render_person(_body(), out, seed, index)
    (out / what).mkdir(parents=True, exist_ok=True)
    if what == "places":
        from people import places

        return str(places.render(out, seed, index, _neutral)["id"])
    from people import props

    return str(props.render(out, seed, index)["id"])


def jobs(out: Path, seed: int, identities: int) -> list[Job]:
    """All jobs, the long ones first, so that no worker is left alone with one at the end."""
    from people import places, props

    counts = {"people": identities, "places": len(places.listing()), "props": len(props.names())}
    return [(what, index, seed, out) for what, count in counts.items() for index in range(count)]


def main() -> int:
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/sprites"), help="folder of the library (default: data/sprites)")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    parser.add_argument("--identities", type=int, default=60, help="number of people (default: 60)")
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each (default: 2)")
    options = parser.parse_args()
    out = options.out.resolve()
    try:
        _check_seed(out, options.seed)
        todo = jobs(out, options.seed, options.identities)
        if options.workers > 1:
            _body()  # fills the model's cache once, before several workers would
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            for _ in tqdm(pool.imap_unordered(run, todo, chunksize=1), total=len(todo), desc="sprite library", unit="job", mininterval=2):
                pass
        for table in ("people", "places", "props"):
            write_table(out, table)
        finish(out, options.seed, options.identities)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or out}: {error.strerror or error}; what is finished is kept, run it again to go on\n")
        return 1
    except OtherSeedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what is finished is kept, run it again to go on\n")
        return 130
    return 0


class OtherSeedError(Exception):
    """The folder holds sprites of another seed."""


def _check_seed(out: Path, seed: int) -> None:
    """One folder holds sprites of one seed only."""
    note = out / "seed"
    if note.is_file() and int(note.read_text()) != seed:
        raise OtherSeedError(f"{out}: holds sprites of seed {note.read_text().strip()}; give another --out or remove it")
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{seed}\n")


if __name__ == "__main__":
    sys.exit(main())
