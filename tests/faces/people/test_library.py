"""The tables and pictures of a sprite library, sound and broken."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.people.cast import split_library, split_of
from dartblur.faces.people.library import Library, load_library
from dartblur.faces.people.pixels import PixelStore


def test_records_are_typed(library: Library) -> None:
    assert (len(library.people), len(library.places), len(library.props)) == (18, 3, 3)
    bust = library.people[0]
    assert (bust.id, bust.identity, bust.kind, bust.role, bust.light, bust.feet) == ("p000/b0", "p000", "bust", "gallery", "top", None)
    assert bust.face_height == pytest.approx(0.2 * bust.metre) and bust.box[1] < bust.eyes < bust.box[3]
    full = library.people[2]
    assert full.feet is not None and (full.feet - full.eyes) / full.metre == pytest.approx(full.eye_height)
    assert {prop.kind: prop.leaves for prop in library.props} == {"cup": "below", "phone": "side", "hand": "below"}


def test_pixels_are_rgb_and_kept_within_a_bound(library: Library) -> None:
    store = PixelStore(library, bound=3_000_000)
    for sprite in library.people:
        pixels, mask = store.person(sprite)
        assert pixels.shape == (sprite.height, sprite.width, 4) and mask.shape == (sprite.height, sprite.width, 2)
        x1, y1, x2, y2 = (int(value) for value in sprite.box)
        inside = mask[y1:y2, x1:x2].astype(np.float64)
        assert inside[..., 0].sum() == pytest.approx(mask[..., 0].astype(np.float64).sum(), rel=0.01)
        assert (mask[..., 1] <= mask[..., 0]).all()
        assert store.bytes <= 3_000_000
    assert store.person(library.people[-1])[0] is store.person(library.people[-1])[0]
    assert store.place(library.places[0]).shape == (704, 1024, 3)
    assert store.prop(library.props[0]).shape == (448, 134, 4)


@pytest.mark.parametrize("name", ["library.json", "people.jsonl", "places.jsonl", "props.jsonl"])
def test_a_library_that_is_not_finished_is_bad_usage(sprites: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"no sprite library there .*; make one with `make sample`"):
        load_library(tmp_path)
    for path in sprites.glob("*.json*"):
        if path.name != name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match=re.escape(f"{name} is missing")):
        load_library(tmp_path)


def edit(root: Path, table: str, line: int, change: Callable[[dict[str, Any]], object]) -> None:
    lines = (root / table).read_text().splitlines()
    record = json.loads(lines[line - 1])
    change(record)
    lines[line - 1] = json.dumps(record)
    (root / table).write_text("\n".join(lines) + "\n")


@pytest.fixture
def copied(sprites: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sprites, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("table", "change", "expected"),
    [
        ("people.jsonl", lambda r: r.update(identity="p099"), "line 2: the identity 'p099' is unknown to the id 'p000/h0'"),
        ("people.jsonl", lambda r: r.update(kind="torso"), "line 2: kind 'torso' is unknown (known: bust, half, full)"),
        ("people.jsonl", lambda r: r.update(light="moon"), "line 2: light 'moon' is unknown"),
        ("people.jsonl", lambda r: r.update(role="extra"), "line 2: role 'extra' is unknown"),
        ("people.jsonl", lambda r: r.update(file="people/p000/none.png"), "people/p000/none.png is not there"),
        ("people.jsonl", lambda r: r.update(mask="../../etc/passwd"), "is not a plain path"),
        ("people.jsonl", lambda r: r.pop("metre"), "line 2: metre is missing"),
        ("people.jsonl", lambda r: r.update(metre=0), "line 2: metre is 0, which is no number above 0"),
        ("people.jsonl", lambda r: r.update(yaw=True), "line 2: yaw is True"),
        ("people.jsonl", lambda r: r.update(yaw=float("nan")), "line 2: yaw is nan"),
        ("people.jsonl", lambda r: r.update(box=[1, 2, 3]), "line 2: box is not 4 numbers"),
        ("people.jsonl", lambda r: r.update(box=[5, 2, 3, 9]), "line 2: the box (5, 2, 3, 9) is empty"),
        ("people.jsonl", lambda r: r.update(landmarks=[[1, 2]]), "line 2: landmarks are not 5 points"),
        ("people.jsonl", lambda r: r.update(landmarks=[[1, 2]] * 4 + ["x"]), "line 2: landmarks is 'x'"),
        ("people.jsonl", lambda r: r.update(id="p000/b0"), "line 2: the id 'p000/b0' occurs twice"),
        ("places.jsonl", lambda r: r.update(far=1.0), "line 2: far is 1, which is no number above 2"),
        ("places.jsonl", lambda r: r.update(size=[0, 5]), "line 2: size is 0 x 5"),
        ("props.jsonl", lambda r: r.update({"from": "above"}), "line 2: from 'above' is unknown (known: below, side)"),
    ],
)  # fmt: skip
def test_a_bad_record_is_named_with_its_line(copied: Path, table: str, change: Callable[[dict[str, Any]], object], expected: str) -> None:
    edit(copied, table, 2, change)
    with pytest.raises(DartblurError, match=re.escape(expected)) as error:
        load_library(copied)
    assert str(copied) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "text", "expected"),
    [
        ("props.jsonl", "{", "props.jsonl, line 1: not readable as JSON"),
        ("props.jsonl", "7\n", "props.jsonl, line 1: holds no JSON object"),
        ("places.jsonl", "\n", "places.jsonl: no record"),
        ("people.jsonl", "", "people.jsonl: no record"),
        ("library.json", '{"format": 2, "identities": 6}', "library.json: the format is 2, this version reads 1"),
        ("library.json", '{"format": 1, "identities": 7}', "people.jsonl: 6 identities, library.json says 7"),
    ],
)
def test_a_broken_table_is_named(copied: Path, table: str, text: str, expected: str) -> None:
    (copied / table).write_text(text)
    with pytest.raises(DartblurError, match=re.escape(expected)):
        load_library(copied)


@pytest.mark.parametrize("data", [b"", b"no picture", None])
def test_a_picture_that_is_not_the_recorded_one_is_refused(copied: Path, data: bytes | None) -> None:
    library = load_library(copied)
    sprite = library.people[0]
    (copied / sprite.file).write_bytes((copied / library.people[3].file).read_bytes() if data is None else data)
    with pytest.raises(DartblurError, match=r"p000/b0.png: is not the picture that the library was made with"):
        PixelStore(library).person(sprite)
    (copied / sprite.mask).write_bytes(b"" if data is None else data)
    with pytest.raises(DartblurError, match=r"no readable picture of 627 x 582 pixels"):
        PixelStore(library)._get(sprite.mask, sprite, 2)
    (copied / sprite.file).unlink()
    with pytest.raises(DartblurError, match=r"p000/b0.png: cannot be read"):
        PixelStore(library).person(sprite)


def test_no_identity_and_no_place_is_in_both_splits(lit: Library) -> None:
    casts = split_library(lit, 0.25, 7)
    people = [{sprite.identity for sprite in casts[split].people} for split in ("train", "val")]
    places = [{place.id for place in casts[split].places} for split in ("train", "val")]
    assert [len(names) for names in people] == [6, 2] and not people[0] & people[1]
    assert [len(names) for names in places] == [1, 1] and not places[0] & places[1]
    assert {sprite.sex for sprite in casts["val"].people} == {"female", "male"}
    assert casts == split_library(lit, 0.25, 7) != split_library(lit, 0.25, 8)
    assert list(split_library(lit, 0, 7)) == ["train"] and list(split_library(lit, 1, 7)) == ["val"]
    assert split_library(lit, 0, 7)["train"] == split_library(lit, 1, 7)["val"]
    assert {split_of(index, 1) for index in range(10)} == {"val"} and {split_of(index, 0) for index in range(10)} == {"train"}
    assert [split_of(index, 0.2) for index in range(10)].count("val") == 2


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan")])
def test_an_impossible_share_is_bad_usage(library: Library, share: float) -> None:
    with pytest.raises(UsageError, match=r"the share of val is .*; choose one from 0 to 1"):
        split_library(library, share, 0)
    with pytest.raises(UsageError, match="1 identities and 1 places cannot be divided"):
        split_library(Library(library.root, "", library.people[:3], library.places[:1], ()), 0.2, 0)
