"""Crude sprite libraries, made once for all tests of this folder; tests that change one copy it first."""

from pathlib import Path

import pytest

from dartblur.faces.people.cast import Cast
from dartblur.faces.people.library import Library, load_library
from tests.makesprites import make_sprites


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six identities, three places, light from above."""
    return make_sprites(tmp_path_factory.mktemp("sprites") / "crude")


@pytest.fixture(scope="session")
def lit(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Eight identities under light from the left, in places that are lit from the left."""
    return load_library(make_sprites(tmp_path_factory.mktemp("lit") / "crude", 8, ("left-soft",), 2))


@pytest.fixture(scope="session")
def library(sprites: Path) -> Library:
    return load_library(sprites)


@pytest.fixture(scope="session")
def cast(library: Library) -> Cast:
    """Everything, in no split."""
    return Cast(library.people, library.places, library.props)
