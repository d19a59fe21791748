"""Another tool's command at work, and what it is remembered for."""

from pathlib import Path

import numpy as np
import pytest

from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes
from dartblur.media.images import read_image, write_image
from dartblur.stages.external import Remembered, let_work, show_people
from tests.blur.samples import noise

NONE = as_boxes([])


def test_a_command_sees_the_pictures_under_their_names(tmp_path: Path) -> None:
    let_work("cp -r {input}/. {output}", "copy", [("a/b c.jpg", b"1"), ("d.png", b"2")], tmp_path / "out")
    assert (tmp_path / "out/a/b c.jpg").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_command_that_fails_says_its_last_word(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"evaluate\.commands\.bad: ended with exit code 3 \(no model\)"):
        let_work("echo no model >&2; exit 3", "bad", [("a.png", b"1")], tmp_path / "out")
    assert not (tmp_path / "out-input").exists()


def test_people_are_found_again_by_their_pixels(tmp_path: Path) -> None:
    pictures = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, path in enumerate(pictures):
        write_image(path, noise(seed=seed))
    turn = "cd {input} && for f in *.png; do cp $f {output}/$f; done"
    show_people(turn, "copy", pictures, tmp_path / "seen")
    made = Remembered("copy", tmp_path / "seen")
    for path in pictures:
        assert np.array_equal(made.anonymize(read_image(path), NONE), read_image(path))
    with pytest.raises(DartblurError, match=r"evaluate\.commands\.copy: has made no .*\.png of a picture"):
        made.anonymize(noise(seed=9), NONE)
    for path in (tmp_path / "seen").iterdir():
        write_image(path, noise(10, 10))
    with pytest.raises(DartblurError, match="64 x 50 pixels came back in another size"):
        made.anonymize(read_image(pictures[0]), NONE)
