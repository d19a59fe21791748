"""Stage register: the gate's decision on the trained model, a version of it in MLflow, and reports/metrics.json.

A model that the gate refuses is registered all the same (as challenger, with the reasons), and the stage ends well: the refusal is its result.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from dartblur.media.files import read_json, write_json
from dartblur.params import PARAMS_FILE, Params
from dartblur.registry import tracking
from dartblur.registry.aliases import CHAMPION
from dartblur.registry.gate import decide
from dartblur.registry.lineage import dag_state, git_state, pinned_requirements
from dartblur.registry.package import REQUIREMENTS
from dartblur.registry.promote import Candidate, Registered, register, standing
from dartblur.stages import paths, rescore

TRAINING = paths.DARTBLUR / "training.json"
DVC_LOCK = Path("dvc.lock")
RECORDED = (str(DVC_LOCK), str(PARAMS_FILE))
"""Files that may differ from the revision, because the registration keeps them."""
REQUIREMENTS_LOCK = Path("requirements.lock")
LEFT_OUT = ("register", "report")
"""Stages whose entries in dvc.lock are about to be written, so they are no part of where the model comes from."""


def run(params: Params) -> None:
    """Decide, register, write reports/metrics.json: the evaluation with the blocks ``gate`` and ``model``.

    Raises:
        DartblurError: the evaluation or the model is missing or unreadable, or MLflow does not answer or refuses.
    """
    evaluation = read_json(paths.EVALUATION, "run `dvc repro evaluate`")
    candidate = Candidate(
        weights=paths.MODEL,
        evaluation=evaluation,
        requirements=pinned_requirements(REQUIREMENTS, REQUIREMENTS_LOCK),
        gate=params.gate,
        lineage={**git_state(Path(), RECORDED), **dag_state(DVC_LOCK, "ingest", LEFT_OUT), "profile": params.profile},
        recipe=_recipe(params),
        files=tuple(path for path in (TRAINING, PARAMS_FILE, DVC_LOCK) if path.is_file()),
    )
    kept = standing(params.registry, candidate)
    if kept is None:
        made = decide(evaluation, params.gate, rescore.run(params))
        registered, decision = register(params.registry, candidate, made), made.as_dict()
    else:
        registered, decision = kept
    write_json(paths.METRICS, {**evaluation, "gate": decision, "model": registered.as_dict()})
    _tell(decision, registered, params.registry.promotion)


def _recipe(params: Params) -> dict[str, Any]:
    """What of the settings a reader of the model card wants to know."""
    train = params.train.model_dump(include={"weights", "additions", "near", "warm", "inner", "budget", "epochs", "epoch_steps", "batch"})
    chosen = {"preblur": params.preblur.model_dump(), "unet": params.unet.model_dump(), "train": train}
    return {"profile": params.profile, "seed": params.seed, "data": params.data.source, **tracking.flatten(chosen)}


def _tell(decision: Mapping[str, Any], registered: Registered, promotion: str) -> None:
    typer.echo(f"gate: {'passed' if decision['passed'] else 'not passed'}")
    for reason in decision["reasons"]:
        typer.echo(f"  {reason}")
    known = "as before" if registered.reused else "new"
    typer.echo(f"model: {registered.name} version {registered.version} ({known}), aliases {', '.join(registered.aliases)}")
    if decision["passed"] and CHAMPION not in registered.aliases:
        why = "it was rolled back earlier" if promotion == "gate" else "it waits to be promoted by hand"
        typer.echo(f"  {why}; `dartblur promote {registered.version}` makes it champion")
