import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.faces.dataset import IMAGES, FaceDataset, write_table
from dartblur.faces.external import External, Faults, refuse, sound
from dartblur.media.images import write_image

NAMES = ["a/0.jpg", "a/1.png", "b.jpg"]


def picture(value: int, width: int = 12) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((8, width, 3), value, np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    unknown = dict.fromkeys(("blur", "occlusion", "pose", "expression", "illumination"), -1)
    box = {"x1": 1.0, "y1": 1.0, "x2": 5.0, "y2": 6.0, "ignore": False}
    rows = [{"image": name, "file": name, "width": 12, "height": 8, "sha256": "0", "split": "val", **box, **unknown} for name in NAMES]
    write_table(tmp_path / "data", pd.DataFrame(rows))
    for name in NAMES:
        write_image(tmp_path / "data" / IMAGES / name, picture(1))
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/0.png", "a/1.png", "b.png"):
        write_image(tmp_path / "tool" / name, picture(7))
    (tmp_path / "tool" / "log.txt").write_text("done")
    return tmp_path / "tool"


def test_pictures_are_found_by_their_path_but_for_the_suffix(data: Path, folder: Path) -> None:
    made = External(data, folder)
    assert not made.faults()
    refuse(folder, made.faults())
    for known, original in zip(made.pictures(), FaceDataset(data).pictures(), strict=True):
        assert known.name == original.name
        assert (made.read(known) == 7).all()


def test_what_is_wrong_is_counted_and_named(data: Path, folder: Path) -> None:
    (folder / "a/0.png").unlink()
    (folder / "a/1.png").write_bytes(b"no picture")
    write_image(folder / "b.png", picture(7, width=13))
    write_image(folder / "c/d.png", picture(7))
    made = External(data, folder)
    faults = made.faults()
    assert faults == Faults(missing=("a/0.jpg",), extra=("c/d.png",), unreadable=("a/1.png",), resized=("b.jpg",))
    words = r"tool: 1 missing \(a/0\.jpg\); 1 extra \(c/d\.png\); 1 not readable \(a/1\.png\); 1 of another size \(b\.jpg\); mend that, or set"
    with pytest.raises(DartblurError, match=words):
        refuse(folder, faults)
    assert made.usable(faults) == set()
    for known, why in zip(made.pictures(), ("has no picture a/0.jpg", "not a readable picture", "is 13 x 8 pixels, b.jpg is 12 x 8"), strict=True):
        with pytest.raises(DartblurError, match=why):
            made.read(known)


def test_of_many_the_first_are_named() -> None:
    assert Faults(missing=tuple("abcde")).describe() == "5 missing (a, b, c and 2 more)"


def test_the_intersection_is_what_all_have(data: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_image(other / "b.png", picture(3))
    sets = [External(data, where) for where in (folder, other)]
    assert sound([(made, made.faults()) for made in sets]) == {"b.jpg"}
    assert sound([]) is None


def test_bad_folders_are_bad_usage(data: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no such folder; put the pictures of the other tool there"):
        External(data, tmp_path / "nowhere")
    shutil.copy(folder / "a/0.png", folder / "a/0.webp")
    with pytest.raises(UsageError, match=r"0\.(png|webp) and 0\.(png|webp): two pictures for one of the data set; remove one"):
        External(data, folder)
