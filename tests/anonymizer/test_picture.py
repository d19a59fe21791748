"""One picture file: found, hidden, encoded, looked at once more."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from dartblur.anonymizer.methods import Method
from dartblur.anonymizer.picture import NO_FACE, Work, anonymize_file
from dartblur.anonymizer.search import Search
from dartblur.blur.block import Block
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.detector.detections import Detections
from dartblur.errors import DartblurError
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.images import Image, decode_image, encode_image
from tests.anonymizer.test_search import Fixed
from tests.blur.samples import BOXES, HEIGHT, WIDTH, noise

BOX = as_boxes([[10, 8, 40, 44]])
WORK = Work(Search(), Method(Gaussian(), "gaussian"))


def file_of(image: Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def test_given_boxes_are_hidden_and_the_rest_stays() -> None:
    image = noise()
    made = anonymize_file(file_of(image), "a.png", WORK, BOX)
    assert made.data is not None
    assert np.array_equal(decode_image(made.data, "made"), Gaussian().anonymize(image, BOX))
    assert (made.kind, made.width, made.height, made.frames, len(made.faces), made.reason) == ("png", WIDTH, HEIGHT, 1, 1, "")


@given(boxes=BOXES)
def test_outside_the_boxes_not_a_bit_changes(boxes: Boxes) -> None:
    image = noise()
    made = anonymize_file(file_of(image), "a.png", replace(WORK, write_empty=True), boxes)
    assert made.data is not None
    outside = ~mask_of(boxes, WIDTH, HEIGHT)
    assert np.array_equal(decode_image(made.data, "made")[outside], image[outside])


@given(seed=st.integers(0, 1000))
def test_inside_nothing_counts_but_the_pre_blur(models: Path, seed: int) -> None:
    """The learned blur of a picture is that of its pre-blur: nothing else of the source reaches the network."""
    model = OnnxDartBlur.load(models / "unet.onnx")
    image = noise(seed=seed)
    work = replace(WORK, method=Method(model, "dartblur"))
    made = anonymize_file(file_of(image), "a.png", work, BOX).data
    assert made is not None
    assert np.array_equal(decode_image(made, "made"), model.repaint(model.preblur.anonymize(image, BOX), BOX))


def test_boxes_of_a_turned_picture_count_its_stored_pixels() -> None:
    image = noise()
    exif = Pillow.Exif()
    exif[0x0112] = 6  # shown turned by a quarter to the right
    data = file_of(image, "PNG", exif=exif.tobytes())
    made = anonymize_file(data, "a.png", replace(WORK, method=Method(Block(), "block")), BOX)
    assert made.data is not None
    assert (made.width, made.height) == (HEIGHT, WIDTH)
    turned = np.rot90(image, -1)
    x1, y1, x2, y2 = (int(value) for value in made.faces[0].box)
    shown = decode_image(made.data, "made")
    assert not shown[y1:y2, x1:x2].any()
    assert np.array_equal(np.rot90(shown, 1)[:8], image[:8])
    assert (x1, y1, x2, y2) == (HEIGHT - 44, 10, HEIGHT - 8, 40)
    assert np.array_equal(shown[:, :5], turned[:, :5])


def test_no_face_no_picture() -> None:
    made = anonymize_file(file_of(noise()), "a.png", WORK)
    assert (made.data, made.reason) == (None, NO_FACE)
    written = anonymize_file(file_of(noise()), "a.png", replace(WORK, write_empty=True))
    assert written.data is not None
    assert np.array_equal(decode_image(written.data, "made"), noise())


def test_a_face_that_the_second_look_finds_withholds_the_picture() -> None:
    elsewhere = [45.0, 5.0, 60.0, 25.0]
    work = replace(WORK, verifier=Fixed([elsewhere, BOX[0]]))
    made = anonymize_file(file_of(noise()), "a.png", work, BOX)
    assert made.data is None
    assert made.reason.startswith("1 faces are still to be seen in it, at [45, 5, 60, 25]")
    assert anonymize_file(file_of(noise()), "a.png", work, as_boxes([BOX[0], elsewhere])).data is not None


def test_a_face_left_alone_is_no_fault_to_the_second_look() -> None:
    other = as_boxes([[45, 5, 60, 25]])
    work = replace(WORK, verifier=Fixed([other[0]]))
    made = anonymize_file(file_of(noise()), "a.png", work, as_boxes([BOX[0], other[0]]), keep=other)
    assert made.data is not None
    assert np.array_equal(decode_image(made.data, "made")[5:25, 45:60], noise()[5:25, 45:60])
    assert [face.kept for face in made.faces] == [False, True]


class Once:
    """A detector that finds its box only in pictures whose first pixel is bright."""

    name, score = "once", 0.5

    def detect(self, image: Image) -> Detections:
        return Fixed(BOX if image[0, 0, 0] > 128 else []).detect(image)


def frames(*bright: bool) -> list[Image]:
    made = []
    for index, value in enumerate(bright):
        image = noise(seed=index)
        image[0, 0] = 200 if value else 0
        made.append(image)
    return made


def animation(pictures: list[Image], kind: str) -> bytes:
    buffer = io.BytesIO()
    first, *rest = (Pillow.fromarray(picture) for picture in pictures)
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=rest, **options)
    return buffer.getvalue()


def shown(data: bytes) -> list[Image]:
    picture = Pillow.open(io.BytesIO(data))
    found = []
    for index in range(getattr(picture, "n_frames", 1)):
        picture.seek(index)
        found.append(np.asarray(picture.convert("RGB")))
    return found


def test_an_animation_hides_a_face_in_the_frames_where_it_was_missed() -> None:
    pictures = frames(False, False, False, True, False, False, False)
    work = Work(Search([Once()], margin=0.0), Method(Block(), "block"))
    made = anonymize_file(animation(pictures, "WEBP"), "a.webp", work)
    assert made.data is not None
    hidden = [not frame[8:44, 10:40].any() for frame in shown(made.data)]
    assert hidden == [False, True, True, True, True, True, False]
    assert {face.frame for face in made.faces} == {1, 2, 3, 4, 5}


def test_a_page_without_a_face_withholds_the_document() -> None:
    data = animation(frames(True, False, True), "TIFF")
    work = Work(Search([Once()], margin=0.0), Method(Block(), "block"))
    assert anonymize_file(data, "a.tif", work).reason == f"page 2 of 3: {NO_FACE}"
    made = anonymize_file(data, "a.tif", replace(work, write_empty=True))
    assert made.data is not None
    assert [not frame[8:44, 10:40].any() for frame in shown(made.data)] == [True, False, True]


@pytest.mark.parametrize("data", [b"", b"text", file_of(noise())[:500]])
def test_what_is_no_whole_picture_is_one_sentence(data: bytes) -> None:
    with pytest.raises(DartblurError, match=r"^a\.png: ") as raised:
        anonymize_file(data, "a.png", WORK, BOX)
    assert "\n" not in str(raised.value)


def test_a_box_outside_names_the_picture() -> None:
    with pytest.raises(DartblurError, match=r"^a\.png: the face box .* lies outside"):
        anonymize_file(encode_image(noise(), ".png"), "a.png", WORK, as_boxes([[100, 100, 120, 120]]))
