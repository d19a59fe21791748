"""Render the whole sprite library: ``python -m people --out data/sprites --seed 0 --identities 60 --workers 2``.

Every person, place and prop is one job; finished ones are kept, so an interrupted run goes on where it stopped. ``library.json`` is written last.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from people.jobs import body, jobs, render
from people.records import finish, write_table


def main() -> int:
    """Command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/sprites"), help="folder of the library (default: data/sprites)")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    parser.add_argument("--identities", type=int, default=60, help="number of people (default: 60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first: 60 are 60 other people than those of the default (default: 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each (default: 2)")
    options = parser.parse_args()
    out = options.out.resolve()
    try:
        _check_seed(out, options.seed)
        todo = jobs(out, options.seed, range(options.first, options.first + options.identities))
        if options.workers > 1:
            body()  # fills the model's cache once, before several workers would
        for _ in tqdm(render(todo, options.workers), total=len(todo), desc="sprite library", unit="job", mininterval=2):
            pass
        for table in ("people", "places", "props"):
            write_table(out, table)
        finish(out, options.seed, options.identities)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or out}: {error.strerror or error}; what is finished is kept, run it again to go on\n")
        return 1
    except BrokenProcessPool:
        sys.stderr.write("error: a rendering process was killed (out of memory?); what is finished is kept, run it again with fewer --workers\n")
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
