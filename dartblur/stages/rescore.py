"""Stage rescore: the champion once more, on this run's data and with this run's detectors, so that the gate compares like with like.

It is part of `register`, because only then is it known which model is champion. A champion that was scored on the same data before is not scored
again; one that is killed in between goes on where it was.
"""

import shutil
from pathlib import Path

import typer

from dartblur.errors import DartblurError
from dartblur.media.files import file_sha256, read_json, value_sha256
from dartblur.params import BLURRED, CLEAN, OURS, Params
from dartblur.registry import aliases
from dartblur.registry.gate import Champion
from dartblur.registry.promote import MODEL_SHA256, fetch_weights
from dartblur.stages import paths
from dartblur.stages.variation import judge, judging, open_folder, share_compared

FOLDER = paths.WORK / "champion"


def sentence(champion: Champion) -> str:
    """What there is to say of it in a line."""
    if champion.problem is not None:
        return champion.problem
    ours = champion.metrics["arms"][OURS]
    figures = {"suppression": ours["suppression"]["mean"], "L1": ours["convenience"]["l1"]}
    return ", ".join(f"{name} {'not to be had' if value is None else f'{value:.3f}'}" for name, value in figures.items())


def run(params: Params) -> Champion | None:
    """The champion with its figures on this run's data, or with the problem that there are none; None where there is none to beat.

    There is none to beat before the first champion, and where the new model is the champion itself.

    Raises:
        DartblurError: the evaluation or the model of this run is missing, a stage failed, or MLflow does not answer.
    """
    evaluation = read_json(paths.EVALUATION, "run `dvc repro evaluate`")
    version = aliases.champion(params.registry)
    if version is None or version.tags.get(MODEL_SHA256) == file_sha256(paths.MODEL):
        return None
    settings = judging(params)
    # The figures of the other arms stand for everything that the champion shares with the new model: data, views, seeds, detectors.
    shared = [evaluation.get("protocol"), *(evaluation.get("arms", {}).get(arm) for arm in (CLEAN, BLURRED)), settings.model_dump()]
    folder = FOLDER / f"{version.version}-{value_sha256(shared)[:16]}"
    for other in set(FOLDER.glob("*")) - {folder}:
        shutil.rmtree(other)
    open_folder(folder, settings)
    share_compared(Path.cwd(), folder, settings)
    try:
        fetch_weights(params.registry, version, folder / paths.MODEL)
    except DartblurError as error:
        return Champion(version.version, {}, str(error))
    typer.echo(f"champion: version {version.version} is scored again, on the same data")
    return Champion(version.version, {"arms": judge(folder, settings)})
