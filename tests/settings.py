"""The repository's params.yaml with some keys changed, for tests of stages."""

from collections.abc import Mapping
from pathlib import Path

from dartblur.params import Params, load_params

PARAMS = Path(__file__).parents[1] / "params.yaml"


def settings(**sections: Mapping[str, object]) -> Params:
    """params.yaml with keys of sections replaced: ``settings(data={"source": "x"}, compute={"workers": 1})``."""
    params = load_params(PARAMS)
    return params.model_copy(update={name: getattr(params, name).model_copy(update=keys) for name, keys in sections.items()})
