from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from dartblur.errors import DartblurError, UsageError
from dartblur.evaluation.identities import CENTRE, Identities, Split, load_identities
from dartblur.faces.boxes import area, iou
from dartblur.faces.dataset import read_table, write_table
from dartblur.media.images import read_image, write_image
from tests.knownpeople import MARGIN, made_up, write_people
from tests.sampledata import SAMPLE, Sample, sample_part


@pytest.fixture(scope="module")
def people(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"), sample, 4)


@pytest.fixture
def copy(people: Path, tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    for path in people.rglob("*.png"):
        write_image(tmp_path / path.relative_to(people), read_image(path))
    return tmp_path


def pictures(root: Path) -> list[Path]:
    return sorted(root.rglob("*.png"))


@pytest.mark.parametrize("split", ["val", "all"])
def test_a_data_set_gives_the_faces_that_can_be_recognised(split: Split) -> None:
    found = load_identities(SAMPLE, 100, split)
    table = read_table(SAMPLE)
    table = table if split == "all" else table[table["split"] == split]
    wanted = table[~table["ignore"] & (table["visible"] >= 0.7) & (table["y2"] - table["y1"] >= 100) & (table["role"] != "")]
    assert Counter((face.person, face.role) for face in found.faces) == Counter(zip(wanted["identity"], wanted["role"], strict=True))
    rows = {tuple(row): name for *row, name in wanted[["x1", "y1", "x2", "y2", "image"]].itertuples(index=False)}
    for face in found.faces:
        name = rows[tuple(face.box.tolist())]
        assert face.path.is_file()
        assert len(face.boxes) == len(table[(table["image"] == name) & table["x1"].notna()])  # every face of the picture is hidden
        assert face.height == face.box[3] - face.box[1] >= 100
    about = found.describe()
    assert (about["people"], about["faces"], about["gallery"] + about["probes"]) == (wanted["identity"].nunique(), len(wanted), len(wanted))
    assert about["face_height"]["min"] >= 100
    assert about["split"] == split
    assert about["central_boxes"] == 0
    assert found.pairs is None


def test_a_data_set_without_visible_shares_is_taken_whole(tmp_path: Path) -> None:
    sample_part(tmp_path, 12)
    table = read_table(tmp_path)
    write_table(tmp_path, table.drop(columns="visible"))
    known = table[~table["ignore"] & (table["y2"] - table["y1"] >= 30) & (table["role"] != "") & (table["identity"] != "")]
    assert len(load_identities(tmp_path, 30, "all").faces) == len(known)


@pytest.mark.parametrize("level", [True, False])
def test_a_folder_of_people(people: Path, level: bool) -> None:
    root = people if level else people / "images"
    seen: list[tuple[int, int]] = []
    found = load_identities(root, 10_000, "val", lambda done, total: seen.append((done, total)))
    assert seen == [(number, 8) for number in range(1, 9)]
    assert [face.path for face in found.faces] == pictures(people)
    assert [face.role for face in found.faces] == ["gallery", "probe"] * 4
    assert [face.person for face in found.faces] == [path.parent.name for path in pictures(people)]
    assert found.central == 0
    for face in found.faces:
        height, width = read_image(face.path).shape[:2]
        # The crops were drawn around the true box, but for those at a picture's border.
        about = np.array([[width, height, width, height]]) * np.array([MARGIN, MARGIN, 1 + MARGIN, 1 + MARGIN]) / (1 + 2 * MARGIN)
        assert iou(face.box[None], about)[0, 0] > 0.4
        assert len(face.boxes) == 1


def test_the_larger_half_is_gallery_and_one_picture_is_gallery_too(copy: Path) -> None:
    first, second = sorted((copy / "images").iterdir())[:2]
    write_image(first / "c.png", read_image(first / "a.png"))
    (second / "b.png").unlink()
    (second / "notes.txt").write_text("no picture")
    found = load_identities(copy, 80, "val")
    assert [face.role for face in found.faces if face.person == first.name] == ["gallery", "gallery", "probe"]
    assert [face.role for face in found.faces if face.person == second.name] == ["gallery"]


def test_the_largest_face_is_taken(copy: Path) -> None:
    first, second = pictures(copy)[:2]
    one, other = read_image(first), cv2.resize(read_image(second), None, fx=0.5, fy=0.5)
    joined = np.zeros((max(len(one), len(other)), one.shape[1] + other.shape[1], 3), np.uint8)
    joined[: len(other), : other.shape[1]] = other
    joined[: len(one), other.shape[1] :] = one
    write_image(first, joined)
    face = load_identities(copy, 80, "val").faces[0]
    assert face.box[0] > other.shape[1]
    assert area(face.boxes)[0] > 0.2 * one.shape[0] * one.shape[1]


def test_where_no_face_is_found_the_centre_is_the_box(copy: Path) -> None:
    write_image(pictures(copy)[1], np.full((50, 40, 3), 90, np.uint8))
    found = load_identities(copy, 80, "val")
    assert found.central == found.describe()["central_boxes"] == 1
    np.testing.assert_allclose(found.faces[1].box, np.array(CENTRE) * (40, 50, 40, 50))


def test_small_grey_pictures_are_faces_as_well(copy: Path) -> None:
    for path in pictures(copy):
        grey = cv2.cvtColor(cv2.resize(read_image(path), (92, 112)), cv2.COLOR_RGB2GRAY)
        cv2.imwrite(str(path.with_suffix(".pgm")), grey)
        path.unlink()
    found = load_identities(copy, 80, "val")
    assert len(found.faces) == 8
    assert found.central == 0


def test_pairs_are_read(copy: Path) -> None:
    names = [path.relative_to(copy / "images").as_posix() for path in pictures(copy)]
    (copy / "pairs.txt").write_text(f"{names[0]} {names[1]} 1\n\n{names[3]} {names[0]} 0\n")
    assert load_identities(copy, 80, "val").pairs == ((0, 1), (3, 0))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{0} {1}", "line 2: not of the form `a b 1` or `a b 0`"),
        ("{0} {1} yes", "line 2: not of the form"),
        ("{0} nobody/x.png 0", "line 2: there is no picture nobody/x.png; mend that line or add the picture"),
        ("{0} {0} 1", "line 2: a picture is compared with itself"),
        ("{0} {1} 0", "line 2: says 0, but the folders say 1"),
        ("{0} {2} 1", "line 2: says 1, but the folders say 0"),
        ("\xff", "cannot be read as text"),
    ],
)
def test_a_wrong_pair_is_named(copy: Path, line: str, words: str) -> None:
    names = [path.relative_to(copy / "images").as_posix() for path in pictures(copy)]
    text = f"{names[0]} {names[1]} 1\n" + line.format(*names) + "\n"
    (copy / "pairs.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(DartblurError, match=r"pairs\.txt.*" + words) as caught:
        load_identities(copy, 80, "val")
    assert "\n" not in str(caught.value)


def no_folder(root: Path) -> Path:
    return root / "nowhere"


def no_people(root: Path) -> Path:
    (root / "a.png").write_bytes(b"")
    (root / "empty").mkdir()
    return root


def no_face(root: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        write_image(root / name, np.full((90, 90, 3), 127, np.uint8))
    return root


def no_picture(root: Path) -> Path:
    (root / "a").mkdir()
    (root / "a/1.jpg").write_bytes(b"no picture")
    return root


def no_identity(root: Path) -> Path:
    sample_part(root, 4)
    write_table(root, read_table(root).drop(columns=["identity", "role"]))
    return root


def no_known_face(root: Path) -> Path:
    table = read_table(sample_part(root, 4))
    write_table(root, table.assign(identity=pd.Series([""] * len(table), dtype="str")))
    return root


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (no_folder, UsageError, "nowhere: no such folder; give a data set with identities or a folder"),
        (no_people, UsageError, "no data set and no folder of people; pictures must lie in images/<person>/<picture>"),
        (no_face, DartblurError, "YuNet finds no face in any of its 3 pictures"),
        (no_picture, DartblurError, r"a/1\.jpg: not a readable picture"),
        (no_identity, UsageError, "lacks the columns identity and role, so nobody in it is known"),
        (no_known_face, DartblurError, "no face of the split val of at least 80 pixels has an identity and a role; lower privacy.min_height"),
    ],
)
def test_nobody_to_recognise_is_one_sentence(tmp_path: Path, spoil: Callable[[Path], Path], error: type[DartblurError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        load_identities(spoil(tmp_path), 80, "val")
    assert "\n" not in str(caught.value)


def roles(found: Identities) -> Counter[tuple[str, str]]:
    return Counter((face.person, face.role) for face in found.faces)


def test_thinning_keeps_people_before_faces() -> None:
    found = made_up("gggppp", "ggpp", "gp", "ggg")
    few = found.thinned(7, 0)
    assert roles(few) == {(f"person-{n}", role): 1 for n, both in enumerate(("gp", "gp", "gp", "g")) for role in ("gallery", "probe")[: len(both)]}
    assert roles(found.thinned(2, 1)).total() == len({role for _, role in roles(found.thinned(2, 1))}) == 2
    assert found.thinned(0, 0) is found.thinned(16, 0) is found
    assert len(found.thinned(11, 0).faces) == 11
    assert [face.path for face in found.thinned(11, 0).faces] == [face.path for face in found.thinned(11, 0).faces]
    assert {tuple(face.path for face in found.thinned(5, seed).faces) for seed in range(8)} != {tuple(face.path for face in few.faces)}
    order = [face.path for face in found.faces]
    assert [face.path for face in few.faces] == sorted((face.path for face in few.faces), key=order.index)


def test_whole_people_are_drawn_those_with_both_roles_first() -> None:
    found = made_up("g", "gp", "p", "ggp", pairs=((1, 2), (4, 6), (1, 6), (0, 3)))
    few = found.of_people(2, 0)
    assert roles(few) == {("person-1", "gallery"): 1, ("person-1", "probe"): 1, ("person-3", "gallery"): 2, ("person-3", "probe"): 1}
    assert few.pairs == ((0, 1), (2, 4), (0, 4))
    assert len(found.of_people(3, 0).faces) == 6
    assert len(found.of_people(9, 0).faces) == 7
