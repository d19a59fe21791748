"""What goes wrong around the pictures: links, pipes, rights, full disks, and names that clash."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from dartblur.anonymizer import command
from dartblur.anonymizer import manifest as manifests
from dartblur.anonymizer.manifest import manifest
from dartblur.errors import DartblurError
from dartblur.media import places
from dartblur.media.codec import open_picture
from dartblur.media.places import Folder
from tests.anonymizer.corpus.case import FACE, IMAGE, saved
from tests.anonymizer.corpus.pngs import PLAIN
from tests.anonymizer.leaks import files_below, leak
from tests.anonymizer.scene import GAUSSIAN, NAMES, ends, run, written
from tests.anonymizer.terminal import anonymize, here, write_csv
from tests.sampledata import Sample


def test_links_pipes_and_sockets(source: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").write_bytes(PLAIN)
    (source / "link.png").symlink_to("a.png")
    (source / "outside.png").symlink_to(tmp_path / "elsewhere.png")
    (source / "folder.png").symlink_to("sub")
    (source / "nowhere.png").symlink_to("gone.png")
    (source / "circle.png").symlink_to("circle.png")
    (source / "root.png").symlink_to("/")
    os.mkfifo(source / "pipe.png")
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(source)  # the path of a socket must be short
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(before)
        done = run(source)
    assert done.returncode == 1
    assert written(source) == {*NAMES, "link.png", "outside.png"}
    reasons = {name: record.reason for name, record in ends(source).items() if record.status == "failed"}
    words = {
        **dict.fromkeys(("folder.png", "root.png"), "a link to a folder, which is not followed"),
        **dict.fromkeys(("pipe.png", "pipe", "socket.png"), "not a regular file"),
        **{"nowhere.png": "No such file", "circle.png": "symbolic link"},
    }
    assert set(reasons) == set(words)
    assert all(words[name] in reason for name, reason in reasons.items()), reasons
    assert (source / "a.png").read_bytes() == (tmp_path / "elsewhere.png").read_bytes() == PLAIN


def without_rights() -> tuple[str, ...]:
    """What a command line starts with so that permissions count for it, even where root runs the tests."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may read and write everything, and setpriv, which takes that from a program, is not installed")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


@pytest.fixture
def closed(source: Path) -> Iterator[Path]:
    """The source with a file and a folder that nobody may read."""
    for name in ("d.png", "deep/er/e.png", "notes.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(PLAIN)
    barred = (source / "d.png", source / "notes.txt", source / "deep")
    for path in barred:
        path.chmod(0)
    yield source
    for path in barred:
        path.chmod(0o755)


def test_what_may_not_be_read_is_told_and_is_not_taken_for_done(closed: Path) -> None:
    line = (closed, closed.parent / "out", "--annotations", closed.parent / "boxes.csv", *GAUSSIAN)
    done = anonymize(*line, cwd=closed.parent, before=without_rights())
    assert (done.returncode, done.stderr) == (1, "")
    assert written(closed) == set(NAMES)
    failed = {name: record.reason for name, record in ends(closed).items() if record.status == "failed"}
    assert set(failed) == {"d.png", "notes.txt", "deep"}
    assert "Permission denied" in failed["d.png"]
    assert failed["deep"] == "deep: a folder that cannot be listed; check its permissions"


def test_a_target_that_may_not_be_written(source: Path) -> None:
    out = source.parent / "out"
    out.mkdir()
    out.chmod(0o555)
    done = anonymize(source, out, "--annotations", source.parent / "boxes.csv", *GAUSSIAN, cwd=source.parent, before=without_rights())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {out}/manifest.jsonl: Permission denied; mend that and run the same command again\n"
    assert files_below(out) == []


def test_a_full_disk_ends_the_job_and_more_room_lets_it_go_on(source: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for name in ("big.png", "d.png"):
        (source / name).write_bytes(saved(noise, "PNG"))  # 270 kB
    out, order = source.parent / "out", {"a.png", "b.png", "big.png", "d.png", "sub/c.png"}
    # A disk of its own, which is gone with the process; what is on it is brought to safety first.
    script = 'mount -t tmpfs -o size=512k none "$1"; out="$1"; save="$2"; shift 2; "$@"; code=$?; cp -a "$out"/. "$save"; exit $code'
    out.mkdir()
    (source.parent / "saved").mkdir()
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(out), str(source.parent / "saved"))
    trial = [*before[:3], "mount", "-t", "tmpfs", "none", str(out)]
    if shutil.which("unshare") is None or subprocess.run(trial, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system lets nobody mount a small disk; test_job has one that is full by pretence")
    line = (source, out, "--annotations", source.parent / "boxes.csv", *GAUSSIAN)
    full = anonymize(*line, cwd=source.parent, before=before)
    assert (full.returncode, full.stdout) == (1, "")
    said = rf"^error: {re.escape(str(out))}: \w+\.png cannot be written \(No space left on device\); mend that and run the same command again\n$"
    assert re.match(said, full.stderr)
    assert written(source, "saved") < order
    assert all(open_picture(path.read_bytes(), path.name).width for path in (source.parent / "saved").glob("*.png"))
    shutil.copytree(source.parent / "saved", out, dirs_exist_ok=True)
    again = run(source)
    assert (again.returncode, again.stdout.split(";")[0]) == (0, "5 anonymised, 5 faces hidden")
    assert "of all were done before" in again.stdout
    assert written(source) == order


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit, which limits the size of files, is not installed")
@pytest.mark.parametrize("limit", [100_000, 700])
def test_a_file_that_becomes_too_large_leaves_no_half(source: Path, limit: int) -> None:
    """With the larger limit one picture is too much for it, with the smaller one the manifest is."""
    (source / "big.png").write_bytes(saved(np.random.default_rng(0).integers(0, 256, (250, 250, 3), dtype=np.uint8), "PNG"))
    line = (source, source.parent / "out", "--annotations", source.parent / "boxes.csv", *GAUSSIAN)
    done = anonymize(*line, cwd=source.parent, before=("prlimit", f"--fsize={limit}"))
    assert done.returncode == 1
    if limit == 700:
        assert done.stderr.startswith("error: ")
        assert done.stderr.endswith("File too large; mend that and run the same command again\n")
        assert written(source) == set()
    else:
        assert (done.stderr, written(source)) == ("", set(NAMES))
        assert ends(source)["big.png"].reason == "big.png: cannot be written (File too large); rename it, or give another target"
    assert run(source).returncode == 0
    assert written(source) == {*NAMES, "big.png"}


def test_a_file_that_vanishes_in_the_middle(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(source.parent / "boxes.csv", dict.fromkeys(NAMES, FACE))
    listed, passes = Folder.names, list[int]()

    def names(folder: Folder) -> Iterator[str]:
        passes.append(len(passes))
        for name in listed(folder):
            if name == "b.png" and len(passes) == 2:  # they have been counted, and are about to be read
                shutil.rmtree(source / "sub")
                (source / name).unlink()
            yield name

    monkeypatch.setattr(Folder, "names", names)
    done = run(source)
    assert done.returncode == 1
    assert written(source) == {"a.png"}
    gone = "cannot be read (No such file or directory); check that it is there, and its permissions"
    assert done.stdout == f"1 anonymised, 1 faces hidden; 2 failed\n  failed: b.png: {gone}\n  failed: sub: {gone}\n"


def test_what_stands_in_the_target_stays(source: Path) -> None:
    out = source.parent / "out"
    (out / "a.png").mkdir(parents=True)
    (out / "b.png").write_bytes(PLAIN)
    (out / "sub").write_bytes(b"a file where a folder is needed")
    done = run(source)
    assert done.returncode == 1
    reasons = {name: record.reason for name, record in ends(source).items()}
    assert reasons["a.png"] == "a.png: exists already and is not what this job makes; --overwrite replaces it"
    assert reasons["b.png"] == "b.png: exists already and is not what this job makes; --overwrite replaces it"
    assert reasons["sub/c.png"].startswith("sub/c.png: cannot be written (")
    assert ((out / "b.png").read_bytes(), (out / "sub").read_bytes()) == (PLAIN, b"a file where a folder is needed")
    again = run(source, "--overwrite")
    assert again.returncode == 1
    assert {name: record.status for name, record in ends(source).items()} == {"a.png": "failed", "b.png": "anonymised", "sub/c.png": "failed"}
    assert (leak((out / "b.png").read_bytes()), (out / "a.png").is_dir()) == ("", True)


def test_a_link_to_nowhere_in_the_target_stays(source: Path) -> None:
    (source.parent / "out").mkdir()
    (source.parent / "out/a.png").symlink_to("gone.png")
    assert run(source).returncode == 1
    assert ends(source)["a.png"].status == "failed"
    assert (source.parent / "out/a.png").is_symlink()


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_nothing_is_written_into_the_source_through_a_link(source: Path, more: tuple[str, ...]) -> None:
    (source.parent / "out").mkdir()
    (source.parent / "out/sub").symlink_to(source / "sub")
    (source.parent / "out/a.png").symlink_to(source / "a.png")
    assert run(source, *more).returncode == 1
    assert all((source / name).read_bytes() == PLAIN for name in NAMES)
    assert ends(source)["sub/c.png"].status == "failed"
    assert {path.name for path in (source / "sub").iterdir()} == {"c.png"}


def test_a_clear_picture_that_lies_in_the_target_is_told_of(source: Path) -> None:
    """Somebody copied the folder first; a picture that is withheld would be taken for an anonymised one."""
    shutil.copytree(source, source.parent / "out")
    write_csv(source.parent / "boxes.csv", {"a.png": FACE, "b.png": FACE})
    done = run(source, "--overwrite")
    assert done.returncode == 1
    assert ends(source)["sub/c.png"].reason.endswith("in the target that this run did not make, remove it if it must not be there")
    assert "sub/c.png" in (source.parent / "out/review.txt").read_text()


def test_a_picture_called_like_the_manifest_does_not_replace_it(source: Path) -> None:
    own = ("manifest.jsonl", "manifest.parquet", "review.txt")
    for name in own:
        (source / name).write_bytes(PLAIN)
    (source / "d.jpg").write_bytes(saved(IMAGE, "JPEG"))  # no boxes: there is something to review
    for more in ((), ("--overwrite",)):
        assert run(source, *more).returncode == 1
        found = ends(source)
        assert {name for name in found if found[name].status == "failed"} == set(own)
        assert all("called like a file that the job writes itself" in found[name].reason for name in own)
        assert (source.parent / "out/review.txt").read_text().startswith("d.jpg\t")


def test_an_empty_file_in_the_way_of_the_manifest_is_used_and_notes_are_not(source: Path) -> None:
    out = source.parent / "out"
    out.mkdir()
    (out / "manifest.jsonl").write_text("my notes, without a line break")
    done = run(source)
    assert (done.returncode, done.stderr) == (1, f"error: {out}/manifest.jsonl: not a manifest; move the file away, or give another target\n")
    assert (out / "manifest.jsonl").read_text() == "my notes, without a line break"
    (out / "manifest.jsonl").write_text("")
    assert run(source).returncode == 0


def test_a_file_too_large_to_be_read_whole(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "big.png").write_bytes(PLAIN + bytes(len(PLAIN)))
    (source / "film.iso").write_bytes(bytes(10 * len(PLAIN)))
    monkeypatch.setattr(places, "LARGEST", len(PLAIN))
    assert run(source).returncode == 1
    assert "are more than the" in ends(source)["big.png"].reason
    assert (ends(source)["film.iso"].status, ends(source)["film.iso"].bytes_in) == ("other", 10 * len(PLAIN))
    assert written(source) == set(NAMES)


@pytest.mark.parametrize("name", ["/tmp/elsewhere.png", "../elsewhere.png", "sub/../../elsewhere.png"])  # noqa: S108
def test_a_key_that_looks_like_another_path_is_not_followed(tmp_path: Path, name: str) -> None:
    """S3 takes any name for an object."""
    out = Folder(tmp_path / "out")
    with pytest.raises(OSError, match=r"leads out of .*out"):
        out.write(name, b"x")
    assert files_below(tmp_path) == []


def test_two_runs_at_once_into_one_target(source: Path) -> None:
    out = source.parent / "out"
    (out / ".dartblur-12345678-half").mkdir(parents=True)
    with manifest(out / "manifest.jsonl"):
        done = run(source)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: {out}/manifest.jsonl: another run writes there; wait for it to end, or give another target\n"
        assert written(source) == set()
    assert (out / ".dartblur-12345678-half").is_dir()  # another run's, it may be alive
    assert run(source).returncode == 0


def test_a_long_job_tries_its_table_at_its_start(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DartblurError("no table can be written; install pyarrow again")

    monkeypatch.setattr(command, "_MANY", 3)
    with monkeypatch.context() as broken:
        broken.setattr(manifests, "write_table", fail)
        assert run(source).stderr == "error: no table can be written; install pyarrow again\n"
        assert written(source) == set()
    assert run(source).returncode == 0


def test_a_page_without_a_face_withholds_its_document(source: Path, sample: Sample) -> None:
    """With the detector itself: annotations say nothing of pages."""
    scene = max(sample.scenes, key=lambda scene: float((scene.boxes[scene.clear][:, 3] - scene.boxes[scene.clear][:, 1]).max(initial=0)))
    empty = np.full_like(scene.image, 90)
    document = Pillow.fromarray(scene.image)
    for name, other in (("both.tif", scene.image), ("one.tif", empty)):
        (source / "docs").mkdir(exist_ok=True)
        document.save(source / "docs" / name, save_all=True, append_images=[Pillow.fromarray(other)])
    done = here(source / "docs", source.parent / "out", *GAUSSIAN)
    assert done.returncode == 1
    found = ends(source)
    assert (found["both.tif"].status, found["both.tif"].frames) == ("anonymised", 2)
    assert (found["one.tif"].status, found["one.tif"].reason.split(":")[0]) == ("withheld", "page 2 of 2")
    assert written(source) == {"both.tif"}
