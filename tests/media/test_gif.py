"""GIF: pixels that no mask covers show what they showed, whatever the frames' parts, palettes and disposals; timing stays, comments go."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from dartblur.errors import DartblurError
from dartblur.media.codec import Limits, open_picture
from dartblur.media.gif import GifPicture
from dartblur.media.gifblocks import GifFile, GifImage, pack, read_gif, write_gif
from dartblur.media.images import Image
from tests.media.makepictures import SECRET, box_mask, cuts, hide, picture, reopened, saved

HEIGHT, WIDTH = 12, 14
Shown = tuple[list[npt.NDArray[np.uint8]], list[int], int | None]


def shown(data: bytes) -> Shown:
    """The frames (RGBA), durations and loops of a GIF, as Pillow shows them."""
    with PILImage.open(io.BytesIO(data)) as opened:
        frames, durations = [], []
        for index in range(getattr(opened, "n_frames", 1)):
            opened.seek(index)
            frames.append(np.asarray(opened.convert("RGBA")))
            durations.append(opened.info.get("duration", 0))
        return frames, durations, opened.info.get("loop")


def palette(seed: int, count: int = 16) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 3), dtype=np.uint8)


def make(images: list[GifImage], own: npt.NDArray[np.uint8] | None = None) -> bytes:
    return write_gif(GifFile(WIDTH, HEIGHT, b"GIF89a", b"\0\0", palette(0) if own is None else own, [], images))


def browsed(data: bytes) -> Shown:
    """As :func:`shown`, as browsers have it: what is disposed of is transparent, where Pillow may fill it with a colour or keep a first image."""
    file = read_gif(data, "x")
    base, frames = np.zeros((file.height, file.width, 4), np.uint8), []
    for image in file.images:
        canvas = base.copy()
        colours = image.palette if image.palette is not None else file.palette
        assert colours is not None
        indices = image.indices()
        rows, columns = np.nonzero((indices != image.clear) if image.clear is not None else np.ones_like(indices))
        canvas[image.y + rows, image.x + columns, :3] = colours[indices[rows, columns]]
        canvas[image.y + rows, image.x + columns, 3] = 255
        frames.append(canvas)
        if image.disposal == 2:
            base = canvas.copy()
            base[image.y : image.y + image.height, image.x : image.x + image.width] = 0
        elif image.disposal != 3:
            base = canvas
    return frames, [10 * image.delay for image in file.images], shown(data)[2]


@st.composite
def parts(draw: st.DrawFn) -> list[GifImage]:
    """A first image that fills the screen, and some that paint parts of it, with their own palettes, transparency and disposals."""
    images = []
    for number in range(draw(st.integers(1, 5))):
        x, y = (0, 0) if number == 0 else (draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1)))
        wide = WIDTH if number == 0 else draw(st.integers(1, WIDTH - x))
        high = HEIGHT if number == 0 else draw(st.integers(1, HEIGHT - y))
        indices = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 16, (high, wide), dtype=np.uint8)
        own = palette(number) if draw(st.booleans()) else None
        clear = draw(st.sampled_from([None, 3])) if number else None
        disposal = draw(st.sampled_from([0, 1, 2, 3]))
        images.append(GifImage(x, y, wide, high, own, clear, disposal, 7 + number, False, True, False, pack(indices)))
    return images


@settings(max_examples=60, deadline=None)
@given(parts(), st.integers(0, 99))
def test_frames_are_what_a_viewer_shows_and_stay_outside_the_masks(images: list[GifImage], seed: int) -> None:
    source = make(images)
    before, durations, loops = browsed(source)
    opened = open_picture(source, "x")
    assert opened.frames == len(images)
    for index, frame in enumerate(before):
        opaque = frame[:, :, 3] == 255
        assert np.array_equal(opened.frame(index)[opaque], frame[opaque][:, :3])
    rng = np.random.default_rng(seed)
    hidden = {}
    for index in rng.permutation(len(images)).tolist():
        mask = rng.random((HEIGHT, WIDTH)) < rng.choice([0, 0.1, 0.6])
        hidden[index] = (mask, rng.choice([0, 77, 200], (HEIGHT, WIDTH, 3)).astype(np.uint8))
        opened.replace(index, hidden[index][1], mask)
    after, again, loops_again = browsed(opened.encode())
    assert (again, loops_again, len(after)) == (durations, loops, len(before))
    for index, frame in enumerate(after):
        mask, colours = hidden[index]
        opaque = (before[index][:, :, 3] == 255) | mask  # what is hidden has no holes
        assert (frame[opaque][:, 3] == 255).all()
        expected = np.where(mask[:, :, None], colours, before[index][:, :, :3])
        assert np.array_equal(frame[opaque][:, :3], expected[opaque])
        assert np.array_equal(opened.frame(index)[opaque], expected[opaque])


def test_full_palettes_take_the_nearest_colour_and_keep_the_rest() -> None:
    indices = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    more = np.concatenate([indices, indices[:8] + np.uint8(88)])
    file = GifFile(WIDTH, HEIGHT + 8, b"GIF87a", b"\0\0", greys, [], [GifImage(0, 0, WIDTH, HEIGHT + 8, packed=pack(more))])
    opened = open_picture(write_gif(file), "x")
    before = opened.frame(0)
    mask = box_mask(HEIGHT + 8, WIDTH, 2, 2, 7, 9)
    hidden = picture(HEIGHT + 8, WIDTH)
    opened.replace(0, hidden, mask)
    after = reopened(opened).frame(0)
    assert np.array_equal(after[~mask], before[~mask])
    assert np.abs(after[mask].astype(int) - hidden[mask]).mean() < 30


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_still_pictures(mode: str) -> None:
    image = PILImage.fromarray(picture()).convert(mode)
    data = saved(image, "GIF")
    opened = open_picture(data, "x")
    before, hidden, mask = hide(opened)
    with PILImage.open(io.BytesIO(data)) as other:
        assert np.array_equal(before, np.asarray(other.convert("RGB")))
    again = reopened(opened)
    assert np.array_equal(again.frame(0)[~mask], before[~mask])
    assert np.array_equal(again.frame(0)[mask], hidden[mask])
    assert (again.width, again.height, again.format, again.suffixes) == (60, 40, "gif", (".gif",))


def animation(**options: Any) -> tuple[bytes, list[Image]]:
    """An animation as Pillow writes it: parts of the screen, palettes of their own."""
    frames = []
    for number in range(8):
        frame = PILImage.fromarray(picture(40, 60, seed=number // 3))
        frame.paste((30 * number, 250 - 30 * number, 0), (4 * number, 2, 4 * number + 8, 12))
        frames.append(frame)
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[40, 50, 60, 70, 80, 90, 100, 110], loop=3, **options)
    return data, [frame[:, :, :3] for frame in shown(data)[0]]


@pytest.mark.parametrize("options", [{}, {"disposal": 2}, {"disposal": 1, "optimize": False}])
def test_an_animation_of_full_palettes(options: dict[str, Any]) -> None:
    data, frames = animation(**options)
    opened = open_picture(data, "x")
    for index in (5, 2, 7):
        _, hidden, mask = hide(opened, index)
        frames[index] = np.where(mask[:, :, None], hidden, frames[index])
    again, durations, loops = shown(opened.encode())
    assert durations == [40, 50, 60, 70, 80, 90, 100, 110]
    assert loops == 3
    for index, frame in enumerate(again):
        # What an earlier mask had covered may be a little off where the palette has no place left.
        assert (frame[:, :, :3] != frames[index]).any(axis=2).mean() < 0.02, index


def test_an_untouched_animation_keeps_its_images() -> None:
    data, _ = animation()
    again = read_gif(open_picture(data, "x").encode(), "x")
    assert [image.packed for image in again.images] == [image.packed for image in read_gif(data, "x").images]


def test_an_image_that_must_grow_without_room_is_refused() -> None:
    first = GifImage(0, 0, WIDTH, HEIGHT, packed=pack(np.zeros((HEIGHT, WIDTH), np.uint8)))
    file = GifFile(32, 32, b"GIF89a", b"\0\0", palette(0), [], [first])
    full = GifImage(0, 0, 16, 16, palette(1, 256), packed=pack(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    file.images = [replace(first, width=32, height=32, packed=pack(np.zeros((32, 32), np.uint8))), full]
    opened = open_picture(write_gif(file), "x")
    opened.replace(1, np.full((32, 32, 3), 9, np.uint8), box_mask(32, 32, 20, 20, 24, 24))
    with pytest.raises(DartblurError, match="x: an image of the GIF has a full palette and would have to grow"):
        opened.encode()


def test_comments_and_trailing_bytes_are_dropped() -> None:
    data, _ = animation(comment=SECRET)
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
    profile = b"\x21\xff\x0bICCRGBG1012\x07profile\0"
    at = data.index(b"\x21\xf9")
    loops = data.index(b"NETSCAPE2.0") + 15
    more = data[:loops] + bytes([len(SECRET)]) + SECRET + data[loops:at] + xmp + profile + data[at:] + SECRET
    opened = open_picture(more, "x")
    hide(opened)
    encoded = opened.encode()
    assert SECRET not in encoded
    assert b"XMP" not in encoded
    assert profile in encoded
    assert encoded.count(b"NETSCAPE2.0\x03\x01\x03\0\0\x21") == 1


@pytest.mark.parametrize("kind", ["still", "animated"])
def test_a_cut_file_is_refused(kind: str) -> None:
    for part in cuts(saved(picture(), "GIF") if kind == "still" else animation()[0]):
        with pytest.raises(DartblurError, match=r"^some/name: [^\n]*; replace the file or leave it out$"):
            open_picture(part, "some/name")


def test_images_with_too_few_pixels_are_refused() -> None:
    image = GifImage(0, 0, WIDTH, HEIGHT, packed=pack(np.zeros((HEIGHT - 1, WIDTH), np.uint8)))
    with pytest.raises(DartblurError, match="an image of the GIF is damaged"):
        open_picture(make([image]), "x")
    with pytest.raises(DartblurError, match="image 0 of the GIF lies outside its screen"):
        open_picture(make([replace(image, width=WIDTH + 1)]), "x")
    with pytest.raises(DartblurError, match="the GIF holds no picture"):
        open_picture(make([]), "x")


def test_bombs_are_refused() -> None:
    data = make([])
    huge = data[:6] + b"\xff\xff\xff\xff" + data[10:]
    with pytest.raises(DartblurError, match="65535 x 65535 pixels are more than"):
        open_picture(huge, "x")
    with pytest.raises(DartblurError, match="8 frames are more than the 5"):
        open_picture(animation()[0], "x", limits=Limits(frames=5))


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 900), st.binary(min_size=1, max_size=4))
def test_any_damage_gives_a_picture_or_a_clear_error(place: int, noise: bytes) -> None:
    damaged = STILL[:place] + noise + STILL[place + len(noise) :]
    try:
        opened = open_picture(damaged, "x", limits=Limits(pixels=1_000_000))
        hide(opened)
        assert isinstance(open_picture(opened.encode(), "x"), GifPicture)
    except DartblurError as error:
        assert str(error).startswith("x: ")
        assert "\n" not in str(error)


STILL = saved(PILImage.fromarray(picture()).quantize(16), "GIF")
