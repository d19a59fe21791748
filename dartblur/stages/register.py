"""Stage register: the gate's decision on the trained model, a version of it in MLflow, and reports/metrics.json.

A model that the gate refuses is registered all the same (as challenger, with the reasons), and the stage ends well: the refusal is its result.
"""

from pathlib import Path

import typer

from dartblur.media.files import read_json, write_json
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
    evaluation = read_json(paths.EVALUATION, "run `dvc repro evaluate`")
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


def _tell(decision: Decision, registered: Registered) -> None:
    typer.echo(f"gate: {'passed' if decision.passed else 'not passed'}")
    for reason in decision.reasons:
        typer.echo(f"  {reason}")
    known = "as before" if registered.reused else "new"
    typer.echo(f"model: {registered.name} version {registered.version} ({known}), aliases {', '.join(registered.aliases)}")
    if decision.passed and CHAMPION not in registered.aliases:
        typer.echo("  it was rolled back earlier; `dartblur promote` makes it champion again")
