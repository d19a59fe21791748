"""A film for benchmarks, ten seconds of 1280 x 720 with sound: people who do not exist move about, put together from scenes of data/sample."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av import AudioFrame, VideoFrame

from dartblur.faces.boxes import Boxes, as_boxes
from dartblur.faces.dataset import FaceDataset, Picture
from dartblur.media.files import atomic_path, value_sha256
from dartblur.media.images import Image

WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 30, 10
ACROSS, DOWN = 3, 2
"""Cells of a frame; in each one scene moves about."""
SOUND = 48_000
LEAST_FACE = 30
"""Height in pixels of the smallest face of a scene that is taken."""
_SHARE = 0.7
"""Of a cell's sides that its scene covers, at most."""
_CODEC = {"crf": "16", "preset": "veryfast"}
_VERSION = 1
"""Another one, another film."""


@dataclass(frozen=True)
class Film:
    """A film.

    Attributes:
        path: the file.
        boxes: N x 4 for each frame, pixels.
    """

    path: Path
    boxes: list[Boxes]

    def about(self) -> dict[str, Any]:
        """The film in words and numbers."""
        heights = np.concatenate([boxes[:, 3] - boxes[:, 1] for boxes in self.boxes])
        return {
            "what": f"{WIDTH}x{HEIGHT}, {RATE} frames a second, H.264, AAC: {ACROSS * DOWN} scenes of data/sample that move, grow and shrink",
            "frames": len(self.boxes),
            "faces_in_a_frame": len(self.boxes[0]),
            "face_height": [round(float(value), 1) for value in np.percentile(heights, [0, 50, 100])],
        }


@dataclass(frozen=True)
class _Card:
    """A scene and how it moves about its cell: the middle goes around a curve, and the size swings.

    Attributes:
        pixels: uint8, H x W x 3. boxes: N x 4 of its faces, in its own pixels.
        cell: the corner of its cell.
        scale: of the scene, on average.
        turns: how often in the film it goes across, down, and through its sizes.
        phases: where it begins, radians.
    """

    pixels: Image
    boxes: Boxes
    cell: tuple[int, int]
    scale: float
    turns: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]

    def matrix(self, time: float) -> npt.NDArray[np.float64]:
        """Where it lies at a time from 0 to 1: 2 x 3, from its pixels to the frame's, middles of pixels at whole numbers."""
        swing = np.sin(2 * np.pi * self.turns * time + self.phases)
        size = np.array(self.pixels.shape[1::-1])
        scale = self.scale * (1 + 0.2 * swing[2])
        room = np.array([WIDTH / ACROSS, HEIGHT / DOWN]) - size * scale
        left, top = self.cell + room / 2 * (1 + 0.95 * swing[:2])
        half = (scale - 1) / 2
        return np.array([[scale, 0, left + half], [0, scale, top + half]])

    def faces(self, matrix: npt.NDArray[np.float64]) -> Boxes:
        """Its faces' boxes in the frame."""
        half = (matrix[0, 0] - 1) / 2
        return as_boxes(self.boxes * matrix[0, 0] + np.tile(matrix[:, 2] - half, 2))


def make(sample: Path, work: Path, seconds: int = SECONDS, seed: int = 0) -> Film:
    """The film in a folder below ``work``, made once; the same arguments show the same."""
    data = FaceDataset(sample)
    scenes = _clear_scenes(data)
    root = work / f"film-{value_sha256([_VERSION, seconds, seed, [scene.name for scene in scenes], av.__version__])[:12]}"
    cards = _cards(data, scenes, np.random.default_rng(seed))
    count = seconds * RATE
    if not root.is_dir():
        with atomic_path(root) as temporary:
            temporary.mkdir(parents=True)
            _write(temporary / "film.mp4", _frames(cards, count), count)
    boxes = [np.concatenate([card.faces(card.matrix(number / count)) for card in cards]) for number in range(count)]
    return Film(root / "film.mp4", boxes)


def _clear_scenes(data: FaceDataset) -> list[Picture]:
    """Scenes of whose faces none is so hidden that nobody could tell whether a detector should find it."""
    table = data.table[data.table["x1"].notna()]
    hidden = set(table.loc[table["ignore"] | (table["visible"] < 0.8), "image"])
    return [scene for split in ("train", "val") for scene in data.pictures(split) if len(scene.boxes) and scene.name not in hidden]


def _cards(data: FaceDataset, scenes: list[Picture], rng: np.random.Generator) -> list[_Card]:
    cards: list[_Card] = []
    for number in rng.permutation(len(scenes)):
        scene, index = scenes[number], len(cards)
        scale = _SHARE / 1.2 * min(WIDTH / ACROSS / scene.width, HEIGHT / DOWN / scene.height)
        if (scene.boxes[:, 3] - scene.boxes[:, 1]).min() * scale * 0.8 >= LEAST_FACE:
            cell = (index % ACROSS * WIDTH // ACROSS, index // ACROSS * HEIGHT // DOWN)
            turns = rng.integers(1, 4, 3).astype(np.float64)
            cards.append(_Card(data.read(scene), scene.boxes, cell, scale, turns, rng.uniform(0, 2 * np.pi, 3)))
        if len(cards) == ACROSS * DOWN:
            return cards
    raise RuntimeError(f"{len(cards)} scenes have clear faces alone, {ACROSS * DOWN} are needed; the sample has changed, lower LEAST_FACE")


def _frames(cards: list[_Card], count: int) -> Iterator[Image]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    background = np.stack([90 + rows // 12, 100 + columns // 20, 120 - rows // 15], axis=2).astype(np.uint8)
    for number in range(count):
        frame = background.copy()
        for card in cards:
            matrix = card.matrix(number / count)
            cv2.warpAffine(card.pixels, matrix, (WIDTH, HEIGHT), dst=frame, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
        yield frame


def _write(path: Path, frames: Iterator[Image], count: int) -> None:
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=RATE, options=_CODEC)
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.codec_context.thread_count = 1
        sound = container.add_stream("aac", rate=SOUND)
        for number, frame in enumerate(frames):
            shown = VideoFrame.from_ndarray(frame, "rgb24")
            shown.pts, shown.time_base = number, Fraction(1, RATE)
            container.mux(pictures.encode(shown))
            container.mux(sound.encode(_tone(number)))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))


def _tone(number: int) -> AudioFrame:
    """One frame's share of a tone whose pitch rises, stereo."""
    length = SOUND // RATE
    time = (np.arange(length) + number * length) / SOUND
    wave = (0.4 * np.sin(2 * np.pi * (300 + 40 * time) * time)).astype(np.float32)
    frame = AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND, number * length, Fraction(1, SOUND)
    return frame
