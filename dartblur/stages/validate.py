"""Stage validate: the suites of faces.validation on data/canonical. Writes reports/validation.json and Data Docs; a critical failure stops here."""

import csv
from typing import TYPE_CHECKING

from rich.console import Console

from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path, write_json
from dartblur.params import Params
from dartblur.stages.arm import check_names
from dartblur.stages.paths import CANONICAL, DATA_DOCS, VALIDATION, VALIDATION_FAILURES

if TYPE_CHECKING:
    from dartblur.faces.validation import Outcome


def run(params: Params) -> None:
    """Run every check; the report says what was found, whether it is critical or not.

    Raises:
        UsageError: there is no data set at data/canonical, or no arm of a name in ``evaluate.arms``.
        DartblurError: a critical check failed; reports/validation_failures.csv then lists every offending row.
    """
    from dartblur.faces.validation import validate  # Great Expectations takes seconds to import

    check_names(params, params.evaluate.arms)  # before a training, not after it
    VALIDATION_FAILURES.unlink(missing_ok=True)  # of an earlier run
    result = validate(CANONICAL, params.validation, params.compute.workers, DATA_DOCS)
    write_json(VALIDATION, result.as_dict())
    if result.failures:
        _write_failures(result.failures)
        first = result.failures[0]
        others = ", ".join(outcome.check.name for outcome in result.failures[1:])
        more = f" (also failing: {others})" if others else ""
        raise DartblurError(f"validate: {_describe(first)}{more}; {first.check.remedy} (every row: {VALIDATION_FAILURES})")
    console = Console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for outcome in result.warnings:
        say(f"validate: warning: {_describe(outcome)}")
    say(f"validate: {sum(result.facts['pictures'].values())} pictures; checks: {len(result.outcomes)}, warnings: {len(result.warnings)}")


def _describe(outcome: "Outcome") -> str:
    count = len(outcome.rows)
    example = f", for example {outcome.rows[0][0]}: {outcome.rows[0][1]}" if outcome.rows else ""
    return f"check {outcome.check.name} fails on {count} row{'s' * (count != 1)}{example}"


def _write_failures(failures: "list[Outcome]") -> None:
    with atomic_path(VALIDATION_FAILURES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "check", "what"])
        for outcome in failures:
            writer.writerows((image, outcome.check.name, what) for image, what in outcome.rows)
