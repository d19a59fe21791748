"""Reading videos: what counts as one, what is refused, and that frames come as they are shown."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.video import Look, is_video, open_video
from dartblur.media.videoframes import UPRIGHT, Turn
from tests.makevideo import Film, Packaging, make_sound, make_video

FILM = Film(frames=8)
SLOW = Packaging(options={"crf": "18", "preset": "medium"})
KEY = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00112233445566778899aabbccddeeff", "encryption_kid": "ff" * 16}


def frames_of(path: Path) -> int:
    with open_video(path, threads=1) as source:
        return sum(1 for _ in source.frames())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov", "a.flv"])
def test_a_video_is_one_by_its_content_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = make_video(tmp_path / name, FILM, Packaging(base=1000))
    assert is_video(path.rename(tmp_path / "a.txt"))
    assert is_video((tmp_path / "a.txt").read_bytes()[:512])


def test_avi_and_webm_are_videos(tmp_path: Path) -> None:
    for path in (
        make_video(tmp_path / "a.avi", FILM, Packaging(codec="mpeg4", sound="", options={}, base=25)),
        make_video(tmp_path / "a.webm", FILM, Packaging(codec="libvpx", sound="", options={"deadline": "realtime", "cpu-used": "8"})),
    ):
        assert is_video(path)
        assert is_video(path.read_bytes()[:512])
        assert frames_of(path) == FILM.frames


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tiff"])
def test_a_picture_is_no_video_even_if_it_moves(tmp_path: Path, suffix: str) -> None:
    first, *others = [PILImage.fromarray(FILM.picture(number)) for number in range(3)]
    path = tmp_path / f"a{suffix}"
    if suffix in (".gif", ".webp", ".png", ".avif"):
        first.save(path, save_all=True, append_images=others)
    else:
        first.save(path)
    assert not is_video(path)
    assert not is_video(path.read_bytes()[:512])
    with pytest.raises(DartblurError, match=r"cannot be read as a video|holds no moving pictures"):
        frames_of(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"some text\n" * 50,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile 'a.mp4'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_text_and_lists_of_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    make_video(tmp_path / "a.mp4", FILM)
    path = tmp_path / "list.mp4"
    path.write_bytes(data)
    assert not is_video(path)
    assert not is_video(data)
    with pytest.raises(DartblurError, match=r"list\.mp4: cannot be read as a video \(.*nothing was written$"):
        frames_of(path)


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.mp4", "No such file"), (tmp_path, "Is a directory")):
        assert not is_video(path)
        with pytest.raises(DartblurError, match=f"cannot be read as a video .{why}"):
            frames_of(path)


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.mp4", cover=True)
    assert not is_video(path)
    assert not is_video(make_sound(tmp_path / "a.m4a").read_bytes()[:512])
    with pytest.raises(DartblurError, match="holds no moving pictures"):
        frames_of(path)


def test_a_name_is_a_name_and_no_address(tmp_path: Path) -> None:
    assert frames_of(make_video(tmp_path / "a.mp4", FILM).rename(tmp_path / "http:x\ny é.mp4")) == FILM.frames


def test_a_second_stream_of_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"a\.mkv: holds 2 streams of moving pictures"):
        frames_of(make_video(tmp_path / "a.mkv", FILM, Packaging(second=True)))


def test_an_encrypted_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match=r"a\.mp4: is encrypted; give a video without protection"):
        frames_of(make_video(tmp_path / "a.mp4", FILM, Packaging(muxing=KEY)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.flv"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_video_that_was_cut_off_is_refused(tmp_path: Path, name: str, share: float) -> None:
    muxing = {"movflags": "+faststart"} if name in ("a.mp4", "a.mov") else {}
    path = make_video(tmp_path / name, Film(frames=50), Packaging(options=SLOW.options, muxing=muxing, base=1000))
    assert frames_of(path) == 50
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DartblurError, match=r"truncated|is damaged after second|no frame that can be decoded") as caught:
        frames_of(path)
    assert "\n" not in str(caught.value)


def test_an_avi_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", Film(frames=50), Packaging(codec="mpeg4", sound="", options={}, base=25))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DartblurError, match=r"truncated|is damaged after second"):
        frames_of(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_frame_that_the_decoder_had_to_patch_is_refused(tmp_path: Path, name: str) -> None:
    path = make_video(tmp_path / name, Film(frames=30), SLOW)
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(0).integers(len(data) // 4, len(data) * 3 // 4, 8).tolist():
        data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DartblurError, match=rf"a\.{name[2:]}: is damaged (about|after) second [0-9.]+ \(.*nothing was written$"):
        frames_of(path)


def test_sound_that_outlasts_the_pictures_is_no_truncation(tmp_path: Path) -> None:
    for name in ("a.mkv", "a.mp4"):
        assert frames_of(make_video(tmp_path / name, FILM, Packaging(sound_frames=50))) == FILM.frames


def test_a_part_of_a_track_is_not_taken_for_a_truncated_one(tmp_path: Path) -> None:
    """Telephones trim a video by writing another length into its list of edits."""
    path = make_video(tmp_path / "a.mp4", Film(frames=50), Packaging(sound=""))
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") // 2).to_bytes(4, "big")
    path.write_bytes(data)
    assert frames_of(path) == 25


def test_frames_come_in_the_order_in_which_they_are_shown(tmp_path: Path) -> None:
    with open_video(make_video(tmp_path / "a.mp4", FILM, SLOW), threads=1) as source:
        times = [frame.pts for frame in source.frames()]
        assert source.reordered
        assert source.look == Look(160, 120, "yuv420p", UPRIGHT)
        assert source.expected == FILM.frames
    assert times == [512 * number for number in range(FILM.frames)]


def test_the_display_matrix_says_how_to_turn_a_frame(tmp_path: Path) -> None:
    for degrees, turn in ((90, Turn(True, False, True)), (-90, Turn(True, True, False)), (180, Turn(False, True, True))):
        with open_video(make_video(tmp_path / "a.mp4", FILM, Packaging(turn=degrees)), threads=1) as source:
            next(source.frames())
            assert source.look.turn == turn
            assert source.look.size == ((120, 160) if turn.transposed else (160, 120))


def test_a_crooked_display_matrix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DartblurError, match="its display matrix is no quarter turn"):
        frames_of(make_video(tmp_path / "a.mp4", FILM, Packaging(turn=30)))


def test_the_look_of_an_earlier_reading_is_held_to(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", FILM)
    with (
        pytest.raises(DartblurError, match=r"changes its size or format at second 0\.00"),
        open_video(path, threads=1, look=Look(80, 60, "yuv420p", UPRIGHT)) as source,
    ):
        next(source.frames())


def test_what_is_never_copied_is_named(tmp_path: Path) -> None:
    with open_video(make_video(tmp_path / "a.mp4", FILM, Packaging(cover=True, chapters=("One",)))) as source:
        assert source.left_out == ("covers and thumbnails left out: 1", "data streams and attachments left out: 1")


@pytest.mark.parametrize(("name", "muxer"), [("a.mp4", "mp4"), ("a.mov", "mov"), ("a.3gp", "3gp"), ("a.m4v", "ipod"), ("a.mkv", "matroska")])
def test_the_container_is_written_again(tmp_path: Path, name: str, muxer: str) -> None:
    with open_video(make_video(tmp_path / name, FILM)) as source:
        assert source.muxer == muxer


def test_what_is_known_of_a_video_outlives_it(tmp_path: Path) -> None:
    """FFmpeg frees its own numbers when a file is closed; reading them afterwards gives noise."""
    with open_video(make_video(tmp_path / "a.mp4", FILM, SLOW), threads=1) as source:
        names = ("time_base", "rate", "start", "timed", "expected", "reordered", "muxer", "left_out")
        known = [getattr(source, name) for name in names]
    for _ in range(20):
        with open_video(tmp_path / "a.mp4", threads=1):
            assert [getattr(source, name) for name in names] == known
    assert known[:6] == [Fraction(1, 12800), 25, 0, True, FILM.frames, True]


def test_frames_too_large_for_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dartblur.media.video.PIXELS", 160 * 120 - 1)
    with pytest.raises(DartblurError, match="says that its frames have 160 x 120 pixels; give a video with smaller ones"):
        frames_of(make_video(tmp_path / "a.mp4", FILM))


def test_a_recording_that_starts_in_the_middle_begins_with_its_first_whole_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", Film(frames=50), Packaging(options={**SLOW.options, "g": "10"}, sound=""))
    path.write_bytes(path.read_bytes()[path.stat().st_size // 3 // 188 * 188 :])
    with open_video(path, threads=1) as source:
        frames = list(source.frames())
    assert 20 <= len(frames) <= 40
    assert frames[0].key_frame
