"""The commands of models, from registration to export, for :mod:`dartblur.cli`: thin, everything heavy is imported inside."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dartblur.registry.aliases import Version


def register() -> None:
    """Register the model in MLflow, decide at the gate, move the aliases (reports/metrics.json).

    Example: dartblur register
    """
    from dartblur.params import load_params
    from dartblur.stages import register as stage

    stage.run(load_params())


def rescore() -> None:
    """Score the champion again on this run's data, as `register` does before the gate decides.

    Example: dartblur rescore
    """
    from dartblur.params import load_params
    from dartblur.stages import rescore as stage

    champion = stage.run(load_params())
    typer.echo("there is no champion to compare with" if champion is None else f"champion version {champion.version}: {stage.sentence(champion)}")


def promote(
    version: Annotated[str | None, typer.Argument(help="number or alias of the version; the challenger if none is given")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and say what would move, move nothing")] = False,
    reason: Annotated[str | None, typer.Option(help="why, kept with the version together with your user name")] = None,
) -> None:
    """Make a version that passed the gate the champion.

    Example: dartblur promote 3 --dry-run
    """
    from dartblur.params import load_params
    from dartblur.registry import aliases

    registry = load_params().registry
    approval = None if reason is None else aliases.Approval(getpass.getuser(), reason)
    move = aliases.plan(registry, version) if dry_run else aliases.promote(registry, version, approval)
    if move.former == move.version.version:
        typer.echo(f"version {move.version.version} is the champion already; nothing moved")
    elif move.moved:
        _show(move.version)
    else:
        typer.echo(f"version {move.version.version} would become champion in place of {move.former or 'none'}; nothing moved")


def rollback() -> None:
    """Give the previous champion its place back.

    Example: dartblur rollback
    """
    from dartblur.params import load_params
    from dartblur.registry import aliases

    _show(aliases.rollback(load_params().registry))


def history() -> None:
    """List every registered version, newest first, with its aliases and the gate's decision.

    Example: dartblur history
    """
    from dartblur.params import load_params
    from dartblur.registry import aliases

    registry = load_params().registry
    versions = aliases.history(registry)
    if not versions:
        typer.echo(f"{registry.name} has no version yet; run `dartblur register`")
    for version in versions:
        _show(version)


def _show(version: "Version") -> None:
    passed = {"true": "passed the gate", "false": "did not pass the gate"}.get(version.tags.get("gate_passed", ""), "has no gate decision")
    typer.echo(f"version {version.version} {passed}; aliases: {', '.join(version.aliases) or 'none'}")


def reproduce(
    version: Annotated[str, typer.Argument(help="number or alias of the version")],
    work: Annotated[Path | None, typer.Option(help="where (default: a folder beside this one)")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave what was made, even if everything agrees")] = False,
) -> None:
    """Make a registered version again from what it recorded, and say whether every hash agrees.

    Example: dartblur reproduce champion
    """
    from dartblur.params import load_params
    from dartblur.stages import reproduce as stage

    stage.run(load_params(), version, work, keep)


def export(
    out: Annotated[Path, typer.Argument(help="file to write, ending in .onnx")],
    model: Annotated[str | None, typer.Option(help="version, alias or .safetensors file (default: what was trained here last)")] = None,
    integers: Annotated[bool, typer.Option("--integers", help="8-bit integers: less than half the time, two grey levels from the original")] = False,
    data: Annotated[Path, typer.Option(help="canonical data set whose faces say what the integers have to hold")] = Path("data/canonical"),
) -> None:
    """Write a model as ONNX, for use without torch.

    Example: dartblur export dartblur.onnx --model champion --integers
    """
    from dartblur.params import load_params
    from dartblur.stages import export as stage

    stage.run(load_params(), out, model, data if integers else None)
