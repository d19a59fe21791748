"""Which version carries which alias: challenger (the newest registration), champion (in use), previous (the champion before it).

Every move is read back. A version that was rolled back keeps a tag, so that registering the same model again does not bring it back behind the
back of whoever took it out; :func:`promote` does, by name.
"""

from dataclasses import dataclass
from typing import Any

from dartblur.errors import DartblurError, UsageError
from dartblur.params import RegistryParams
from dartblur.registry.lock import lock
from dartblur.registry.tracking import connect, one_sentence, shown

CHALLENGER = "challenger"
CHAMPION = "champion"
PREVIOUS = "previous"
ROLLED_BACK = "rolled_back"
GATE_PASSED = "gate_passed"
NEEDED = (GATE_PASSED, "git_revision", "dvc_lock_md5", "data_md5", "model_sha256")
"""Tags without which no version becomes champion: the decision, and where the model comes from."""


@dataclass(frozen=True)
class Version:
    """One registered version: its number, the aliases on it (sorted) and its tags."""

    version: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


@dataclass(frozen=True)
class Approval:
    """Who wanted a move by hand, and why; kept as tags of the version."""

    operator: str
    reason: str

    def tags(self) -> dict[str, str]:
        """As tags of a version."""
        return {"promoted_by": self.operator, "promotion_reason": self.reason}


@dataclass(frozen=True)
class Move:
    """A promotion: the version it is about, as it is now, the champion before it, and whether anything moved."""

    version: Version
    former: str | None
    moved: bool


def point(client: Any, name: str, alias: str, version: str) -> None:
    """Set ``alias`` of the model ``name`` to ``version`` and read it back.

    Raises:
        DartblurError: the registry names another version afterwards (someone else moved the alias, or it was not written).
    """
    client.set_registered_model_alias(name, alias, version)
    found = version_at(client, name, alias)
    if found != version:
        raise DartblurError(f"{name}@{alias} reads back as version {found} after it was set to {version}; check who else writes to the registry")


def version_at(client: Any, name: str, alias: str) -> str | None:
    """The version number under ``alias``, None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def crown(client: Any, name: str, version: str, expected: str | None) -> None:
    """Make ``version`` the champion and the former champion ``previous``; nothing moves if it is the champion already.

    Args:
        expected: the champion that the decision was made against, None where there was none.

    Raises:
        DartblurError: another version has become champion since, or somebody else is moving it.
    """
    with lock(client, name):
        former = version_at(client, name, CHAMPION)
        if former == version:
            return
        if former != expected:
            raise DartblurError(
                f"{name}: version {former or 'none'} is champion now, not {expected or 'none'}, against which version {version} was decided on; "
                "look at `dartblur history` and try again"
            )
        # In this order a run killed in between leaves a champion that is in use, and the next run ends the move.
        if former is not None:
            point(client, name, PREVIOUS, former)
        point(client, name, CHAMPION, version)


def read_version(client: Any, name: str, version: str) -> Version:
    """One version as the registry has it now."""
    found = client.get_model_version(name, version)
    return Version(str(found.version), tuple(sorted(found.aliases)), dict(found.tags))


def champion(registry: RegistryParams) -> Version | None:
    """The version in use, None before the first."""
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        version = version_at(client, registry.name, CHAMPION)
        return None if version is None else read_version(client, registry.name, version)


def history(registry: RegistryParams) -> list[Version]:
    """Every version of the model, newest first; empty for a model that was never registered."""
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        found = [str(item.version) for item in search(client, f"name='{registry.name}'")]
        return [read_version(client, registry.name, version) for version in sorted(found, key=int, reverse=True)]


def search(client: Any, query: str) -> list[Any]:
    """All model versions that a filter finds, page by page."""
    items: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(query, max_results=200, page_token=token)
        items += page
        token = page.token
        if not token:
            return items


def find(registry: RegistryParams, name: str) -> Version:
    """The version that ``name``, a number or an alias, stands for.

    Raises:
        UsageError: there is none.
    """
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        return read_version(client, registry.name, _resolve(client, registry, name))


def plan(registry: RegistryParams, version: str | None = None) -> Move:
    """What :func:`carry_out` would do to make a version the champion; nothing moves.

    Args:
        version: its number, or an alias that is on it; the challenger if None.

    Raises:
        UsageError: no such model, version or alias. DartblurError: the gate did not pass it, or it lacks a tag that the decision needs.
    """
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        chosen = read_version(client, registry.name, _resolve(client, registry, version or CHALLENGER))
        _must_be_fit(registry.name, chosen)
        return Move(chosen, version_at(client, registry.name, CHAMPION), False)


def carry_out(registry: RegistryParams, move: Move, approval: Approval | None = None) -> Move:
    """Make the version of ``move`` the champion. The gate's decision on it holds here too; the champion already stays as it is.

    Raises:
        DartblurError: another version has become champion since the move was planned, somebody else is moving it, or the version is not fit.
    """
    client, version = connect(registry), move.version.version
    with one_sentence(registry.tracking_uri):
        _must_be_fit(registry.name, read_version(client, registry.name, version))
        if move.former == version:
            return move
        crown(client, registry.name, version, move.former)
        if ROLLED_BACK in move.version.tags:
            client.delete_model_version_tag(registry.name, version, ROLLED_BACK)
        for key, value in ({} if approval is None else approval.tags()).items():
            client.set_model_version_tag(registry.name, version, key, value)
        return Move(read_version(client, registry.name, version), move.former, True)


def promote(registry: RegistryParams, version: str | None = None, approval: Approval | None = None) -> Move:
    """:func:`plan` and :func:`carry_out` at once."""
    return carry_out(registry, plan(registry, version), approval)


def _resolve(client: Any, registry: RegistryParams, name: str) -> str:
    """The number of the version that ``name``, a number or an alias, stands for."""
    from mlflow.exceptions import MlflowException

    store = shown(registry.tracking_uri)
    if not name.isdecimal():
        found = version_at(client, registry.name, name)
        if found is None:
            raise UsageError(f"{registry.name} has no version {name} at {store}; `dartblur history` lists them, `dartblur register` makes one")
        return found
    try:
        return str(client.get_model_version(registry.name, name).version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UsageError(f"{registry.name} has no version {name} at {store}; `dartblur history` lists them, `dartblur register` makes one") from error


def _must_be_fit(name: str, version: Version) -> None:
    """Refuse a version without a decision that lets it pass, or without what the decision rests on."""
    missing = [tag for tag in NEEDED if not version.tags.get(tag)]
    if missing:
        raise DartblurError(
            f"{name} version {version.version} was registered without {', '.join(missing)}, which a promotion needs; "
            "register it with `dartblur register`"
        )
    if version.tags[GATE_PASSED] != "true":
        raise DartblurError(f"{name} version {version.version} did not pass the gate ({version.tags.get('gate_reasons', 'no reasons')})")


def rollback(registry: RegistryParams) -> Version:
    """Swap champion and previous; the version taken out is tagged, so that only :func:`promote` brings it back.

    Raises:
        UsageError: there is no champion or no previous version.
    """
    client = connect(registry)
    name = registry.name
    with one_sentence(registry.tracking_uri):
        champion, previous = version_at(client, name, CHAMPION), version_at(client, name, PREVIOUS)
        if champion is None or previous is None or champion == previous:
            raise UsageError(f"{name} has no previous champion at {shown(registry.tracking_uri)}; there is nothing to roll back to")
        client.set_model_version_tag(name, champion, ROLLED_BACK, "true")
        if ROLLED_BACK in read_version(client, name, previous).tags:
            client.delete_model_version_tag(name, previous, ROLLED_BACK)
        crown(client, name, previous, champion)
        return read_version(client, name, previous)
