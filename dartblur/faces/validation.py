"""The validation suites of a canonical data set, in Great Expectations. The only module that imports it: seconds of start-up.

Three suites, on the tables of ``faces.facts``: annotations (a row a face), images (a row a picture) and splits (a row a split). Each expectation
carries in its meta the name of the check and its severity; a critical check that fails stops the pipeline, a warning does not.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from dartblur.errors import DartblurError
from dartblur.faces import facts
from dartblur.faces.data_docs import make_offline
from dartblur.faces.dataset import ATTRIBUTES, SPLITS, read_table
from dartblur.media.files import atomic_path
from dartblur.params import ValidationParams

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

_EXAMPLES = 3
_LOWEST_FACE = 3
"""Pixels; a detector cannot find a lower face, and a box like that is often a slip of the mouse."""

Suite = Literal["annotations", "images", "splits"]
SUITES: tuple[Suite, ...] = ("splits", "annotations", "images")


@dataclass(frozen=True)
class Check:
    """One expectation.

    Attributes:
        name: in the report.
        suite: which table it looks at.
        severity: ``critical`` or ``warning``.
        expectation: class of Great Expectations, built with ``arguments``.
        what: what is wrong with an offending row; a format string over the columns of its table.
        remedy: what to do about it.
        offenders: for a check of the whole column, which rows are to blame if it fails.
    """

    name: str
    suite: Suite
    severity: Literal["critical", "warning"]
    expectation: Callable[..., Any]
    arguments: dict[str, Any]
    what: str
    remedy: str
    offenders: Callable[[pd.DataFrame], pd.Series] | None = None


@dataclass(frozen=True)
class Outcome:
    """A check that was run, with the offending rows of its table as (image, what)."""

    check: Check
    success: bool
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Validation:
    """All outcomes, in the order of the checks, and the facts of the data set."""

    outcomes: tuple[Outcome, ...]
    facts: dict[str, Any]

    @property
    def failures(self) -> list[Outcome]:
        """Critical checks that failed."""
        return [outcome for outcome in self.outcomes if outcome.check.severity == "critical" and not outcome.success]

    @property
    def warnings(self) -> list[Outcome]:
        """Checks of the severity warning that failed."""
        return [outcome for outcome in self.outcomes if outcome.check.severity == "warning" and not outcome.success]

    def as_dict(self) -> dict[str, Any]:
        """The report: no times, no run ids, sorted by name, so that the same data give the same bytes."""
        checks = [
            {
                "name": outcome.check.name,
                "suite": outcome.check.suite,
                "severity": outcome.check.severity,
                "success": outcome.success,
                "count": len(outcome.rows),
                "examples": [f"{image}: {what}" for image, what in outcome.rows[:_EXAMPLES]],
            }
            for outcome in sorted(self.outcomes, key=lambda outcome: outcome.check.name)
        ]
        return {"success": not self.failures, "facts": self.facts, "checks": checks}


def checks(params: ValidationParams) -> list[Check]:
    """Every check, in the order in which a failure is reported: the cause before its consequences."""
    box = "box ({x1:g}, {y1:g}, {x2:g}, {y2:g})"
    mend = "correct the source and ingest it again"
    between = gxe.ExpectColumnValuesToBeBetween
    vocabulary = [
        Check(
            f"{name}_vocabulary",
            "annotations",
            "critical",
            gxe.ExpectColumnValuesToBeInSet,
            {"column": name, "value_set": list(range(-1, largest + 1))},
            f"{name} is {{{name}}}, which is not -1 to {largest}",
            mend,
        )
        for name, largest in ATTRIBUTES.items()
    ]
    return [
        Check("split_vocabulary", "annotations", "critical", gxe.ExpectColumnValuesToBeInSet, {"column": "split", "value_set": list(SPLITS)},
              "split is {split!r}, which is neither train nor val", mend),
        Check("enough_images", "splits", "critical", between, {"column": "images", "min_value": params.min_images},
              f"{{images}} pictures, validation.min_images is {params.min_images}", "add pictures or lower validation.min_images in params.yaml"),
        Check("enough_faces", "splits", "critical", between, {"column": "faces", "min_value": params.min_faces},
              f"{{faces}} faces that count, validation.min_faces is {params.min_faces}", "add faces or lower validation.min_faces in params.yaml"),
        Check("image_readable", "images", "critical", gxe.ExpectColumnValuesToBeNull, {"column": "problem"}, "{problem}", mend),
        Check("image_bytes", "images", "critical", gxe.ExpectColumnPairValuesToBeEqual,
              {"column_A": "sha256", "column_B": "decoded_sha256", "ignore_row_if": "either_value_is_missing"},
              "the file's SHA-256 is {decoded_sha256:.12}, the table has {sha256:.12}", "ingest the source again"),
        Check("image_width", "images", "critical", gxe.ExpectColumnPairValuesToBeEqual,
              {"column_A": "width", "column_B": "decoded_width", "ignore_row_if": "either_value_is_missing"},
              "{decoded_width:g} pixels wide, the table has {width}", "ingest the source again"),
        Check("image_height", "images", "critical", gxe.ExpectColumnPairValuesToBeEqual,
              {"column_A": "height", "column_B": "decoded_height", "ignore_row_if": "either_value_is_missing"},
              "{decoded_height:g} pixels high, the table has {height}", "ingest the source again"),
        Check("no_duplicate_across_splits", "images", "critical", gxe.ExpectColumnValuesToBeNull, {"column": "twin_across"},
              "the same bytes as {twin_across} of the other split", "keep the picture in one split only"),
        Check("box_finite", "annotations", "critical", between, {"column": "not_finite", "max_value": 0},
              f"{box} of a face is not four finite numbers", mend),
        Check("box_width_positive", "annotations", "critical", between, {"column": "box_width", "min_value": 0, "strict_min": True},
              f"{box} has no width", mend),
        Check("box_height_positive", "annotations", "critical", between, {"column": "box_height", "min_value": 0, "strict_min": True},
              f"{box} has no height", mend),
        Check("box_inside_image", "annotations", "critical", between, {"column": "outside", "max_value": 0},
              f"{box} leaves the picture of {{width}} x {{height}} pixels", mend),
        *vocabulary,
        Check("faces_per_image", "images", "critical", between, {"column": "faces", "max_value": params.max_faces_per_image},
              f"{{faces}} faces, validation.max_faces_per_image is {params.max_faces_per_image}", mend),
        Check("box_unique", "annotations", "warning", gxe.ExpectCompoundColumnsToBeUnique,
              {"column_list": ["image", "x1", "y1", "x2", "y2"], "ignore_row_if": "any_value_is_missing"}, f"{box} is annotated twice", mend),
        Check("face_height", "annotations", "warning", between, {"column": "counted_height", "min_value": _LOWEST_FACE, "mostly": 0.95},
              f"the face is {{counted_height:g}} pixels high, 95 % should have {_LOWEST_FACE} or more", "mark such faces as ignored"),
        Check("share_of_small_faces", "annotations", "warning", gxe.ExpectColumnMeanToBeBetween,
              {"column": "small", "max_value": params.small_face_share},
              f"the face is {{counted_height:g}} pixels high, at most a share of {params.small_face_share:g} should be under {facts.SMALL_FACE}",
              "use larger pictures", lambda table: table["small"] == 1),
        Check("no_duplicate_within_split", "images", "warning", gxe.ExpectColumnValuesToBeNull, {"column": "twin_within"},
              "the same bytes as {twin_within}", "remove one of them"),
        Check("exif_orientation", "images", "warning", gxe.ExpectColumnValuesToBeInSet, {"column": "orientation", "value_set": [1]},
              "the EXIF orientation is {orientation}; boxes must count pixels as stored, not as shown", "look at a few of them"),
    ]  # fmt: skip


def validate(root: Path, params: ValidationParams, workers: int, docs: Path | None = None) -> Validation:
    """Run every check on the canonical data set below ``root``.

    Args:
        root: folder with ``images/`` and the table.
        params: the bounds.
        workers: threads that read pictures; no result depends on it.
        docs: folder for Data Docs, replaced as a whole; None writes none.

    Raises:
        UsageError: there is no data set.
        DartblurError: the table cannot be read, or a check cannot be run on it.
    """
    table = read_table(root)
    faces, splits = facts.face_facts(table), facts.split_facts(table)
    tables: dict[str, pd.DataFrame] = {"annotations": faces, "images": facts.image_facts(root, table, workers), "splits": splits}
    listed = checks(params)
    with _silence():
        results = _run(listed, tables, docs)
    return Validation(tuple(_outcome(check, results[check.name], tables[check.suite]) for check in listed), facts.summary(faces, splits))


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _run(listed: list[Check], tables: dict[str, pd.DataFrame], docs: Path | None) -> dict[str, Any]:
    """Name of each check -> its result. The context lives in memory: nothing but ``docs`` is written."""
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
            analytics_enabled=False,
        ),
    )
    source = context.data_sources.add_pandas("dartblur")
    results: dict[str, Any] = {}
    for name in SUITES:
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        suite = context.suites.add(gx.ExpectationSuite(name=name))
        for check in listed:
            if check.suite == name:
                meta = {"check": check.name, "severity": check.severity, "remedy": check.remedy}
                suite.add_expectation(check.expectation(**check.arguments, severity=check.severity, meta=meta))
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(name=name, validation_definitions=[definition], result_format={"result_format": "COMPLETE"})
        )
        for run in checkpoint.run(batch_parameters={"dataframe": tables[name]}).run_results.values():
            results.update({result.expectation_config.meta["check"]: result for result in run.results})
    if docs is not None:
        with atomic_path(docs) as folder:
            store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
            context.add_data_docs_site("dartblur", {"class_name": "SiteBuilder", "store_backend": store})
            context.build_data_docs(site_names=["dartblur"], build_index=False)
            make_offline(folder)
    return results


def _outcome(check: Check, result: Any, table: pd.DataFrame) -> Outcome:
    information = result.exception_info or {}
    # One record, or one for each metric that the expectation needs.
    for record in [information] if "raised_exception" in information else information.values():
        if record["raised_exception"]:
            raise DartblurError(f"the check {check.name} cannot be run ({record['exception_message'][:200]}); ingest the source again")
    if result.success:
        return Outcome(check, True, ())
    if check.offenders is not None:
        positions = table.index[check.offenders(table)].tolist()
    else:
        positions = sorted(result.result.get("unexpected_index_list") or [])
    rows = []
    for row in table.loc[positions].to_dict("records"):
        image = str(row["image"]) if "image" in row else f"split {row['split']}"
        rows.append((image, check.what.format_map({str(column): value for column, value in row.items()})))
    return Outcome(check, False, tuple(rows))
