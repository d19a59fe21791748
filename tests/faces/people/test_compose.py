"""Pixels and truth of scenes, on sprites that are plain rectangles."""

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dartblur.faces.dataset import COLUMNS, TRUTH
from dartblur.faces.people.cast import Cast
from dartblur.faces.people.compose import compose
from dartblur.faces.people.figures import Figure, Held, Rect
from dartblur.faces.people.finish import Finish, encoded, finished
from dartblur.faces.people.library import Library, Place, Prop, Sprite
from dartblur.faces.people.optics import defocused, moved, premultiplied, resize, to_linear, to_srgb
from dartblur.faces.people.pixels import PixelStore
from dartblur.faces.people.plan import Scene, plan_scene
from dartblur.faces.people.view import View
from dartblur.media.images import Image, decode_image

PLAIN = Finish(0.1, 0, 1, (1, 1, 1), 1, 0, 0, 0, 90, False, False)
RED, GREEN = (200, 30, 30), (30, 160, 30)


def save(root: Path, name: str, pixels: Image) -> str:
    order = [2, 1, 0, 3][: pixels.shape[2]]
    data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, order]))[1].tobytes()
    (root / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Sprite, Place, Prop, PixelStore]:
    """A red square of 80 pixels with a face of 40 in its middle, half a face of which the lower quarter hides itself; a grey place; a green bar."""
    body = np.full((80, 80, 4), (*RED, 255), np.uint8)
    mask = np.zeros((80, 80, 3), np.uint8)
    mask[20:60, 20:60, 0] = 255
    mask[20:50, 20:60, 1] = 255
    box = (20.0, 20.0, 60.0, 60.0)
    points = ((30.0, 30.0), (50.0, 30.0), (40.0, 40.0), (32.0, 50.0), (48.0, 50.0))
    who = ("gallery", "female", 30, "mixed", "top", 45.0, 0.0, 0.0, "laugh", True)
    sprite = Sprite("a/b", "a", "a.png", "m.png", save(tmp_path, "a.png", body), "bust", *who, 80, 80, box, points, 100.0, 1.6, None)
    save(tmp_path, "m.png", mask)
    ground = np.full((200, 300, 3), 128, np.uint8)
    place = Place("g", "g.png", save(tmp_path, "g.png", ground), "room", "top", 300, 200, (1, 1, 1), 1, 90, 1.5, 400, 1, 9, (0, 0), (300, 300))
    bar = np.full((100, 20, 4), (*GREEN, 255), np.uint8)
    prop = Prop("bar", "p.png", save(tmp_path, "p.png", bar), "cup", "top", 20, 100, 100.0, (10, 0), "below")
    return sprite, place, prop, PixelStore(Library(tmp_path, "", (sprite,), (place,), (prop,)))


def scene_of(place: Place, *figures: Figure, flip: bool = False) -> Scene:
    return Scene("portrait", View(place, 0, 0, 300, 200, 300, 200, flip), figures, 0.0, PLAIN)


def shown(scene: Scene, store: PixelStore) -> Image:
    return compose(scene, store, np.random.default_rng(0))[0]


def test_the_box_is_where_the_pixels_are(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, _, store = parts
    figure = Figure(sprite, Rect(40, 120, 80, 80), 2.0)
    image, (face,) = compose(scene_of(place, figure), store, np.random.default_rng(0))
    assert face.box == (60, 140, 100, 180) and face.visible == pytest.approx(0.75)
    red = np.all(image == RED, axis=2)
    assert red[120:200, 40:120].all() and red.sum() == 80 * 80
    assert (image[~red] == 128).all()
    row = face.row()
    assert set(row) == (set(COLUMNS) | set(TRUTH)) - {"image", "file", "width", "height", "sha256", "split"}
    assert (row["left_eye_x"], row["left_eye_y"], row["right_mouth_x"], row["right_mouth_y"]) == (70, 150, 88, 170)
    assert (row["identity"], row["role"], row["sprite"], row["ignore"]) == ("a", "gallery", "a/b", False)
    assert (row["blur"], row["occlusion"], row["pose"], row["expression"], row["illumination"]) == (0, 1, 1, 1, 0)


def test_resized_sprites_have_resized_boxes(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, _, store = parts
    image, (face,) = compose(scene_of(place, Figure(sprite, Rect(10, 160, 40, 40), 2.0)), store, np.random.default_rng(0))
    assert face.box == (20, 170, 40, 190) and face.visible == pytest.approx(0.75)
    assert np.all(image == RED, axis=2).sum() == 40 * 40


def test_the_visible_share_is_exact(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, prop, store = parts
    far = Figure(sprite, Rect(100, 120, 80, 80), 3.0)
    near = Figure(sprite, Rect(140, 120, 80, 80), 2.0)  # over the right half of the far face
    faces = compose(scene_of(place, far, near), store, np.random.default_rng(0))[1]
    assert [face.visible for face in faces] == pytest.approx([0.375, 0.75])
    # A bar of 20 columns over a face of 40, down to the frame.
    holding = replace(far, held=Held(prop, Rect(130, 140, 20, 100), False, False))
    image, (face,) = compose(scene_of(place, holding), store, np.random.default_rng(0))
    assert face.visible == pytest.approx(0.375) and np.all(image[140:, 130:150] == GREEN)
    hidden = compose(scene_of(place, far, replace(far, depth=2.0)), store, np.random.default_rng(0))[1]
    assert hidden[0].visible == 0 and hidden[0].row()["ignore"] is True and hidden[0].row()["occlusion"] == 2


def test_the_frame_cuts_boxes_and_shares(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, _, store = parts
    outside, cut = ([Figure(sprite, Rect(left, 120, 80, 80), 2.0) for left in sides] for sides in ((-60, 280), (-40, 270)))
    faces = compose(scene_of(place, *outside, *cut), store, np.random.default_rng(0))[1]
    # The first two have no pixel of their face in the frame: no row.
    assert [face.box for face in faces] == [(0, 140, 20, 180), (290, 140, 300, 180)]
    assert [face.visible for face in faces] == pytest.approx([0.375, 0.1875])
    assert faces[0].figure.landmarks[0] == (-10, 150)


def test_a_sharp_person_before_a_blurred_place_has_no_halo(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, _, store = parts
    figure = Figure(sprite, Rect(40, 120, 80, 80), 2.0)
    sharp = shown(scene_of(place, figure), store)
    assert np.array_equal(shown(replace(scene_of(place, figure), background=9.0), store), sharp)
    soft = shown(scene_of(place, replace(figure, defocus=5.0)), store)
    between = soft[160, 30:50].astype(int)
    assert (np.diff(between[:, 0]) >= 0).all() and between[0, 0] == 128 and between[-1, 0] == 200
    assert (soft[199, 50:110] == RED).all()  # the cut at the frame's edge does not fade


def test_colour_light_and_mirror(parts: tuple[Sprite, Place, Prop, PixelStore]) -> None:
    sprite, place, prop, store = parts
    figure = Figure(sprite, Rect(40, 120, 80, 80), 2.0, gain=(0.5, 1.0, 1.0))
    image = shown(scene_of(place, figure), store)
    assert image[150, 80, 0] == pytest.approx(255 * ((200 / 255 + 0.055) / 1.055 * 0.5 ** (1 / 2.4) * 1.055 - 0.055), abs=1.5)
    assert tuple(image[150, 80, 1:]) == RED[1:]
    fading = replace(figure, held=Held(prop, Rect(70, 120, 20, 50), True, True))
    image = shown(scene_of(place, fading, flip=True), store)
    assert tuple(image[130, 80, 1:]) == GREEN[1:] and image[169, 80, 1] < GREEN[1]
    standing = replace(sprite, kind="full", feet=80.0)
    ground = shown(scene_of(place, Figure(standing, Rect(40, 60, 80, 80), 4.0)), store)
    assert ground[141, 80, 0] < 110 and ground[141, 250, 0] == 128  # a shadow on the ground


def test_optics_keep_light() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.abs(to_srgb(to_linear(codes)) - codes).max() < 0.5
    rng = np.random.default_rng(0)
    picture = np.zeros((41, 41, 4), np.float32)
    picture[18:23, 18:23] = rng.random((5, 5, 4), dtype=np.float32)
    for blurred in (defocused(picture, 6.3), moved(picture, 7, -3)):
        assert blurred.sum() == pytest.approx(picture.sum(), rel=1e-4)
    assert defocused(picture, 0.1) is picture and moved(picture, 0.1, 0) is picture
    assert resize(picture, 7, 9).shape == (9, 7, 4) and resize(picture, 50, 45).shape == (45, 50, 4)
    spread = defocused(picture, 6.3)[..., 0]
    assert spread[20, 20 + 10] < 1e-9 < spread[20, 20 + 6]
    assert premultiplied(np.full((1, 1, 4), 0, np.uint8)).tolist() == [[[0, 0, 0, 0]]]


@pytest.mark.parametrize("subsample", [False, True])
def test_a_finish_is_a_camera(subsample: bool) -> None:
    grey = np.full((64, 96, 3), 0.2, np.float32)
    noisy = replace(PLAIN, shot=0.001, read=0.003, vignette=0.3, sharpen=0.5, subsample=subsample)
    image = finished(grey.copy(), noisy, np.random.default_rng(1))
    assert image.shape == (64, 96, 3) and image.std() > 2 and image[:4, :4].mean() < image[30:34, 46:50].mean() - 5
    assert (finished(grey.copy(), replace(PLAIN, exposure=9), np.random.default_rng(1)) == 255).all()
    decoded = decode_image(encoded(image, noisy), "scene")
    assert np.abs(decoded.astype(int) - image).mean() < 8


def test_the_same_seed_is_the_same_scene(cast: Cast, library: Library) -> None:
    seen = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        scene = plan_scene(cast, rng)
        image, faces = compose(scene, PixelStore(library), rng)
        seen.append((image.tobytes(), [face.row() for face in faces]))
    assert seen[0] == seen[1] and seen[0][1]
