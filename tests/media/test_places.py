"""A folder as a place; buckets are tested against a real server in tests/e2e."""

import os
from pathlib import Path

import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.media.places import Folder, Named, Some, file_system, place


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a/z.txt", "a/b/c.txt", ".git/config", "a/.hidden", "c c/ü\n.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_names_are_sorted_and_without_hidden_ones(tree: Path) -> None:
    assert list(Folder(tree).names()) == ["b.txt", "a/z.txt", "a/b/c.txt", "c c/ü\n.txt"]


def test_names_that_are_no_text(tree: Path) -> None:
    (tree / os.fsdecode(b"\xff.txt")).write_bytes(b"1")
    assert Folder(tree).read("\udcff.txt") == b"1"
    assert "\udcff.txt" in list(Folder(tree).names())


def test_links(tree: Path) -> None:
    (tree / "file").symlink_to("b.txt")
    (tree / "folder").symlink_to("a")
    (tree / "loop").symlink_to(".")
    (tree / "nowhere").symlink_to("gone")
    here = Folder(tree)
    assert list(here.names())[:5] == ["b.txt", "file", "folder", "loop", "nowhere"]
    assert here.read("file") == b"b.txt"
    for name, words in (("folder", "a link to a folder"), ("loop", "a link to a folder"), ("nowhere", "No such file")):
        with pytest.raises(DartblurError, match=f"^{name}: .*{words}"):
            here.read(name)
    assert here.has("nowhere")


def test_what_is_no_file_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(DartblurError, match="pipe: not a regular file"):
        Folder(tree).read("pipe")


def test_writing_makes_folders_and_replaces_links(tree: Path) -> None:
    here = Folder(tree / "new")
    here.write("deep/down.txt", b"1")
    assert here.read("deep/down.txt") == b"1"
    (tree / "new/link.txt").symlink_to(tree / "b.txt")
    here.write("link.txt", b"2")
    assert (tree / "b.txt").read_text() == "b.txt"
    assert not (tree / "new/link.txt").is_symlink()
    here.remove("link.txt")
    here.remove("link.txt")
    assert not here.has("link.txt")


def test_a_finished_file_is_taken(tree: Path) -> None:
    here = Folder(tree / "new")
    with here.scratch() as folder:
        (folder / "made.bin").write_bytes(b"film")
        assert folder.name.startswith(".")
        here.take("deep/made.bin", folder / "made.bin")
    assert not folder.exists()
    assert list(here.names()) == ["deep/made.bin"]
    assert here.read("deep/made.bin") == b"film"


def test_some_files_and_one_with_another_name(tree: Path) -> None:
    some = Some(Folder(tree), ("b.txt",))
    assert list(some.names()) == ["b.txt"]
    assert (some.read("b.txt"), some.where, some.remote) == (b"b.txt", str(tree), False)
    named = Named(Folder(tree / "new"), "out.txt")
    assert not named.has("b.txt")
    named.write("b.txt", b"1")
    assert (tree / "new/out.txt").read_bytes() == named.read("whatever") == b"1"
    with named.local("b.txt") as path:
        assert path == tree / "new/out.txt"
    named.remove("b.txt")
    assert not (tree / "new/out.txt").exists()


def test_addresses(tmp_path: Path) -> None:
    assert isinstance(place(str(tmp_path)), Folder)
    with pytest.raises(UsageError, match="swirl://x: not readable here"):
        file_system("swirl://x")
