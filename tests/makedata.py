"""Small data sets for tests: drawn faces on a textured background, written in the WIDER FACE layout. No real person, no file from outside.

A drawn face is a skin-coloured ellipse with two dark eyes and a mouth: a detector learns it in seconds, and a blur hides it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dartblur.faces.boxes import as_boxes, intersection
from dartblur.media.images import Image, write_image

EVENT = "0--Drawn"
SMALLEST, LARGEST = 24, 70
"""Height of a drawn face in pixels."""

Rows = Sequence[Sequence[float]]
"""Lines of a WIDER list: x y w h and up to six attributes."""


def texture(rng: np.random.Generator, height: int, width: int) -> Image:
    """A background, uint8, height x width x 3: coloured noise at two scales, so that a JPEG of it is no flat area."""
    coarse = cv2.resize(rng.uniform(60, 200, (height // 16 + 2, width // 16 + 2, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(coarse + rng.normal(0, 8, (height, width, 3)), 0, 255), np.uint8)


def draw_face(image: Image, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    """Draw one face into ``image`` in place, inside ``box`` (x, y, w, h in pixels)."""
    x, y, width, height = box
    skin = np.array([215, 165, 135]) * rng.uniform(0.55, 1.1)
    colour = tuple(int(value) for value in np.clip(skin, 0, 255))
    centre = (x + width // 2, y + height // 2)
    cv2.ellipse(image, centre, (width // 2 - 1, height // 2 - 1), 0, 0, 360, colour, -1, cv2.LINE_AA)
    eye = max(1, height // 14)
    for side in (-1, 1):
        cv2.circle(image, (centre[0] + side * width // 5, y + int(height * 0.4)), eye, (25, 20, 20), -1, cv2.LINE_AA)
    cv2.ellipse(image, (centre[0], y + int(height * 0.72)), (max(2, width // 5), max(1, height // 18)), 0, 0, 360, (120, 35, 45), -1, cv2.LINE_AA)


def drawn_picture(rng: np.random.Generator, size: int = 160, faces: int = 2) -> tuple[Image, list[tuple[int, int, int, int]]]:
    """A picture, uint8 size x size x 3, and the boxes of its faces as x, y, w, h in pixels; boxes do not overlap."""
    image = texture(rng, size, size)
    boxes: list[tuple[int, int, int, int]] = []
    largest = min(LARGEST, size - 2)
    while len(boxes) < faces:
        height = int(rng.integers(SMALLEST, largest + 1))
        width = max(16, int(height * rng.uniform(0.75, 0.9)))
        x, y = int(rng.integers(0, size - width + 1)), int(rng.integers(0, size - height + 1))
        taken = as_boxes([(bx, by, bx + bw, by + bh) for bx, by, bw, bh in boxes])
        if intersection(taken, as_boxes([(x, y, x + width, y + height)])).any():
            largest = max(SMALLEST, largest - 1)  # a crowded picture gets smaller faces rather than an endless search
            continue
        draw_face(image, (x, y, width, height), rng)
        boxes.append((x, y, width, height))
    return image, boxes


def write_wider_list(path: Path, entries: Mapping[str, Rows]) -> None:
    """Write a WIDER FACE list: picture name -> lines of x y w h and attributes (missing ones are 0); a picture without lines gets the dummy line."""
    lines: list[str] = []
    for name, rows in entries.items():
        lines += [name, str(len(rows))]
        lines += [" ".join(f"{value:g}" for value in [*row, *[0] * (10 - len(row))]) for row in rows or [[0]]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_wider(root: Path, pictures: int, seed: int = 0, size: int = 160, faces: int = 2) -> Path:
    """Write a WIDER FACE tree of drawn pictures below ``root`` and return ``root``.

    Args:
        root: folder, made if missing.
        pictures: how many; even numbers are train, odd ones val.
        seed: of everything that is drawn; same arguments, same bytes.
        size: side of the square pictures in pixels.
        faces: faces in each picture, 24 to 70 pixels high.
    """
    rng = np.random.default_rng(seed)
    lists: dict[str, dict[str, Rows]] = {"train": {}, "val": {}}
    for index in range(pictures):
        name = f"{EVENT}/0_Drawn_{index:05d}.jpg"
        image, boxes = drawn_picture(rng, size, faces)
        write_image(root / "images" / name, image)
        lists["val" if index % 2 else "train"][name] = boxes
    for split, entries in lists.items():
        write_wider_list(root / f"wider_face_{split}_bbx_gt.txt", entries)
    return root
