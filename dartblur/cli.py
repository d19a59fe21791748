"""The command line: thin, one function a command. Everything heavy is imported inside the command that needs it."""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from dartblur import __version__
from dartblur.anonymizer import commands as pictures
from dartblur.errors import DartblurError, printable
from dartblur.stages import commands as models

# No tool of the pipeline reports home, however the command was started.
for _name, _value in (
    ("DO_NOT_TRACK", "1"),
    ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("GX_ANALYTICS_ENABLED", "false"),
    ("DVC_NO_ANALYTICS", "1"),
):
    os.environ.setdefault(_name, _value)

_INTERRUPTED = 130
"""What typer makes of Ctrl-C, without a word."""

app = typer.Typer(
    name="dartblur",
    help="Blur faces so that people stay private and detectors still learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dartblur {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Blur faces so that people stay private and detectors still learn. Stages read params.yaml in the current folder."""


@app.command()
def configure(
    profile: Annotated[str | None, typer.Option(help="sample, study or widerface")] = None,
    data: Annotated[str | None, typer.Option(help="folder with pictures and annotations")] = None,
) -> None:
    """Record a profile and a data source in params.yaml.

    Example: dartblur configure --profile study --data ../faces
    """
    from dartblur.profiles import configure as record

    params = record(profile, data)
    typer.echo(f"params.yaml: profile {params.profile}, data source {params.data.source}")


@app.command()
def sample(
    out: Annotated[Path, typer.Argument(help="folder to make")],
    scenes: Annotated[int, typer.Option(help="number of pictures", min=1)],
    sprites: Annotated[Path, typer.Option("--from", help="folder of the sprite library")] = Path("data/sprites"),
    seed: Annotated[int, typer.Option(help="another seed, other scenes", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="processes; the result does not depend on it", min=1)] = 2,
    val_fraction: Annotated[float, typer.Option(help="share of scenes, identities and places that are val")] = 0.4,
    kind: Annotated[str, typer.Option(help="of scene: portrait, group, walk, crowd or any")] = "any",
) -> None:
    """Make a data set of people who do not exist; goes on where an interrupted run stopped.

    Example: dartblur sample data/sample --scenes 400 --from data/sprites
    """
    from dartblur.faces.people.make import make_scenes

    typer.echo(f"sample: {make_scenes(sprites, out, scenes, seed, workers, val_fraction, kind=kind)}")


@app.command()
def ingest() -> None:
    """Bring the data source into one canonical data set (data/canonical).

    Example: dartblur configure --data ../faces && dartblur ingest
    """
    from dartblur.params import load_params
    from dartblur.stages import ingest as stage

    stage.run(load_params())


@app.command()
def shard(
    folder: Annotated[Path, typer.Argument(help="canonical data set, e.g. data/canonical")],
    target: Annotated[str, typer.Argument(help="new folder, or s3://<bucket>/<prefix>")],
    shard_mb: Annotated[int, typer.Option(help="a shard is closed at this size", min=1)] = 256,
) -> None:
    """Write a data set as tar shards, from which ingest and both trainings take single pictures.

    Example: dartblur shard data/canonical s3://faces/wider
    """
    from dartblur.stages import shard as stage

    stage.run(folder, target, shard_mb)


@app.command()
def validate() -> None:
    """Check the canonical data set; a critical failure exits 1 and names the rows.

    Example: dartblur validate
    """
    from dartblur.params import load_params
    from dartblur.stages import validate as stage

    stage.run(load_params())


@app.command()
def preblur() -> None:
    """Blur every annotated face at preblur.strength (data/preblur).

    Example: dartblur preblur
    """
    from dartblur.params import load_params
    from dartblur.stages import preblur as stage

    stage.run(load_params())


@app.command("train-detector")
def train_detector() -> None:
    """Train the frozen detector f on clean pictures (models/detector).

    Example: dartblur train-detector
    """
    from dartblur.params import load_params
    from dartblur.stages import train_detector as stage

    stage.run(load_params())


@app.command()
def pretrain() -> None:
    """Train the U-Net that trainings start from, on the sample people (hours; goes on where an interrupted run stopped).

    Example: dartblur pretrain
    """
    from dartblur.params import load_params
    from dartblur.stages import pretrain as stage

    stage.run(load_params())


@app.command()
def distill(
    teacher: Annotated[Path | None, typer.Option(help="U-Net to learn from, a .safetensors file (default: that of the package)")] = None,
    out: Annotated[Path, typer.Option(help="file to write, ending in .onnx; its weights go beside it")] = Path("dartblur/weights/small.onnx"),
) -> None:
    """Train the small network that ships in the package to paint as a U-Net does (goes on where an interrupted run stopped).

    Example: dartblur distill --teacher models/dartblur/unet.safetensors --out small.onnx
    """
    from dartblur.params import load_params
    from dartblur.stages import distill as stage

    stage.run(load_params(), teacher, out=out)


@app.command()
def train() -> None:
    """Train DartBlur's U-Net (models/dartblur); goes on where an interrupted training stopped.

    Example: dartblur train
    """
    from dartblur.torchrun import rejoin

    rejoin("train")
    from dartblur.params import load_params
    from dartblur.stages import train as stage

    stage.run(load_params())


@app.command()
def arm(name: Annotated[str, typer.Argument(help="clean, block, pixelate, gaussian, swap or dartblur")]) -> None:
    """Make one arm of the evaluation (data/arms/NAME).

    Example: dartblur arm gaussian
    """
    from dartblur.params import load_params
    from dartblur.stages import arm as stage

    stage.run(load_params(), name)


@app.command()
def downstream(
    arm: Annotated[str, typer.Argument(help="the arm to train on")],
    seed: Annotated[int, typer.Argument(help="seed of the fresh detector", min=0)],
    detector: Annotated[str, typer.Option(help="its family: retinaface, or one that evaluate.transfer names")] = "retinaface",
) -> None:
    """Train a fresh detector on one arm and test it on clean pictures.

    Example: dartblur downstream dartblur 0
    """
    from dartblur.params import load_params
    from dartblur.stages import downstream as stage

    stage.run(load_params(), arm, seed, detector)


@app.command()
def restorer(arm: Annotated[str, typer.Argument(help="the arm whose faces are to be brought back")]) -> None:
    """Train the network with which an attacker restores one arm's faces (models/restorers/ARM).

    Example: dartblur restorer gaussian
    """
    from dartblur.params import load_params
    from dartblur.stages import restorer as stage

    stage.run(load_params(), arm)


@app.command()
def privacy(
    folder: Annotated[Path | None, typer.Argument(help="faces whose people are known; without it, the stage of the pipeline")] = None,
    strengths: Annotated[str, typer.Option(help="of the Gaussian blur, with commas between; 1 is an ordinary blur")] = "1",
    model: Annotated[list[Path] | None, typer.Option(help="U-Net to attack, may repeat (default: that of models/dartblur, if there)")] = None,
    max_people: Annotated[int | None, typer.Option(help="at most so many people of the folder", min=2)] = None,
    split: Annotated[Literal["val", "all"] | None, typer.Option(help="of a data set: whose faces (default: privacy.split)")] = None,
    own_alignment: Annotated[bool, typer.Option("--own-alignment", help="the attacker must find eyes and nose in the anonymised picture")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Who is still recognised: in the arms (reports/privacy.json), or on a folder images/<person>/<picture>.

    Example: dartblur privacy faces/known --strengths 1,2,3
    """
    from dartblur.params import load_params
    from dartblur.stages import paths
    from dartblur.stages import privacy as stage

    params = load_params()
    if split is not None:
        params = params.model_copy(update={"privacy": params.privacy.model_copy(update={"split": split})})
    if folder is None:
        stage.run(params)
        return
    models = model if model is not None else [path for path in (paths.MODEL,) if path.is_file()]
    alignment: Literal["clean", "hidden"] = "hidden" if own_alignment else "clean"
    stage.show(stage.measure(params, folder, stage.parse_strengths(strengths), models, max_people, alignment), as_json)


@app.command()
def frozen(arm: Annotated[str, typer.Argument(help="the arm to look at")]) -> None:
    """What f and ready detectors find on one arm (reports/frozen/ARM.json).

    Example: dartblur frozen dartblur
    """
    from dartblur.params import load_params
    from dartblur.stages import frozen as stage

    stage.run(load_params(), arm)


@app.command()
def evaluate() -> None:
    """Gap, suppression, shortcut and review convenience of all arms (reports/evaluation.json).

    Example: dartblur evaluate
    """
    from dartblur.params import load_params
    from dartblur.stages import evaluate as stage

    stage.run(load_params())


@app.command()
def review() -> None:
    """Write reports/review.html, on which a person says what the faces look like.

    Example: dartblur review
    """
    from dartblur.params import load_params
    from dartblur.stages import review as stage

    stage.run(load_params())


@app.command()
def frontier(strengths: Annotated[str, typer.Option(help="of the pre-blur, with commas between")] = "1,1.5,2,3") -> None:
    """Suppression against re-identification over strengths of the pre-blur (hours; reports/frontier.json and .png).

    Example: dartblur frontier --strengths 1,1.5,2,3
    """
    from dartblur.params import load_params
    from dartblur.stages import frontier as stage
    from dartblur.stages.privacy import parse_strengths

    stage.run(load_params(), parse_strengths(strengths))


@app.command()
def choose(
    max_reid: Annotated[float, typer.Option(help="largest share of people whom the strongest attacker may name", min=0, max=1)],
) -> None:
    """Name the smallest strength of the frontier at which nobody names more than so many people, or say that none does.

    Example: dartblur choose --max-reid 0.05
    """
    from dartblur.stages import frontier as stage

    typer.echo(stage.choose(max_reid))


for _command in (models.register, models.rescore, models.promote, models.rollback, models.history, models.reproduce, models.export):
    app.command()(_command)


@app.command()
def report(
    summary: Annotated[bool, typer.Option("--summary", help="only print the table and the verdict of the last run")] = False,
) -> None:
    """Write reports/index.html, one page that opens offline.

    Example: dartblur report --summary
    """
    from dartblur.params import load_params
    from dartblur.stages import report as stage

    if summary:
        stage.summary()
    else:
        stage.run(load_params())


for _other in (pictures.anonymize, pictures.detect, pictures.serve, pictures.doctor):
    app.command()(_other)


def main() -> NoReturn:
    """Run the command line; an error of the program is one sentence on stderr and its exit code, never a traceback."""
    # At the usual 700 new objects a tenth of a command's start is spent on looking for cycles among what it has just imported.
    gc.set_threshold(20_000)
    try:
        app()
    except DartblurError as error:
        typer.echo(f"error: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # A full disk, a folder without permission: nothing of ours is half written (see media.files), so the sentence is all there is to say.
        where = printable(str(error.filename or "a file"))
        typer.echo(f"error: {where}: {error.strerror or error}; mend that and run the same command again", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED and os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes one says it
            typer.echo("error: interrupted; run the same command again to go on", err=True)
        raise
    finally:
        gc.freeze()  # or Python would look for cycles among everything once more before it ends
    sys.exit(0)


if __name__ == "__main__":
    main()
