"""Profiles: the size of a run, written into params.yaml, which stays the one file that says what is done."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dartblur.errors import UsageError
from dartblur.media.files import atomic_path
from dartblur.params import PARAMS_FILE, Params, parse_params, read_yaml

PROFILES = Path("profiles")


def configure(profile: str | None = None, source: str | None = None, path: Path = PARAMS_FILE, profiles: Path = PROFILES) -> Params:
    """Record a profile and a data source in params.yaml, comments kept; None leaves what stands there.

    The keys of a profile are written only when it changes, so that a key edited by hand survives the next run of the same profile. The file is
    not touched where nothing changes, and not where the result would not be valid.

    Raises:
        UsageError: no such profile or source, or an invalid file.
    """
    data = read_yaml(path)
    parse_params(data, str(path))
    before = _dump(data)
    if profile is not None and profile != data["profile"]:
        for key, value in read_profile(profile, profiles).items():
            _set(data, key, value, profile)
        data["profile"] = profile
    if source is not None:
        if "://" not in source and not Path(source).is_dir():
            raise UsageError(f"{source}: no such folder; give DATA=<folder with pictures and annotations> (docs/how-to/data.md shows the layouts)")
        data["data"]["source"] = source.rstrip("/") or source
    params = parse_params(data, str(path))
    after = _dump(data)
    if after != before:
        with atomic_path(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
    return params


def read_profile(name: str, folder: Path = PROFILES) -> dict[str, Any]:
    """A profile's dotted keys and values.

    Raises:
        UsageError: there is none of that name, or it is no mapping.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
        raise UsageError(f"{name}: no such profile; known are {known}")
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path}: not a list of keys and values; restore it from the repository")
    return dict(data)


def _set(data: Any, key: str, value: Any, profile: str) -> None:
    *sections, last = str(key).split(".")
    for section in sections:
        data = data.get(section) if isinstance(data, dict) else None
    if not isinstance(data, dict) or last not in data:
        raise UsageError(f"profile {profile}: {key} is no key of params.yaml; correct its spelling")
    data[last] = value


def _dump(data: Any) -> str:
    from io import StringIO

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1000  # a long line of the file stays one line
    stream = StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()
