"""The benchmark of `dartblur anonymize`: its pictures, what it measures of a process, and the peers' sides."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.anonymize import Side, figures
from benchmarks.peers import mosaics
from benchmarks.peers.original_folder import OriginalFolder
from benchmarks.peers.original_script import anonymise
from benchmarks.peers.process import Run, environment, run
from benchmarks.peers.shares import STEPS, milliseconds
from dartblur.anonymizer.methods import Choice
from dartblur.anonymizer.settings import Settings, make_work
from dartblur.blur.dartblur import save_unet
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.repaint import DartBlurConfig
from dartblur.blur.unet import UNet
from dartblur.errors import DartblurError
from dartblur.faces.boxes import as_boxes, mask_of
from tests.makedata import texture

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> mosaics.Mosaics:
    return mosaics.make(SAMPLE, tmp_path_factory.mktemp("mosaics"), 3)


def test_pictures_have_1_to_20_faces_and_their_boxes(pictures: mosaics.Mosaics) -> None:
    assert [len(boxes) for _, boxes in sorted(pictures.boxes.items())] == [1, 10, 20]
    assert sorted(path.name for path in pictures.folder.iterdir()) == sorted(pictures.boxes)
    for name, boxes in pictures.boxes.items():
        with Pillow.open(pictures.folder / name) as picture:
            assert picture.size == (1280, 720)
        assert (boxes >= 0).all() and (boxes[:, 2:] <= [1280, 720]).all() and (boxes[:, 2:] - boxes[:, :2] >= 1.98).all()
    assert pictures.about()["faces"] == {"total": 31, "least": 1, "mean": 10.33, "most": 20}


def test_the_same_pictures_every_time(pictures: mosaics.Mosaics, tmp_path: Path) -> None:
    again = mosaics.make(SAMPLE, tmp_path, 3)
    assert [path.read_bytes() for path in sorted(again.folder.iterdir())] == [path.read_bytes() for path in sorted(pictures.folder.iterdir())]
    assert mosaics.make(SAMPLE, tmp_path, 3, seed=1).folder != again.folder


def test_a_copy_holds_nothing_of_an_earlier_one(pictures: mosaics.Mosaics, tmp_path: Path) -> None:
    folder = mosaics.copied(pictures, tmp_path / "copy")
    (folder / "000_anonymized.jpg").touch()
    assert len(list(mosaics.copied(pictures, tmp_path / "copy").iterdir())) == 3


def test_a_run_says_what_it_took(tmp_path: Path) -> None:
    work = "import os, time; print(os.environ['SAID']); block = bytearray(150 << 20)\nwhile time.process_time() < 0.3: pass"
    taken = run([sys.executable, "-c", work], tmp_path / "log", variables={"SAID": "hello"})
    assert taken.processor_seconds >= 0.3 and taken.seconds >= 0.3
    assert taken.memory_mib is None or 150 < taken.memory_mib < 400
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_run_that_fails_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"]
    assert run(command, tmp_path / "log", allowed=(0, 3)).code == 3
    with pytest.raises(DartblurError, match=r"ended with 3 \(the reason\)"):
        run(command, tmp_path / "log")


def test_threads_of_this_process_are_none_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run([sys.executable, "-c", "import os, json; print(json.dumps(os.environ.get('OMP_NUM_THREADS')))"], tmp_path / "log")
    assert json.loads((tmp_path / "log").read_text()) is None


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    requirements = tmp_path / "none.txt"
    requirements.write_text("# nothing\n")
    programs = environment("peer", requirements, tmp_path)
    (programs / "mark").touch()
    assert (environment("peer", requirements, tmp_path) / "mark").exists()
    requirements.write_text("# something else\n")
    assert not (environment("peer", requirements, tmp_path) / "mark").exists()


def test_ratios_are_of_medians_and_count_only_pictures_that_were_made() -> None:
    sides = {name: Side(name, lambda: (Run(1.0, 1.0, None, 0), 1)) for name in ("peer", "ours")}
    taken = {
        "peer": [(Run(seconds, 2 * seconds, 100.0, 0), 10) for seconds in (5.0, 9.0, 6.0)],
        "ours": [(Run(2.0, 2.0, 50.0, 0), 10), (Run(1.0, 1.0, 60.0, 1), 5), (Run(1.0, 1.0, None, 0), 10)],
    }
    found = figures(sides, taken)
    assert (found["ratio"], found["ratio_processor_time"]) == (3.0, 6.0)
    assert found["ours"]["pictures_per_second"] == 5.0
    assert (found["peer"]["peak_memory_mib"], found["ours"]["peak_memory_mib"]) == (100.0, 60.0)
    assert found["ours"]["pictures"] == [10, 5, 10]


def test_the_steps_of_a_picture_are_all_its_time(pictures: mosaics.Mosaics, tmp_path: Path) -> None:
    work = make_work(Settings(Choice("block"), detectors=()))
    taken = milliseconds(pictures.folder, tmp_path / "out", work, pictures.boxes)
    assert tuple(taken) == STEPS
    assert all(value >= 0 for value in taken.values()) and sum(taken.values()) > 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(pictures.boxes)


def test_the_rebuilt_script_changes_boxes_alone() -> None:
    image, boxes = texture(np.random.default_rng(0), 60, 90), as_boxes([[10, 12, 40, 45], [60, 5, 80, 30]])
    made = np.asarray(anonymise(image, boxes, UNet(4, 3)))
    inside, blurred = mask_of(boxes, 90, 60), Gaussian().anonymize(image, boxes)
    assert np.array_equal(made[~inside], image[~inside])
    # An untrained U-Net returns what it sees, here through 768 x 768 and back.
    assert 0 < np.abs(made[inside].astype(int) - blurred[inside]).mean() < 3


def test_the_rebuilt_script_as_a_process(pictures: mosaics.Mosaics, tmp_path: Path) -> None:
    save_unet(tmp_path / "unet.safetensors", UNet(2, 3), DartBlurConfig(2, 3, 1.0, 0.125, 24, 96))
    folder = tmp_path / "original"
    folder.mkdir()
    peer = OriginalFolder(pictures.folder, pictures.annotations, pictures.boxes, tmp_path / "unet.safetensors", folder, None)
    if "rebuilt" not in peer.name:
        pytest.skip("there is a checkout, whose network has another size")
    assert peer.run(tmp_path / "log").code == 0
    assert sorted(path.name for path in peer.out.iterdir()) == sorted(pictures.boxes)
