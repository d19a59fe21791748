"""Atomic writes: all or nothing, and nothing beside the target."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dartblur.errors import DartblurError
from dartblur.media.files import atomic_path, file_sha256, value_sha256, without_nan, write_json


class Trouble(Exception):
    pass


def content(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, hidden ones too, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_appears_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "down" / "a.json"
    with atomic_path(target) as temporary:
        assert (temporary.suffix, temporary.parent) == (".json", target.parent)
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert content(tmp_path) == {"deep/down/a.json": b"new"}


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    for names in (("a", "b"), ("c",)):
        with atomic_path(target) as temporary:
            for name in names:
                (temporary / "images").mkdir(parents=True, exist_ok=True)
                (temporary / "images" / name).write_bytes(name.encode())
    assert content(tmp_path) == {"copy/images/c": b"c"}


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt])
@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("earlier", [False, True])
def test_an_exception_leaves_the_old_target_and_nothing_else(tmp_path: Path, error: type[BaseException], folder: bool, earlier: bool) -> None:
    target = tmp_path / "target"

    def write(path: Path, data: bytes) -> None:
        if folder:
            (path / "inner").mkdir(parents=True)
            path = path / "inner" / "file"
        path.write_bytes(data)

    if earlier:
        write(target, b"old")
    before = content(tmp_path)
    with pytest.raises(error), atomic_path(target) as temporary:
        write(temporary, b"half")
        raise error
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["target"] if earlier else [])


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert content(tmp_path) == {"a": b"first"}


NUMBERS = st.floats() | st.integers() | st.booleans() | st.none() | st.text()
VALUES = st.recursive(NUMBERS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=8)


@given(VALUES)
def test_without_nan_gives_json_and_keeps_the_rest(value: object) -> None:
    def expected(item: object) -> object:
        if isinstance(item, (list, tuple)):
            return [expected(inner) for inner in item]
        if isinstance(item, dict):
            return {key: expected(inner) for key, inner in item.items()}
        return None if isinstance(item, float) and not math.isfinite(item) else item

    assert json.loads(json.dumps(without_nan(value), allow_nan=False)) == expected(value)


def test_json_is_indented_ends_with_a_newline_and_has_null_for_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": float("nan"), "a": (1.5, float("-inf"))})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": null,\n  "a": [\n    1.5,\n    null\n  ]\n}\n'


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    before = content(tmp_path)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert content(tmp_path) == before


def test_hashes(tmp_path: Path) -> None:
    assert value_sha256({"a": 1, "b": 2}) == value_sha256({"b": 2, "a": 1})
    with pytest.raises(DartblurError, match="cannot be read"):
        file_sha256(tmp_path / "nothing")
