"""Stage register: the gate's decision on the trained model, a version of it in MLflow, and reports/metrics.json.

A model that the gate refuses is registered all the same (as challenger, with the reasons), and the stage ends well: the refusal is its result.
"""

import json
from pathlib import Path
from typing import Any

import typer

from dartblur.errors import DartblurError
from dartblur.media.files import write_json
from dartblur.params import Params
from dartblur.registry.aliases import CHAMPION
from dartblur.registry.gate import Decision, decide
from dartblur.registry.lineage import dag_state, git_state, pinned_requirements
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, Registered, register
from dartblur.stages import paths

WEIGHTS = paths.DARTBLUR / "unet.safetensors"
TRAINING = paths.DARTBLUR / "training.json"
DVC_LOCK = Path("dvc.lock")
REQUIREMENTS_LOCK = Path("requirements.lock")


def run(params: Params) -> None:
    """Decide, register, write reports/metrics.json: the evaluation with the blocks ``gate`` and ``model``.

    Raises:
        DartblurError: the evaluation or the model is missing or unreadable, or MLflow does not answer or refuses.
    """
    evaluation = _read_evaluation(paths.EVALUATION)
    decision = decide(evaluation, params.gate)
    candidate = Candidate(
        weights=WEIGHTS,
        evaluation=evaluation,
        requirements=pinned_requirements(REQUIREMENTS, REQUIREMENTS_LOCK),
        # These two entries of dvc.lock are about to be written, so they are not part of where the model comes from.
        lineage={**git_state(Path()), **dag_state(DVC_LOCK, "ingest", ("register", "report")), "profile": params.profile},
        files=(TRAINING,) if TRAINING.is_file() else (),
    )
    registered = register(params.registry, candidate, decision)
    write_json(paths.METRICS, {**evaluation, "gate": decision.as_dict(), "model": registered.as_dict()})
    _tell(decision, registered)


def _read_evaluation(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DartblurError(f"{path}: cannot be read ({error.strerror}); run `dvc repro evaluate` first") from error
    except ValueError as error:
        raise DartblurError(f"{path}: not readable as JSON ({error}); run `dvc repro --force evaluate`") from error
    if not isinstance(value, dict):
        raise DartblurError(f"{path}: holds no table of metrics; run `dvc repro --force evaluate`")
    return value


def _tell(decision: Decision, registered: Registered) -> None:
    typer.echo(f"gate: {'passed' if decision.passed else 'not passed'}")
    for reason in decision.reasons:
        typer.echo(f"  {reason}")
    known = "as before" if registered.reused else "new"
    typer.echo(f"model: {registered.name} version {registered.version} ({known}), aliases {', '.join(registered.aliases)}")
    if decision.passed and CHAMPION not in registered.aliases:
        typer.echo("  it was rolled back earlier; `dartblur promote` makes it champion again")
