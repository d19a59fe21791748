"""Which version carries which alias: challenger (the newest registration), champion (in use), previous (the champion before it).

Every move is read back. A version that was rolled back keeps a tag, so that registering the same model again does not bring it back behind the
back of whoever took it out; :func:`promote` does, by name.
"""

from dataclasses import dataclass
from typing import Any

from dartblur.errors import DartblurError, UsageError
from dartblur.params import RegistryParams
from dartblur.registry.tracking import connect, one_sentence, shown

CHALLENGER = "challenger"
CHAMPION = "champion"
PREVIOUS = "previous"
ROLLED_BACK = "rolled_back"
GATE_PASSED = "gate_passed"


@dataclass(frozen=True)
class Version:
    """One registered version: its number, the aliases on it (sorted) and its tags."""

    version: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


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


def crown(client: Any, name: str, version: str) -> None:
    """Make ``version`` the champion and the former champion ``previous``; nothing moves if it is the champion already."""
    former = version_at(client, name, CHAMPION)
    if former == version:
        return
    # In this order a run killed in between leaves a champion that is in use, and the next run ends the move.
    if former is not None:
        point(client, name, PREVIOUS, former)
    point(client, name, CHAMPION, version)


def read_version(client: Any, name: str, version: str) -> Version:
    """One version as the registry has it now."""
    found = client.get_model_version(name, version)
    return Version(str(found.version), tuple(sorted(found.aliases)), dict(found.tags))


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


def promote(registry: RegistryParams, version: str | None = None) -> Version:
    """Make ``version`` (the challenger if None) the champion. The gate's decision on that version holds here too.

    Raises:
        UsageError: no such version. DartblurError: the gate did not pass it.
    """
    client = connect(registry)
    with one_sentence(registry.tracking_uri):
        chosen = version or version_at(client, registry.name, CHALLENGER)
        known = {item.version: item for item in history(registry)}
        if chosen is None or chosen not in known:
            store = shown(registry.tracking_uri)
            raise UsageError(f"{registry.name} has no version {chosen or CHALLENGER} at {store}; run `dartblur register` first")
        tags = known[chosen].tags
        if tags.get(GATE_PASSED) != "true":
            raise DartblurError(f"{registry.name} version {chosen} did not pass the gate ({tags.get('gate_reasons', 'no decision')})")
        if ROLLED_BACK in tags:
            client.delete_model_version_tag(registry.name, chosen, ROLLED_BACK)
        crown(client, registry.name, chosen)
        return read_version(client, registry.name, chosen)


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
        crown(client, name, previous)
        return read_version(client, name, previous)
