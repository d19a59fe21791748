"""A data set in shards is the data set, whatever its cache can hold."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from webdataset.tariterators import group_by_keys, tar_file_expander

from dartblur.blur.copy import Hidden, anonymize_dataset
from dartblur.blur.gaussian import Gaussian
from dartblur.detector.views import Views, cache_of_process
from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import IMAGES, TABLE, FaceDataset
from dartblur.faces.facts import image_facts
from dartblur.faces.files import MEMBERS, SHARDS, PictureCache, is_sharded
from dartblur.faces.shards import Written, has_shards, take_shards, write_shards
from tests.sampledata import sample_part
from tests.settings import settings

URL = "memory://bucket/faces"
COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> FaceDataset:
    return FaceDataset(sample_part(tmp_path_factory.mktemp("plain"), COUNT, 0.2))


@pytest.fixture
def memory() -> Iterator[Any]:
    """A place that is no folder; empty."""
    files = MemoryFileSystem()
    files.store.clear()
    yield files
    files.store.clear()


@pytest.fixture
def written(folder: FaceDataset, memory: Any) -> Written:
    """Shards of two pictures and more."""
    sizes = [folder.path(picture).stat().st_size for picture in folder.pictures()]
    return write_shards(folder, URL, max(sizes) + 1)


@pytest.fixture
def taken(written: Written, tmp_path: Path) -> Path:
    take_shards(URL, tmp_path / "taken")
    return tmp_path / "taken"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every picture that is fetched from now on."""
    seen: list[str] = []
    fetch = MemoryFileSystem.cat_file

    def cat_file(self: Any, path: str, start: int | None = None, end: int | None = None, **keys: Any) -> Any:
        assert start is not None and end is not None
        seen.append(f"{path}:{start}")
        return fetch(self, path, start, end, **keys)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    return seen


def test_other_programs_can_read_the_shards(folder: FaceDataset, tmp_path: Path) -> None:
    """By webdataset: every picture's bytes and faces, in order."""
    done = write_shards(folder, str(tmp_path / "out"), 1)
    assert done == Written(COUNT, COUNT, sum(path.stat().st_size for path in (tmp_path / "out").glob("*.tar")))
    samples: list[dict[str, Any]] = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with path.open("rb") as stream:  # webdataset would leave closing it to chance
            samples += group_by_keys(tar_file_expander([{"url": path.name, "stream": stream}]))
    assert len(samples) == COUNT
    for sample, picture in zip(samples, folder.pictures(), strict=True):
        about = json.loads(sample["json"])
        assert sample[picture.file.rpartition(".")[2]] == folder.path(picture).read_bytes()
        assert (about["image"], about["width"], about["height"]) == (picture.name, picture.width, picture.height)
        assert (about["boxes"], about["ignore"]) == (picture.boxes.tolist(), picture.ignore.tolist())


def test_the_same_data_set_is_the_same_bytes(folder: FaceDataset, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_shards(folder, str(tmp_path / name), 300_000)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert {SHARDS, MEMBERS, TABLE, "000000.tar"} <= set(one)


def test_shards_are_never_written_over(folder: FaceDataset, written: Written) -> None:
    with pytest.raises(UsageError, match="holds shards already"):
        write_shards(folder, URL, 1)


def test_a_picture_that_is_not_the_tables_is_refused(tmp_path: Path, memory: Any) -> None:
    root = sample_part(tmp_path / "changed", 2)
    data = FaceDataset(root)
    path = data.path(data.pictures()[1])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DartblurError, match="not the bytes that the table says"):
        write_shards(data, URL, 1 << 20)
    assert not memory.exists(f"{URL}/{SHARDS}")


def test_what_comes_out_is_what_went_in(folder: FaceDataset, taken: Path, written: Written) -> None:
    data = FaceDataset(taken)
    assert 1 < written.shards < COUNT
    assert not (taken / IMAGES).exists()
    assert (taken / TABLE).read_bytes() == (folder.root / TABLE).read_bytes()
    assert [picture.name for picture in data.pictures()] == [picture.name for picture in folder.pictures()]
    for picture in reversed(data.pictures()):
        assert (data.read(picture) == folder.read(picture)).all()
    facts = [image_facts(root, folder.table, 2) for root in (taken, folder.root)]
    assert facts[0].equals(facts[1])
    assert facts[0]["problem"].isna().all()


def test_shards_in_a_folder_are_a_data_set_as_they_are(folder: FaceDataset, tmp_path: Path) -> None:
    write_shards(folder, str(tmp_path / "out"), 1 << 20)
    assert is_sharded(tmp_path / "out") and not is_sharded(folder.root)
    assert has_shards(str(tmp_path / "out")) and not has_shards(str(folder.root)) and has_shards("s3://anywhere")
    data = FaceDataset(tmp_path / "out")
    assert all((data.read(picture) == folder.read(picture)).all() for picture in data.pictures())


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_batches_do_not_depend_on_the_cache(folder: FaceDataset, taken: Path, tmp_path: Path, requests: list[str], share: float) -> None:
    """Without one, with one that must evict, with one for all; the blurred copy too, which is made as it is read."""
    params = settings(view={"size": 64, "face_min": 20, "face_max": 40}).view
    anonymize_dataset(folder, tmp_path / "blurred", Gaussian(1.0), 1)
    room = round(share * sum(folder.path(picture).stat().st_size for picture in folder.pictures()))
    cache = PictureCache(tmp_path / "cache", room)
    plain = Views([folder, FaceDataset(tmp_path / "blurred")], "train", params)
    streamed = Views([FaceDataset(taken, cache), Hidden(taken, Gaussian(1.0), cache)], "train", params, cache_bytes=0)
    for step in range(9):
        one, other = plain.batch(3, step, 4), streamed.batch(3, step, 4)
        assert all(torch.equal(a, b) for a, b in zip([*one.images, one.mask, *one.boxes], [*other.images, other.mask, *other.boxes], strict=True))
        assert sum(path.stat().st_size for path in (tmp_path / "cache").glob("*")) <= room
    pictures, reads = len(plain.pictures), 9 * 4 * 2
    assert pictures == 8
    if share == 0:
        assert len(requests) == reads
    elif share == 1:
        assert len(requests) == len(set(requests)) == pictures
    else:
        assert pictures < len(requests) < reads / 2  # some came from the cache, some had gone from it


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    parts = {hashlib.sha256(data).hexdigest(): data for data in (b"a" * 40, b"b" * 40, b"c" * 40)}
    (a, b, c), cache = parts, PictureCache(tmp_path, 100)
    cache.put(a, parts[a])
    cache.put(b, parts[b])
    assert cache.get(a) == parts[a]
    cache.put(c, parts[c])
    cache.put("0" * 64, b"d" * 101)  # more than there is room for
    assert {path.name for path in tmp_path.iterdir()} == {a, c}
    for number, name in enumerate((c, a)):
        os.utime(tmp_path / name, (number, number))
    again = PictureCache(tmp_path, 50)  # of a later run, with less room
    assert {path.name for path in tmp_path.iterdir()} == {a}
    assert again.get(a) == parts[a]
    again.put(b, parts[b])
    assert {path.name for path in tmp_path.iterdir()} == {b}


def test_a_spoilt_cache_is_fetched_again(folder: FaceDataset, taken: Path, tmp_path: Path, requests: list[str]) -> None:
    data = FaceDataset(taken, PictureCache(tmp_path / "cache", 1 << 30))
    picture = data.pictures()[0]
    data.read(picture)
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):
        assert (data.read(picture) == folder.read(picture)).all()
    assert len(requests) == 2
    path.unlink()
    assert (data.read(picture) == folder.read(picture)).all()


def flip(files: Any, name: str) -> None:
    data = bytearray(files.cat_file(f"{URL}/{name}"))
    data[len(data) // 2] ^= 1
    files.pipe_file(f"{URL}/{name}", bytes(data))


def test_spoilt_or_missing_shards_are_named(taken: Path, memory: Any) -> None:
    data = FaceDataset(taken)
    for picture in data.pictures():
        member = data.files.where(picture.file).split(": ")[0].rpartition("/")[2]
        memory.pipe_file(f"{URL}/{member}", bytes(memory.size(f"{URL}/{member}")))
    with pytest.raises(DartblurError, match=rf"^{URL}/\d+\.tar: .*: its bytes are not those that were written; make the shards again"):
        data.read(data.pictures()[0])
    memory.rm(URL, recursive=True)
    with pytest.raises(DartblurError, match=rf"^{URL}/\d+\.tar: .*: cannot be reached"):
        data.read(data.pictures()[0])


@pytest.mark.parametrize("name", [TABLE, MEMBERS])
def test_a_spoilt_table_is_named(written: Written, memory: Any, tmp_path: Path, name: str) -> None:
    flip(memory, name)
    with pytest.raises(DartblurError, match=f"{URL}/{name}: its bytes are not those that were written"):
        take_shards(URL, tmp_path / "taken")


def test_an_address_without_shards_is_said(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=f"^{URL}/{SHARDS}: cannot be reached"):
        take_shards(URL, tmp_path / "one")
    with pytest.raises(UsageError, match=r"^nothing://x: not readable here .*give a folder or s3://"):
        take_shards("nothing://x", tmp_path / "two")


def test_processes_share_the_room(tmp_path: Path) -> None:
    cache = cache_of_process(tmp_path, 1)
    cache.put("0" * 64, bytes(1 << 20))
    assert [path.parent.name for path in tmp_path.rglob("0*")] == ["pictures-0"]
