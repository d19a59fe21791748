"""Two laws: outside the boxes a lossless format keeps every sample, and inside nothing of the source counts but its pre-blur."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from dartblur.anonymizer.methods import Method
from dartblur.anonymizer.picture import Work, anonymize_file
from dartblur.anonymizer.search import Search
from dartblur.blur.gaussian import Gaussian
from dartblur.blur.onnx import OnnxDartBlur
from dartblur.faces.boxes import Boxes, as_boxes, mask_of
from dartblur.media.codec import open_picture
from dartblur.media.images import Image
from tests.anonymizer.corpus.case import saved
from tests.blur.samples import BOXES, HEIGHT, WIDTH, noise

Raster = npt.NDArray[Any]
GAUSSIAN = Work(Search(), Method(Gaussian(), "gaussian"), write_empty=True)


@dataclass(frozen=True)
class Lossless:
    """A format: from RGB bytes to a raster of its kind, to a file, and back to the raster by another library than the one under test."""

    raster: Callable[[Image], Raster]
    file: Callable[[Raster], bytes]
    read: Callable[[bytes], Raster]


def _opencv(suffix: str) -> Callable[[Raster], bytes]:
    def encode(raster: Raster) -> bytes:
        done, data = cv2.imencode(suffix, raster)
        assert done
        return data.tobytes()

    return encode


def _decode(data: bytes) -> Raster:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found)


def _pillow(data: bytes) -> Raster:
    return np.asarray(Pillow.open(io.BytesIO(data)))


def _deep(image: Image) -> Raster:
    """16 bits a sample, the lower ones not those of the higher."""
    return image.astype(np.uint16) * 251 + image[::-1]


def _with_alpha(image: Image) -> Raster:
    return np.concatenate([image, image[::-1, ::-1, :1]], axis=2)


FORMATS = {
    "png": Lossless(np.asarray, _opencv(".png"), _decode),
    "png-grey": Lossless(lambda image: image[:, :, 0], _opencv(".png"), _decode),
    "png-alpha": Lossless(_with_alpha, _opencv(".png"), _decode),
    "png-deep": Lossless(_deep, _opencv(".png"), _decode),
    "png-deep-grey": Lossless(lambda image: _deep(image)[:, :, 0], _opencv(".png"), _decode),
    "png-deep-alpha": Lossless(lambda image: _deep(_with_alpha(image)), _opencv(".png"), _decode),
    "bmp": Lossless(np.asarray, _opencv(".bmp"), _decode),
    "tiff": Lossless(np.asarray, _opencv(".tiff"), _decode),
    "tiff-deep": Lossless(_deep, _opencv(".tiff"), _decode),
    "tiff-grey": Lossless(lambda image: image[:, :, 0], _opencv(".tiff"), _decode),
    "tiff-raw": Lossless(np.asarray, lambda raster: saved(raster, "TIFF"), _pillow),
    "webp": Lossless(np.asarray, lambda raster: saved(raster, "WEBP", lossless=True), _pillow),
    "webp-alpha": Lossless(_with_alpha, lambda raster: saved(raster, "WEBP", lossless=True, exact=True), _pillow),
}


@pytest.mark.parametrize("name", FORMATS)
@given(boxes=BOXES, seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_outside_the_boxes_every_sample_stays(name: str, boxes: Boxes, seed: int) -> None:
    kind = FORMATS[name]
    raster = kind.raster(noise(seed=seed))
    data = kind.file(raster)
    assert np.array_equal(kind.read(data), raster), "the format is not lossless, or read otherwise; nothing is proved"
    made = anonymize_file(data, f"a.{name}", GAUSSIAN, boxes)
    assert made.data is not None
    outside = ~mask_of(boxes, WIDTH, HEIGHT)
    again = kind.read(made.data)
    assert (again.shape, again.dtype) == (raster.shape, raster.dtype)
    assert np.array_equal(again[outside], raster[outside])


SIDE = 96
BOX = as_boxes([[16, 16, 80, 80]])
"""On borders of the largest blocks that JPEG has, so that a change inside changes no pixel outside."""
CENTRE = slice(36, 60)


def twins(seed: int) -> tuple[Image, Image]:
    """Two pictures with the same pre-blur: one has fine lines, of some strength, in the middle of its face."""
    rng = np.random.default_rng(seed)
    one = np.asarray(Pillow.fromarray(noise(12, 12, seed)).resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)).copy()
    one[16:80, 16:80] = rng.integers(60, 196, 3)
    other = one.copy()
    lines = np.where(np.indices((24, 24)).sum(axis=0) % 2, 1, -1)[:, :, None] * rng.integers(4, 40)
    other[CENTRE, CENTRE] = (other[CENTRE, CENTRE] + lines).astype(np.uint8)
    return one, other



def _palette(kind: str) -> Callable[[Image], bytes]:
    """A format with a palette, which is the same for both twins, though they use other parts of it."""

    def encode(image: Image) -> bytes:
        picture = Pillow.fromarray(image[:, :, 0])
        picture.putpalette([value for grey in range(256) for value in (grey, grey, 255 - grey)])
        return saved(picture, kind, optimize=False)  # GIF would leave out what is not used

    return encode


def _see_through(image: Image) -> Raster:
    """With an opacity that has the lines of a twin, too."""
    return np.concatenate([image, image[:, :, :1]], axis=2)


def _grey(image: Image) -> Image:
    """Without colours, which some JPEGs spread over the border of a box."""
    return np.repeat(image[:, :, :1], 3, axis=2)


TWINS: dict[str, Callable[[Image], bytes]] = {
    **{name: lambda image, kind=kind: kind.file(kind.raster(image)) for name, kind in FORMATS.items() if "alpha" not in name},  # type: ignore[misc]
    "png-alpha": lambda image: FORMATS["png-alpha"].file(_see_through(image)),
    "webp-alpha": lambda image: FORMATS["webp-alpha"].file(_see_through(image)),
    "png-palette": _palette("PNG"),
    "gif-palette": _palette("GIF"),
    "bmp-palette": _palette("BMP"),
    "tiff-palette": _palette("TIFF"),
    "jpeg": lambda image: saved(_grey(image), "JPEG", quality=100, subsampling=0),
    "jpeg-subsampled": lambda image: saved(_grey(image), "JPEG", quality=100, subsampling=2),
    "jpeg-progressive": lambda image: saved(_grey(image), "JPEG", quality=100, progressive=True),
    "jpeg-grey": lambda image: saved(image, "JPEG", "L", quality=100),
}


def upright(data: bytes) -> Image:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("method", ["gaussian", "dartblur"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=5)
def test_inside_only_the_pre_blur_counts(models: Path, name: str, method: str, seed: int) -> None:
    """Of two sources with one pre-blur the very same bytes are made, metadata, palettes and all."""
    anonymizer = OnnxDartBlur.load(models / "unet.onnx") if method == "dartblur" else Gaussian()
    work = Work(Search(), Method(anonymizer, method))
    one, other = (TWINS[name](image) for image in twins(seed))
    assert one != other
    blur = anonymizer.preblur if isinstance(anonymizer, OnnxDartBlur) else anonymizer
    if "deep" in name:  # of 16 bits a sample the lower ones move some means across the border of two grey levels
        seen = [blur.anonymize(open_picture(data, name).frame(0), BOX) for data in (one, other)]
        assume(np.array_equal(seen[0], seen[1]))
    else:
        assert np.array_equal(blur.anonymize(upright(one), BOX), blur.anonymize(upright(other), BOX)), "no twins; nothing is proved"
    made = [anonymize_file(data, f"a.{name}", work, BOX).data for data in (one, other)]
    assert made[0] is not None
    assert made[1] is not None
    if name.startswith("gif"):  # an image in which nothing comes out otherwise keeps its bytes
        assert np.array_equal(upright(made[0]), upright(made[1]))
    else:
        assert made[0] == made[1]


def test_the_learned_blur_paints_what_the_pre_blur_is_not(models: Path) -> None:
    """Otherwise the law above would hold for it without saying anything."""
    model = OnnxDartBlur.load(models / "unet.onnx")
    blurred = model.preblur.anonymize(twins(0)[0], BOX)
    assert np.abs(model.repaint(blurred, BOX).astype(int) - blurred).mean() > 2
