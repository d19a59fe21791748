"""Writing videos: everything but the pixels as in the source, and nothing of its metadata."""

import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av import Packet, VideoFrame

from dartblur.errors import DartblurError
from dartblur.media import videowriter
from dartblur.media.video import open_video
from dartblur.media.videoframes import upright
from dartblur.media.videowriter import ENCODERS, Encoder, VideoWriter, writing_video
from tests.makevideo import Film, Packaging, make_video, read_frames, read_packets

FILM = Film(frames=16)
MEDIUM = {"crf": "10", "preset": "medium"}
X265 = {"x265-params": "log-level=none", "preset": "ultrafast"}
REALTIME = {"crf": "10", "b": "0", "deadline": "realtime", "cpu-used": "8"}
KINDS = {
    "h264.mp4": Packaging(options=MEDIUM),
    "h264.mov": Packaging(options=MEDIUM, base=600),
    "h264.mkv": Packaging(options=MEDIUM),
    "h264.ts": Packaging(options=MEDIUM),
    "h264.flv": Packaging(options=MEDIUM, base=1000),
    "h264.3gp": Packaging(),
    "h264.nut": Packaging(),
    "ten bits.mp4": Packaging(pixels="yuv420p10le"),
    "444.mkv": Packaging(pixels="yuv444p"),
    "hevc.mp4": Packaging(codec="libx265", options=X265),
    "hevc.ts": Packaging(codec="libx265", options=X265),
    "vp8.mkv": Packaging(codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"}, sound="libopus"),
    "vp9.webm": Packaging(codec="libvpx-vp9", options=REALTIME, sound="libopus"),
    "mpeg4.mp4": Packaging(codec="mpeg4", options={}),
    "mpeg4.avi": Packaging(codec="mpeg4", options={}, sound="libmp3lame", base=25),
    "mpeg2.mpg": Packaging(codec="mpeg2video", options={"bf": "2"}, sound="mp2", base=25),
    "mpeg2.mxf": Packaging(codec="mpeg2video", options={}, sound="pcm_s16le", base=25),
    "mjpeg.mov": Packaging(codec="mjpeg", pixels="yuvj422p", options={}, sound="pcm_s16le"),
    "prores.mov": Packaging(codec="prores_ks", pixels="yuv422p10le", options={"profile": "lt"}, sound="pcm_s16le"),
    "ffv1.mkv": Packaging(codec="ffv1", pixels="yuv422p10le", options={}, sound="flac"),
    "wmv2.wmv": Packaging(codec="wmv2", options={}, sound="libmp3lame", base=25),
    "raw.mov": Packaging(codec="rawvideo", pixels="uyvy422", options={}, sound="pcm_s16le"),
    "raw.avi": Packaging(codec="rawvideo", pixels="bgr24", options={}, sound="pcm_s16le", base=25),
}


def rewrite(source: Path, target: Path, audio: bool = True) -> VideoWriter:
    """A copy with every frame decoded and encoded."""
    with open_video(source, threads=1) as reader:
        frames = list(reader.frames())
        times, durations, first = [frame.pts or 0 for frame in frames], [frame.duration for frame in frames], upright(frames[0], reader.look.turn)
        look = reader.look
    with open_video(source, threads=1, look=look) as reader, writing_video(target, reader, first, times, durations, audio, 1) as writer:
        for item in reader.read(writer.beside):
            if isinstance(item, Packet):
                writer.copy(item)
            else:
                writer.write(upright(item, look.turn))
    return writer


@pytest.mark.parametrize("name", KINDS)
def test_codec_times_size_and_sound_stay(tmp_path: Path, name: str) -> None:
    source = make_video(tmp_path / name, FILM, KINDS[name])
    target = tmp_path / f"out{source.suffix}"
    writer = rewrite(source, target)
    (before, times, _), (after, same, _) = read_frames(source), read_frames(target)
    assert writer.notes == []
    assert same == times
    assert read_packets(target, "audio") == read_packets(source, "audio")
    with av.open(str(source)) as one, av.open(str(target)) as other:
        a, b = one.streams.video[0], other.streams.video[0]
        for value in ("name", "pix_fmt", "width", "height", "time_base", "average_rate"):
            assert getattr(a, value) == getattr(b, value), value
        assert one.format.name == other.format.name
        assert b.codec_tag == (a.codec_tag if name != "hevc.mp4" else "hvc1")
    assert np.mean([np.abs(x.astype(int) - y).mean() for x, y in zip(before, after, strict=True)]) < (0.01 if name in ("ffv1.mkv", "raw.avi") else 5)


def test_transparency_stays_and_what_the_encoder_cannot_hold_is_said(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mov", FILM, Packaging(codec="prores_ks", pixels="yuva444p10le", options={"profile": "4444"}, sound=""))
    assert rewrite(source, tmp_path / "b.mov").notes == ["pixel format yuva444p10le instead of yuva444p12le (depth lost)"]
    with av.open(str(tmp_path / "b.mov")) as container:
        assert container.streams.video[0].codec_tag == "ap4h"
        assert next(container.decode(video=0)).format.name.startswith("yuva444p")


def test_av1_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVT_LOG", "-1")  # or the encoder of the test's own video is heard
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(codec="libsvtav1", options={"preset": "10"}))
    rewrite(source, tmp_path / "b.mp4")
    assert read_frames(tmp_path / "b.mp4")[1] == read_frames(source)[1]
    assert read_packets(tmp_path / "b.mp4", "audio") == read_packets(source, "audio")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov", "a.ts"])
def test_an_irregular_rate_stays_irregular(tmp_path: Path, name: str) -> None:
    times = [0, 10, 50, 95, 260, 300, 520, 530, 700, 705, 990, 1200, 1230, 1300, 2000, 2040]
    source = make_video(tmp_path / name, FILM, Packaging(options=MEDIUM, base=1000, times=times))
    rewrite(source, tmp_path / f"b{source.suffix}")
    assert read_frames(tmp_path / f"b{source.suffix}")[1] == read_frames(source)[1]
    assert read_frames(source)[1][1] - read_frames(source)[1][0] == pytest.approx(0.01)


def test_avi_with_frames_out_of_order_is_written_in_order(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.avi", FILM, Packaging(codec="mpeg4", options={"bf": "2"}, sound="", base=25))
    with open_video(source, threads=1) as reader:
        frames = list(reader.frames())
        with writing_video(tmp_path / "b.avi", reader, frames[0], range(16), [1] * 16, threads=1) as writer:
            for frame in frames:
                writer.write(frame)
    assert read_frames(tmp_path / "b.avi")[1] == [number / 25 for number in range(16)]


def test_metadata_covers_and_data_do_not_go_on_but_chapters_and_languages_do(tmp_path: Path) -> None:
    words = {"title": "Ann at home", "comment": "secretwords", "location": "+48.8577+002.2950/", "creation_time": "2020-01-02T03:04:05Z"}
    for name in ("a.mp4", "a.mov", "a.mkv"):
        attached = b"attachedwords" if name == "a.mkv" else b""
        more = Packaging(metadata=words, chapters=("One", "Two"), cover=name == "a.mp4", attachment=attached)
        source = make_video(tmp_path / name, FILM, more)
        target = tmp_path / f"b{source.suffix}"
        rewrite(source, target)
        data = target.read_bytes()
        assert b"secretwords" in source.read_bytes()
        assert b"crf=10" in source.read_bytes()  # what x264 writes into its stream about itself; others write worse there
        for word in (b"secretwords", b"attachedwords", b"Ann", b"+48.85", b"2020", b"crf=10"):
            assert word not in data
        with av.open(str(target)) as container:
            assert not any("48.85" in value or "2020" in value for value in container.metadata.values())
            assert [chapter["metadata"] for chapter in container.chapters()] == [{"title": "One"}, {"title": "Two"}]
            assert [stream.language for stream in container.streams.audio] == ["fra"]
            assert len(container.streams.video) == 1


def test_subtitles_are_copied(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", FILM, Packaging(subtitle="srt"))
    rewrite(source, tmp_path / "b.mkv")
    assert read_packets(tmp_path / "b.mkv", "subtitle") == read_packets(source, "subtitle")
    assert read_packets(source, "subtitle")[0][0] == b"Hello."


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM)
    rewrite(source, tmp_path / "b.mp4", audio=False)
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_pixels_are_turned_and_the_matrix_is_gone(tmp_path: Path, degrees: int) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(turn=degrees, ratio=Fraction(4, 3)))
    rewrite(source, tmp_path / "b.mp4")
    (before, _, turned), (after, _, left) = read_frames(source), read_frames(tmp_path / "b.mp4")
    assert {abs(angle) for angle in turned} == {abs(degrees)}
    assert set(left) == {0}
    assert np.abs(np.rot90(before[3], degrees // 90).astype(int) - after[3]).mean() < 4
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == (Fraction(4, 3) if degrees == 180 else Fraction(3, 4))


def test_colours_are_labelled_as_they_were(tmp_path: Path) -> None:
    labels = {"colorprim": "bt2020", "transfer": "smpte2084", "colormatrix": "bt2020nc"}
    options = {"preset": "ultrafast", "x264-params": ":".join(f"{key}={value}" for key, value in labels.items())}
    for pixels in ("yuv420p10le", "yuvj420p"):
        source = make_video(tmp_path / "a.mp4", FILM, Packaging(pixels=pixels, options=options))
        rewrite(source, tmp_path / "b.mp4")
        found = []
        for path in (source, tmp_path / "b.mp4"):
            with av.open(str(path)) as container:
                frame = next(container.decode(video=0))
                found.append((frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range))
        assert found[0] == found[1]
        assert found[0][:3] == (9, 16, 9)
        assert (found[0][3] == 2) == (pixels == "yuvj420p")


def test_the_same_source_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        source = make_video(tmp_path / name, FILM, Packaging(options=MEDIUM))
        made = [tmp_path / f"{number}{source.suffix}" for number in range(2)]
        for path in made:
            rewrite(source, path)
        assert made[0].read_bytes() == made[1].read_bytes()


def test_a_codec_without_an_encoder_is_replaced_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_video(tmp_path / "a.mkv", FILM)
    monkeypatch.setattr(videowriter, "ENCODERS", {**ENCODERS, "h264": Encoder("none")})
    assert rewrite(source, tmp_path / "b.mkv").notes == ["pictures written as vp9, because there is no encoder for h264"]


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mkv", FILM)
    with pytest.raises(DartblurError, match=r"a\.mkv: its copy could not be written \(No such file or directory\); nothing was written"):
        rewrite(source, tmp_path / "none" / "b.mkv")


def test_an_error_on_the_way_is_not_hidden_by_the_unfinished_file(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM)
    with open_video(source, threads=1) as reader:
        first = next(reader.frames())
        with pytest.raises(KeyboardInterrupt), writing_video(tmp_path / "b.mp4", reader, first, [0], [512], threads=1):
            raise KeyboardInterrupt


@pytest.mark.parametrize("room", [0, 2000, 9000])
def test_a_full_disk_is_one_sentence(tmp_path: Path, room: int) -> None:
    source = make_video(tmp_path / "a.mp4", FILM)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DartblurError, match=r"its copy could not be written \(File too large\); nothing was written"):
            rewrite(source, tmp_path / "b.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_frames_are_encoded_as_key_frames_where_the_source_has_them(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", FILM, Packaging(options={**MEDIUM, "g": "5"}))
    rewrite(source, tmp_path / "b.mp4")

    def keys(path: Path) -> list[int]:
        with av.open(str(path)) as container:
            frames: list[VideoFrame] = list(container.decode(video=0))
            return [number for number, frame in enumerate(frames) if frame.key_frame]

    assert keys(tmp_path / "b.mp4") == keys(source)
    assert len(keys(source)) > 2
