"""The repository's params.yaml with some keys changed, for tests of stages."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from dartblur.params import Params, parse_params, read_yaml
from dartblur.profiles import read_profile

ROOT = Path(__file__).parents[1]


def delivered() -> Any:
    """params.yaml as plain data, profile and source those of a fresh clone, whatever a run has recorded in this one since."""
    data = read_yaml(ROOT / "params.yaml")
    data["profile"], data["data"]["source"] = "sample", "data/sample"
    for key, value in read_profile("sample", ROOT / "profiles").items():
        *sections, last = key.split(".")
        reduce(getitem, sections, data)[last] = value
    return data


def settings(**sections: Mapping[str, object]) -> Params:
    """params.yaml with keys of sections replaced: ``settings(data={"source": "x"}, compute={"workers": 1})``."""
    params = parse_params(delivered())
    return params.model_copy(update={name: getattr(params, name).model_copy(update=keys) for name, keys in sections.items()})
